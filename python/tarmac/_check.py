"""Whether engines run a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from tarmac import _native
from tarmac._graph import graph_of
from tarmac._types import ModelLike


@dataclass(frozen=True)
class TargetInfo:
    """An engine that Tarmac knows.

    Attributes:
        name: what functions take, such as "openvino".
        engine_version: engine and version; "" where its library is not there.
        available: whether it is on this machine; ``reason`` says what is missing.
    """

    name: str
    engine_version: str
    available: bool
    reason: str


@dataclass(frozen=True)
class NodeVerdict:
    """What a target says of a node.

    Attributes:
        node: its ONNX name; "" for a reason that concerns the whole model.
        operator: "Conv", "domain::Op".
        verdict: "supported", "fallback" (runs on a later provider than the first) or "refused".
        reason, remedy: why not, and what to do about it; "" where supported.
    """

    node: str
    operator: str
    verdict: str
    reason: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class TargetCheck:
    """What a target says of a model. True where it runs."""

    target: str
    engine_version: str
    runs: bool
    nodes: tuple[NodeVerdict, ...]

    @property
    def problems(self) -> tuple[NodeVerdict, ...]:
        """The nodes that are not supported."""
        return tuple(node for node in self.nodes if node.verdict != "supported")

    def __bool__(self) -> bool:
        return self.runs


def targets() -> tuple[TargetInfo, ...]:
    """Every engine that Tarmac knows, in order of preference."""
    return tuple(TargetInfo(**fields) for fields in json.loads(_native.targets()))


def check(
    model: ModelLike,
    target: str = "openvino",
    *,
    providers: Sequence[str] = (),
    allow_fallback: bool = False,
) -> TargetCheck:
    """A verdict for every node, those of nested graphs and called functions included.

    Args:
        model: a graph, or an ONNX file.
        target: the engine; targets() has the names.
        providers: ONNX Runtime's execution providers, most wanted first (default: CPU).
        allow_fallback: nodes may run on a later provider than the first.

    Raises:
        UsageError: there is no such target. UnavailableError: its library is missing here. Those of
        Graph.load(). A node that is refused is no error: look at the result.
    """
    fields = json.loads(
        _native.check(graph_of(model)._model, target, list(providers), allow_fallback)
    )
    nodes = tuple(NodeVerdict(**node) for node in fields.pop("nodes"))
    return TargetCheck(**fields, nodes=nodes)
