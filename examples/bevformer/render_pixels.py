"""What all pixels are computed from: the parameters of a road, of light and air, of rays; noise and soft edges.

The functions that draw are elementwise, over numpy arrays and torch tensors alike. `xp` is the module numpy or torch: they keep
to names that both have. A ray is origin + depth * direction in ego metres, its direction scaled to one metre of depth.
Parameters are arrays that broadcast against the pixels, at least one-dimensional.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

Array = Any  # numpy.ndarray or torch.Tensor
FAR = 1e9  # the depth of the sky


class Road(NamedTuple):
    """Road A's middle is a circle through the world's origin; road B crosses it at a right angle."""

    curvature: Array  # 1/m, never 0
    lane: Array  # width of a lane, m
    lanes: Array  # in each direction
    half: Array  # half of road A's width, m
    pavement: Array  # width, m
    crossing: Array  # 1 where there is a road B
    middle_b: Array  # x of road B's middle, m
    half_b: Array
    start_b: Array  # y where road B begins
    crosswalk: Array  # where along road A, m, if it has no crossing
    solid: Array  # 1: the middle line is solid
    asphalt: Array  # grey
    stone: Array  # grey of the pavement
    green: Array  # brightness of what lies beyond
    seed: Array  # of the noise


class Look(NamedTuple):
    """Light, air and sensor of a scene."""

    sun_x: Array  # unit vector to the sun, world
    sun_y: Array
    sun_z: Array
    ambient: Array
    diffuse: Array
    glow: Array  # 1: lamps are lit
    red: Array  # colour of the air at the horizon
    green: Array
    blue: Array
    fog: Array  # 1/m
    zenith: Array  # how dark the sky becomes upwards
    noise: Array  # of the sensor
    rain: Array  # strength of the streaks
    contrast: Array
    seed: Array


class Rays(NamedTuple):
    ox: Array
    oy: Array
    oz: Array
    dx: Array
    dy: Array
    dz: Array
    row: Array  # of pixels, integers
    column: Array
    pixel_x: Array  # a pixel's width and height at a depth of a metre, m
    pixel_y: Array


class Ego(NamedTuple):
    """Where the vehicle stands in the world, and the number that seeds a picture's noise."""

    x: Array
    y: Array
    cos: Array
    sin: Array
    seed: Array


class Film(NamedTuple):
    """The picture as it becomes: nearest depth, colours, which object it shows, and all objects that lie on the ray as bits."""

    depth: Array
    red: Array
    green: Array
    blue: Array
    owner: Array
    cover: Array
    shade: Array  # of the ground, 1 in full light


class Pose(NamedTuple):
    x: Array
    y: Array
    cos: Array
    sin: Array
    swing: Array  # of the legs, m
    half_x: Array  # of the box around it
    half_y: Array
    present: Array


def to_int(xp: ModuleType, value: Array) -> Array:
    return value.astype(xp.int32) if xp is np else value.to(xp.int32)


def to_float(xp: ModuleType, value: Array) -> Array:
    return value.astype(xp.float32) if xp is np else value.to(xp.float32)


def mix(a: Array, b: Array, part: Array) -> Array:
    return a + (b - a) * part


def hashed(xp: ModuleType, x: Array, y: Array, seed: Array) -> Array:
    """Noise in [0, 1) of 32-bit integers, which wrap around: the same on every machine."""
    value = x * 374761393 + y * 668265263 + seed * 1442695041
    value = (value ^ (value >> 13)) * 1274126177
    value = value ^ (value >> 16)
    return to_float(xp, value & 0xFFFF) * (1 / 65536)


def cell_noise(xp: ModuleType, x: Array, y: Array, seed: Array) -> Array:
    return hashed(xp, to_int(xp, xp.floor(x)), to_int(xp, xp.floor(y)), seed)


def smooth_noise(xp: ModuleType, x: Array, y: Array, seed: Array) -> Array:
    fx, fy = xp.floor(x), xp.floor(y)
    ix, iy = to_int(xp, fx), to_int(xp, fy)
    x, y = x - fx, y - fy
    low = mix(hashed(xp, ix, iy, seed), hashed(xp, ix + 1, iy, seed), x)
    high = mix(hashed(xp, ix, iy + 1, seed), hashed(xp, ix + 1, iy + 1, seed), x)
    return mix(low, high, y)


def within(xp: ModuleType, distance: Array, half: Array, blur: Array) -> Array:
    """How much of a pixel that is `blur` metres wide lies within `half` of a line."""
    narrow = xp.clip(2 * half / blur, 0, 1)
    return xp.clip((half - xp.abs(distance)) / blur + 0.5, 0, 1) * narrow


def dashes(xp: ModuleType, along: Array, period: float, blur: Array) -> Array:
    """Dashes as long as the gaps between them."""
    phase = along * (1 / period)
    place = xp.abs(phase - xp.floor(phase) - 0.5) * period
    return xp.clip((place - 0.25 * period) / blur + 0.5, 0, 1)
