"""An ONNX model as a TensorFlow-Lite file, float32, float16 or INT8, by onnx2tf; compared on
LiteRT with the ONNX model."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from tarmac._program import ProgramError
from tarmac.export._tflite_inputs import (
    Sample,
    fix_shapes,
    parse_shape,
    spread,
    take_samples,
    tflite_order,
)
from tarmac.export._worker import WorkerFailure, run_worker
from tarmac.export.arguments import check_output, place, share
from tarmac.export.onnx_run import run_onnx
from tarmac.export.report import compare, worst
from tarmac.export.source import (
    BAD_INPUT,
    DIFFERS,
    UNSUPPORTED,
    USAGE,
    ExportError,
    TensorSpec,
)
from tarmac.export.tflite_report import TensorChange, TfliteError, TfliteReport

# How far an output may be off, as a share of its range, where --max-error does not say it.
MAX_ERROR = {"float32": 0.01, "float16": 0.01, "int8": 0.1}
MOST_CALIBRATION, MOST_COMPARED = 500, 32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="the ONNX file")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT.tflite", help="the file to write"
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--float16", action="store_true", help="weights in 16 bits")
    kind.add_argument(
        "--int8", action="store_true", help="weights and activations in 8 bits; needs --data"
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FILE.npz|DIR",
        help="samples for the comparison and, with --int8, for calibration: an array for each "
        "input, samples along the first axis (.npz, .npy), or a folder of pictures with --contract "
        "(default without --int8: made-up samples)",
    )
    parser.add_argument(
        "--contract",
        type=Path,
        metavar="deploy.yaml",
        help="how the pictures of a folder become inputs; Tarmac preprocesses them",
    )
    parser.add_argument(
        "--samples",
        type=int,
        default=MOST_CALIBRATION,
        metavar="N",
        help="calibrate on N samples at most (500)",
    )
    parser.add_argument(
        "--shape",
        action="append",
        default=[],
        metavar="NAME:1x3x224x224",
        help="shape of an input with dynamic axes; repeat it (default: a dynamic first axis is 1)",
    )
    parser.add_argument(
        "--keep-nchw", action="store_true", help="inputs and outputs keep ONNX's order of axes"
    )
    parser.add_argument(
        "--io",
        choices=("int8", "uint8", "float32"),
        default="int8",
        help="with --int8: type of inputs and outputs (int8)",
    )
    parser.add_argument(
        "--allow-float",
        action="store_true",
        help="with --int8: operators without an INT8 form stay float",
    )
    parser.add_argument(
        "--max-error",
        type=share,
        metavar="SHARE",
        help="how far outputs may be from the ONNX model's, as a share of their range "
        "(default: 1%%, with --int8 10%%)",
    )


def run(args: argparse.Namespace) -> TfliteReport:
    return export(
        args.model,
        args.output,
        mode="int8" if args.int8 else "float16" if args.float16 else "float32",
        data=args.data,
        contract=args.contract,
        most_samples=args.samples,
        shapes=dict(parse_shape(text) for text in args.shape),
        keep_nchw=args.keep_nchw,
        io=args.io,
        allow_float=args.allow_float,
        max_error=args.max_error,
    )


def export(
    model: str | Path,
    output: str | Path,
    *,
    mode: str = "float32",
    data: Path | None = None,
    contract: Path | None = None,
    most_samples: int = MOST_CALIBRATION,
    shapes: Mapping[str, Sequence[int]] | None = None,
    keep_nchw: bool = False,
    io: str = "int8",
    allow_float: bool = False,
    max_error: float | None = None,
) -> TfliteReport:
    """Writes OUT.tflite with fixed shapes. Inputs of four axes become NHWC, and so do outputs
    where onnx2tf has them so; the report says each one's axes. Every output must be within
    `max_error` of its range of what ONNX Runtime gives (code 5), on at most 32 samples of
    `data`. INT8 (per channel, both activations and weights, `io` at the borders) is calibrated
    on `data`."""
    model, output = Path(model), Path(output)
    check_output(output)
    limit = MAX_ERROR[mode] if max_error is None else max_error
    if mode == "int8" and data is None:
        raise ExportError(
            USAGE,
            "INT8 needs samples to calibrate on",
            "add --data FILE.npz, or a folder and --contract",
        )
    if mode != "int8" and (io != "int8" or allow_float):
        raise ExportError(
            USAGE, "--io and --allow-float are about INT8", "add --int8, or leave them out"
        )
    if not model.is_file():
        raise ExportError(BAD_INPUT, f"there is no file {model}", "correct the path")
    try:
        with tempfile.TemporaryDirectory(prefix="tarmac-tflite-") as temporary:
            folder = Path(temporary)
            specs, outputs, notes = fix_shapes(model, shapes or {}, folder)
            samples = take_samples(specs, data, contract, most_samples, folder)
            compared = spread(samples, MOST_COMPARED)
            expected = run_onnx(model, compared, [spec.name for spec in specs], outputs, folder)
            orders = [tflite_order(spec, keep_nchw) for spec in specs]
            written, orders_out = _convert(
                specs,
                outputs,
                orders,
                samples,
                compared,
                expected,
                keep_nchw,
                mode,
                io,
                allow_float,
                folder,
            )
            got, facts = _run_lite(written, specs, outputs, orders, compared, folder)
            errors = _errors(outputs, expected, got, orders_out)
            _judge(errors, limit, mode)
            report = TfliteReport(
                output=output,
                mode=mode,
                bytes=written.stat().st_size,
                framework=facts["framework"],
                exporter=f"onnx2tf {version('onnx2tf')}",
                inputs=tuple(
                    TensorChange.of(s.name, s.shape, order, facts["inputs"][s.name])
                    for s, order in zip(specs, orders, strict=True)
                ),
                outputs=tuple(
                    TensorChange.of(name, expected[0][name].shape, order, facts["outputs"][name])
                    for name, order in zip(outputs, orders_out, strict=True)
                ),
                calibration_samples=len(samples) if mode == "int8" else 0,
                compared_samples=len(compared),
                made_up=data is None,
                errors=tuple(errors),
                max_error=limit,
                notes=tuple([*notes, *facts["notes"]]),
            )
            place(written, output)
            return report
    except ProgramError as failure:
        raise ExportError(failure.code, str(failure)) from None


def _convert(
    specs: Sequence[TensorSpec],
    outputs: Sequence[str],
    orders: Sequence[tuple[int, ...] | None],
    samples: Sequence[Sample],
    compared: Sequence[Sample],
    expected: Sequence[Mapping[str, np.ndarray]],
    keep: bool,
    mode: str,
    io: str,
    allow_float: bool,
    folder: Path,
) -> tuple[Path, list[tuple[int, ...]]]:
    """The TFLite file, and the order of the ONNX output's axes in each of its outputs."""
    _number_names(
        folder / "fixed.onnx", folder / "numbered.onnx", [spec.name for spec in specs], outputs
    )
    first: dict[str, Any] = {f"in_{i}": compared[0][spec.name] for i, spec in enumerate(specs)}
    first |= {f"out_{i}": expected[0][name] for i, name in enumerate(outputs)}
    np.savez(folder / "reference.npz", **first)
    if mode == "int8":
        np.savez(folder / "samples.npz", **_stacked(specs, samples))
    work = folder / "work"
    work.mkdir()
    job = {
        "model": str(folder / "numbered.onnx"),
        "transposed": orders,
        "reference": str(folder / "reference.npz"),
        "samples": str(folder / "samples.npz"),
        "mode": mode,
        "io": io,
        "allow_float": allow_float,
        "keep_outputs": keep,
        "inputs": [spec.name for spec in specs],
        "outputs": list(outputs),
        "output": str(folder / "written.tflite"),
    }
    try:
        result = run_worker("tarmac.export._tflite_worker", job, work)
    except WorkerFailure as failure:
        remedy = "write it with other operators"
        if mode == "int8" and not allow_float and "has no" not in str(failure):
            remedy = "--allow-float leaves operators without an INT8 form in float"
        raise ExportError(
            UNSUPPORTED, f"the model cannot become TFLite: {failure}", remedy
        ) from failure
    return folder / "written.tflite", [tuple(order) for order in result["orders"]]


