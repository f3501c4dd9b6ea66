"""An ONNX model as a TensorRT or TensorRT-RTX engine, by NVIDIA's own Python packages.

TensorRT-RTX builds without a GPU, for compute capabilities 7.5 to 12.x; TensorRT builds for the GPU at hand.
Precision is that of the graph: convert or quantise first (tarmac optimize --precision, tarmac quantize)."""

from __future__ import annotations

import argparse
import hashlib
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tarmac._program import ProgramError, run_program
from tarmac.export._tensorrt_library import RTX, TENSORRT
from tarmac.export._worker import WorkerFailure, run_worker
from tarmac.export.arguments import check_output, place
from tarmac.export.source import BAD_INPUT, UNSUPPORTED, USAGE, ExportError

Shapes = tuple[list[int], list[int], list[int]]
Profile = dict[str, Shapes]
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="the ONNX file")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT.engine", help="the file to write"
    )
    parser.add_argument(
        "--profile",
        action="append",
        default=[],
        metavar="NAME:MIN,BEST,MAX[;NAME:…]",
        help="sizes of inputs with open axes, as 'image:1x3x96x96,4x3x96x96,8x3x96x96'; repeat it for several profiles",
    )
    parser.add_argument(
        "--workspace", metavar="SIZE", help="the most memory for intermediate results, as 4GiB"
    )
    parser.add_argument(
        "--capability",
        default="",
        metavar="8.6[,8.9]",
        help="compute capabilities to build for (default: all that the library builds for)",
    )
    parser.add_argument(
        "--level",
        type=int,
        choices=range(6),
        help="how long to look for the best kernels, 0 to 5 (3)",
    )
    parser.add_argument("--no-tf32", action="store_true", help="float32 products in float32")
    parser.add_argument(
        "--library", choices=("auto", TENSORRT, RTX), default="auto", help="which package builds"
    )
    parser.add_argument(
        "--memory-limit", metavar="SIZE", help="the most memory that building may take"
    )
    parser.add_argument(
        "--time-limit", type=float, default=0, metavar="SECONDS", help="the longest it may take"
    )


def run(args: argparse.Namespace) -> EngineReport:
    return build(
        args.model,
        args.output,
        profiles=[parse_profile(text) for text in args.profile],
        workspace=parse_size("--workspace", args.workspace),
        capabilities=[one.strip() for one in args.capability.split(",") if one.strip()],
        level=args.level,
        tf32=not args.no_tf32,
        library=args.library,
        memory_limit=parse_size("--memory-limit", args.memory_limit),
        time_limit=args.time_limit,
    )


@dataclass(frozen=True)
class EngineReport:
    """What became of a build. `layers` are those of the parsed network: name, TensorRT's type, and the precision, which for
    layers that do arithmetic is that of their operands (INT8 where those come out of Q/DQ)."""

    output: Path
    bytes: int
    sha256: str
    library: str
    capabilities: tuple[str, ...]
    inputs: tuple[Mapping[str, Any], ...]
    outputs: tuple[Mapping[str, Any], ...]
    profiles: tuple[Profile, ...]
    layers: tuple[Mapping[str, Any], ...]
    compute_precisions: Mapping[str, int]
    took_s: float

    def json(self) -> dict[str, Any]:
        return {**asdict(self), "output": str(self.output)}

    def text(self) -> str:
        built_for = ", ".join(self.capabilities) or "every capability that the library builds for"
        counts = (
            ", ".join(f"{count} {name}" for name, count in sorted(self.compute_precisions.items()))
            or "none"
        )
        lines = [
            f"{self.output}: {self.bytes / 1024:.1f} KiB in {self.took_s:.1f} s, by {self.library}",
            f"  compute capability: {built_for}",
            f"  {len(self.layers)} layers; those that do arithmetic: {counts}",
        ]
        for i, profile in enumerate(self.profiles):
            for name, shapes in profile.items():
                text = ", ".join("x".join(map(str, shape)) for shape in shapes)
                lines.append(f"  profile {i}: {name} {text} (smallest, best, largest)")
        return "\n".join(lines)


