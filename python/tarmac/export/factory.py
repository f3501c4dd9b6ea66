"""Finds what MODULE:FACTORY names in the user's own Python code."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from tarmac.export.source import BAD_INPUT, UNSUPPORTED, USAGE, ExportError


def load_factory(text: str) -> Any:
    """What MODULE:FACTORY gives: MODULE is an importable name or a .py file, FACTORY a function
    in it without arguments, or the object itself."""
    name, _, factory = text.rpartition(":")
    if not name or not factory:
        raise ExportError(
            USAGE, f"'{text}' names no function", "write MODULE:FACTORY, as in models.py:detector"
        )
    found = attribute_of(import_module(name), name, factory)
    return call(found, text) if callable(found) else found


def call(factory: Any, text: str) -> Any:
    """factory(), or an ExportError that quotes what it raised."""
    try:
        return factory()
    except Exception as failure:
        message = f"{text} could not be called: {describe(failure)}"
        remedy = "give a function without arguments that makes the model"
        raise ExportError(BAD_INPUT, message, remedy) from failure


def import_module(name: str) -> ModuleType:
    """A file (models.py), or an importable name; what is imported already is taken as it is, so
    that its classes stay the same. Raises ExportError, with the line of the user's code that
    failed."""
    path = Path(name)
    try:
        if path.suffix != ".py":
            return importlib.import_module(name)
        if not path.is_file():
            raise ExportError(BAD_INPUT, f"there is no file {name}", "check the path")
        loaded = sys.modules.get(path.stem)
        file = getattr(loaded, "__file__", None)
        if loaded is not None and file is not None and Path(file).resolve() == path.resolve():
            return loaded
        folder = str(path.resolve().parent)
        if folder not in sys.path:
            sys.path.insert(0, folder)  # what the file imports from beside it
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
        return module
    except ExportError:
        raise
    except ModuleNotFoundError as missing:
        if missing.name and name.split(".")[0] == missing.name.split(".")[0]:
            message = f"there is no Python module '{missing.name}'"
            remedy = "give a file (models.py:factory), or start where the module can be imported"
            raise ExportError(BAD_INPUT, message, remedy) from None
        message = f"{name} imports '{missing.name}', which is not installed"
        raise ExportError(UNSUPPORTED, message, f"{sys.executable} -m pip install it") from missing
    except Exception as failure:
        raise ExportError(BAD_INPUT, f"{name} cannot be loaded: {describe(failure)}") from failure


def attribute_of(home: ModuleType, name: str, factory: str) -> Any:
    """What `factory` (dotted) names in the module `home`, which the user calls `name`."""
    found: Any = home
    for part in factory.split("."):
        if not hasattr(found, part):
            names = [other for other in vars(found) if not other.startswith("_")]
            close = difflib.get_close_matches(part, names, 3)
            remedy = (
                f"did you mean {', '.join(close)}?" if close else f"it has {', '.join(names[:10])}"
            )
            raise ExportError(BAD_INPUT, f"{name} has no '{part}'", remedy)
        found = getattr(found, part)
    return found


def describe(failure: BaseException) -> str:
    """Type and first line of an exception, and the last line of the user's own code that it
    passed."""
    lines = str(failure).strip().splitlines()
    what = f"{type(failure).__name__}: {lines[0]}" if lines else type(failure).__name__
    place = user_place(traceback.extract_tb(failure.__traceback__))
    return f"{what} ({place})" if place else what


def user_place(stack: Sequence[traceback.FrameSummary]) -> str:
    """ "models.py:12" of the innermost frame outside of installed packages and of Tarmac."""
    here = str(Path(__file__).resolve().parents[1])
    for frame in reversed(stack):
        installed = "site-packages" in frame.filename or "/lib/python3" in frame.filename
        if not installed and not frame.filename.startswith((here, "<")):
            return f"{Path(frame.filename).name}:{frame.lineno}"
    return ""