def _stacked(specs: Sequence[TensorSpec], samples: Sequence[Sample]) -> dict[str, Any]:
    return {
        f"in_{i}": np.stack([sample[spec.name] for sample in samples])
        for i, spec in enumerate(specs)
    }


def _number_names(path: Path, target: Path, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Inputs become in_0, in_1, … and outputs out_0, …: TensorFlow takes few characters in
    names. Functions are inlined."""
    import onnx
    from onnx import helper, inliner

    model = onnx.load(path)
    if model.functions:
        model = inliner.inline_local_functions(model)
    graph = model.graph
    before = [helper.make_node("Identity", [f"in_{i}"], [name]) for i, name in enumerate(inputs)]
    after = [helper.make_node("Identity", [name], [f"out_{i}"]) for i, name in enumerate(outputs)]
    nodes = [*before, *graph.node, *after]
    del graph.node[:]
    graph.node.extend(nodes)
    for values, prefix in ((graph.input, "in"), (graph.output, "out")):
        for i, value in enumerate(values):
            value.name = f"{prefix}_{i}"
    for i, node in enumerate(graph.node):
        node.name = node.name or f"{node.op_type}_{i}"
    onnx.save(onnx.shape_inference.infer_shapes(model, data_prop=True), target)


def _run_lite(
    written: Path,
    specs: Sequence[TensorSpec],
    outputs: Sequence[str],
    orders: Sequence[tuple[int, ...] | None],
    samples: Sequence[Sample],
    folder: Path,
) -> tuple[list[dict[str, np.ndarray]], dict[str, Any]]:
    np.savez(folder / "compared.npz", **_stacked(specs, samples))
    job = {
        "model": str(written),
        "samples": str(folder / "compared.npz"),
        "orders": orders,
        "inputs": [spec.name for spec in specs],
        "outputs": list(outputs),
        "results": str(folder / "results.npz"),
    }
    try:
        facts = run_worker("tarmac.export._litert_worker", job, folder / "work")
    except WorkerFailure as failure:
        raise ExportError(
            UNSUPPORTED, f"LiteRT does not run the converted model: {failure}"
        ) from failure
    facts["framework"] = (
        f"tensorflow {_tensorflow_version()}, ai-edge-litert {version('ai-edge-litert')}"
    )
    results = np.load(folder / "results.npz")
    columns = [results[f"out_{i}"] for i in range(len(outputs))]
    return [dict(zip(outputs, row, strict=True)) for row in zip(*columns, strict=True)], facts


def _errors(
    outputs: Sequence[str],
    expected: Sequence[Mapping[str, np.ndarray]],
    got: Sequence[Mapping[str, np.ndarray]],
    orders: Sequence[tuple[int, ...]],
) -> list[TfliteError]:
    errors = []
    for name, order in zip(outputs, orders, strict=True):
        pairs = [(e[name].transpose(order), g[name]) for e, g in zip(expected, got, strict=True)]
        off = [compare(name, e, g) for e, g in pairs]
        total = off[0]
        for error in off[1:]:
            total = worst(total, error)
        errors.append(TfliteError.of(total, pairs))
    return errors


def _judge(errors: Sequence[TfliteError], limit: float, mode: str) -> None:
    off = [error for error in errors if not error.within(limit)]
    if off:
        each = ", ".join(error.sentence() for error in off)
        remedy = (
            "raise --max-error, calibrate on more of the real data, or take --float16"
            if mode == "int8"
            else "raise --max-error"
        )
        raise ExportError(
            DIFFERS,
            f"the TFLite file differs from the ONNX model: {each}; allowed are {100 * limit:g} %",
            f"no file was written; {remedy}",
        )
    empty = [error.output for error in errors if error.compared == 0]
    if empty:
        raise ExportError(
            BAD_INPUT,
            f"nothing could be compared of output {', '.join(empty)}",
            "give real samples with --data",
        )


def _tensorflow_version() -> str:
    from importlib.metadata import PackageNotFoundError

    for name in ("tensorflow-cpu", "tensorflow"):
        try:
            return version(name)
        except PackageNotFoundError:
            pass
    return "?"
