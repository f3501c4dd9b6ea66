"""The Python scripts of examples/basics, short."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tarmac._program import find_program

ROOT = Path(__file__).resolve().parents[2]


def test_the_basic_examples_print_what_is_expected(pictures: Path) -> None:
    if not (ROOT / "build/demo/data/basics").is_dir():
        pytest.skip("no features; ./dev demo basics draws them")
    done = subprocess.run(
        [sys.executable, "-B", str(ROOT / "examples/basics/run"), "--short", "--python"],
        env={**os.environ, "BASICS_PYTHON": sys.executable, "TARMAC_PROGRAM": str(find_program())},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "3 passed, 0 failed" in done.stdout
