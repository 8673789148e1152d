"""Small real programs on other people's clients, run as they would run against AWS."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack import RunningStack

HERE = Path(__file__).parent


def run(stack: RunningStack, account: str, *command: str) -> str:
    """What the program printed; it must end well."""
    env = {
        **os.environ,
        "AWS_ENDPOINT_URL": stack.endpoint,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
    }
    ran = subprocess.run(
        command, env=env, capture_output=True, text=True, check=False, timeout=120, cwd=HERE
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout.strip()


@pytest.mark.parametrize("program", ["notes_resource.py", "notes_pynamodb.py"])
def test_a_python_program_runs(stack: RunningStack, account: str, program: str) -> None:
    assert run(stack, account, sys.executable, str(HERE / program)) == "done"


@pytest.fixture(scope="session")
def node_modules() -> None:
    """The packages of package.json, installed once beside it."""
    if shutil.which("npm") is None:
        pytest.skip("Node.js and npm are not installed")
    if not (HERE / "node_modules" / "@aws-sdk" / "lib-dynamodb").is_dir():
        subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--silent"],
            cwd=HERE,
            env={**os.environ, "NODE_ENV": "development"},
            check=True,
            timeout=300,
        )


@pytest.mark.usefixtures("node_modules")
def test_a_javascript_program_runs(stack: RunningStack, account: str) -> None:
    assert run(stack, account, "node", str(HERE / "notes_document.mjs")) == "done"
