"""What the things of the driving world are made of: boxes and ellipsoids in the thing's own frame.

A shape is a row of SHAPE floats: BOXES boxes and ELLIPSOIDS ellipsoids of nine floats each (middle, half sizes or radii,
colour; along the heading, to the left, up; the ground is z = 0), then the second colour of the last ellipsoid (hair or
helmet), whether car details are painted on the boxes, and from which part of the cabin's length on (-1 … 1) it has windows.
"""

from __future__ import annotations

import numpy as np

CAR, PEDESTRIAN, CYCLIST, PROP = 0, 1, 2, 3  # a prop (tree, pole, house) is drawn and never a label

BOXES, ELLIPSOIDS, PART = 2, 4, 9
SECOND = (BOXES + ELLIPSOIDS) * PART
PAINT, GLASS = SECOND + 3, SECOND + 4
SHAPE = SECOND + 5

CAR_COLOURS = np.array(
    [
        (0.86, 0.86, 0.87), (0.62, 0.64, 0.66), (0.36, 0.37, 0.39), (0.10, 0.10, 0.11),
        (0.60, 0.09, 0.08), (0.10, 0.20, 0.50), (0.09, 0.32, 0.20), (0.80, 0.62, 0.12),
        (0.45, 0.60, 0.72), (0.48, 0.36, 0.26),
    ]
)  # fmt: skip
SKIN = np.array([(0.86, 0.66, 0.54), (0.70, 0.50, 0.38), (0.42, 0.28, 0.20)])
HAIR = np.array([(0.08, 0.06, 0.05), (0.28, 0.17, 0.08), (0.62, 0.50, 0.28), (0.55, 0.54, 0.52)])
TYRE = (0.06, 0.06, 0.07)


