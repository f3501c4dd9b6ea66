"""Models of other frameworks as ONNX files: checked, simplified and compared with their source.

`python -m tarmac.export --help` is the command line; `tarmac.export.torch.export(…)` and its like
are the functions behind it. Nothing is imported before it is used, numpy included: the command line
also starts in a Python that has no packages, and goes on in that of the converter.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tarmac.export.report import ExportReport, OutputError
    from tarmac.export.source import ExportError, Source, TensorSpec

__all__ = ["ExportError", "ExportReport", "OutputError", "Source", "TensorSpec"]

_HOMES = {
    "ExportError": "source",
    "ExportReport": "report",
    "OutputError": "report",
    "Source": "source",
    "TensorSpec": "source",
}


def __getattr__(name: str) -> Any:
    """The names above, and `tarmac.export.torch` without an import of its own."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    module = f"{__name__}.{name}"
    if not name.startswith("_"):
        try:
            return importlib.import_module(module)
        except ModuleNotFoundError as missing:
            if missing.name != module:
                raise
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
