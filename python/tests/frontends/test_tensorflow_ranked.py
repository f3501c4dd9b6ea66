"""Comparing detections whose near-equal scores change places: what is forgiven, and what is not."""

from __future__ import annotations

import numpy as np
import pytest

from tarmac.export.ranked import align

Arrays = dict[str, np.ndarray]


def detections(batch: int = 1, rows: int = 40) -> Arrays:
    rng = np.random.default_rng(0)
    scores = np.sort(rng.random((batch, rows)).astype(np.float32), axis=1)[:, ::-1].copy()
    scores[:, 0] = 1
    scores[:, 10:20] = scores[:, 10:11]  # ties
    return {
        "boxes": rng.random((batch, rows, 4)).astype(np.float32),
        "scores": scores,
        "classes": rng.integers(0, 90, (batch, rows)).astype(np.float32),
        "count": np.full(batch, rows, np.float32),
    }


def with_rows(found: Arrays, order: list[int], names: tuple[str, ...] = ()) -> Arrays:
    return {
        name: array[:, order]
        if array.ndim > 1 and name in (names or ("boxes", "classes"))
        else array
        for name, array in found.items()
    }


def swapped(a: int, b: int, rows: int = 40) -> list[int]:
    order = list(range(rows))
    order[a], order[b] = b, a
    return order


@pytest.mark.parametrize("batch", [1, 3])
def test_rows_that_tie_may_change_places(batch: int) -> None:
    reference = detections(batch)
    found = align(reference, with_rows(reference, swapped(12, 17)), 0.01)
    assert (found.moved, found.cut) == (2 * batch, 0)
    for name, array in found.reference.items():
        np.testing.assert_array_equal(array, found.result[name])


def test_outputs_without_a_batch() -> None:
    reference = {name: array[0] for name, array in detections().items()}
    order = swapped(12, 17)
    result = {n: a[order] if n in ("boxes", "classes") else a for n, a in reference.items()}
    assert align(reference, result, 0.01).moved == 2


def unforgiven(reference: Arrays, result: Arrays) -> None:
    found = align(reference, result, 0.01)
    assert (found.moved, found.cut) == (0, 0)
    assert all(found.result[name] is result[name] for name in result)


def test_rows_of_other_scores_may_not() -> None:
    reference = detections()
    unforgiven(reference, with_rows(reference, swapped(1, 30)))


def test_a_box_that_is_elsewhere_is_not_forgiven() -> None:
    reference = detections()
    result = with_rows(reference, swapped(12, 17))
    result["boxes"][0, 12, 0] += 0.3
    unforgiven(reference, result)


def test_the_class_moves_with_its_box() -> None:
    reference = detections()
    unforgiven(reference, with_rows(reference, swapped(12, 17), ("boxes",)))


def test_one_row_may_stand_for_another_at_the_cut_off_only() -> None:
    reference = detections()
    result = with_rows(reference, swapped(12, 17))
    result["boxes"][0, 39] = 0.5
    found = align(reference, result, 0.01)
    assert (found.moved, found.cut) == (2, 1)
    assert found.reference["boxes"].shape == (39, 4)
    result["boxes"][0, 5] = 0.5
    unforgiven(reference, result)


def test_a_curve_that_is_shifted_is_an_error() -> None:
    """A falling output is compared as it stands: a shifted one does not match itself."""
    curve = np.linspace(1, 0, 40, dtype=np.float32)
    unforgiven({"curve": curve}, {"curve": np.roll(curve, 1)})


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_left_to_the_comparison(value: float) -> None:
    reference = detections()
    result = with_rows(reference, swapped(12, 17))
    result["boxes"][0, 3, 0] = value
    unforgiven(reference, result)
