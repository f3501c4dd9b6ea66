"""The last steps of every export: check, simplify, compare with the source, and only then put the file in its place."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tarmac._program import ProgramError, run_program
from tarmac.export import progress
from tarmac.export import report as reports
from tarmac.export.arguments import check_output
from tarmac.export.onnx_run import run_onnx
from tarmac.export.ranked import Aligned, align
from tarmac.export.report import ExportReport, OutputError
from tarmac.export.samples import Sizes, made_up_samples
from tarmac.export.source import BAD_INPUT, BUG, DIFFERS, UNSUPPORTED, ExportError, Source

FROZEN_SIZES = (
    "sizes of the example may have been frozen while converting: try another exporter, compute them "
    "from the tensors, or fix the axis"
)
# Operators whose results come in an order of scores.
RANKING = {"NonMaxSuppression", "TopK"}
Samples = Sequence[Mapping[str, np.ndarray]]


def finish(
    converted: Path,
    source: Source,
    output: Path,
    *,
    samples: Samples | None = None,
    sizes: Sizes | None = None,
    max_error: float = 0.01,
    absolute: Mapping[str, float] | None = None,
    simplify: bool = True,
    opset: int | None = None,
    framework: str = "",
    exporter: str = "",
    notes: Sequence[str] = (),
) -> ExportReport:
    """Makes OUT.onnx of what a converter wrote, or raises ExportError and leaves no file.

    The file is checked by onnx's checker, simplified by `tarmac optimize` (to `opset` where given, else at the file's own or
    a newer one that simplifying needs), and run by `tarmac run --target onnxruntime` on the inputs that the source runs on:
    `samples`, else seeded made-up ones, at two sizes where axes are dynamic (`sizes` by axis name). Every output must be
    within `max_error` of the range of the source's, or within what `absolute` says for it, as quantised ones need (code 5).
    Weights beyond 2 GB lie in a .data file beside it.
    """
    output = Path(output)
    check_output(output)
    notes = list(notes)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as folder:
            staged = Path(folder) / output.name
            progress.step("simplify" if simplify else "check")
            nodes = _simplify(converted, staged, simplify, opset, notes)
            found = run_program("inspect", [staged])
            given = samples is not None
            progress.step("compare with the source")
            errors, ran = _compare(
                staged, found, source, samples, sizes, Path(folder), max_error, notes
            )
            _judge(errors, max_error, absolute or {})
            files = _move(staged, output)
    except ProgramError as failure:
        raise ExportError(failure.code, str(failure)) from None
    return ExportReport(
        output=output,
        framework=framework,
        exporter=exporter,
        opset=found["opsets"].get("", 0),
        bytes=sum(file.stat().st_size for file in files),
        external_data=tuple(files[1:]),
        nodes_before=nodes[0],
        nodes_after=nodes[1],
        errors=tuple(errors),
        max_error=max_error,
        data=f"{ran} {'given' if given else 'made-up'} sample{'s' if ran > 1 else ''}",
        notes=tuple(notes),
    )


def _simplify(
    converted: Path, staged: Path, simplify: bool, opset: int | None, notes: list[str]
) -> tuple[int, int]:
    """Nodes before and after. Without simplifying the file is only checked, stored anew, and converted to `opset`."""
    arguments: list[str | Path] = [converted, "-o", staged]
    if opset is not None:
        arguments += ["--opset", str(opset)]
    if not simplify:
        arguments += ["--only", "infer_shapes"]
    done = run_program("optimize", arguments)
    notes.extend(str(note) for note in done.get("notes", []))
    return done["nodes_before"], done["nodes_after"]


def _compare(
    staged: Path,
    found: Mapping[str, Any],
    source: Source,
    samples: Samples | None,
    sizes: Sizes | None,
    folder: Path,
    max_error: float,
    notes: list[str],
) -> tuple[list[OutputError], int]:
    """The errors of every output, and how many samples they come from."""
    names = _check_names(found, source, notes)
    chosen = list(samples) if samples is not None else made_up_samples(source.inputs, sizes)
    if not chosen:
        raise ExportError(BAD_INPUT, "there is no sample to compare on", "give at least one")
    references = []
    for index, sample in enumerate(chosen):
        try:
            references.append(source.run(sample))
        except Exception as failure:
            what = f"{type(failure).__name__}: {str(failure).strip() or 'no message'}"
            shapes = _shapes(sample)
            if index == 0 or samples is not None:
                message = f"the model does not run on the sample {shapes}: {what}"
                raise ExportError(
                    BAD_INPUT, message, "give samples with --data, or other --sizes"
                ) from failure
            notes.append(
                f"not compared at {shapes}, where the model itself does not run: {what.splitlines()[0]}"
            )
            chosen = chosen[:index]
            break
    results = _run(staged, chosen, names, source.outputs, folder)
    errors: dict[str, OutputError] = {}
    ranks = not RANKING.isdisjoint(found["operators"])
    for sample, reference, result in zip(chosen, references, results, strict=True):
        wanted = {name: np.asarray(reference[name]) for name in source.outputs}
        for name, expected in wanted.items():
            if expected.shape != result[name].shape:
                raise ExportError(
                    DIFFERS,
                    f"output '{name}' has the shape {list(result[name].shape)}, in the source {list(expected.shape)} "
                    f"(inputs {_shapes(sample)})",
                    FROZEN_SIZES,
                )
        pair = align(wanted, result, max_error) if ranks else Aligned(wanted, result)
        if pair.moved or pair.cut:
            notes.append(
                f"near-equal scores put {pair.moved} rows elsewhere than in the source"
                + (f", and {pair.cut} others at the cut-off, which were left out" if pair.cut else "")
                + f" (inputs {_shapes(sample)})"
            )
        for name in source.outputs:
            error = reports.compare(name, pair.reference[name], pair.result[name])
            errors[name] = reports.worst(errors[name], error) if name in errors else error
    return list(errors.values()), len(chosen)


def _check_names(found: Mapping[str, Any], source: Source, notes: list[str]) -> list[str]:
    """The model's inputs. Converters leave out inputs that do nothing; anything else that is missing is an error."""
    outputs = [output["name"] for output in found["outputs"]]
    if outputs != list(source.outputs):
        raise ExportError(
            BUG, f"the ONNX file has the outputs {outputs}, expected {list(source.outputs)}"
        )
    known = {spec.name for spec in source.inputs}
    inputs = [entry["name"] for entry in found["inputs"]]
    if not set(inputs) <= known:
        raise ExportError(BUG, f"the ONNX file has the inputs {inputs}, expected {sorted(known)}")
    notes.extend(
        f"input '{name}' changes no output and is left out" for name in sorted(known - set(inputs))
    )
    return inputs


