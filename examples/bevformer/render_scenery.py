"""What a pixel shows without any object (sky, roads, what lies beside them), and what the air and the sensor make of it."""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

from render_pixels import (
    FAR,
    Array,
    Ego,
    Film,
    Look,
    Rays,
    Road,
    cell_noise,
    dashes,
    hashed,
    mix,
    smooth_noise,
    to_int,
    within,
)


def sky(xp: ModuleType, rays: Rays, ego: Ego, look: Look) -> tuple[Array, Array, Array]:
    """The air, and far away houses along the horizon."""
    level = xp.sqrt(rays.dx * rays.dx + rays.dy * rays.dy)
    rise = rays.dz / level
    along = rays.dx * ego.cos - rays.dy * ego.sin
    left = rays.dx * ego.sin + rays.dy * ego.cos
    cell = to_int(xp, xp.floor(xp.arctan2(left, along) * 14))
    tone = hashed(xp, cell, cell * 0 + 7, to_int(xp, look.seed))
    house = xp.clip((0.015 + 0.09 * tone * tone - rise) * 150, 0, 1)
    dark = 1 - look.zenith * xp.clip(rise * 3, 0, 1)
    wall = 0.45 + 0.25 * tone
    return (
        look.red * mix(dark, wall, house),
        look.green * mix(0.5 + 0.5 * dark, wall * 0.98, house),
        look.blue * mix(0.75 + 0.25 * dark, wall * 0.95, house),
    )


class _Place(NamedTuple):
    """Where on the roads a ray meets the ground, and how large a pixel is there."""

    x: Array  # world
    y: Array
    side: Array  # to the left of road A's middle, m
    along: Array  # along road A
    side_b: Array  # to the right of road B's middle
    blur_side: Array  # a pixel's size across road A, m
    blur_along: Array
    long: Array  # and along the ray


def _place(xp: ModuleType, rays: Rays, depth: Array, ego: Ego, road: Road) -> _Place:
    gx, gy = rays.ox + depth * rays.dx, rays.oy + depth * rays.dy
    x = ego.x + gx * ego.cos - gy * ego.sin
    y = ego.y + gx * ego.sin + gy * ego.cos
    k = road.curvature
    square = x * x + y * y
    root = xp.sqrt(xp.clip(1 - 2 * k * y + k * k * square, 1e-6, 1e9))
    side = (2 * y - k * square) / (1 + root)
    along = xp.arctan2(k * x, 1 - k * y) / k
    level = xp.sqrt(rays.dx * rays.dx + rays.dy * rays.dy)
    long, wide = depth * depth / rays.oz * rays.pixel_y * level, depth * rays.pixel_x
    ray_x = (rays.dx * ego.cos - rays.dy * ego.sin) / level
    ray_y = (rays.dx * ego.sin + rays.dy * ego.cos) / level
    tangent_x, tangent_y = (1 - k * y) / root, k * x / root
    parallel = xp.abs(ray_x * tangent_x + ray_y * tangent_y)
    cross = xp.abs(ray_y * tangent_x - ray_x * tangent_y)
    blur_side = cross * long + parallel * wide + 0.01
    blur_along = parallel * long + cross * wide + 0.01
    return _Place(x, y, side, along, x - road.middle_b, blur_side, blur_along, long)


def _marks(
    xp: ModuleType, at: _Place, road: Road, on_a: Array, on_b: Array, has_b: Array
) -> Array:  # fmt: skip
    """How much of a pixel is painted: lines, dashes, stop lines, crosswalks."""
    line, walk = 0.07 + 0 * road.half, 1.5 + 0 * road.half
    junction = within(xp, at.side_b, road.half_b + 5, at.blur_along) * has_b
    dashed = dashes(xp, at.along, 6.0, at.blur_along)
    middle = within(xp, at.side, line, at.blur_side) * mix(dashed, 1 + 0 * dashed, road.solid)
    lane = within(xp, xp.abs(at.side) - road.lane, line, at.blur_side) * dashed
    lane = lane * xp.clip(road.lanes - 1, 0, 1)
    verge = xp.abs(at.side) - xp.clip(road.lanes * road.lane, 0, 50) + 0.2
    edge = within(xp, verge, line, at.blur_side)
    marks = xp.maximum(xp.maximum(middle, lane), edge) * (1 - junction)
    stop = within(xp, xp.abs(at.side_b) - road.half_b - 4.6, 2 * line, at.blur_along)
    stop = stop * on_a * has_b * xp.clip(at.side * at.side_b * 4, 0, 1)
    place_a = road.crossing * (xp.abs(at.side_b) - road.half_b - 2.3)
    place_a = place_a + (1 - road.crossing) * (at.along - road.crosswalk)
    walk_a = within(xp, place_a, walk, at.blur_along) * on_a
    walk_a = walk_a * dashes(xp, at.side, 1.0, at.blur_side)
    far_a = within(xp, at.side, road.half + 5, at.blur_side)
    middle_b = within(xp, at.side_b, line, at.blur_along)
    middle_b = middle_b * dashes(xp, at.y, 6.0, at.blur_side) * (1 - far_a)
    walk_b = within(xp, xp.abs(at.side) - road.half - 2.3, walk, at.blur_side)
    walk_b = walk_b * dashes(xp, at.side_b, 1.0, at.blur_along)
    marks_b = xp.maximum(walk_b, middle_b) * on_b
    return xp.maximum(xp.maximum(marks * on_a, stop), xp.maximum(walk_a, marks_b))


