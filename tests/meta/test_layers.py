"""Imports point down: gateway -> services -> {functions, storage}."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAY_IMPORT = {
    "gateway": {"gateway", "services", "functions", "storage"},
    "services": {"services", "functions", "storage"},
    "functions": {"functions"},
    "storage": {"storage"},
}


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules_of(layer: str) -> list[Path]:
    return sorted((ROOT / layer).rglob("*.py"))


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_a_layer_imports_only_what_lies_below_it(layer: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules_of(layer)
        for name in imports_of(path)
        if name.startswith("fogbank.")
        and name.split(".")[1] not in MAY_IMPORT[layer] | {"__version__"}
    ]
    assert modules_of(layer)
    assert wrong == []


def test_a_service_never_imports_another_services_package() -> None:
    packages = {path.parent.name for path in (ROOT / "services").glob("*/__init__.py")}
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for package in packages
        for path in (ROOT / "services" / package).rglob("*.py")
        for name in imports_of(path)
        if name.startswith("fogbank.services.") and name.split(".")[2] in packages - {package}
    ]
    assert packages
    assert wrong == []


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_modules_import_each_other_by_the_import_root(layer: str) -> None:
    bare = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules_of(layer)
        for name in imports_of(path)
        if name.split(".")[0] in MAY_IMPORT
    ]
    assert bare == []


def test_one_module_knows_botocore() -> None:
    knowing = {
        str(path.relative_to(ROOT))
        for layer in MAY_IMPORT
        for path in modules_of(layer)
        for name in imports_of(path)
        if name.split(".")[0] in ("botocore", "boto3")
    }
    assert knowing <= {"gateway/models.py"}
