"""The package list is the tree, and the import root leads to the four folders."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAYERS = ("gateway", "services", "functions", "storage")


def setuptools_table() -> dict[str, object]:
    table: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
        "setuptools"
    ]
    return table


def packages_in_the_tree() -> set[str]:
    found = {"fogbank"}
    for layer in LAYERS:
        for init in (ROOT / layer).rglob("__init__.py"):
            found.add(".".join(("fogbank", *init.parent.relative_to(ROOT).parts)))
    return found


def test_the_package_list_names_every_package_and_no_other() -> None:
    assert set(setuptools_table()["packages"]) == packages_in_the_tree()  # type: ignore[call-overload]


def test_each_package_is_found_where_package_dir_says() -> None:
    table = setuptools_table()["package-dir"]
    assert isinstance(table, dict)
    assert set(table) == packages_in_the_tree()
    assert all((ROOT / folder / "__init__.py").is_file() for folder in table.values())


def test_the_import_root_links_to_the_four_folders() -> None:
    for layer in LAYERS:
        link = ROOT / "fogbank" / layer
        assert link.is_symlink()
        assert link.readlink() == Path("..") / layer
