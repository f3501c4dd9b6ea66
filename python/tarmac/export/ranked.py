"""Comparing detections: rows that are sorted by a score, in which near-equal scores may change
places.

Two engines add the same numbers in another order, so scores that tie but for rounding swap rows,
and at the cut-off after the best K one row may stand for another. Compared element by element that
looks like an error of the size of the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Arrays = dict[str, np.ndarray]
# More rows than this share must not be others at the cut-off.
MOST_CUT = 0.05
MOST_MOVED = 2000


@dataclass(frozen=True)
class Aligned:
    """Both sides with their rows in one order; `moved` rows stood elsewhere, `cut` rows at the
    cut-off are left out."""

    reference: Arrays
    result: Arrays
    moved: int = 0
    cut: int = 0


def align(
    reference: Mapping[str, np.ndarray], result: Mapping[str, np.ndarray], limit: float
) -> Aligned:
    """Puts the result's rows into the reference's order.

    The outputs of a detection are those that share the first axes of a score: a float output of
    the shape [rows] or [batch, rows] that falls along its rows in the reference, and that must be
    within `limit` of its range as it stands. A row matches another when all its values, its score
    among them, are within `limit` of their output's range, so only rows of near-equal score change
    places. What is left may differ only where its score is within `limit` of the last row's, on
    both sides, in at most one row of twenty. Where that does not hold, or there is no score, both
    sides are given back as they are."""
    same = Aligned(dict(reference), dict(result))
    score = _score(reference)
    if score is None:
        return same
    lead = reference[score].shape
    names = [n for n, array in reference.items() if array.shape[: len(lead)] == lead and array.size]
    spans = {name: float(np.abs(reference[name]).max()) for name in names}
    expected, found = (_rows(side, names, lead, spans) for side in (reference, result))
    theirs, ours = (side[score].reshape(-1, lead[-1]) for side in (reference, result))
    if (np.abs(theirs - ours) > limit * spans[score]).any():
        return same
    if not (np.isfinite(expected).all() and np.isfinite(found).all()):
        return same
    orders, moved, cut = [], 0, 0
    for batch in range(expected.shape[0]):
        order = _match(expected[batch], found[batch], limit)
        left = [row for row in range(lead[-1]) if order[row] < 0]
        spare = sorted(set(range(lead[-1])) - set(order))
        last = theirs[batch, -1] + limit * spans[score]
        uncut = (theirs[batch, left] > last).any() or (ours[batch, spare] > last).any()
        if len(left) > max(1, MOST_CUT * lead[-1]) or uncut:
            return same
        moved += sum(place not in (row, -1) for row, place in enumerate(order))
        cut += len(left)
        orders.append(order)
    wanted, given = dict(reference), dict(result)
    for name in names:
        shape = (-1, lead[-1], *reference[name].shape[len(lead) :])
        wanted[name] = reference[name].reshape(shape)[np.array(orders) >= 0]
        batches = zip(result[name].reshape(shape), orders, strict=True)
        given[name] = np.concatenate(
            [rows[[p for p in order if p >= 0]] for rows, order in batches]
        )
    return Aligned(wanted, given, moved, cut)


def _score(arrays: Mapping[str, np.ndarray]) -> str | None:
    for name, array in arrays.items():
        if (
            array.ndim in (1, 2)
            and array.dtype.kind == "f"
            and array.shape[-1] > 1
            and np.isfinite(array).all()
        ):
            falls = np.diff(array, axis=-1)
            if array.size and (falls <= 0).all() and (falls < 0).any():
                return name
    return None


def _rows(
    arrays: Mapping[str, np.ndarray],
    names: Sequence[str],
    lead: Sequence[int],
    spans: Mapping[str, float],
) -> np.ndarray:
    """[batch, rows, values], each value as a share of its output's range."""
    parts = [
        arrays[name].reshape(-1, lead[-1], int(np.prod(arrays[name].shape[len(lead) :])))
        / (spans[name] or 1.0)
        for name in names
    ]
    return np.concatenate(parts, axis=-1, dtype=np.float64)


def _match(expected: np.ndarray, found: np.ndarray, limit: float) -> list[int]:
    """For each row the one that stands for it, itself first; -1 where there is none."""
    off = np.flatnonzero((np.abs(expected - found) > limit).any(axis=-1))
    order = np.arange(len(expected))
    order[off] = -1
    free = list(off) if len(off) <= MOST_MOVED else []
    for row in off:
        near = [p for p in free if (np.abs(expected[row] - found[p]) <= limit).all()]
        if near:
            order[row] = near[0]
            free.remove(near[0])
    return [int(place) for place in order]
