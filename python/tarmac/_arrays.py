"""Arrays on their way in and out: what the native module cannot take as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tarmac._errors import InvalidInputError, UsageError
from tarmac._types import Array, Samples

_PLAIN = {"bool", "float16", "float32", "float64"} | {
    f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)
}
_BITS: dict[int, Any] = {1: np.uint8, 2: np.uint16}


def as_dense(value: Any, wanted: str) -> tuple[Array, str]:
    """An array that the native module reads in place, and the name of its dtype where numpy has none ("":
    its own). Copies only what is not dense; lists and numbers become ``wanted``, where numpy has it. Called
    for what is no dense array of a plain type."""
    if not isinstance(value, np.ndarray) and hasattr(value, "__dlpack__"):
        try:
            value = np.from_dlpack(value)
        except (BufferError, RuntimeError, TypeError) as error:
            raise InvalidInputError(
                f"cannot read the {type(value).__name__} in place: {error}; give a dense tensor in the "
                "processor's memory, detached from its gradient"
            ) from error
    if isinstance(value, (np.ndarray, np.generic)) or wanted not in _PLAIN:
        array = np.asarray(value)
    else:
        array = np.asarray(value, dtype=wanted)
    if not array.flags.c_contiguous or not array.dtype.isnative:
        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    kind = array.dtype
    if kind.name == "bfloat16" or kind.name.startswith("float8_"):
        return array.view(_BITS[kind.itemsize]), kind.name
    if kind.kind == "U" or kind.kind == "O":
        return np.asarray(array, dtype=object), "string"
    return array, ""


def restore(bits: Array, dtype: str) -> Array:
    """Bits of a type that numpy does not have, as that type where ml_dtypes is there."""
    try:
        import ml_dtypes
    except ImportError:
        return bits
    kind = getattr(ml_dtypes, dtype, None)
    return bits if kind is None else bits.view(kind)


def sample_list(samples: Samples | None) -> list[dict[str, Any]]:
    """One mapping a sample, each with a first axis of 1; empty for None."""
    if samples is None:
        return []
    if not isinstance(samples, Mapping):
        return [dict(sample) for sample in samples]
    arrays = {name: np.asarray(value) for name, value in samples.items()}
    counts = {name: len(array) if array.ndim > 0 else 0 for name, array in arrays.items()}
    if not counts or len(set(counts.values())) != 1:
        raise UsageError(
            f"samples lie along the first axis of each array; found different numbers of them: {counts}"
        )
    return [
        {name: array[index : index + 1] for name, array in arrays.items()}
        for index in range(next(iter(counts.values())))
    ]
