"""What an export did, and how far the ONNX file's outputs are from those of its source."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

# Below this share of differing elements an integer output counts as equal: the nearest of two that tie.
MOST_INTEGERS_OFF = 0.001


@dataclass(frozen=True)
class OutputError:
    """Over all samples: max |a - r| and mean |a - r|, in units of the range max |r| of the source's output r (`max_abs` as
    it is).

    Pairs of NaN and equal infinities are left out; `mismatches` counts where only one side is such. `compared` counts the
    numbers on both sides, `unequal` the share of them that differ.
    """

    output: str
    dtype: str
    max_abs: float
    max_rel: float
    mean_rel: float
    unequal: float
    mismatches: int
    compared: int
    samples: int

    def within(self, limit: float, absolute: float = 0) -> bool:
        """Whether the largest error is within `limit` of the range, or within `absolute`."""
        if self.mismatches:
            return False
        is_float = np.dtype(self.dtype).kind in "fc"
        return (
            self.max_rel <= limit
            or self.max_abs <= absolute
            or (not is_float and self.unequal <= MOST_INTEGERS_OFF)
        )


def compare(name: str, reference: np.ndarray, other: np.ndarray) -> OutputError:
    """One sample; the shapes are equal."""
    r, a = reference.astype(np.float64), other.astype(np.float64)
    numbers = np.isfinite(r) & np.isfinite(a)
    alike = (np.isnan(r) & np.isnan(a)) | (r == a)
    r, a, mismatches = r[numbers], a[numbers], int(np.count_nonzero(~numbers & ~alike))
    error = np.abs(a - r)
    span = float(np.abs(r).max(initial=0))
    worst, mean = float(error.max(initial=0)), float(error.mean()) if error.size else 0.0
    return OutputError(
        name,
        reference.dtype.name,
        worst,
        _ratio(worst, span),
        _ratio(mean, span),
        float(np.count_nonzero(error)) / error.size if error.size else 0.0,
        mismatches,
        int(error.size),
        1,
    )


def _ratio(error: float, span: float) -> float:
    if span > 0:
        return error / span
    return math.inf if error > 0 else 0.0


def worst(a: OutputError, b: OutputError) -> OutputError:
    """The worse of two in every number, counts added."""
    return OutputError(
        a.output,
        a.dtype,
        max(a.max_abs, b.max_abs),
        max(a.max_rel, b.max_rel),
        max(a.mean_rel, b.mean_rel),
        max(a.unequal, b.unequal),
        a.mismatches + b.mismatches,
        a.compared + b.compared,
        a.samples + b.samples,
    )


@dataclass(frozen=True)
class ExportReport:
    """What became of an export. `framework` is its name and version, `exporter` the converter that was used."""

    output: Path
    framework: str
    exporter: str
    opset: int
    bytes: int
    external_data: tuple[Path, ...]
    nodes_before: int
    nodes_after: int
    errors: tuple[OutputError, ...]
    max_error: float
    data: str
    notes: tuple[str, ...] = field(default=())

    def json(self) -> dict[str, Any]:
        """Plain types only. JSON has no infinity: such an error, of an output that is all 0 in the source, is a string."""
        found = asdict(self)
        found["output"] = str(self.output)
        found["external_data"] = [str(path) for path in self.external_data]
        for error in found["errors"]:
            for key, value in error.items():
                if isinstance(value, float) and not math.isfinite(value):
                    error[key] = str(value)
        found["errors"] = list(found["errors"])
        found["notes"] = list(self.notes)
        return found

    def text(self) -> str:
        """A few lines for people."""
        simplified = (
            ""
            if self.nodes_before == self.nodes_after
            else f" ({self.nodes_before} before simplifying)"
        )
        lines = [
            f"{self.output}: {_size(self.bytes)}, opset {self.opset}, {self.nodes_after} nodes{simplified}",
            f"  written by {', '.join(part for part in (self.exporter, self.framework) if part)}",
            f"  compared with the source on {self.data}; allowed: {100 * self.max_error:g} % of an output's range",
        ]
        width = max([len(error.output) for error in self.errors] + [6])
        lines.append(f"  {'output':<{width}}  {'max error':>10}  {'mean error':>10}")
        for error in self.errors:
            lines.append(
                f"  {error.output:<{width}}  {_percent(error.max_rel):>10}  {_percent(error.mean_rel):>10}"
            )
        return "\n".join(lines + [f"  Note: {note}" for note in self.notes])


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def _size(count: int) -> str:
    size, unit = float(count), "bytes"
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