def _run(
    model: Path, samples: Samples, inputs: Sequence[str], outputs: Sequence[str], folder: Path
) -> list[dict[str, np.ndarray]]:
    try:
        return run_onnx(model, samples, inputs, outputs, folder)
    except ProgramError as failure:
        if failure.code == UNSUPPORTED:
            raise
        shapes = " or ".join(_shapes(sample) for sample in samples)
        message = f"the ONNX file does not run on {shapes}, as its source does: {failure}"
        raise ExportError(DIFFERS, message, FROZEN_SIZES) from None


def _shapes(sample: Mapping[str, np.ndarray]) -> str:
    return ", ".join(f"{name} {list(array.shape)}" for name, array in sample.items())


def _judge(errors: Sequence[OutputError], limit: float, absolute: Mapping[str, float]) -> None:
    off = [error for error in errors if not error.within(limit, absolute.get(error.output, 0))]
    if off:
        each = ", ".join(
            f"'{error.output}' by {100 * error.max_rel:.3g} % of its range"
            + (
                f" and {error.mismatches} values that are NaN or infinite on one side only"
                if error.mismatches
                else ""
            )
            for error in off
        )
        message = f"the ONNX file differs from the source: {each}; allowed are {100 * limit:g} %"
        raise ExportError(
            DIFFERS,
            message,
            "no file was written; try another exporter or opset, or raise --max-error",
        )
    empty = [error.output for error in errors if error.compared == 0]
    if empty:
        message = f"nothing could be compared of output {', '.join(empty)}: it is empty, NaN or infinite in the source too"
        raise ExportError(BAD_INPUT, message, "give real samples with --data")


def _move(staged: Path, output: Path) -> list[Path]:
    """External data first: a reader never finds a model without its weights."""
    data = sorted(file for file in staged.parent.iterdir() if file.is_file() and file != staged)
    moved = []
    for file in [*data, staged]:
        os.replace(file, output.parent / file.name)
        moved.append(output.parent / file.name)
    return [moved[-1], *moved[:-1]]
