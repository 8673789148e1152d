"""The example app runs end to end, as `make demo` runs it."""

import subprocess
import sys
from pathlib import Path

DEMO = Path(__file__).parents[2] / "examples" / "photo_album" / "demo.py"


def test_the_demo_runs_to_its_end() -> None:
    ran = subprocess.run(
        [sys.executable, str(DEMO)], capture_output=True, text=True, check=False, timeout=180
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.rstrip().endswith("All of it worked.")
