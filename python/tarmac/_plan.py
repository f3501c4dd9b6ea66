"""What a plan says about itself."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from tarmac import _native
from tarmac._graph import TensorSpec, specs
from tarmac._types import Path


@dataclass(frozen=True)
class ShapeRange:
    """Shapes from ``min`` to ``max``, size by size; made for ``opt``."""

    min: tuple[int, ...]
    opt: tuple[int, ...]
    max: tuple[int, ...]


@dataclass(frozen=True)
class PlanProfile:
    """Shapes that a plan admits together.

    Attributes:
        shapes: by input; inputs that are not named may take any shape of their type.
        ready: those among them that are made ready when the plan is opened; others are slower at first.
    """

    shapes: Mapping[str, ShapeRange]
    ready: tuple[Mapping[str, tuple[int, ...]], ...]


@dataclass(frozen=True)
class PlanInfo:
    """What a plan says about itself, every byte of it checked against its digest.

    Attributes:
        path: the file.
        target, engine_version: what it runs on.
        cores, streams: threads it may use (0: all), inferences at once that it is laid out for.
        workspace_bytes: memory that one context may take beside weights; 0: no limit.
        precision: "fp32", "int8", ...
        inputs, outputs: as of Session.
        profiles: empty: every shape of the inputs' types.
        labels: class names by index.
        preprocessing: the contract's, in its canonical text; "" without a contract.
        acceptance: what was measured and demanded; None when nothing was.
        tried: the candidates that were measured for it; None when none were.
        fields: everything, as of ``tarmac inspect --json``.
    """

    path: FilePath
    target: str
    engine_version: str
    cores: int
    streams: int
    workspace_bytes: int
    precision: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    profiles: tuple[PlanProfile, ...]
    labels: tuple[str, ...]
    preprocessing: str
    acceptance: Any
    tried: Any
    fields: Mapping[str, Any]


def inspect_plan(path: Path, *, required_signer: Path | None = None) -> PlanInfo:
    """Reads what a plan says after checking every digest in it, and the signature where there is one.
    Needs no engine.

    Args:
        required_signer: PEM file of the Ed25519 public key whose signature must be there.

    Raises:
        NotFoundError, FileError, InvalidModelError (damaged, or no plan), MismatchError (another format
        version or signer).
    """
    signer = os.fspath(required_signer) if required_signer is not None else ""
    return plan_info(path, json.loads(_native.inspect_plan(os.fspath(path), signer)))


def plan_info(path: Path, fields: dict[str, Any]) -> PlanInfo:
    """From the program's JSON."""
    return PlanInfo(
        path=FilePath(path),
        target=fields["target"],
        engine_version=fields["engine_version"],
        cores=fields["cores"],
        streams=fields["streams"],
        workspace_bytes=fields["workspace_bytes"],
        precision=fields["precision"],
        inputs=specs(fields["inputs"]),
        outputs=specs(fields["outputs"]),
        profiles=tuple(_profile(profile) for profile in fields["profiles"]),
        labels=tuple(fields["labels"]),
        preprocessing=fields["preprocessing"],
        acceptance=fields["acceptance"],
        tried=fields["tried"],
        fields=fields,
    )


def _profile(fields: dict[str, Any]) -> PlanProfile:
    shapes = {
        name: ShapeRange(tuple(spec["min"]), tuple(spec["opt"]), tuple(spec["max"]))
        for name, spec in fields["shapes"].items()
    }
    ready = tuple(
        {name: tuple(shape) for name, shape in bucket.items()} for bucket in fields["buckets"]
    )
    return PlanProfile(shapes, ready)