def ground(
    xp: ModuleType, rays: Rays, depth: Array, ego: Ego, road: Road, look: Look
) -> tuple[Array, Array, Array]:
    """Colours of the ground, lit, where the rays of these depths meet it."""
    at = _place(xp, rays, depth, ego, road)
    has_b = road.crossing * xp.clip((at.y - road.start_b) * 4, 0, 1)
    on_a = within(xp, at.side, road.half, at.blur_side)
    on_b = within(xp, at.side_b, road.half_b, at.blur_along) * has_b
    on_road = xp.maximum(on_a, on_b)
    paved_a = within(xp, at.side, road.half + road.pavement, at.blur_side)
    paved_b = within(xp, at.side_b, road.half_b + road.pavement, at.blur_along) * has_b
    paved = xp.maximum(paved_a, paved_b)
    kerb = within(xp, xp.abs(at.side) - road.half - 0.08, 0.08 + 0 * road.half, at.blur_side)
    marks = _marks(xp, at, road, on_a, on_b, has_b)

    # Noise that is finer than a pixel would flicker: it fades out.
    seed = to_int(xp, road.seed)
    fine = cell_noise(xp, at.x * 7, at.y * 7, seed) - 0.5
    fine = fine * xp.clip(1.5 - 7 * at.long, 0, 1)
    rough = smooth_noise(xp, at.x * 1.4, at.y * 1.4, seed + 1) - 0.5
    rough = rough * xp.clip(2 - 1.4 * at.long, 0, 1)
    broad = smooth_noise(xp, at.x * 0.21, at.y * 0.21, seed + 2) - 0.5
    grain = fine * 0.12 + rough * 0.16 + broad * 0.2

    asphalt = road.asphalt * (1 + grain * 1.3)
    worn = 0.86 * (1 + grain * 0.7) - asphalt
    asphalt = asphalt + worn * marks * (0.95 + rough * 0.6)
    stone = mix(road.stone * (1 + grain), 0.62 + grain * 0.2, kerb * (1 - on_b))
    wild = road.green * (1 + grain * 2.5)
    gx, gy = rays.ox + depth * rays.dx, rays.oy + depth * rays.dy
    beam = look.glow * 0.35 * xp.exp(-(((gx - 13) * 0.1) ** 2) - (gy * 0.22) ** 2)
    light = look.ambient + look.diffuse * look.sun_z + beam
    red = mix(mix(wild * 0.75 + broad * 0.08, stone * 1.03, paved), asphalt, on_road)
    green = mix(mix(wild * 1.05, stone, paved), asphalt * 1.005, on_road)
    blue = mix(mix(wild * 0.45, stone * 0.96, paved), asphalt * 1.02, on_road)
    return red * light, green * light, blue * light


def develop(
    xp: ModuleType, rays: Rays, ego: Ego, look: Look, film: Film
) -> tuple[Array, Array, Array]:
    """Colours 0 … 255 as floats: shadows on the ground, the air between, rain, the sensor's noise."""
    bare = (film.owner < 0) & (film.depth < FAR)
    shade = xp.where(bare, film.shade, 1 + 0 * film.shade)
    clear = xp.where(
        film.depth < FAR, xp.exp(-look.fog * xp.clip(film.depth, 0, 1e4)), 1 + 0 * film.depth
    )
    seed = to_int(xp, ego.seed)
    noise = (
        hashed(xp, rays.column, rays.row, seed) + hashed(xp, rays.column, rays.row, seed + 1) - 1
    )
    # Drops fall a little aslant, in streaks that are many pixels long and one wide.
    streak = hashed(xp, rays.column + rays.row // 5, rays.row // 16, seed + 2)
    streak = look.rain * xp.clip((streak - 0.975) * 40, 0, 1)
    colours = []
    for colour, air in ((film.red, look.red), (film.green, look.green), (film.blue, look.blue)):
        value = mix(air, colour * shade, clear)
        value = mix(value, 0.8 * air, streak)
        value = 0.5 * air + (value - 0.5 * air) * look.contrast
        colours.append(xp.clip(value + noise * look.noise, 0, 1) * 255)
    return colours[0], colours[1], colours[2]
