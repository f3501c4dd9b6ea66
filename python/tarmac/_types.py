"""What many functions take."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, Union

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from tarmac._graph import Graph


class SupportsDLPack(Protocol):
    """A producer of DLPack tensors in the processor's memory, such as ``torch.Tensor``."""

    def __dlpack__(self, *, stream: Any = ...) -> object: ...

    def __dlpack_device__(self) -> tuple[Any, Any]: ...


Path: TypeAlias = Union[str, "os.PathLike[str]"]
ModelLike: TypeAlias = Union["Graph", Path]
"""A graph, or the path of an ONNX file."""

Array: TypeAlias = npt.NDArray[Any]
ArrayLike: TypeAlias = Array | SupportsDLPack | Sequence[Any] | float | int | bool | str
Tensors: TypeAlias = Mapping[str, ArrayLike]
Samples: TypeAlias = Mapping[str, ArrayLike] | Sequence[Mapping[str, ArrayLike]]
"""Either arrays by input name with the samples along the first axis, or one mapping a sample, whose arrays
have a first axis of 1."""

Shape: TypeAlias = Sequence[int]
Dim: TypeAlias = int | str
"""A size, or the symbol of one that is bound when the model runs; "" when unknown."""

__all__ = [
    "Array",
    "ArrayLike",
    "Dim",
    "ModelLike",
    "Path",
    "Samples",
    "Shape",
    "SupportsDLPack",
    "Tensors",
    "np",
]
