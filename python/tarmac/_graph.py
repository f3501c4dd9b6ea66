"""Models before any engine sees them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tarmac import _native
from tarmac._types import Array, Dim, ModelLike, Path


@dataclass(frozen=True)
class TensorSpec:
    """An input or output.

    Attributes:
        name: as in the model.
        dtype: numpy-style, such as "float32", "bfloat16", "int4"; "undefined" for what is no tensor.
        shape: sizes, or symbols of open ones ("" where there is not even a symbol); None: unknown rank.
        type: in words, such as "float32[batch, 3, 224, 224]".
    """

    name: str
    dtype: str
    shape: tuple[Dim, ...] | None
    type: str


@dataclass(frozen=True)
class Node:
    """A call of an operator.

    Attributes:
        name: its own, else its first output's: how reports call it.
        op_type, domain: the operator; domain "" is ONNX's own.
        inputs, outputs: names of values; "" where an optional one is left out.
        attributes: numbers, strings, lists of them, arrays (views of the graph's memory, read-only), and
            tuples of nodes for nested graphs. Kinds that Tarmac carries along unread are left out.
    """

    name: str
    op_type: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class ModelInfo:
    """Figures of a model, as of ``tarmac inspect``. What depends on open sizes takes those in
    ``assumed_sizes``, and is None where a size stays unknown even then.

    Attributes:
        file_bytes: of the model file; 0 for a graph in memory.
        sha256: of the model with its weights, hexadecimal.
        opsets: domain ("" is ONNX) to version.
        operators: "Conv" or "domain::Op" to nodes, those of nested graphs and functions included.
        parameters: elements of stored weights; ``weight_bytes`` is what they take.
        flops: 2 x multiply-accumulates of convolutions and matrix products, others not counted.
        uncounted_nodes: nodes of these operators that ``flops`` leaves out.
        peak_activation_bytes: highest sum of all inputs and intermediate values alive at one node.
        unknown_because: why the two are None.
    """

    file_bytes: int
    sha256: str
    ir_version: int
    opsets: Mapping[str, int]
    producer: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    operators: Mapping[str, int]
    nodes: int
    parameters: int
    weight_bytes: int
    assumed_sizes: Mapping[str, int]
    flops: int | None
    uncounted_nodes: int
    peak_activation_bytes: int | None
    unknown_because: str


class Graph:
    """An ONNX model in memory. It is not changed by any function of this package: what rewrites returns
    another one, and the two share their weights' bytes.

    Loading trusts nothing: before it returns, the model has passed onnx's checker, every weight's size
    agrees with its shape, and external data lies in a regular file inside the model's own folder.
    """

    def __init__(self, model: _native.Model) -> None:
        """Made by load(), from_bytes(), from_onnx() and from_text()."""
        self._model = model

    @classmethod
    def load(cls, path: Path) -> Graph:
        """Reads an ONNX file; large weights stay in it, mapped, so it must not be changed in place (to
        replace it is safe). Errors: NotFoundError, FileError, InvalidModelError, UnsupportedError."""
        return cls(_native.Model.load(os.fspath(path)))

    @classmethod
    def from_bytes(cls, data: bytes, folder: Path | None = None) -> Graph:
        """A serialised ONNX model; the bytes are kept, not copied. External data is looked for in
        ``folder``; without one it is refused. Errors: as load()."""
        return cls(_native.Model.parse(data, os.fspath(folder) if folder is not None else ""))

    @classmethod
    def from_onnx(cls, proto: Any) -> Graph:
        """An ``onnx.ModelProto`` (or whatever has ``SerializeToString()``), without external data."""
        return cls.from_bytes(proto.SerializeToString())

    @classmethod
    def from_text(cls, text: str) -> Graph:
        """ONNX's textual syntax, as of ``onnx.parser``."""
        return cls(_native.Model.from_text(text))

    def save(self, path: Path) -> None:
        """Writes the file atomically; weights go to a second file beside it where one would exceed
        1900 MiB. Errors: FileError, NotFoundError."""
        self._model.save(os.fspath(path))

    def to_bytes(self) -> bytes:
        """As one ONNX file. ResourceExhaustedError at 2 GiB and more."""
        return self._model.serialize()

    def to_onnx(self) -> Any:
        """As ``onnx.ModelProto``; needs the package onnx."""
        import onnx  # type: ignore[import-not-found,unused-ignore]

        return onnx.load_model_from_string(self.to_bytes())

    def to_text(self, max_elements: int = 16) -> str:
        """ONNX's textual syntax, for people; larger tensors are shown by type only."""
        return self._model.text(max_elements)

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Inputs that are to be fed: those with a stored default are not among them."""
        return specs(json.loads(self._model.inputs()))

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return specs(json.loads(self._model.outputs()))

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Of the main graph, in execution order."""
        return tuple(_node(fields) for fields in self._model.nodes())

    @property
    def weights(self) -> dict[str, Array]:
        """Stored tensors by name: read-only views of the graph's memory, which they keep alive; copies of
        those that are not aligned there. Elements smaller than a byte are left out."""
        return self._model.weights()

    @property
    def opset(self) -> int:
        """Version of ONNX's operators; 0 where the model imports none."""
        return self._model.opset

    @property
    def name(self) -> str:
        return self._model.name

    def inspect(self, sizes: Mapping[str, int] | None = None) -> ModelInfo:
        """Operators, parameters, arithmetic and memory. ``sizes``: what symbols of the shapes stand for in
        the counts (default: 1). Errors: InvalidModelError."""
        fields = json.loads(self._model.inspect(dict(sizes or {})))
        fields.pop("kind")
        fields["inputs"], fields["outputs"] = specs(fields["inputs"]), specs(fields["outputs"])
        return ModelInfo(**fields)

    def __eq__(self, other: object) -> bool:
        """Whether both have the same content, weights included."""
        if not isinstance(other, Graph):
            return NotImplemented
        return self._model is other._model or self._model.digest() == other._model.digest()

    def __hash__(self) -> int:
        return hash(self._model.digest())

    def __repr__(self) -> str:
        def listed(tensors: tuple[TensorSpec, ...]) -> str:
            return ", ".join(f"{tensor.name}: {tensor.type}" for tensor in tensors)

        return (
            f"<tarmac.Graph '{self.name}' ({listed(self.inputs)}) -> ({listed(self.outputs)}), "
            f"{self._model.node_count} nodes, opset {self.opset}>"
        )


def specs(fields: list[dict[str, Any]]) -> tuple[TensorSpec, ...]:
    """Tensors as of the program's JSON."""
    return tuple(
        TensorSpec(
            entry["name"],
            entry["dtype"],
            None if entry["shape"] is None else tuple(entry["shape"]),
            entry["type"],
        )
        for entry in fields
    )


def graph_of(model: ModelLike) -> Graph:
    """The graph itself, or the file loaded."""
    return model if isinstance(model, Graph) else Graph.load(model)


def _node(fields: dict[str, Any]) -> Node:
    attributes = {
        name: tuple(_node(nested) for nested in value.nodes())
        if isinstance(value, _native.Nested)
        else value
        for name, value in fields["attributes"].items()
    }
    return Node(
        fields["name"],
        fields["op_type"],
        fields["domain"],
        tuple(fields["inputs"]),
        tuple(fields["outputs"]),
        attributes,
    )
