"""The command ``tarmac``: the program that was installed with this package."""

from __future__ import annotations

import os
import sys

from tarmac._program import ProgramError, find_program


def main() -> int:
    try:
        program = find_program()
    except ProgramError as error:
        print(f"tarmac: error: {error}", file=sys.stderr)
        return error.code
    os.execv(program, ["tarmac", *sys.argv[1:]])
