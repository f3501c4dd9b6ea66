"""A PyTorch module as an ONNX file, by either of PyTorch's exporters, with the driving operators as
single nodes.

    python -m tarmac.export torch models.py:detector --input image:float32:batch,3,416,416 -o out.onnx
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tarmac.export.arguments import add_common_arguments, check_output, finish_options
from tarmac.export.factory import describe
from tarmac.export.finish import finish
from tarmac.export.report import ExportReport
from tarmac.export.samples import Sample, made_up_samples
from tarmac.export.source import (
    BAD_INPUT,
    DIFFERS,
    DTYPES,
    UNSUPPORTED,
    USAGE,
    ExportError,
    TensorSpec,
)
from tarmac.export.torch_exporters import (
    DYNAMO,
    FIRST_WITH_ALLOWZERO,
    FROZEN,
    LOWEST_DYNAMO_OPSET,
    TORCHSCRIPT,
    ExporterFailed,
    find_data_dependence,
    forget_allowzero,
    torch_version,
    write_by_dynamo,
    write_by_torchscript,
)
from tarmac.export.torch_module import TorchSource, load_module, load_weights, to_numpy

if TYPE_CHECKING:
    import torch

AUTO = "auto"
Dynamic = Mapping[str, Mapping[int, str]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model",
        metavar="MODULE[:FACTORY]",
        help="models.py or an importable name; in it a module, its class, or a function making one",
    )
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME:DTYPE:DIM,DIM,…",
        help="an input, in the order of forward; a DIM is a size or the name of a dynamic axis",
    )
    parser.add_argument(
        "--output-name",
        dest="outputs",
        action="append",
        default=[],
        metavar="NAME",
        help="name of an output, in order (default: keys of a dictionary, else output0, …)",
    )
    parser.add_argument(
        "--dynamic",
        action="append",
        default=[],
        metavar="NAME:AXIS=SYMBOL,…",
        help="axes of an input that may change: image:0=batch,2=height",
    )
    parser.add_argument("--weights", type=Path, metavar="FILE.pt", help="state dict to load first")
    parser.add_argument(
        "--exporter",
        choices=(AUTO, TORCHSCRIPT, DYNAMO),
        default=AUTO,
        help="auto takes torch.export (dynamo) from opset 18 on, else TorchScript; then the other",
    )
    parser.add_argument(
        "--no-driving-operators",
        action="store_true",
        help="leave functions such as multi-scale deformable attention in PyTorch's own operators",
    )
    add_common_arguments(parser)


def run(args: argparse.Namespace) -> ExportReport:
    specs = [TensorSpec.parse(text) for text in args.input]
    dynamic = dict(_parse_dynamic(text) for text in args.dynamic)
    specs, sizes = _with_dynamic(specs, dynamic)
    options = finish_options(args, specs)
    options["sizes"] = {**sizes, **options["sizes"]}
    return export(
        args.model,
        args.output,
        inputs=specs,
        outputs=args.outputs,
        opset=args.opset,
        exporter=args.exporter,
        weights=args.weights,
        driving_operators=not args.no_driving_operators,
        **options,
    )


def export(
    module: torch.nn.Module | str,
    output: str | Path,
    *,
    inputs: Mapping[str, Any] | Sequence[TensorSpec | str],
    outputs: Sequence[str] = (),
    dynamic: Dynamic | None = None,
    opset: int | None = None,
    exporter: str = AUTO,
    weights: str | Path | None = None,
    driving_operators: bool = True,
    samples: Sequence[Mapping[str, np.ndarray]] | None = None,
    sizes: Mapping[str, tuple[int, int]] | None = None,
    max_error: float = 0.01,
    simplify: bool = True,
) -> ExportReport:
    """Writes a module as an ONNX file that was checked, simplified and compared with it.

    module: a torch.nn.Module, or MODULE[:FACTORY] as on the command line. inputs: examples by name
    (tensors or arrays), or descriptions "image:float32:batch,3,416,416"; in the order of forward, or
    named as its parameters. dynamic: {"image": {0: "batch"}}: axes that may change. outputs: names,
    in order; by default the keys of what the module returns. opset: of the file, 13 or higher; by
    default what the exporter likes best. exporter: auto, torchscript or dynamo (torch.export).
    weights: a state dict. driving_operators: whether known functions of mmcv and its relatives become
    one operator each, or stay what PyTorch makes of them. The rest is finish()'s: samples to compare
    on, sizes of dynamic axes.

    The module runs in evaluation mode and is left as it was found. Raises ExportError.
    """
    import torch

    output = Path(output)
    check_output(output)
    if exporter not in (AUTO, TORCHSCRIPT, DYNAMO):
        raise ExportError(
            USAGE, f"there is no exporter '{exporter}'", "auto, torchscript or dynamo"
        )
    if isinstance(module, str):
        module = load_module(module)
    if isinstance(module, torch.jit.ScriptModule):
        message = "a scripted module cannot be exported: PyTorch's exporters want Python code"
        raise ExportError(UNSUPPORTED, message, "export the module that it was made from")
    if weights is not None:
        load_weights(module, Path(weights))
    specs, examples = _describe(inputs)
    specs, own_sizes = _with_dynamic(specs, dynamic or {})
    all_sizes = {**own_sizes, **(sizes or {})}
    if not specs:
        remedy = "give each input: --input image:float32:1,3,416,416"
        raise ExportError(USAGE, "the module's inputs are not described", remedy)
    source = TorchSource(module, specs, outputs, driving_operators)
    with source.prepared():
        made_up = made_up_samples(specs, all_sizes)
        given = list(samples) if samples is not None else ([examples] if examples else None)
        _try(source, given[0] if given else made_up[-1])
        example = _example(source, given or [], made_up[-1])
        if examples and samples is None and len(made_up) > 1:
            given = _also(source, [examples], made_up[-1])
        return _export(
            source,
            output,
            example,
            opset,
            exporter,
            framework=torch_version(torch),
            samples=given,
            sizes=all_sizes,
            max_error=max_error,
            simplify=simplify,
        )


def _export(
    source: TorchSource,
    output: Path,
    example: Mapping[str, np.ndarray],
    opset: int | None,
    exporter: str,
    **options: Any,
) -> ExportReport:
    """Tries the exporters in turn; each that fails leaves its reason in the report."""
    failed: list[str] = []
    order = _order(exporter, opset)
    for name in order:
        notes = [*source.notes]
        try:
            with tempfile.TemporaryDirectory(
                prefix=f".{output.name}.", dir=output.parent
            ) as folder:
                path = Path(folder) / "converted.onnx"
                notes += _write(name, source, example, path, opset, exporter == AUTO)
                if failed:
                    notes.append(f"exporter {name} was used because {'; '.join(failed)}")
                label = "TorchScript" if name == TORCHSCRIPT else "torch.export"
                return finish(
                    path, source, output, opset=opset, exporter=label, notes=notes, **options
                )
        except ExporterFailed as failure:
            if failure.data_dependent:
                raise _data_dependent(str(failure)) from failure
            failed.append(f"{name} failed: {failure}")
        except ExportError as failure:
            if failure.code != DIFFERS or name == order[-1]:
                if failed:
                    message = f"{failure.message} ({'; '.join(failed)})"
                    raise ExportError(failure.code, message, failure.remedy) from failure
                raise
            failed.append(f"{name} wrote a wrong file: {failure.message}")
    raise ExportError(
        UNSUPPORTED, f"the module cannot be exported: {'; '.join(failed)}", _remedy(order)
    )


def _order(exporter: str, opset: int | None) -> list[str]:
    if exporter != AUTO:
        return [exporter]
    low = opset is not None and opset < LOWEST_DYNAMO_OPSET
    return [TORCHSCRIPT, DYNAMO] if low else [DYNAMO, TORCHSCRIPT]


def _remedy(order: Sequence[str]) -> str:
    if len(order) == 1:
        return "try --exporter auto, which falls back to the other exporter"
    return "rewrite the place that is named, or export another part of the module"


def _write(
    name: str,
    source: TorchSource,
    example: Mapping[str, np.ndarray],
    path: Path,
    opset: int | None,
    is_auto: bool,
) -> list[str]:
    """Notes of the exporter that was used."""
    before = len(source.notes)
    if name == TORCHSCRIPT:
        redirected = write_by_torchscript(source, example, path, opset)
        notes, source.notes[before:] = source.notes[before:], []
        if is_auto and any(FROZEN in note for note in notes):
            found = find_data_dependence(source, example)
            if found:
                raise ExporterFailed(found, data_dependent=True)
    else:
        redirected = write_by_dynamo(source, example, path, opset)
        notes = []
        if opset is not None and opset < LOWEST_DYNAMO_OPSET:
            notes.append(
                f"torch.export writes opset {LOWEST_DYNAMO_OPSET}; `tarmac optimize` lowered it to "
                f"{opset}"
            )
            if opset < FIRST_WITH_ALLOWZERO:
                forget_allowzero(path)
    return notes + [f"{function} left as one operator of Tarmac" for function in redirected]


def _data_dependent(place: str) -> ExportError:
    return ExportError(
        UNSUPPORTED,
        f"what the module does depends on the values of its tensors, at {place}",
        "a graph cannot follow Python there: write it with torch.where or torch.cond, or export the "
        "part that always runs",
    )


def _try(source: TorchSource, sample: Mapping[str, np.ndarray]) -> None:
    """Runs the module as it is; where only its own kernels are missing, with Tarmac's operators."""
    try:
        source.name_outputs(sample)
        return
    except ExportError:
        raise
    except Exception as failure:
        first = failure
    with source.redirected() as redirected:
        try:
            source.name_outputs(sample)
        except ExportError:
            raise
        except Exception:
            redirected = []
    if not redirected:
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in sample.items())
        message = f"the module does not run on {shapes}: {describe(first)}"
        remedy = "correct the inputs' shapes and types, or give other --sizes"
        raise ExportError(BAD_INPUT, message, remedy) from first
    source.runs_patched = True
    source.notes.append(
        f"compared with the module running on Tarmac's {', '.join(redirected)}, because its own does not "
        f"run here: {describe(first)}"
    )


