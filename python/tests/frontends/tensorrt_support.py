"""TensorRT-RTX's own parser, without a GPU."""

from __future__ import annotations

import ctypes
import json
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def load() -> Any:
    """The bindings. The runtime's library must be loaded before the parser's."""
    spec = find_spec("tensorrt_rtx_libs")
    assert spec is not None and spec.submodule_search_locations, (
        "tensorrt-rtx-cu13-libs is not installed"
    )
    folder = Path(next(iter(spec.submodule_search_locations)))
    for name in ("libtensorrt_rtx.so.1", "libtensorrt_onnxparser_rtx.so.1"):
        ctypes.CDLL(str(folder / name), mode=ctypes.RTLD_GLOBAL)
    import tensorrt_rtx_bindings

    return tensorrt_rtx_bindings


@dataclass(frozen=True)
class Parsed:
    ok: bool
    error: str = ""


def parse(model: Path) -> Parsed:
    """What the parser says, in a process of its own: it may not come back."""
    load()  # once, for all children
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with os.fdopen(writer, "w") as stream:
            stream.write(json.dumps(_parse(model)))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        text = stream.read()
    _, status = os.waitpid(child, 0)
    if status != 0 or not text:
        return Parsed(False, f"the parser died (status {status})")
    return Parsed(*json.loads(text))


def _parse(model: Path) -> tuple[bool, str]:
    trt = load()

    class Quiet(trt.ILogger):  # type: ignore[misc, name-defined]
        def log(self, severity: Any, message: str) -> None:
            del severity, message

    logger = Quiet()
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger)
    taken = bool(parser.parse_from_file(str(model)))
    errors = [parser.get_error(i) for i in range(parser.num_errors)]
    return taken, errors[-1].desc() if errors and not taken else ""
