"""Style that a machine can check."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ("gateway", "services", "functions", "storage")
DRAWERS = {"utils.py", "util.py", "helpers.py", "manager.py", "base.py", "common.py", "misc.py"}
FUNCTION_LINES_MAX = 80
MODULE_LINES_MAX = 700


def tracked(*suffixes: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    paths = [ROOT / name for name in listed if name.endswith(suffixes)]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def sources() -> list[Path]:
    return [path for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]


def functions_of(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_no_module_is_a_drawer() -> None:
    assert [str(path) for path in sources() if path.name in DRAWERS] == []


def test_every_module_says_what_it_is() -> None:
    silent = [str(path) for path in sources() if not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


def test_modules_stay_readable() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources()
        if (lines := path.read_text().count("\n")) > MODULE_LINES_MAX
    }
    assert long == {}


def test_functions_fit_on_a_screen() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {node.name} has {length} lines"
        for path in sources()
        for node in functions_of(path)
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_nothing_is_left_open() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX)\b")
    left = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in tracked(".py", ".md", ".toml", "Makefile")
        if path != Path(__file__)
        for line in path.read_text().splitlines()
        if marks.search(line)
    ]
    assert left == []


def test_no_file_names_a_path_of_a_machine() -> None:
    # The folder names of a home or of a workplace have no place in a repository.
    machine = re.compile(r"(?<![\w.])/(root|home/\w+|work)/")
    named = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in tracked(".py", ".md", ".toml", ".yaml", "Makefile", "Dockerfile", "run")
        if path != Path(__file__)
        for line in path.read_text().splitlines()
        if machine.search(line)
    ]
    assert named == []


@pytest.mark.parametrize("layer", LAYERS)
def test_no_exception_is_swallowed_bare(layer: str) -> None:
    bare = [
        f"{path.relative_to(ROOT)}: line of {ast.unparse(node)[:60]}"
        for path in sorted((ROOT / layer).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]
    assert bare == []


@pytest.mark.parametrize("layer", LAYERS)
def test_tasks_live_in_groups(layer: str) -> None:
    bare = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / layer).rglob("*.py"))
        if re.search(
            r"asyncio\.(create_task|ensure_future)\(|loop\.create_task\(", path.read_text()
        )
    ]
    assert bare == []
