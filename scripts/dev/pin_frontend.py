#!/usr/bin/env python3
"""Writes what a converter's environment consists of: pin_frontend.py IN OUT

IN says what is wanted, a requirement a line; `# without: NAME…` leaves packages out that others ask for but the converters
never use.
OUT gets every package with its version and SHA-256, as pip resolves them for the Python that runs this script.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any


def left_out(wanted: Path) -> set[str]:
    lines = [line for line in wanted.read_text().splitlines() if line.startswith("# without:")]
    return {normalized(name) for line in lines for name in line.removeprefix("# without:").split()}


def normalized(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def resolve(wanted: Path) -> list[dict[str, Any]]:
    line = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--dry-run",
        "--ignore-installed",
        "--only-binary",
        ":all:",
    ]
    done = subprocess.run(
        [*line, "--report", "-", "-r", str(wanted)], check=True, stdout=subprocess.PIPE
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)["install"]
    return found


def main() -> int:
    if len(sys.argv) != 3:
        sys.stderr.write(f"{__doc__}")
        return 2
    wanted, pinned = Path(sys.argv[1]), Path(sys.argv[2])
    without = left_out(wanted)
    rows, met = [], set()
    for package in resolve(wanted):
        name = normalized(package["metadata"]["name"])
        if name in without:
            met.add(name)
            continue
        digest = package["download_info"]["archive_info"]["hashes"]["sha256"]
        rows.append(f"{name}=={package['metadata']['version']} --hash=sha256:{digest}")
    if without - met:
        sys.stderr.write(
            f"{wanted}: nothing asks for {', '.join(sorted(without - met))}; take it off `# without:`\n"
        )
        return 1
    python = ".".join(map(str, sys.version_info[:2]))
    head = f"# Python {python} {platform.machine()}; written by scripts/dev/pin_frontend.py from {wanted.name}, do not edit\n"
    pinned.write_text(head + "\n".join(sorted(rows)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
