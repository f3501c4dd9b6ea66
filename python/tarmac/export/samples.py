"""The inputs that an exported file is compared on: the user's own, or made-up ones at two sizes of each dynamic axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tarmac.export.source import BAD_INPUT, USAGE, ExportError, TensorSpec

MOST_SAMPLES = 16
Sample = dict[str, np.ndarray]
# Sizes of one axis for the first and the second made-up sample.
Sizes = Mapping[str, tuple[int, int]]


def default_sizes(specs: Sequence[TensorSpec]) -> dict[str, tuple[int, int]]:
    """1 and 2 for an input's first axis, 64 and 96 (what downscaling networks divide by) for the others."""
    sizes: dict[str, tuple[int, int]] = {}
    for spec in specs:
        for axis, dim in enumerate(spec.shape):
            if isinstance(dim, str):
                sizes.setdefault(dim, (1, 2) if axis == 0 else (64, 96))
    return sizes


def parse_sizes(texts: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Reads AXIS=FIRST[,SECOND] texts."""
    sizes = {}
    for text in texts:
        axis, _, numbers = text.partition("=")
        found = numbers.split(",")
        if not axis or len(found) > 2 or not all(n.isdecimal() and int(n) > 0 for n in found):
            message = f"'{text}' gives no sizes of an axis"
            raise ExportError(USAGE, message, "write AXIS=FIRST,SECOND, as in height=256,320")
        sizes[axis] = (int(found[0]), int(found[-1]))
    return sizes


def made_up_samples(
    specs: Sequence[TensorSpec], sizes: Sizes | None = None, seed: int = 0
) -> list[Sample]:
    """One sample, two where axes are dynamic. Floats lie in [-1, 1); integers other than bytes are 0 or 1, so that they are
    valid as indices."""
    known = {**default_sizes(specs), **(sizes or {})}
    dynamic = any(isinstance(dim, str) for spec in specs for dim in spec.shape)
    rng = np.random.default_rng(seed)
    samples = []
    for turn in range(2 if dynamic else 1):
        sample = {}
        for spec in specs:
            shape = tuple(known[dim][turn] if isinstance(dim, str) else dim for dim in spec.shape)
            sample[spec.name] = _made_up(rng, np.dtype(spec.dtype), shape)
        samples.append(sample)
    return samples


def _made_up(rng: np.random.Generator, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    if dtype.kind == "f":
        return rng.uniform(-1, 1, shape).astype(dtype)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(dtype)
    if dtype.itemsize == 1:
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max + 1, shape).astype(dtype)
    if dtype.kind in "iu":
        return rng.integers(0, 2, shape).astype(dtype)
    raise ExportError(
        BAD_INPUT, f"inputs of type {dtype} cannot be made up", "give samples with --data"
    )


def load_samples(path: Path, specs: Sequence[TensorSpec], most: int = MOST_SAMPLES) -> list[Sample]:
    """Samples from an .npz with one array for each input (an .npy where there is one input): as in deploy.yaml, samples lie
    along the first axis, or along a further one before the input's own. At most `most` are taken."""
    arrays = _read_arrays(path, specs)
    taken: list[list[np.ndarray]] = []
    for spec in specs:
        if spec.name not in arrays:
            found = ", ".join(sorted(arrays)) or "nothing"
            raise ExportError(BAD_INPUT, f"{path} has no array '{spec.name}'", f"it holds {found}")
        taken.append(_split(path, spec, arrays[spec.name], most))
    counts = {len(rows) for rows in taken}
    if len(counts) > 1:
        each = ", ".join(
            f"{spec.name} {len(rows)}" for spec, rows in zip(specs, taken, strict=True)
        )
        raise ExportError(
            BAD_INPUT, f"{path} holds different numbers of samples: {each}", "they must be equal"
        )
    if counts == {0}:
        raise ExportError(BAD_INPUT, f"{path} holds no sample", "give at least one")
    names = [spec.name for spec in specs]
    return [dict(zip(names, rows, strict=True)) for rows in zip(*taken, strict=True)]


def _read_arrays(path: Path, specs: Sequence[TensorSpec]) -> dict[str, np.ndarray]:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            if len(specs) != 1:
                message = f"{path} is one array, but the model has {len(specs)} inputs"
                raise ExportError(BAD_INPUT, message, "give an .npz with an array for each")
            return {specs[0].name: loaded}
        return {name: loaded[name] for name in loaded.files}
    except (OSError, ValueError, EOFError) as failure:
        raise ExportError(
            BAD_INPUT, f"{path} cannot be read: {failure}", "give an .npz or .npy"
        ) from None


def _split(path: Path, spec: TensorSpec, array: np.ndarray, most: int) -> list[np.ndarray]:
    rank = len(spec.shape)
    own = array.shape
    if array.ndim == rank + 1:
        rows, own = list(array[:most]), array.shape[1:]
    elif array.ndim == rank and rank > 0:
        batch = spec.shape[0] if isinstance(spec.shape[0], int) else 1
        rows = [array[i : i + batch] for i in range(0, array.shape[0] - batch + 1, batch)][
            :most
        ]
        own = (batch, *array.shape[1:])
    else:
        rows = []
    fits = len(own) == rank and all(
        isinstance(d, str) or d == n for d, n in zip(spec.shape, own, strict=True)
    )
    if not fits or array.dtype != np.dtype(spec.dtype):
        raise ExportError(
            BAD_INPUT,
            f"{path}: array '{spec.name}' is {array.dtype} {list(array.shape)}, the input is {spec.dtype} "
            f"{list(spec.shape)}",
            "samples go along the first axis, or along one more before the input's own",
        )
    return rows