def parse_size(option: str, text: str | None) -> int:
    """Bytes of "4GiB", "512M" or "1000000"; 0 where nothing is said."""
    if text is None:
        return 0
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([KMG]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if found is None or float(found[1]) == 0:
        raise ExportError(USAGE, f"{option}: '{text}' is no size", "write 4GiB or 512MiB")
    return int(float(found[1]) * _UNITS[found[2].upper()])


def parse_profile(text: str) -> Profile:
    """Reads 'NAME:MIN,BEST,MAX;NAME:…', sizes joined by x; smallest <= best <= largest in each axis."""
    profile: Profile = {}
    for part in filter(None, (one.strip() for one in text.split(";"))):
        name, _, sizes = part.rpartition(":")
        words = sizes.split(",")
        if (
            not name
            or len(words) != 3
            or not all(re.fullmatch(r"[0-9]+(x[0-9]+)*", word) for word in words)
        ):
            raise ExportError(
                USAGE,
                f"--profile: '{part}' is no range",
                "write NAME:MIN,BEST,MAX as in image:1x3x96x96,4x3x96x96,8x3x96x96",
            )
        low, best, high = ([int(size) for size in word.split("x")] for word in words)
        if not len(low) == len(best) == len(high):
            raise ExportError(
                USAGE, f"--profile: the shapes of '{name}' have different numbers of axes: {sizes}"
            )
        for axis, (a, b, c) in enumerate(zip(low, best, high, strict=True)):
            if not a <= b <= c:
                raise ExportError(
                    USAGE,
                    f"--profile: axis {axis} of '{name}' is {a}, {b}, {c}",
                    "give the smallest, the best and the largest size",
                )
        if name in profile:
            raise ExportError(USAGE, f"--profile names '{name}' twice in one profile")
        profile[name] = (low, best, high)
    if not profile:
        raise ExportError(USAGE, "--profile is empty", "write NAME:MIN,BEST,MAX")
    return profile


def build(
    model: str | Path,
    output: str | Path,
    *,
    profiles: Sequence[Profile] = (),
    workspace: int = 0,
    capabilities: Sequence[str] = (),
    level: int | None = None,
    tf32: bool = True,
    library: str = "auto",
    memory_limit: int = 0,
    time_limit: float = 0,
) -> EngineReport:
    """Writes the engine, in a child process with the limits given (bytes, seconds; 0: none). Raises ExportError: 3 where the
    parser or the builder refuses the model, a capability or a profile, or a limit is reached; 4 for files."""
    model, output = Path(model), Path(output)
    check_output(output)
    if not model.is_file():
        raise ExportError(BAD_INPUT, f"there is no file {model}", "correct the path")
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tarmac-tensorrt-") as temporary:
        folder = Path(temporary)
        job = {
            "model": str(model.resolve()),
            "output": str(folder / "engine"),
            "profiles": profiles,
            "workspace": workspace,
            "capabilities": list(capabilities),
            "level": level,
            "tf32": tf32,
            "library": library,
            "memory_limit": memory_limit,
            "time_limit": time_limit,
        }
        try:
            facts = run_worker("tarmac.export._tensorrt_worker", job, folder)
        except WorkerFailure as failure:
            raise _explained(str(failure), model, memory_limit, time_limit) from failure
        if "wrong_use" in facts:
            raise ExportError(USAGE, facts["wrong_use"])
        digest = hashlib.sha256((folder / "engine").read_bytes()).hexdigest()
        place(folder / "engine", output)
    return EngineReport(
        output=output,
        bytes=facts["bytes"],
        sha256=digest,
        library=facts["library"],
        capabilities=tuple(capabilities),
        inputs=tuple(facts["inputs"]),
        outputs=tuple(facts["outputs"]),
        profiles=tuple(profiles),
        layers=tuple(facts["layers"]),
        compute_precisions=facts["compute_precisions"],
        took_s=time.monotonic() - begin,
    )


def _explained(reason: str, model: Path, memory_limit: int, time_limit: float) -> ExportError:
    """TensorRT's words, and what to do about them where Tarmac's tables know."""
    if time_limit and "SIGALRM" in reason:
        return ExportError(
            UNSUPPORTED,
            f"building took longer than {time_limit:g} s",
            "raise --time-limit, or lower --level",
        )
    if memory_limit and re.search(
        "memory|bad_alloc|SIGABRT|SIGKILL|SIGSEGV", reason, re.IGNORECASE
    ):
        return ExportError(
            UNSUPPORTED,
            f"building did not do with {memory_limit >> 20} MiB: {reason}",
            "raise --memory-limit",
        )
    if "parser refuses" in reason:
        for node in _refused(model):
            return ExportError(
                UNSUPPORTED,
                f"TensorRT: node '{node['node']}' ({node['operator']}): {node['reason']} ({reason})",
                node["remedy"],
            )
    return ExportError(UNSUPPORTED, f"TensorRT: {reason}")


def _refused(model: Path) -> list[dict[str, Any]]:
    """What `tarmac check` says of it; nothing where the program is not here."""
    try:
        answer = run_program("check", [model, "--target", "tensorrt"])
    except ProgramError as failure:
        answer = failure.answer
    (target,) = answer.get("targets", [{}])
    return [node for node in target.get("nodes", []) if node["verdict"] == "refused"]
