"""A memory pool (cudaMallocAsync's pools, ONNX Runtime's arena): memory for what comes and goes with each
frame, taken from the system once. The plain form takes a new array for each frame, whose pages the system
must clear and map first."""

import numpy as np
from shared import OUT, median_times

import tarmac

SHAPE, FRAMES = (1, 256, 200, 200), 20  # 41 MB, the BEV head's input
pool = tarmac.MemoryPool(limit_bytes=256 << 20)


def plain() -> None:
    for value in range(FRAMES):
        np.empty(SHAPE, np.float32).fill(value)


def pooled() -> None:
    for value in range(FRAMES):
        pool.empty(SHAPE).fill(value)


fresh, reused = median_times(plain, pooled)
print(
    f"{FRAMES} frames of {np.prod(SHAPE) * 4 / 1e6:.0f} MB: new arrays {1e3 * fresh:.1f} ms, "
    f"from the pool {1e3 * reused:.1f} ms, gain: {fresh / reused:.2f}x"
)
counts = pool.counts
asked = counts.acquired - counts.reused
print(f"{asked} of {counts.acquired} asked the system, {counts.held_bytes / 1e6:.0f} MB held")

# A session's results come from a pool as well: its own, or one that is shared.
size = (1, 256, 100, 100)
profile = {"features": (size, size, size)}
path = OUT / "pool.plan"
tarmac.compile("bev_head.onnx", path, target="openvino", profiles=[profile], cache=False)
results = tarmac.MemoryPool(limit_bytes=64 << 20)
session = tarmac.Session(path, pool=results)
frame = pool.empty(size)
frame.fill(0.5)
for _ in range(10):
    scores = session.run({"features": frame})["scores"]
counts = results.counts
asked = counts.acquired - counts.reused
print(f"10 runs: {asked} result blocks from the system, {counts.reused} used again")

try:
    kept = [results.empty((1 << 22,)) for _ in range(8)]  # 17 MB each
except tarmac.ResourceExhaustedError as error:
    print(f"beyond the limit: {error}")
