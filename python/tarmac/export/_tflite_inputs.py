"""Shapes and samples for a conversion to TensorFlow-Lite, whose files have fixed sizes."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tarmac._program import run_program
from tarmac.export._pictures import preprocessed
from tarmac.export.samples import load_samples, made_up_samples
from tarmac.export.source import BAD_INPUT, USAGE, ExportError, TensorSpec

# The newest opset that onnx2tf 1.29 knows throughout.
HIGHEST_OPSET = 18
# Fusions would make operators that onnx2tf has no form for.
PASSES = (
    "inline_functions,infer_shapes,fold_shape_computations,fold_constants,eliminate_no_ops,"
    "eliminate_expands,merge_casts,merge_transposes,merge_squeezes,merge_reshapes,"
    "merge_slices,merge_concats,merge_clips,merge_pads,normalize_resize,fuse_scale_bias,"
    "fuse_conv_bn,fuse_constant_arithmetic,eliminate_common_subexpressions,"
    "eliminate_dead_code"
)
Sample = Mapping[str, np.ndarray]


def parse_shape(text: str) -> tuple[str, tuple[int, ...]]:
    name, _, dims = text.rpartition(":")
    sizes = dims.replace(",", "x").split("x")
    if not name or not all(size.isdecimal() and int(size) > 0 for size in sizes):
        raise ExportError(USAGE, f"'{text}' gives no shape", "write --shape NAME:1x3x224x224")
    return name, tuple(int(size) for size in sizes)


def fix_shapes(
    model: Path, shapes: Mapping[str, Sequence[int]], folder: Path
) -> tuple[list[TensorSpec], list[str], list[str]]:
    """Writes fixed.onnx; gives its inputs, the names of its outputs, and what was decided."""
    found = run_program("inspect", [model])
    names = [entry["name"] for entry in found["inputs"]]
    for name in shapes:
        if name not in names:
            raise ExportError(
                USAGE, f"the model has no input '{name}'", f"its inputs are {', '.join(names)}"
            )
    specs: list[TensorSpec] = []
    arguments: list[str] = []
    notes: list[str] = []
    for entry in found["inputs"]:
        shape = _fixed(entry["name"], entry["shape"], shapes.get(entry["name"]), notes)
        specs.append(TensorSpec(entry["name"], entry["dtype"], shape))
        if list(shape) != entry["shape"]:
            arguments += ["--fix-shape", f"{entry['name']}:{'x'.join(map(str, shape))}"]
    if found["opsets"].get("", 0) > HIGHEST_OPSET:
        arguments += ["--opset", str(HIGHEST_OPSET)]
        notes.append(f"opset {found['opsets']['']} became {HIGHEST_OPSET} for onnx2tf")
    run_program(
        "optimize",
        [
            model,
            "-o",
            folder / "fixed.onnx",
            "--only",
            PASSES,
            "--target",
            "onnxruntime",
            *arguments,
        ],
    )
    return specs, [entry["name"] for entry in found["outputs"]], notes


def _fixed(
    name: str, shape: Sequence[int | str], wanted: Sequence[int] | None, notes: list[str]
) -> tuple[int, ...]:
    if wanted is not None:
        if len(wanted) != len(shape) or any(
            isinstance(a, int) and a != b for a, b in zip(shape, wanted, strict=True)
        ):
            raise ExportError(
                USAGE, f"input '{name}' is {list(shape)}, not {list(wanted)}", "correct --shape"
            )
        return tuple(wanted)
    if any(not isinstance(size, int) for size in shape[1:]):
        raise ExportError(
            USAGE,
            f"input '{name}' has the dynamic axes {list(shape)}",
            f"fix them with --shape {name}:…",
        )
    if shape and not isinstance(shape[0], int):
        notes.append(f"input '{name}': axis '{shape[0]}' became 1; --shape makes it another size")
    return tuple(size if isinstance(size, int) else 1 for size in shape)


def take_samples(
    specs: Sequence[TensorSpec], data: Path | None, contract: Path | None, most: int, folder: Path
) -> list[Sample]:
    if most < 1:
        raise ExportError(USAGE, f"--samples {most} is none", "give at least 1")
    if data is None:
        return list(made_up_samples(specs))
    if not data.exists():
        raise ExportError(BAD_INPUT, f"there is no data {data}", "correct --data")
    if data.is_dir():
        if contract is None:
            raise ExportError(
                USAGE,
                f"{data} is a folder",
                "add --contract deploy.yaml, which says how pictures become inputs",
            )
        samples: list[Sample] = list(preprocessed(data, contract, specs, most, folder))
    elif contract is not None:
        raise ExportError(
            USAGE, "--contract is about folders of pictures", "leave it out with .npz and .npy"
        )
    else:
        samples = spread(load_samples(data, specs, most=sys.maxsize), most)
    for number, sample in enumerate(samples):
        bad = [
            name
            for name, array in sample.items()
            if array.dtype.kind == "f" and not np.isfinite(array).all()
        ]
        if bad:
            raise ExportError(
                BAD_INPUT,
                f"{data}: sample {number} of '{bad[0]}' has NaN or infinity",
                "take it out",
            )
    return samples


def spread(samples: Sequence[Sample], most: int) -> list[Sample]:
    """Evenly over the data: files are often sorted by what they show."""
    if len(samples) <= most:
        return list(samples)
    return [samples[(i * len(samples)) // most] for i in range(most)]


def tflite_order(spec: TensorSpec, keep: bool) -> tuple[int, ...] | None:
    return (0, 2, 3, 1) if len(spec.shape) == 4 and not keep else None
