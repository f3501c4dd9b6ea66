"""What every exporter works with: a model in its own framework, described and runnable on numpy arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np

USAGE, UNSUPPORTED, BAD_INPUT, DIFFERS, BUG = 2, 3, 4, 5, 1

DTYPES = frozenset(
    ["bool", "float16", "float32", "float64"]
    + [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
)


class ExportError(Exception):
    """An export that cannot be done. `code` is the command line's exit code; `remedy` says what to do.

    2 wrong usage, 3 unsupported or missing, 4 bad input, 5 the ONNX file differs from its source, 1 our bug.
    """

    def __init__(self, code: int, message: str, remedy: str = "") -> None:
        super().__init__(f"{message}; {remedy}" if remedy else message)
        self.code = code
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True)
class TensorSpec:
    """An input: its name, numpy's name of its type, and each axis as a size or the name of a dynamic axis."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]

    def __str__(self) -> str:
        return f"{self.name}:{self.dtype}:{','.join(map(str, self.shape))}"

    @staticmethod
    def parse(text: str, dtype: str = "float32") -> TensorSpec:
        """Reads NAME[:DTYPE]:DIM,DIM,…; a DIM is a size or the name of a dynamic axis, the name may hold colons. Without
        DTYPE the input has the type `dtype`, which may be empty where the caller finds it out."""
        name, colon, dims = text.rpartition(":")
        before, _, last = name.rpartition(":")
        if before and last in DTYPES:
            name, dtype = before, last
        if not colon or not name:
            message = f"'{text}' does not describe an input"
            raise ExportError(
                USAGE, message, "write NAME:DTYPE:DIM,DIM,…, as in image:float32:batch,3,64,48"
            )
        shape = tuple(_parse_axis(text, dim.strip()) for dim in dims.split(",")) if dims else ()
        return TensorSpec(name, dtype, shape)


def _parse_axis(text: str, dim: str) -> int | str:
    if dim.isidentifier():
        return dim
    if not dim.isdecimal() or int(dim) == 0:
        message = f"'{text}': '{dim}' is no axis"
        raise ExportError(USAGE, message, "give a size above 0, or the name of a dynamic axis")
    return int(dim)


class Source(Protocol):
    """A model in its own framework."""

    @property
    def inputs(self) -> Sequence[TensorSpec]: ...

    @property
    def outputs(self) -> Sequence[str]:
        """The names that the ONNX file's outputs shall have, in order."""

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs by name. What the framework raises is passed on as it is."""
