"""Comparison of a model with the one that it was made from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

from tarmac import _native
from tarmac._arrays import sample_list
from tarmac._errors import AcceptanceError
from tarmac._graph import Graph, graph_of
from tarmac._types import ModelLike, Path, Samples, Shape


@dataclass(frozen=True)
class OutputErrors:
    """How far an output lies from the reference r, the worst of all samples.

    Attributes:
        max_rel: max |a - r| / max |r|; None: not finite.
        max_abs, mean_abs, rms: in the output's unit.
        snr_db: 10 log10(sum r^2 / sum (a - r)^2); None: not finite, as where both are equal.
        cosine: of the angle between the two.
        nan_mismatches, infinity_mismatches: elements where one side only has such a number.
        samples, worst_sample: how many, and the one with the largest error.
    """

    samples: int
    worst_sample: int
    max_rel: float | None
    max_abs: float
    mean_abs: float
    rms: float
    snr_db: float | None
    cosine: float
    nan_mismatches: int
    infinity_mismatches: int
    count: int


@dataclass(frozen=True)
class VerifyReport:
    """True where every output's largest error is within ``max_error`` of its range."""

    passed: bool
    max_error: float
    target: str
    engine_version: str
    data: str
    outputs: Mapping[str, OutputErrors]

    def __bool__(self) -> bool:
        return self.passed

    def require(self) -> VerifyReport:
        """Itself. AcceptanceError, with the worst output as its node, where it did not pass."""
        if self.passed:
            return self

        def error_of(name: str) -> float:
            found = self.outputs[name].max_rel
            return float("inf") if found is None else found

        worst = max(self.outputs, key=error_of)
        raise AcceptanceError(
            f"an output differs by {100 * error_of(worst):.3g} % of its range, more than the "
            f"{100 * self.max_error:g} % that max_error allows",
            node=worst,
        )


def verify(
    model: ModelLike,
    reference: ModelLike,
    *,
    samples: Samples | None = None,
    data: Path | None = None,
    contract: Path | None = None,
    limit: int | None = None,
    shapes: Mapping[str, Shape] | None = None,
    max_error: float = 0.01,
    target: str | None = None,
) -> VerifyReport:
    """Runs both on the same inputs, the reference on ONNX Runtime with its own rewriting off. In this
    process, without the interpreter's lock; Ctrl-C stops it.

    Args:
        model: a graph, an ONNX file or a plan.
        reference: the graph or ONNX file with the right results.
        samples: inputs to compare on.
        data, contract: instead of them, a folder of pictures, .npz, .npy or video, and the deploy.yaml that
            says how pictures become inputs (and names the data where ``data`` is left out).
        limit: take so many samples of them.
        shapes: of inputs, for made-up data where there is no other (five samples).
        max_error: largest error of an output, as a share of its range: 0.01 is 1 %.
        target: the engine (default: the plan's own, else openvino).

    Raises:
        UsageError, NotFoundError, InvalidInputError: of the arguments and the data. MismatchError: a plan
        for another machine. Those of Graph.load(). A difference is no error: see VerifyReport.require().
    """
    fields = json.loads(
        _native.verify(
            model._model if isinstance(model, Graph) else os.fspath(model),
            graph_of(reference)._model,
            sample_list(samples),
            {
                "data": os.fspath(data) if data is not None else "",
                "contract": os.fspath(contract) if contract is not None else "",
                "limit": limit or 0,
                "shapes": {name: list(shape) for name, shape in (shapes or {}).items()},
                "max_error": max_error,
                "target": target or "",
            },
        )
    )
    fields["outputs"] = {name: OutputErrors(**errors) for name, errors in fields["outputs"].items()}
    return VerifyReport(**fields)