def _example(
    source: TorchSource, given: Sequence[Mapping[str, np.ndarray]], made_up: Sample
) -> Mapping[str, np.ndarray]:
    """What to trace: torch.export takes a dynamic axis of size 1 for a fixed one."""
    for sample in given:
        sizes = [
            size
            for spec in source.inputs
            for dim, size in zip(spec.shape, np.shape(sample[spec.name]), strict=True)
            if isinstance(dim, str)
        ]
        if all(size > 1 for size in sizes):
            return sample
    if given:
        try:
            source.run(made_up)
        except Exception:  # made-up values are not valid everywhere
            return given[0]
    return made_up


def _also(source: TorchSource, given: list[Sample], further: Sample) -> list[Sample]:
    try:
        source.run(further)
    except Exception as failure:
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in further.items())
        source.notes.append(f"not compared at {shapes}: {describe(failure)}")
        return given
    return [*given, further]


def _describe(
    inputs: Mapping[str, Any] | Sequence[TensorSpec | str],
) -> tuple[list[TensorSpec], Sample]:
    """The inputs' descriptions, and the examples where there are any."""
    import torch

    if not isinstance(inputs, Mapping):
        texts = [inputs] if isinstance(inputs, str) else inputs
        return [TensorSpec.parse(item) if isinstance(item, str) else item for item in texts], {}
    examples = {
        name: to_numpy(value) if isinstance(value, torch.Tensor) else np.asarray(value)
        for name, value in inputs.items()
    }
    for name, array in examples.items():
        if array.dtype.name not in DTYPES:
            message = f"input '{name}' has the type {array.dtype}"
            raise ExportError(BAD_INPUT, message, f"expected one of {', '.join(sorted(DTYPES))}")
    specs = [TensorSpec(name, array.dtype.name, array.shape) for name, array in examples.items()]
    return specs, examples


