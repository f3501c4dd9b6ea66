"""Watches what a command asks the system for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2]
WATCH = """
import os, sys
log = open(os.path.join(os.path.dirname(__file__), f"{os.getpid()}.log"), "w")
def watch(event, arguments):
    if event in ("subprocess.Popen", "os.system", "socket.connect", "socket.getaddrinfo"):
        print(event, arguments, file=log, flush=True)
sys.addaudithook(watch)
"""


def run_watched(
    arguments: Sequence[object], folder: Path
) -> tuple[subprocess.CompletedProcess[str], str]:
    """python -m tarmac.export ARGUMENTS, and the programs and addresses that its Python
    processes asked for, a line each."""
    watch = folder / "watch"
    watch.mkdir()
    (watch / "sitecustomize.py").write_text(WATCH)
    done = subprocess.run(
        [sys.executable, "-m", "tarmac.export", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(watch), str(PACKAGE)])},
        capture_output=True,
        text=True,
        check=False,
    )
    logs = [file.read_text() for file in watch.glob("*.log")]
    assert len(logs) >= 2, "the watch must see the export and its converter"
    return done, "".join(logs)
