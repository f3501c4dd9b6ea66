"""What the exporters from TensorFlow share: a quiet TensorFlow, options, and models as sources to
compare with."""

from __future__ import annotations

import argparse
import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from tarmac.export.arguments import add_common_arguments, finish_options
from tarmac.export.source import (
    BAD_INPUT,
    DTYPES,
    UNSUPPORTED,
    USAGE,
    ExportError,
    TensorSpec,
)

TO_NHWC, TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)
LAYOUTS = ("nhwc", "nchw")
# An unknown operator, in the words of TensorFlow and of LiteRT.
UNKNOWN_OP = re.compile(
    r"Op type not registered '([^']+)'|(?:unresolved|Unsupported) custom op: ([\w.]+)"
)


@dataclass(frozen=True)
class Port:
    """An input or output: its tensor in the framework's graph and its name in the ONNX file. Sizes
    are None where they are not known before the run; a shape is None where the number of axes is
    not."""

    tensor: str
    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True)
class Model:
    """A model as read from its file: a frozen GraphDef, or the path of a TensorFlow-Lite file.
    `call` runs it as it is.

    `batched` says that unknown first axes of inputs and outputs are the same axis, the batch;
    `levels` how much one quantisation level of an output is."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    call: Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]
    framework: str
    graph_def: Any = None
    tables: Any = None
    tflite: Path | None = None
    batched: bool = False
    levels: Mapping[str, float] = field(default_factory=dict)


def load_tensorflow() -> Any:
    """TensorFlow on the CPU, without its messages; oneDNN off, so that its results are those of
    plain float arithmetic."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.update(
        CUDA_VISIBLE_DEVICES="-1", TF_ENABLE_ONEDNN_OPTS="0", KERAS_BACKEND="tensorflow"
    )
    import tensorflow

    tensorflow.get_logger().setLevel(logging.ERROR)
    return tensorflow


def framework_name(tf: Any) -> str:
    return f"tensorflow {tf.__version__}"


def check_file(path: Path, what: str) -> None:
    if path.is_dir():
        hint = "use 'saved_model' for it" if (path / "saved_model.pb").is_file() else f"give {what}"
        raise ExportError(BAD_INPUT, f"{path} is a folder", hint)
    if not path.is_file():
        raise ExportError(BAD_INPUT, f"{path}: cannot open: no such file", "check the path")


def numpy_name(dtype: Any, where: str) -> str:
    """numpy's name of a TensorFlow type that ONNX inputs can have."""
    name = str(dtype.name)
    if name not in DTYPES:
        remedy = "give the model numbers: leave decoding and tokenising to the program around it"
        raise ExportError(UNSUPPORTED, f"{where} has the type {name}", remedy)
    return name


def known_shape(shape: Any) -> tuple[int | None, ...] | None:
    return None if shape.rank is None else tuple(shape.as_list())


def unsupported_op(failure: BaseException, path: Path) -> ExportError | None:
    """The error for a model with an operator that this framework does not have."""
    found = UNKNOWN_OP.search(str(failure))
    if found is None:
        return None
    op = next(group for group in found.groups() if group)
    remedy = (
        "it comes from an extension: export the model without it, or leave its part to the "
        "program around the model"
    )
    return ExportError(
        UNSUPPORTED, f"{path} uses the operator {op}, which its framework does not have", remedy
    )


def first_line(failure: BaseException) -> str:
    """What a framework said, without the pages around it: the error inside a trace, else the first
    line."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(failure))
    inner = re.findall(r"^\s*\w*Error: (.+)$", text, re.MULTILINE)
    lines = inner or [line.strip() for line in text.splitlines() if line.strip()]
    told = [
        line
        for line in lines
        if not line.startswith(("in user code:", "Exception encountered when calling"))
    ]
    return str((told or lines or [type(failure).__name__])[0])[:300]


def framework_shape(spec: TensorSpec, layout: str) -> tuple[int | None, ...]:
    """Sizes that a user wants of the ONNX file, in TensorFlow's own order of axes."""
    sizes = tuple(size if isinstance(size, int) else None for size in spec.shape)
    return tuple(sizes[axis] for axis in TO_NHWC) if layout == "nchw" and len(sizes) == 4 else sizes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What all four sources have."""
    add_common_arguments(parser)
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        dest="shapes",
        metavar="NAME:DIM,DIM,…",
        help="sizes of an input as the ONNX file shall have them, a number or the name of a "
        "dynamic axis; repeat it",
    )
    parser.add_argument(
        "--layout",
        type=str.lower,
        choices=LAYOUTS,
        default="nhwc",
        help="axes of inputs with four of them: as TensorFlow has them (nhwc, the default), or "
        "channels first (nchw)",
    )
    parser.add_argument(
        "--output-layout",
        type=str.lower,
        choices=LAYOUTS,
        default="nhwc",
        help="the same for outputs (default: nhwc)",
    )


class Options(TypedDict, total=False):
    """How a model is converted and compared. `opset`: 13 or higher (default: 17, or a newer one
    that simplifying needs). `layout`, `output_layout`: nhwc (default) or nchw, of inputs and
    outputs with four axes. `shapes`: sizes and names of axes as the ONNX file shall have them. The
    others are finish()'s: samples to compare on, sizes of dynamic axes for made-up ones, the
    largest error (default: 1 % of the range), whether to simplify (default: yes)."""

    opset: int | None
    layout: str
    output_layout: str
    shapes: Sequence[TensorSpec]
    samples: Sequence[Mapping[str, np.ndarray]] | None
    sizes: Mapping[str, tuple[int, int]] | None
    max_error: float
    simplify: bool


def conversion_options(args: argparse.Namespace) -> Options:
    """What does not depend on the model."""
    return {
        "opset": args.opset,
        "layout": args.layout,
        "output_layout": args.output_layout,
        "shapes": [TensorSpec.parse(text, dtype="") for text in args.shapes],
    }


def all_options(args: argparse.Namespace, model: Model) -> Options:
    """The samples too, which must fit the model's inputs."""
    options = conversion_options(args)
    source = TensorFlowSource(model, options)
    return {**options, **finish_options(args, source.inputs)}  # type: ignore[typeddict-item]


