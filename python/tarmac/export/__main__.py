"""python -m tarmac.export: models of other frameworks as checked ONNX files."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from tarmac.export import progress
from tarmac.export.arguments import Parser, check_output
from tarmac.export.frontends import Frontend, ensure
from tarmac.export.source import BUG, USAGE, ExportError

TORCH = Frontend("torch", ("torch", "onnx", "onnxscript"), "torch onnx onnxscript")
TENSORFLOW = Frontend(
    "tensorflow", ("tensorflow", "keras", "tf2onnx"), "tensorflow keras tf2onnx 'onnx<1.24'"
)
LITE = Frontend(
    "tensorflow",
    ("tensorflow", "ai_edge_litert", "tf2onnx"),
    "tensorflow ai-edge-litert tf2onnx 'onnx<1.24'",
)
PADDLE = Frontend(
    "paddle", ("paddle", "paddle2onnx"), "paddlepaddle paddle2onnx 'onnx<1.18' packaging"
)
TO_TFLITE = Frontend("tflite", ("onnx2tf", "tensorflow"), "onnx2tf==1.29.24 tensorflow==2.19.*")
TO_TENSORRT = Frontend(
    "tensorrt",
    ("tensorrt_rtx_bindings|tensorrt_rtx|tensorrt",),
    "tensorrt-rtx-cu13-libs tensorrt-rtx-cu13-bindings",
)


@dataclass(frozen=True)
class Row:
    """A command: its module in this folder, which has add_arguments(parser) and run(args) -> report, and its environment."""

    module: str
    frontend: Frontend
    help: str


COMMANDS = {
    "torch": Row("torch", TORCH, "a PyTorch module, or a function that makes one"),
    "saved_model": Row("saved_model", TENSORFLOW, "a TensorFlow SavedModel"),
    "keras": Row("keras", TENSORFLOW, "a Keras model: .keras or .h5"),
    "frozen_graph": Row("frozen_graph", TENSORFLOW, "a frozen TensorFlow graph (.pb)"),
    "tflite": Row("tflite", LITE, "a TensorFlow-Lite model, float or quantised"),
    "paddle": Row("paddle", PADDLE, "a PaddlePaddle model: a saved program, or a layer in Python"),
    "to-tensorrt": Row(
        "to_tensorrt", TO_TENSORRT, "an ONNX file as an engine of TensorRT or TensorRT-RTX"
    ),
    "to-tflite": Row(
        "to_tflite", TO_TFLITE, "the other way: an ONNX file as a TensorFlow-Lite model"
    ),
}

EXAMPLES = """examples:
  python -m tarmac.export torch models.py:detector --input image:float32:batch,3,416,416 -o detector.onnx
  python -m tarmac.export saved_model export/ -o model.onnx --json
  python -m tarmac.export to-tflite model.onnx -o model.tflite --int8 --data samples.npz
  python -m tarmac.export to-tensorrt model.onnx -o model.engine --profile image:1x3x96x96,4x3x96x96,8x3x96x96

exit codes: 0 done, 1 our bug, 2 wrong usage, 3 unsupported or missing, 4 bad input, 5 the result differs from its source"""


def usage() -> str:
    rows = "\n".join(f"  {name:<13} {row.help}" for name, row in COMMANDS.items())
    return (
        f"usage: python -m tarmac.export SOURCE MODEL -o OUT [OPTION…]\n\n{__doc__}\n\nsources:\n{rows}\n\n"
        f"'python -m tarmac.export SOURCE --help' shows a source's options.\n\n{EXAMPLES}"
    )


@contextmanager
def chatter_aside(show: bool) -> Iterator[IO[bytes]]:
    """Sends what converters print, native code included, to a file (to stderr with `show`), so that stdout stays clean."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept_out, kept_err = os.dup(1), os.dup(2)
    with tempfile.TemporaryFile() as heap:
        os.dup2(kept_err if show else heap.fileno(), 1)
        os.dup2(kept_err if show else heap.fileno(), 2)
        try:
            yield heap
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(kept_out, 1)
            os.dup2(kept_err, 2)
            os.close(kept_out)
            os.close(kept_err)


def parse(name: str, arguments: Sequence[str]) -> argparse.Namespace:
    row = COMMANDS[name]
    module = importlib.import_module(f"tarmac.export.{row.module}")
    parser = Parser(
        prog=f"python -m tarmac.export {name}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object on standard output"
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="show what the converter prints"
    )
    args = parser.parse_args(arguments)
    args.run = module.run
    return args


def convert(name: str, arguments: Sequence[str]) -> int:
    wants_help = "-h" in arguments or "--help" in arguments
    if not wants_help or importlib.util.find_spec("numpy") is None:
        status = ensure(COMMANDS[name].frontend, [name, *arguments])
        if status is not None:
            return status
    args = parse(name, arguments)
    check_output(args.output)
    progress.show_on_terminal()
    with chatter_aside(args.verbose) as heap:
        try:
            report = args.run(args)
        except BaseException as failure:
            heap.flush()
            if not isinstance(failure, ExportError) or failure.code == BUG:
                traceback.print_exc()
            heap.seek(0)
            failure.chatter = heap.read()  # type: ignore[attr-defined]
            raise
    if args.json:
        print(
            json.dumps(
                {"command": "export", "source": name, "status": "ok", **report.json()},
                allow_nan=False,
            )
        )
    else:
        print(report.text())
    return 0


def fail(error: dict[str, Any], wants_json: bool, chatter: bytes) -> int:
    if chatter.strip():
        sys.stderr.write(chatter[-8000:].decode("utf-8", "replace").rstrip() + "\n")
    if wants_json:
        print(json.dumps({"command": "export", "status": "error", "error": error}))
    remedy = f"; {error['remedy']}" if error["remedy"] else ""
    sys.stderr.write(f"tarmac.export: {error['message']}{remedy}\n")
    return int(error["code"])


def main(arguments: Sequence[str]) -> int:
    wants_json = "--json" in arguments
    try:
        if not arguments or arguments[0] in ("-h", "--help", "help"):
            print(usage())
            return 0 if arguments else USAGE
        if arguments[0] not in COMMANDS:
            message = f"there is no source '{arguments[0]}'"
            raise ExportError(USAGE, message, f"expected one of {', '.join(COMMANDS)}")
        return convert(arguments[0], arguments[1:])
    except ExportError as failure:
        error = {"code": failure.code, "message": failure.message, "remedy": failure.remedy}
        # An error that says what is wrong needs no converter's log beside it.
        return fail(
            error, wants_json, getattr(failure, "chatter", b"") if failure.code == BUG else b""
        )
    except KeyboardInterrupt:
        return 130
    except Exception as failure:
        chatter = getattr(failure, "chatter", b"") or traceback.format_exc().encode()
        message = f"{type(failure).__name__}: {failure}"
        return fail(
            {"code": BUG, "message": message, "remedy": "this is a bug; please report it"},
            wants_json,
            chatter,
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