def make_shape(kind: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Size (dx, dy, dz) in metres and shape of a random thing of a kind."""
    shape = _nothing()
    make = (_car, _pedestrian, _cyclist, _prop)[kind]
    return make(shape, rng), shape.astype(np.float32)


def _nothing() -> np.ndarray:
    shape = np.zeros(SHAPE)
    for part in range(BOXES, BOXES + ELLIPSOIDS):  # too small and too high to be seen
        shape[part * PART : part * PART + 6] = (0, 0, 1000, 0.001, 0.001, 0.001)
    return shape


def _box(shape: np.ndarray, index: int, low: tuple, high: tuple, colour: np.ndarray) -> None:
    low, high = np.array(low), np.array(high)
    shape[index * PART : (index + 1) * PART] = (*(low + high) / 2, *(high - low) / 2, *colour)


def _ellipsoid(
    shape: np.ndarray, index: int, middle: tuple, radii: tuple, colour: np.ndarray
) -> None:
    start = (BOXES + index) * PART
    shape[start : start + PART] = (*middle, *radii, *colour)


def _tint(colours: np.ndarray, rng: np.random.Generator, spread: float = 0.05) -> np.ndarray:
    return np.clip(rng.choice(colours) + rng.uniform(-spread, spread, 3), 0.02, 0.95)


def _cloth(rng: np.random.Generator) -> np.ndarray:
    """Any colour, dull ones more often."""
    grey = rng.uniform(0.05, 0.8)
    return np.clip(grey + rng.uniform(-0.5, 0.5, 3) * rng.choice([0.1, 1.0]), 0.03, 0.95)


def _car(shape: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    colour = _tint(CAR_COLOURS, rng)
    van = rng.random() < 0.15
    if van:
        long, wide, high = rng.uniform((4.9, 1.95, 2.0), (6.6, 2.2, 2.7))
        belt, back, front = 0.45 * high, -0.5 * long, (0.5 - rng.uniform(0.06, 0.2)) * long
    else:
        long, wide, high = rng.uniform((3.6, 1.65, 1.4), (4.95, 1.92, 1.72))
        belt = rng.uniform(0.54, 0.6) * high
        back, front = rng.choice([-0.48, -0.36]) * long, rng.uniform(0.16, 0.26) * long
    side = 0.5 * wide - 0.05
    _box(shape, 0, (-0.5 * long, -side, 0.17), (0.5 * long, side, belt), colour)
    top = side * (0.98 if van else 0.88)
    _box(shape, 1, (back, -top, belt), (front, top, high), colour)
    tyre = rng.uniform(0.3, 0.36)
    for wheel, (along, left) in enumerate([(1, 1), (1, -1), (-1, 1), (-1, -1)]):
        middle = (along * 0.31 * long, left * (0.5 * wide - 0.1), tyre)
        _ellipsoid(shape, wheel, middle, (tyre, 0.1, tyre), np.array(TYRE))
    shape[PAINT] = 1
    shape[GLASS] = 0.55 if van and rng.random() < 0.7 else -2
    return np.array((long, wide, high))


def _pedestrian(shape: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    high = rng.uniform(1.05, 1.35) if rng.random() < 0.12 else rng.uniform(1.5, 1.95)
    long, wide = high * rng.uniform(0.28, 0.36), high * rng.uniform(0.28, 0.36)
    trousers, jacket, skin = _cloth(rng), _cloth(rng), _tint(SKIN, rng, 0.03)
    for leg, left in enumerate((1, -1)):
        middle = (0, left * 0.22 * wide, 0.25 * high)
        _ellipsoid(shape, leg, middle, (0.055 * high, 0.05 * high, 0.25 * high), trousers)
    _ellipsoid(shape, 2, (0, 0, 0.65 * high), (0.3 * long, 0.5 * wide, 0.21 * high), jacket)
    _ellipsoid(shape, 3, (0, 0, 0.92 * high), (0.065 * high, 0.055 * high, 0.08 * high), skin)
    if rng.random() < 0.4:
        low, up = (-0.5 * long, -0.3 * wide, 0.55 * high), (-0.1 * long, 0.3 * wide, 0.78 * high)
        _box(shape, 0, low, up, _cloth(rng))
    shape[SECOND : SECOND + 3] = rng.choice(HAIR)
    return np.array((long, wide, high))


def _cyclist(shape: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    long, wide, high = rng.uniform((1.6, 0.5, 1.6), (1.9, 0.65, 1.9))
    tyre = rng.uniform(0.32, 0.36)
    for wheel, along in enumerate((1, -1)):
        middle = (along * (0.5 * long - tyre), 0, tyre)
        _ellipsoid(shape, wheel, middle, (tyre, 0.035, tyre), np.array(TYRE))
    _box(shape, 0, (-0.3 * long, -0.035, 0.42), (0.32 * long, 0.035, 0.62), _cloth(rng))
    _box(shape, 1, (-0.1, -0.15, 0.32), (0.12, 0.15, 0.58 * high), _cloth(rng))
    _ellipsoid(shape, 2, (0.06, 0, 0.69 * high), (0.2, 0.5 * wide, 0.2 * high), _cloth(rng))
    skin = _tint(SKIN, rng, 0.03)
    _ellipsoid(shape, 3, (0.2, 0, 0.92 * high), (0.12, 0.1, 0.08 * high), skin)
    shape[SECOND : SECOND + 3] = _cloth(rng)
    return np.array((long, wide, high))


def _prop(shape: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    kind = rng.choice(4, p=[0.45, 0.25, 0.15, 0.15])
    if kind == 0:  # a tree
        crown, high = rng.uniform(0.9, 1.7), rng.uniform(3.2, 5.0)
        green = np.array((0.14, 0.32, 0.10)) * rng.uniform(0.7, 1.3)
        _box(shape, 0, (-0.13, -0.13, 0), (0.13, 0.13, high - 0.4), np.array((0.27, 0.20, 0.14)))
        for ball in range(3):
            off = rng.uniform(-0.35, 0.35, 3) * crown
            middle = (off[0], off[1], high - 0.8 * crown + off[2])
            radii = tuple(crown * rng.uniform(0.55, 0.8, 3))
            _ellipsoid(shape, ball, middle, radii, green * rng.uniform(0.8, 1.2))
        return np.array((2 * crown, 2 * crown, high + 0.5 * crown))
    if kind == 1:  # a sign on its pole
        high = rng.uniform(2.2, 3.2)
        _box(shape, 0, (-0.04, -0.04, 0), (0.04, 0.04, high), np.array((0.5, 0.5, 0.52)))
        plate = rng.choice([(0.7, 0.08, 0.08), (0.1, 0.2, 0.6), (0.8, 0.7, 0.1)])
        _box(shape, 1, (-0.06, -0.32, high - 0.6), (-0.03, 0.32, high), plate)
        return np.array((0.2, 0.7, high))
    if kind == 2:  # a bush
        radii = rng.uniform((0.5, 0.5, 0.4), (1.2, 0.9, 0.8))
        green = np.array((0.16, 0.30, 0.11)) * rng.uniform(0.7, 1.3)
        _ellipsoid(shape, 0, (0, 0, 0.7 * radii[2]), tuple(radii), green)
        return np.array((2 * radii[0], 2 * radii[1], 1.7 * radii[2]))
    wide, high = rng.uniform(0.4, 0.7), rng.uniform(0.8, 1.3)  # a bin
    half = 0.5 * wide
    _box(shape, 0, (-half, -half, 0), (half, half, high), _cloth(rng))
    return np.array((wide, wide, high))
