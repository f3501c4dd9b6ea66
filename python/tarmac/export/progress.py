"""Steps of an export for people who watch: on the terminal only, while converters' own output is
kept aside."""

from __future__ import annotations

import os
from typing import TextIO

terminal: TextIO | None = None


def show_on_terminal() -> None:
    """Lets step() write to standard error as it is now, where that is a terminal."""
    global terminal  # noqa: PLW0603
    terminal = os.fdopen(os.dup(2), "w") if os.isatty(2) else None


def step(text: str) -> None:
    if terminal is not None:
        print(f"==> {text}", file=terminal, flush=True)
