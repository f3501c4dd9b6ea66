"""Rewrites that keep what a model computes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tarmac import _native
from tarmac._arrays import sample_list
from tarmac._graph import Graph, graph_of
from tarmac._types import ModelLike, Path, Samples


@dataclass(frozen=True)
class Change:
    """What a pass did to a node, or why it did not."""

    pass_name: str
    node: str
    what: str


@dataclass(frozen=True)
class OptimizeReport:
    """What optimize() did.

    Attributes:
        passes: changes by pass, in the order in which the passes first ran.
        changes, declined: each by node; declined has the reason.
        verification: what ``verify=True`` compared, as of ``tarmac optimize --verify --json``; else None.
        precision: what ``precision`` did, as of ``tarmac optimize --precision --json``; else None.
    """

    nodes_before: int
    nodes_after: int
    passes: Mapping[str, int]
    changes: tuple[Change, ...]
    declined: tuple[Change, ...]
    verification: Mapping[str, Any] | None
    precision: Mapping[str, Any] | None


def optimize(
    model: ModelLike,
    *,
    targets: Sequence[str] = (),
    skip: Sequence[str] = (),
    only: Sequence[str] = (),
    opset: int | None = None,
    fix_shapes: Mapping[str, Sequence[int | None]] | None = None,
    heads: int | None = None,
    hidden: int | None = None,
    precision: str | None = None,
    keep_io: bool = False,
    keep_fp32: Sequence[str] = (),
    max_error: float = 0.01,
    samples: Samples | None = None,
    verify: bool = False,
    trace: Path | None = None,
) -> tuple[Graph, OptimizeReport]:
    """Folds, fuses and cleans up; results change by rounding at most. Runs in this process, without the
    interpreter's lock; Ctrl-C stops it.

    Args:
        model: a graph, or an ONNX file; it stays as it is.
        targets: engines that shall run the result (default: every one that is here).
        skip, only: names of passes to leave out, or the only ones to run.
        opset: of the result (default: the model's, or a newer one that a fusion needs).
        fix_shapes: sizes for inputs, None for those that stay open: {"image": (1, 3, None, None)}.
        heads, hidden: of attention, where the graph does not tell them.
        precision: "fp16" or "bf16" stores and computes in 16 bits and keeps in float32 what would overflow
            or lose too much; "fp32" turns such a model back.
        keep_io: with precision: inputs and outputs keep their types.
        keep_fp32: with precision: nodes or operators that stay in float32 in any case.
        max_error: with precision: how far outputs may move, as a share of their range.
        samples: real inputs, for precision and verify (default: made-up ones).
        verify: compare with the original on ONNX Runtime before returning.
        trace: folder for the graph as text before and after each pass.

    Raises:
        UsageError: a pass or target that there is not. AcceptanceError: with verify, the result differs;
        names the pass. Those of Graph.load().
    """
    done = _native.optimize(
        graph_of(model)._model,
        {
            "targets": list(targets),
            "skip": list(skip),
            "only": list(only),
            "opset": opset or 0,
            "fix_shapes": {
                name: [-1 if size is None else size for size in shape]
                for name, shape in (fix_shapes or {}).items()
            },
            "heads": heads or 0,
            "hidden": hidden or 0,
            "precision": precision or "",
            "keep_io": keep_io,
            "keep_fp32": list(keep_fp32),
            "max_error": max_error,
            "verify": verify,
            "trace": os.fspath(trace) if trace is not None else "",
        },
        sample_list(samples),
    )
    fields = json.loads(done[1])
    passes: dict[str, int] = {}
    for run in fields["passes"]:
        passes[run["pass"]] = passes.get(run["pass"], 0) + run["changes"]

    def changes(key: str) -> tuple[Change, ...]:
        return tuple(Change(entry["pass"], entry["node"], entry["what"]) for entry in fields[key])

    return Graph(done[0]), OptimizeReport(
        fields["nodes_before"],
        fields["nodes_after"],
        passes,
        changes("changes"),
        changes("declined"),
        fields.get("verify"),
        fields.get("precision"),
    )
