"""Names of an ONNX file's inputs, outputs and dynamic axes, where the converter made up its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tarmac.export.source import USAGE, ExportError, TensorSpec


def specs_of(model: Any) -> list[TensorSpec]:
    """The inputs of a ModelProto. A dynamic first axis is called batch, a further one NAME_AXIS."""
    from onnx.helper import tensor_dtype_to_np_dtype

    specs = []
    for value in model.graph.input:
        tensor = value.type.tensor_type
        dims = [
            (
                dim.dim_value
                if dim.dim_value > 0
                else "batch"
                if axis == 0
                else f"{_word(value.name)}_{axis}"
            )
            for axis, dim in enumerate(tensor.shape.dim)
        ]
        specs.append(
            TensorSpec(value.name, tensor_dtype_to_np_dtype(tensor.elem_type).name, tuple(dims))
        )
    return specs


def _word(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def rename_outputs(model: Any, names: Sequence[str]) -> None:
    """Gives the i-th output names[i], by an Identity that simplifying takes out: nested graphs
    may read the old names."""
    from onnx import helper

    graph = model.graph
    taken = {value.name for value in [*graph.input, *graph.initializer]} | {
        name for node in graph.node for name in node.output
    }
    renamed = [
        (output, name)
        for output, name in zip(graph.output, names, strict=True)
        if output.name != name
    ]
    for output, name in renamed:
        if name in taken:
            raise ExportError(
                USAGE,
                f"an output cannot be called '{name}': another value is",
                "choose another --output-name",
            )
        graph.node.append(
            helper.make_node("Identity", [output.name], [name], name=f"output.{name}")
        )
        output.name = name


def set_input_axes(model: Any, specs: Sequence[TensorSpec]) -> None:
    """Writes the specs' axes into the inputs, and drops what was said of all other shapes: tools
    infer that again."""
    for value, spec in zip(model.graph.input, specs, strict=True):
        _set_shape(value, spec.shape)
    del model.graph.value_info[:]


def _set_shape(value: Any, shape: Sequence[int | str]) -> None:
    dims = value.type.tensor_type.shape
    del dims.dim[:]
    for size in shape:
        if isinstance(size, str):
            dims.dim.add().dim_param = size
        else:
            dims.dim.add().dim_value = size


def name_output_axes(
    model: Any,
    specs: Sequence[TensorSpec],
    runs: Sequence[tuple[Mapping[str, int], Sequence[np.ndarray]]],
) -> None:
    """Gives outputs their shapes: from onnx's inference where that follows an axis from input to
    output, else from `runs` (the sizes of the axes by name, and the outputs): an axis that has
    the size of one dynamic axis in every run is that one."""
    import onnx

    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    for output in bare.graph.output:
        output.type.tensor_type.ClearField("shape")
    try:
        inferred = onnx.shape_inference.infer_shapes(bare, data_prop=True)
    except Exception:
        inferred = bare  # the runs say it
    known = {dim for spec in specs for dim in spec.shape if isinstance(dim, str)}
    for i, (output, guess) in enumerate(
        zip(model.graph.output, inferred.graph.output, strict=True)
    ):
        rank = runs[0][1][i].ndim if runs else len(output.type.tensor_type.shape.dim)
        dims = guess.type.tensor_type.shape.dim
        found = (
            [(dim.dim_value or dim.dim_param) for dim in dims] if len(dims) == rank else [""] * rank
        )
        shape = [
            dim if isinstance(dim, int) or dim in known else _from_runs(i, a, runs)
            for a, dim in enumerate(found)
        ]
        _set_shape(
            output,
            [f"{_word(output.name)}_{a}" if dim is None else dim for a, dim in enumerate(shape)],
        )


def _from_runs(
    output: int, axis: int, runs: Sequence[tuple[Mapping[str, int], Sequence[np.ndarray]]]
) -> str | None:
    if not runs:
        return None
    sizes = [arrays[output].shape[axis] for _, arrays in runs]
    same = [
        name
        for name in runs[0][0]
        if all(axes[name] == size for (axes, _), size in zip(runs, sizes, strict=True))
    ]
    # A size that stays is no proof of a fixed axis: it may depend on the data.
    return same[0] if len(same) == 1 and len(set(sizes)) > 1 else None
