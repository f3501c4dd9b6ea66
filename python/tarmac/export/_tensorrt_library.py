"""NVIDIA's Python packages: TensorRT 10 and 11 (`tensorrt`) and TensorRT-RTX (`tensorrt_rtx`), whose interfaces are one."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RTX, TENSORRT = "tensorrt-rtx", "tensorrt"


class NoLibrary(Exception):
    """None of the packages is here, or its libraries do not load."""


@dataclass(frozen=True)
class Library:
    """`api` is the module; `name` RTX or TENSORRT."""

    name: str
    version: str
    api: Any

    @property
    def label(self) -> str:
        return ("TensorRT-RTX " if self.name == RTX else "TensorRT ") + self.version


def _open_rtx() -> Any:
    """The bindings of the cu13 packages, which hold the libraries but leave loading them to others: the runtime before the
    parser, which needs it."""
    spec = importlib.util.find_spec("tensorrt_rtx_libs")
    if spec is None or not spec.submodule_search_locations:
        return importlib.import_module("tensorrt_rtx")  # the package with everything
    folder = Path(next(iter(spec.submodule_search_locations)))
    for stem in ("libtensorrt_rtx.so", "libtensorrt_onnxparser_rtx.so"):
        for file in sorted(folder.glob(stem + "*")):
            ctypes.CDLL(str(file), mode=ctypes.RTLD_GLOBAL)
    return importlib.import_module("tensorrt_rtx_bindings")


def open_library(name: str = "auto") -> Library:
    """The library of that name; "auto": TensorRT where it is, else TensorRT-RTX. Raises NoLibrary."""
    tried = []
    for one in (TENSORRT, RTX) if name == "auto" else (name,):
        try:
            api = _open_rtx() if one == RTX else importlib.import_module("tensorrt")
        except (ImportError, OSError) as failure:
            tried.append(f"{one}: {failure}")
            continue
        return Library(one, str(api.__version__), api)
    raise NoLibrary("; ".join(tried))
