"""Options that all sources have, spelled once."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from tarmac.export.source import BAD_INPUT, USAGE, ExportError, TensorSpec


class Parser(argparse.ArgumentParser):
    """Usage errors as ExportError, so that --json can report them too."""

    def error(self, message: str) -> NoReturn:
        raise ExportError(USAGE, message, f"see '{self.prog} --help'")


def share(text: str) -> float:
    """ "1%" or "0.01"."""
    number = text.strip()
    try:
        value = float(number[:-1]) / 100 if number.endswith("%") else float(number)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no share; write 1% or 0.01") from None
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' lies outside 0 to 100 %")
    return value


def check_output(output: Path) -> None:
    """Says before the work whether OUT.onnx can be written."""
    if output.is_dir():
        raise ExportError(BAD_INPUT, f"{output} is a folder", "name the ONNX file to write")
    if not output.parent.is_dir():
        raise ExportError(BAD_INPUT, f"there is no folder {output.parent}", "make it first")
    if not os.access(output.parent, os.W_OK):
        raise ExportError(
            BAD_INPUT, f"the folder {output.parent} cannot be written to", "choose another"
        )


def place(written: Path, output: Path) -> None:
    """Copies to `output` at once or not at all: under another name first, since temporary folders may be on another disk."""
    staged = output.parent / f".{output.name}.{os.getpid()}"
    try:
        shutil.copyfile(written, staged)
        os.replace(staged, output)
    finally:
        staged.unlink(missing_ok=True)


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """What every way to ONNX has. finish_options() turns the last five into arguments of finish()."""
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT.onnx",
        help="the ONNX file to write",
    )
    parser.add_argument(
        "--opset", type=int, metavar="N", help="opset of the result (default: the converter's)"
    )
    add_comparison_arguments(parser)
    parser.add_argument("--no-simplify", action="store_true", help="check and compare only")


def add_comparison_arguments(parser: argparse.ArgumentParser) -> None:
    """How the result is compared with its source."""
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FILE.npz",
        help="compare on these inputs: an array for each, samples along the first axis (default: made-up ones)",
    )
    parser.add_argument(
        "--sizes",
        action="append",
        default=[],
        metavar="AXIS=FIRST[,SECOND]",
        help="sizes of a dynamic axis that made-up inputs have; repeat it (default: 1,2 for first axes, else 64,96)",
    )
    parser.add_argument(
        "--max-error",
        type=share,
        default=0.01,
        metavar="SHARE",
        help="how far outputs may be from the source's, as a share of their range (default: 1%%)",
    )


def finish_options(args: argparse.Namespace, inputs: Sequence[TensorSpec]) -> dict[str, Any]:
    """The keyword arguments of finish() that come from the common options."""
    from tarmac.export.samples import load_samples, parse_sizes

    if args.data is not None and args.sizes:
        raise ExportError(USAGE, "--sizes is about made-up inputs", "leave it or --data out")
    return {
        "samples": load_samples(args.data, inputs) if args.data is not None else None,
        "sizes": parse_sizes(args.sizes),
        "max_error": args.max_error,
        "simplify": not args.no_simplify,
    }
