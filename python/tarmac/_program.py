"""The program `tarmac` as a child process: what exporters need of Tarmac, without a native module in their process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

NOT_FOUND = "the program 'tarmac' is not here; build it with ./dev build, put it on PATH, or name it in TARMAC_PROGRAM"


class ProgramError(Exception):
    """The program refused. `code` is its exit code: 2 usage, 3 unsupported, 4 bad input, 5 differs, 1 bug. `answer` is
    what it printed nevertheless."""

    def __init__(self, code: int, message: str, answer: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.answer = answer or {}


def find_program() -> Path:
    """TARMAC_PROGRAM, else the installed package's own, else the checkout's build, else PATH.

    Raises ProgramError (code 3) where there is none.
    """
    named = os.environ.get("TARMAC_PROGRAM")
    if named:
        if not os.access(named, os.X_OK):
            raise ProgramError(
                3, f"TARMAC_PROGRAM is '{named}', which is no program; correct it or unset it"
            )
        return Path(named)
    package = Path(__file__).resolve().parent
    for candidate in (package / "bin" / "tarmac", package.parents[1] / "build/release/bin/tarmac"):
        if os.access(candidate, os.X_OK):
            return candidate
    on_path = shutil.which("tarmac")
    if on_path is None:
        raise ProgramError(3, NOT_FOUND)
    return Path(on_path)


def run_program(command: str, arguments: Sequence[str | Path]) -> dict[str, Any]:
    """Runs `tarmac COMMAND ARGUMENTS --json` and returns the object it prints; raises ProgramError where it refuses."""
    line = [str(find_program()), command, *map(str, arguments), "--json", "--quiet"]
    done = subprocess.run(line, capture_output=True, text=True, errors="replace", check=False)
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError:
        said = (
            done.stderr.strip()[-2000:]
            or f"it ended with status {done.returncode} and said nothing"
        )
        raise ProgramError(1, f"tarmac {command} failed: {said}") from None
    if done.returncode != 0:
        error = answer.get("error", {})
        parts = [error.get("context", ""), error.get("message", "no reason given")]
        message = ": ".join(part for part in parts if part)
        node = f" (node '{error['node']}')" if error.get("node") else ""
        raise ProgramError(done.returncode, f"tarmac {command}: {message}{node}", answer)
    return answer