def _parse_dynamic(text: str) -> tuple[str, dict[int, str]]:
    name, _, pairs = text.rpartition(":")
    axes = {}
    for pair in pairs.split(","):
        axis, _, symbol = pair.partition("=")
        if not name or not axis.strip().isdecimal() or not symbol.strip().isidentifier():
            message = f"'{text}' names no dynamic axes"
            raise ExportError(
                USAGE, message, "write NAME:AXIS=SYMBOL,…, as in image:0=batch,2=height"
            )
        axes[int(axis)] = symbol.strip()
    return name, axes


def _with_dynamic(
    specs: Sequence[TensorSpec], dynamic: Dynamic
) -> tuple[list[TensorSpec], dict[str, tuple[int, int]]]:
    """Puts symbols in place of sizes; the sizes become the first that made-up inputs have."""
    known = {spec.name: spec for spec in specs}
    sizes: dict[str, tuple[int, int]] = {}
    for name, axes in dynamic.items():
        if name not in known:
            message = f"there is no input '{name}' to make dynamic"
            raise ExportError(
                USAGE, message, f"the inputs are {', '.join(known) or 'not described'}"
            )
        shape = list(known[name].shape)
        for axis, symbol in axes.items():
            if axis >= len(shape):
                message = f"input '{name}' has no axis {axis}"
                raise ExportError(USAGE, message, f"its axes are 0 to {len(shape) - 1}")
            size = shape[axis]
            if isinstance(size, int):
                sizes.setdefault(symbol, (size, _another(size)))
            shape[axis] = symbol
        known[name] = TensorSpec(name, known[name].dtype, tuple(shape))
    return list(known.values()), sizes


def _another(size: int) -> int:
    """A second size: as divisible by 32 as the first, what downscaling networks ask for."""
    return size + 32 if size % 32 == 0 else size + 1
