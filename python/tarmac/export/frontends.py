"""Which environment a converter needs, and how to get into it.

Converters' requirements contradict each other, so each has a Python of its own, which `./dev frontend NAME` makes.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tarmac.export.source import UNSUPPORTED, ExportError

# Set in the child, which must not look for another Python again.
INSIDE = "TARMAC_FRONTEND"

# The child gets this package and nothing else of this Python: its packages may be of other versions.
BOOTSTRAP = """
import importlib.util, runpy, sys
folder, sys.argv = sys.argv[1], [sys.argv[1] + "/export/__main__.py", *sys.argv[2:]]
spec = importlib.util.spec_from_file_location("tarmac", folder + "/__init__.py", submodule_search_locations=[folder])
sys.modules["tarmac"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
runpy.run_module("tarmac.export", run_name="__main__")
"""


@dataclass(frozen=True)
class Frontend:
    """An environment: its name, the packages that converters import ("a|b": either), and what pip installs for them."""

    name: str
    imports: tuple[str, ...]
    pip: str

    def missing(self) -> list[str]:
        """The packages that this Python lacks."""
        wanted = ("numpy", *self.imports)
        return [
            packages.replace("|", " or ")
            for packages in wanted
            if all(importlib.util.find_spec(one) is None for one in packages.split("|"))
        ]

    def python(self) -> Path:
        """The environment's interpreter, whether it is there or not."""
        cache = os.environ.get("TARMAC_CACHE")
        if not cache:
            cache = os.path.join(
                os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "tarmac"
            )
        return Path(cache) / f"frontend-{self.name}" / "bin" / "python"


def ensure(frontend: Frontend, arguments: Sequence[str]) -> int | None:
    """Where this Python lacks the packages, runs `python -m tarmac.export ARGUMENTS` in the frontend's and returns its exit
    status; None where all is here. Raises ExportError (code 3) where there is no such environment."""
    missing = frontend.missing()
    if not missing:
        return None
    python = frontend.python()
    if os.environ.get(INSIDE) == frontend.name or not python.is_file():
        raise ExportError(
            UNSUPPORTED,
            f"this Python ({sys.executable}) lacks {', '.join(missing)}",
            f"run ./dev frontend {frontend.name} in a checkout of Tarmac, or pip install {frontend.pip}",
        )
    package = Path(__file__).resolve().parents[1]
    environment = {**os.environ, INSIDE: frontend.name}
    # Modules of the user's own stay importable; this Python's packages must not follow.
    environment.pop("PYTHONHOME", None)
    line = [str(python), "-c", BOOTSTRAP, str(package), *arguments]
    return subprocess.run(line, env=environment, check=False).returncode
