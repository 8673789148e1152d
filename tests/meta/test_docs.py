"""The documents tell the truth where a machine can check it."""

import ast
import re
from pathlib import Path

import pytest

from fogbank.gateway.settings import table

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
MODULE = re.compile(r"`((?:gateway|services|functions|storage|fogbank|bench|tests)/[\w/]+\.py)`")
# `storage/kv.py: Store` or `services/s3/objects.py: put_object, copy_object`
SYMBOLS = re.compile(r"`((?:gateway|services|functions|storage|bench)/[\w/]+\.py): ([\w., ]+)`")
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#]+)")


def defined_in(path: Path) -> set[str]:
    """Names of a module's functions, classes, constants and `Class.method`s."""
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names.add(node.name)
            names |= {
                f"{node.name}.{inner.name}"
                for inner in node.body
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)
            }
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_modules_and_symbols_that_a_document_names_exist(document: Path) -> None:
    text = document.read_text()
    missing = [name for name in MODULE.findall(text) if not (ROOT / name).is_file()]
    for module, symbols in SYMBOLS.findall(text):
        if not (ROOT / module).is_file():
            missing.append(module)
            continue
        there = defined_in(ROOT / module)
        missing += [f"{module}: {name}" for name in symbols.split(", ") if name not in there]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_inside_the_repository_lead_somewhere(document: Path) -> None:
    links = LINK.findall(document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_make_targets_that_a_document_names_exist(document: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([\w-]+)", document.read_text()))
    assert named <= targets


def test_the_readme_has_the_table_of_settings() -> None:
    assert settings_table() in (ROOT / "README.md").read_text()


def settings_table() -> str:
    """The table of settings as Markdown: paste it into the README when a setting changes."""
    lines = ["| setting | environment variable | default | meaning |", "|---|---|---|---|"]
    for row in table():
        default = f"`{row['default']}`" if row["default"] else ""
        unit = f" {row['unit']}" if row["unit"] else ""
        name = row["flag"].removeprefix("--") or row["name"]
        lines.append(f"| `{name}` | `{row['variable']}` | {default}{unit} | {row['meaning']} |")
    return "\n".join(lines)
