"""PyTorch's two exporters: by TorchScript, and by torch.export."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tarmac.export.factory import describe, user_place
from tarmac.export.torch_module import TorchSource

TORCHSCRIPT, DYNAMO = "torchscript", "dynamo"
# torch.export's decompositions are written for it; it converts upwards only.
LOWEST_DYNAMO_OPSET = 18
FIRST_WITH_ALLOWZERO = 14

# What torch.export raises where Python asks for the value of a tensor.
_DATA_DEPENDENT = (
    "GuardOnDataDependentSymNode",
    "DataDependentOutputException",
    "PendingUnbackedSymbolNotFound",
)


class ExporterFailed(Exception):
    """An exporter could not write the module. `data_dependent`: its Python code asks for the values of
    tensors, which no graph can hold."""

    def __init__(self, reason: str, data_dependent: bool = False) -> None:
        super().__init__(reason)
        self.data_dependent = data_dependent


def write_by_torchscript(
    source: TorchSource, sample: Mapping[str, np.ndarray], path: Path, opset: int | None
) -> list[str]:
    """Writes the ONNX file; returns the operators that calls were redirected to. Raises ExporterFailed."""
    import torch

    from tarmac.export import torch_nodes

    torch_nodes.register_symbolics()
    highest = _highest_torchscript_opset()
    axes = {
        spec.name: {axis: dim for axis, dim in enumerate(spec.shape) if isinstance(dim, str)}
        for spec in source.inputs
    }
    with (
        source.redirected() as redirected,
        warnings.catch_warnings(record=True) as caught,
        torch.no_grad(),
    ):
        warnings.simplefilter("always")
        try:
            torch.onnx.export(
                source.module,
                source.tensors(sample),
                str(path),
                dynamo=False,
                input_names=[spec.name for spec in source.inputs],
                output_names=list(source.outputs),
                dynamic_axes={name: found for name, found in axes.items() if found},
                opset_version=None if opset is None else min(opset, highest),
                do_constant_folding=True,
            )
        except Exception as failure:
            raise ExporterFailed(root_cause(failure)) from failure
    source.notes.extend(_frozen(caught))
    return redirected


def _highest_torchscript_opset() -> int:
    from torch.onnx import _constants

    return int(getattr(_constants, "ONNX_TORCHSCRIPT_EXPORTER_MAX_OPSET", 20))


FROZEN = "was frozen while tracing: "


def _frozen(caught: list[warnings.WarningMessage]) -> list[str]:
    """Where Python asked for a tensor's value, so that the trace holds that of the example."""
    import torch

    notes = {}
    for warning in caught:
        text = str(warning.message)
        if issubclass(warning.category, torch.jit.TracerWarning) and "to a Python" in text:
            place = f"{Path(warning.filename).name}:{warning.lineno}"
            notes[place] = f"{place} {FROZEN}{text.split('. ')[0]}"
    return list(notes.values())


def write_by_dynamo(
    source: TorchSource, sample: Mapping[str, np.ndarray], path: Path, opset: int | None
) -> list[str]:
    """As write_by_torchscript(), by torch.export. The sizes of dynamic axes must be above 1."""
    import torch

    from tarmac.export import torch_nodes

    with source.redirected() as redirected, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                source.module,
                source.tensors(sample),
                str(path),
                dynamo=True,
                input_names=[spec.name for spec in source.inputs],
                output_names=list(source.outputs),
                dynamic_shapes=_dynamic_shapes(source),
                opset_version=None if opset is None else max(opset, LOWEST_DYNAMO_OPSET),
                custom_translation_table=torch_nodes.translation_table(),
                external_data=True,
                optimize=True,
                verbose=False,
            )
        except Exception as failure:
            place = data_dependence(failure)
            raise ExporterFailed(place or root_cause(failure), bool(place)) from failure
    return redirected


def forget_allowzero(path: Path) -> None:
    """Below opset 14 Reshape knows no `allowzero`, which torch.export sets everywhere. It matters only
    where an axis is empty: a size 0 would then mean "as in the input"."""
    import onnx

    model = onnx.load(str(path), load_external_data=False)
    for graph in (model.graph, *model.functions):
        for node in graph.node:
            kept = [attribute for attribute in node.attribute if attribute.name != "allowzero"]
            if node.op_type == "Reshape" and len(kept) < len(node.attribute):
                del node.attribute[:]
                node.attribute.extend(kept)
    onnx.save(model, str(path))


def _dynamic_shapes(source: TorchSource) -> Any:
    """The forward takes *tensors: one tuple for all inputs."""
    shapes = [
        {axis: dim for axis, dim in enumerate(spec.shape) if isinstance(dim, str)}
        for spec in source.inputs
    ]
    return (tuple(shape or None for shape in shapes),) if any(shapes) else None


def find_data_dependence(source: TorchSource, sample: Mapping[str, np.ndarray]) -> str:
    """Where the module's Python code asks for values of tensors, as torch.export finds; else empty."""
    import torch

    with source.redirected(), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            torch.export.export(source.module, source.tensors(sample), strict=False)
        except Exception as failure:
            return data_dependence(failure)
    return ""


def _chain(failure: BaseException) -> list[BaseException]:
    found: list[BaseException] = [failure]
    while (cause := found[-1].__cause__) is not None and cause not in found:
        found.append(cause)
    return found


def data_dependence(failure: BaseException) -> str:
    """Where the module's code asked for the value of a tensor, if that is what failed; else empty."""
    for error in _chain(failure):
        if type(error).__name__ in _DATA_DEPENDENT:
            place = user_place(traceback.extract_tb(error.__traceback__))
            return place or type(error).__name__
    return ""


def root_cause(failure: BaseException) -> str:
    """The innermost exception that says something: the outer ones tell which step failed."""
    for error in reversed(_chain(failure)):
        if str(error).strip():
            return describe(error)
    return describe(failure)


def torch_version(torch: Any) -> str:
    return f"PyTorch {str(torch.__version__).split('+')[0]}"
