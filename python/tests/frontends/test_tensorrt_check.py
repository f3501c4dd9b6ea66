"""`tarmac check --target tensorrt`, which needs no TensorRT, beside TensorRT-RTX's own parser."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tensorrt_support import parse

PROGRAM = os.environ["TARMAC_PROGRAM"]
SHARED = Path(__file__).resolve().parents[4] / "shared/data"
# Where the two differ, and why; what is not here must agree.
DISAGREEMENTS = Path(__file__).with_name("tensorrt_disagreements.txt")


def cases() -> list[Path]:
    found = sorted(Path(os.environ["TARMAC_CASES"], "node").glob("*/model.onnx"))
    assert len(found) > 1500, "the conformance cases are not there: ./dev test makes them"
    return found


def check(model: Path) -> tuple[bool, str]:
    """Whether Tarmac would have TensorRT take the model, and the first reason why not."""
    done = subprocess.run(
        [PROGRAM, "check", str(model), "--target", "tensorrt", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 3), done.stderr
    (target,) = json.loads(done.stdout)["targets"]
    reasons = [node["reason"] for node in target["nodes"] if node["verdict"] == "refused"]
    assert target["runs"] == (not reasons)
    return target["runs"], reasons[0] if reasons else ""


def exempted() -> set[str]:
    lines = (line.split("#")[0].split() for line in DISAGREEMENTS.read_text().splitlines())
    return {words[0] for words in lines if words}


def test_predictions_agree_with_the_parser() -> None:
    models = cases()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        predicted = list(pool.map(check, models))
    differing = {}
    for model, (taken, reason) in zip(models, predicted, strict=True):
        real = parse(model)
        if real.ok != taken:
            differing[model.parent.name] = (
                f"parser: {real.error[:200] or 'takes it'} | check: {reason or 'takes it'}"
            )
    agreement = 1 - len(differing) / len(models)
    print(f"{agreement:.2%} of {len(models)} cases agree")
    listed = exempted()
    unlisted = {name: what for name, what in differing.items() if name not in listed}
    assert not unlisted, "\n".join(f"{name}: {what}" for name, what in unlisted.items())
    assert not listed - differing.keys(), f"these agree now: {sorted(listed - differing.keys())}"
    assert agreement >= 0.98
