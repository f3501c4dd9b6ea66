"""What the Python scripts share, as shared.sh: where pictures lie, where results go, how times are taken."""

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.chdir(Path(__file__).parent)
PICTURES = Path("../../build/demo/data/traffic_light/train")
OUT = Path("../../build/demo/basics")
CLASSIFIER = "../traffic_light/traffic_light.onnx"
CLASSIFIER_CONTRACT = "../traffic_light/deploy.yaml"
ROUNDS = int(os.environ.get("BASICS_ROUNDS", "7"))
OUT.mkdir(parents=True, exist_ok=True)


def median_times(*works: Callable[[], object]) -> list[float]:
    """Median seconds of each, taken by turns, so that a change of the machine's speed meets all."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, taken in zip(works, times, strict=True):
            begin = time.perf_counter()
            work()
            taken.append(time.perf_counter() - begin)
    return [statistics.median(taken) for taken in times]
