"""draw.py FOLDER: the inputs of these examples that are no pictures, the same each time (numpy, 300 MB).

bev/000.npy …    24 features as a lidar or camera backbone could give them, 1 x 256 x 100 x 100 float32:
                 smooth fields, most of each channel zero, as after a ReLU; up to 500 calibrate as well
bev_test/        one of 200 x 200
tokens/          4 sequences of 400 tokens, 1 x 400 x 96
"""

import pathlib
import sys

import numpy as np


def between(coarse: np.ndarray, size: int, axis: int) -> np.ndarray:
    """Linear interpolation of `coarse` along an axis."""
    places = np.linspace(0, coarse.shape[axis] - 1, size)
    left = np.minimum(places.astype(int), coarse.shape[axis] - 2)
    shape = [1] * coarse.ndim
    shape[axis] = size
    weight = (places - left).astype(np.float32).reshape(shape)
    return coarse.take(left, axis) * (1 - weight) + coarse.take(left + 1, axis) * weight


def features(rng: np.random.Generator, size: int) -> np.ndarray:
    field = between(between(rng.normal(size=(1, 256, 9, 9)).astype(np.float32), size, 2), size, 3)
    noise = rng.normal(scale=0.1, size=field.shape).astype(np.float32)
    threshold = rng.uniform(-0.5, 1, size=(1, 256, 1, 1)).astype(np.float32)
    return np.maximum(field + noise - threshold, 0)


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    rng = np.random.default_rng(5)
    for name in ("bev", "bev_test", "tokens"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for index in range(24):
        np.save(folder / "bev" / f"{index:03}.npy", features(rng, 100))
    np.save(folder / "bev_test" / "000.npy", features(rng, 200))
    for index in range(4):
        np.save(
            folder / "tokens" / f"{index:03}.npy", rng.normal(size=(1, 400, 96)).astype(np.float32)
        )


main()