class TensorFlowSource:
    """The model as the ONNX file shall look: named axes, and channels first where asked for."""

    def __init__(self, model: Model, options: Options) -> None:
        self.model = model
        layout, output_layout = options.get("layout", "nhwc"), options.get("output_layout", "nhwc")
        shapes = options.get("shapes", ())
        none: frozenset[str] = frozenset()
        self.first_inputs = _four_axes(model.inputs, shapes) if layout == "nchw" else none
        self.first_outputs = _four_axes(model.outputs, ()) if output_layout == "nchw" else none
        for wanted, found, option in (
            (layout, self.first_inputs, "--layout"),
            (output_layout, self.first_outputs, "--output-layout"),
        ):
            if wanted == "nchw" and not found:
                which = "input" if option == "--layout" else "output"
                raise ExportError(
                    USAGE, f"{option} nchw: no {which} is known to have four axes", "leave it out"
                )
        self.inputs = _specs(model, shapes, self.first_inputs)
        self.outputs = [port.name for port in model.outputs]

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        own = {
            name: np.ascontiguousarray(array.transpose(TO_NHWC))
            if name in self.first_inputs
            else array
            for name, array in inputs.items()
        }
        found = self.model.call(own)
        return {
            name: found[name].transpose(TO_NCHW) if name in self.first_outputs else found[name]
            for name in self.outputs
        }


def _four_axes(ports: Sequence[Port], shapes: Sequence[TensorSpec]) -> frozenset[str]:
    ranks = {port.name: len(port.shape) if port.shape is not None else None for port in ports}
    ranks.update({spec.name: len(spec.shape) for spec in shapes})
    return frozenset(name for name, rank in ranks.items() if rank == 4)


def _specs(
    model: Model, shapes: Sequence[TensorSpec], channels_first: frozenset[str]
) -> list[TensorSpec]:
    declared = {spec.name: spec for spec in shapes}
    names = [port.name for port in model.inputs]
    for name in declared:
        if name not in names:
            raise ExportError(
                USAGE, f"there is no input '{name}'", f"the model has {', '.join(names)}"
            )
    specs = []
    for port in model.inputs:
        own = declared.get(port.name)
        if own is not None:
            specs.append(_declared(port, own, port.name in channels_first))
        elif port.shape is None:
            remedy = f"say them: --input {port.name}:batch,224,224,3"
            raise ExportError(
                USAGE, f"the number of axes of input '{port.name}' is not in the file", remedy
            )
        else:
            axes = _axis_names(port, len(names) > 1)
            specs.append(
                _first(TensorSpec(port.name, port.dtype, axes), port.name in channels_first)
            )
    return specs


def _first(spec: TensorSpec, channels_first: bool) -> TensorSpec:
    shape = tuple(spec.shape[axis] for axis in TO_NCHW) if channels_first else spec.shape
    return TensorSpec(spec.name, spec.dtype, shape)


def _declared(port: Port, own: TensorSpec, channels_first: bool) -> TensorSpec:
    if own.dtype and own.dtype != port.dtype:
        raise ExportError(
            USAGE, f"input '{port.name}' is {port.dtype}, not {own.dtype}", "leave the type out"
        )
    if port.shape is not None:
        shape = port.shape if not channels_first else tuple(port.shape[axis] for axis in TO_NCHW)
        fits = len(shape) == len(own.shape) and all(
            size is None or size == dim for size, dim in zip(shape, own.shape, strict=True)
        )
        if not fits:
            has = ",".join("?" if size is None else str(size) for size in shape)
            message = (
                f"--input {own.name}:{','.join(map(str, own.shape))} does not fit the model, "
                f"which has {has}"
            )
            raise ExportError(USAGE, message, "only sizes shown as ? can be chosen")
    return TensorSpec(port.name, port.dtype, own.shape)


def _axis_names(port: Port, several: bool) -> tuple[int | str, ...]:
    """Unknown sizes get names: batch for first axes, height and width for pictures. Only batches
    are taken to be equal in several inputs."""
    assert port.shape is not None
    prefix = re.sub(r"\W", "_", port.name) + "_" if several else ""
    named = {1: "height", 2: "width"} if len(port.shape) == 4 else {}
    axes: list[int | str] = []
    for axis, size in enumerate(port.shape):
        unknown = "batch" if axis == 0 else prefix + named.get(axis, f"axis{axis}")
        axes.append(unknown if size is None else size)
    return tuple(axes)
