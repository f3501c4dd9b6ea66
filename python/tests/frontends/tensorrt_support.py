"""TensorRT-RTX's own parser, without a GPU."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tarmac.export._tensorrt_library import RTX, open_library


@dataclass(frozen=True)
class Parsed:
    ok: bool
    error: str = ""


def parse(model: Path) -> Parsed:
    """What the parser says, in a process of its own: it may not come back."""
    open_library(RTX)  # once, for all children
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
    trt = open_library(RTX).api

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
