"""What an export to TensorFlow-Lite did."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tarmac.export.report import OutputError


@dataclass(frozen=True)
class TensorChange:
    """An input or output: its ONNX shape, the TFLite one, and the order of the ONNX axes in it
    ([0, 2, 3, 1]: NCHW became NHWC). Real value = scale · (integer - zero_point) where scale is
    not 0."""

    name: str
    onnx_shape: tuple[int, ...]
    shape: tuple[int, ...]
    order: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int

    @staticmethod
    def of(
        name: str, onnx_shape: Sequence[Any], order: Sequence[int] | None, fact: Mapping[str, Any]
    ) -> TensorChange:
        axes = tuple(range(len(onnx_shape))) if order is None else tuple(order)
        sizes = tuple(int(size) for size in onnx_shape)
        return TensorChange(
            name,
            sizes,
            tuple(fact["shape"]),
            axes,
            fact["dtype"],
            fact["scale"],
            fact["zero_point"],
        )

    def text(self) -> str:
        moved = (
            "order kept" if list(self.order) == sorted(self.order) else f"axes {list(self.order)}"
        )
        if self.order == (0, 2, 3, 1):
            moved = "NCHW became NHWC"
        quantised = f", real = {self.scale:.6g} · (value - {self.zero_point})" if self.scale else ""
        shapes = f"{list(self.onnx_shape)} → {list(self.shape)}"
        return f"{self.name}: {shapes} {self.dtype}, {moved}{quantised}"


@dataclass(frozen=True)
class TfliteError(OutputError):
    """Against the ONNX model's output r. snr_db: the smallest of all samples of
    10·log10(Σ r² / Σ (a - r)²), infinite where equal. same_top: share of rows whose largest value
    is at the same place, for outputs [rows, classes]; None for others."""

    snr_db: float = math.inf
    same_top: float | None = None

    @staticmethod
    def of(error: OutputError, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> TfliteError:
        top = None
        if pairs[0][0].ndim == 2 and pairs[0][0].shape[1] > 1:
            top = float(np.mean([np.mean(r.argmax(1) == a.argmax(1)) for r, a in pairs]))
        snr = min(_snr(r, a) for r, a in pairs)
        return TfliteError(**asdict(error), snr_db=snr, same_top=top)

    def sentence(self) -> str:
        odd = (
            f" and {self.mismatches} values NaN or infinite on one side only"
            if self.mismatches
            else ""
        )
        rest = f"(mean {100 * self.mean_rel:.2g} %, SNR {self.snr_db:.1f} dB){odd}"
        return f"'{self.output}' by {100 * self.max_rel:.3g} % of its range {rest}"


def _snr(r: np.ndarray, a: np.ndarray) -> float:
    wide, other = r.astype(np.float64), a.astype(np.float64)
    numbers = np.isfinite(wide) & np.isfinite(other)
    signal, noise = float(np.sum(wide[numbers] ** 2)), float(np.sum((other - wide)[numbers] ** 2))
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf


@dataclass(frozen=True)
class TfliteReport:
    """What became of an export. `mode`: float32, float16 or int8."""

    output: Path
    mode: str
    bytes: int
    framework: str
    exporter: str
    inputs: tuple[TensorChange, ...]
    outputs: tuple[TensorChange, ...]
    calibration_samples: int
    compared_samples: int
    made_up: bool
    errors: tuple[TfliteError, ...]
    max_error: float
    notes: tuple[str, ...]

    def json(self) -> dict[str, Any]:
        """Plain types only. JSON has no infinity: such a number is a string."""
        found = asdict(self)
        found["output"] = str(self.output)
        for error in found["errors"]:
            for key, value in error.items():
                if isinstance(value, float) and not math.isfinite(value):
                    error[key] = str(value)
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in found.items()
        }

    def text(self) -> str:
        """A few lines for people."""
        plural = "s" if self.compared_samples > 1 else ""
        data = f"{self.compared_samples} {'made-up' if self.made_up else 'given'} sample{plural}"
        calibrated = (
            f", calibrated on {self.calibration_samples} samples"
            if self.calibration_samples
            else ""
        )
        lines = [
            f"{self.output}: {self.bytes / 1024:.1f} KiB, {self.mode}{calibrated}",
            f"  written by {self.exporter}, {self.framework}",
            *(f"  input  {tensor.text()}" for tensor in self.inputs),
            *(f"  output {tensor.text()}" for tensor in self.outputs),
            f"  compared on LiteRT with ONNX Runtime on {data}; "
            f"allowed: {100 * self.max_error:g} % of an output's range",
        ]
        for error in self.errors:
            top = (
                ""
                if error.same_top is None
                else f", largest value at the same place in {100 * error.same_top:.3g} %"
            )
            lines.append(
                f"  {error.output}: max error {100 * error.max_rel:.2g} %, "
                f"mean {100 * error.mean_rel:.2g} %, "
                f"SNR {error.snr_db:.1f} dB{top}"
            )
        return "\n".join(lines + [f"  Note: {note}" for note in self.notes])
