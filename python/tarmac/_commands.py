"""What runs in a child process, the program ``tarmac`` itself: work that takes long and much memory, and
may meet an engine that crashes. The program is the one that was installed with this package (``tarmac/bin``);
TARMAC_PROGRAM names another."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from tarmac._errors import AcceptanceError, UnavailableError, make_error
from tarmac._graph import Graph
from tarmac._plan import PlanInfo, inspect_plan
from tarmac._program import ProgramError, find_program
from tarmac._types import ModelLike, Path, Samples, Shape

Profile = Mapping[str, Shape | Sequence[Shape]]
"""Shapes by input: one for a fixed shape, or (min, opt, max)."""


@dataclass(frozen=True)
class DeployReport:
    """What deploy() came to. True where the contract's acceptance is met.

    Attributes:
        passed, failures: the verdict, and each criterion that is not met in words.
        plans: one a target, then those of the precisions beside it.
        report_html, report_json: the report as files.
        fields: report.json as a dictionary (docs/report_schema.md).
    """

    passed: bool
    failures: tuple[str, ...]
    plans: tuple[FilePath, ...]
    report_html: FilePath
    report_json: FilePath
    fields: Mapping[str, Any]

    def __bool__(self) -> bool:
        return self.passed

    def require(self) -> DeployReport:
        """Itself. AcceptanceError where it did not pass."""
        if not self.passed:
            raise AcceptanceError("acceptance not met: " + "; ".join(self.failures))
        return self


def quantize(
    model: ModelLike,
    *,
    mode: str = "static",
    data: Path | Samples | None = None,
    contract: Path | None = None,
    samples: int | None = None,
    seed: int | None = None,
    target: str | None = None,
    method: str | None = None,
    percentile: float | None = None,
    batch: int | None = None,
    cache: Path | None = None,
    bits: int | None = None,
    block: int | None = None,
    weight_method: str | None = None,
    format: str | None = None,
    activations: str | None = None,
    equalize: bool = True,
    bias_correction: bool = True,
    adaptive_rounding: bool = False,
    allow_slower: bool = False,
    max_drop: float | None = None,
) -> tuple[Graph, dict[str, Any]]:
    """Optimises a model and stores it in INT8 (or 4-bit weights) with Q/DQ nodes that every engine runs.
    In a child process, ``tarmac quantize``; Ctrl-C stops it.

    Args:
        model: a graph, or an ONNX file; it stays as it is.
        mode: "static" (weights and activations, ranges from data), "dynamic" (ranges found in each run, on
            ONNX Runtime) or "weight-only".
        data: to calibrate on: a folder of pictures, .npz, .npy, list or video; or the samples themselves.
        contract: deploy.yaml: how pictures become inputs, and which data to take without ``data``.
        samples, seed: take so many, of each class its share (default: the contract's, else 500 at most).
        target: engine to calibrate on and for (default: onnxruntime, for every engine).
        method: how ranges come from data: "minmax", "moving-average", "entropy", "percentile" (with
            ``percentile``, default 99.99) or "mse".
        batch: samples to calibrate at a time.
        cache: file with what was seen of the activations: used where it is there and fits, else written.
        bits: of a weight: 8, 4 with weight-only (``block`` input channels share a scale; ``weight_method``
            "nearest" or "activation-aware"), 7 with static for processors without VNNI.
        format: "qdq", or "qoperator" for ONNX Runtime alone.
        activations: "asymmetric", "symmetric" or "signed" (as TensorRT wants them).
        equalize, bias_correction, adaptive_rounding: see docs/quantization.md.
        allow_slower: with target: return the model even where it runs slower than the float one.
        max_drop: share of the contract's metric (without one: of agreement with the float model) that INT8
            may cost, 0.02 is 2 %; what costs more stays in float, chosen by measuring.

    Returns:
        The graph, and what ``--json`` says: reasons by node, ranges, and how far results lie from the float
        model's.
    """
    with _files() as files:
        output = files / "quantized.onnx"
        report = _run(
            [
                "quantize",
                _file_of(model, files),
                *_options(
                    {
                        "--output": output,
                        "--mode": mode,
                        "--data": _data_of(data, files),
                        "--contract": contract,
                        "--samples": samples,
                        "--seed": seed,
                        "--target": target,
                        "--method": method,
                        "--percentile": percentile,
                        "--batch": batch,
                        "--cache": cache,
                        "--bits": bits,
                        "--block": block,
                        "--weight-method": weight_method,
                        "--format": format,
                        "--activations": activations,
                        "--no-equalize": not equalize,
                        "--no-bias-correction": not bias_correction,
                        "--adaptive-rounding": adaptive_rounding,
                        "--allow-slower": allow_slower,
                        "--max-drop": max_drop,
                    }
                ),
            ]
        )
        return Graph.load(output), report


def compile(
    model: ModelLike,
    output: Path,
    *,
    target: str = "auto",
    objective: str | None = None,
    precision: Sequence[str] = (),
    max_drop: float | None = None,
    cores: int | None = None,
    streams: int | None = None,
    profiles: Sequence[Profile] = (),
    ready: Sequence[Mapping[str, Shape]] = (),
    batch: Sequence[int] = (),
    workspace_bytes: int | None = None,
    data: Path | Samples | None = None,
    contract: Path | None = None,
    samples: int | None = None,
    seed: int | None = None,
    providers: Sequence[str] = (),
    allow_fallback: bool = False,
    cache: Path | bool = True,
    sign_key: Path | None = None,
    with_engine: bool = True,
) -> PlanInfo:
    """Makes a plan: one file with everything that running the model on this kind of machine needs. In a child
    process, ``tarmac compile``; Ctrl-C stops it.

    Args:
        model: a graph, or an ONNX file.
        output: file for the plan, NAME.plan.
        target: engine, or "auto": measure what is here and take the best.
        objective: "latency" (the median time of one run) or "throughput" (samples a second with all streams).
        precision: what the plan may compute in, of "fp32" and "int8" (default: the model as it is); int8
            needs data, and costs at most ``max_drop`` (0.02 is 2 %) of the contract's metric.
        cores: threads that the model may use (default: all).
        streams: inferences at once to lay them out for (default: 1; auto: measured).
        profiles: shapes that the plan admits: [{"image": ((1, 3, 96, 48), (1, 3, 96, 48), (8, 3, 96, 48))}]
            (default: the contract's, else every shape); one shape stands for all three.
        ready: shapes to make ready when the plan is opened, besides those of opt.
        batch: instead of profiles: fix an open first axis to this; several: to the best of them.
        workspace_bytes: memory that one context may take beside weights.
        data, contract, samples, seed: as of quantize().
        cache: folder with finished plans, from which the same one is taken again; True: the user's cache
            folder; False: none.
        sign_key: PEM file of the Ed25519 private key to sign the plan with.
        with_engine: keep the engine's own compiled form in the plan: larger, but quicker to open.
    """
    with _files() as files:
        _run(
            [
                "compile",
                _file_of(model, files),
                *_options(
                    {
                        "--output": output,
                        "--target": target,
                        "--objective": objective,
                        "--precision": ",".join(precision) or None,
                        "--max-drop": max_drop,
                        "--cores": cores,
                        "--streams": streams,
                        "--profile": [_profile_text(profile) for profile in profiles],
                        "--bucket": [_profile_text(bucket) for bucket in ready],
                        "--batch": ",".join(str(size) for size in batch) or None,
                        "--workspace": workspace_bytes,
                        "--data": _data_of(data, files),
                        "--contract": contract,
                        "--samples": samples,
                        "--seed": seed,
                        "--providers": ",".join(providers) or None,
                        "--allow-fallback": allow_fallback,
                        "--cache-dir": cache if not isinstance(cache, bool) else None,
                        "--no-cache": cache is False,
                        "--sign": sign_key,
                        "--no-engine": not with_engine,
                    }
                ),
            ]
        )
    return inspect_plan(output)


def deploy(
    contract: Path, output_dir: Path | None = None, *, sign_key: Path | None = None
) -> DeployReport:
    """Does all that a contract asks for: check, optimise, quantise, compile, evaluate, time, accept, report.
    In a child process, ``tarmac deploy``; Ctrl-C stops it.

    Args:
        contract: deploy.yaml.
        output_dir: gets plans, report.html and report.json (default: NAME.deploy).
        sign_key: PEM file of the Ed25519 private key to sign the plans with.

    Raises:
        What stops the work. An acceptance that is not met is no error: see DeployReport.require().
    """
    fields = _run(
        [
            "deploy",
            os.fspath(contract),
            *_options({"--output-dir": output_dir, "--sign": sign_key}),
        ],
        accept={"acceptance"},
    )
    html = FilePath(fields["report_html"])
    return DeployReport(
        passed=fields["passed"],
        failures=tuple(fields["failures"]),
        plans=tuple(FilePath(plan) for plan in fields["plans"]),
        report_html=html,
        report_json=html.with_name("report.json"),
        fields=fields,
    )


def _run(arguments: Sequence[str], accept: set[str] | None = None) -> dict[str, Any]:
    """The object that a command prints under --json. Its error is raised unless its code is in ``accept``
    and there is more than the error. Its progress and log go to this process's standard error."""
    try:
        program = os.fspath(find_program())
    except ProgramError as error:
        raise UnavailableError(str(error)) from error
    # In this process's group: Ctrl-C in a terminal reaches both, and the child ends cleanly by itself.
    child = subprocess.Popen([program, *arguments, "--json"], stdout=subprocess.PIPE, text=True)
    try:
        text, _ = child.communicate()
    except BaseException:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        raise
    try:
        fields: dict[str, Any] = json.loads(text)
    except ValueError:
        raise make_error(
            "internal", f"tarmac {arguments[0]} ended with {child.returncode} and said no JSON"
        ) from None
    failure = fields.pop("error", None)
    if failure is not None and failure["code"] == "cancelled":
        raise KeyboardInterrupt
    if failure is not None and not (failure["code"] in (accept or set()) and len(fields) > 2):
        raise make_error(
            failure["code"], failure["message"], failure.get("node", ""), failure.get("context", "")
        )
    del fields["command"], fields["status"]
    return fields


@contextmanager
def _files() -> Iterator[FilePath]:
    with tempfile.TemporaryDirectory(prefix="tarmac-") as folder:
        yield FilePath(folder)


def _file_of(model: ModelLike, files: FilePath) -> str:
    if not isinstance(model, Graph):
        return os.fspath(model)
    path = files / "model.onnx"
    model.save(path)
    return os.fspath(path)


def _data_of(data: Path | Samples | None, files: FilePath) -> Path | None:
    if data is None or isinstance(data, (str, os.PathLike)):
        return data
    arrays: dict[str, Any]
    if isinstance(data, Mapping):
        arrays = {name: np.asarray(array) for name, array in data.items()}
    else:
        names = list(data[0]) if len(data) > 0 else []
        arrays = {name: np.concatenate([np.asarray(item[name]) for item in data]) for name in names}
    path = files / "data.npz"
    np.savez(path, **arrays)
    return path


def _profile_text(profile: Profile) -> str:
    def text(shapes: Any) -> str:
        ranges = shapes if isinstance(shapes[0], Sequence) else [shapes]
        return ",".join("x".join(map(str, shape)) for shape in ranges)

    return ";".join(f"{name}:{text(shapes)}" for name, shapes in profile.items())


def _options(values: Mapping[str, Any]) -> list[str]:
    """Words of a command line; None and False are left out, a list repeats its option."""
    words: list[str] = []
    for option, value in values.items():
        if value is True:
            words.append(option)
        elif isinstance(value, list):
            for each in value:
                words += [option, each]
        elif value is not None and value is not False:
            words += [option, os.fspath(value) if isinstance(value, os.PathLike) else str(value)]
    return words
