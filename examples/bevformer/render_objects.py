"""What a pixel shows of an object: its boxes and ellipsoids, painted and lit, and its shadow on the ground."""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

from render_pixels import FAR, Array, Ego, Film, Look, Pose, Rays
from world_shapes import BOXES, ELLIPSOIDS, GLASS, PAINT, PART, SECOND


def shadow(xp: ModuleType, rays: Rays, depth: Array, pose: Pose) -> Array:
    """How much light an object leaves to the ground below and around it."""
    x, y = rays.ox + depth * rays.dx - pose.x, rays.oy + depth * rays.dy - pose.y
    along = (x * pose.cos + y * pose.sin) / (pose.half_x + 0.25)
    left = (y * pose.cos - x * pose.sin) / (pose.half_y + 0.25)
    along, left = along * along, left * left
    reach = along * along + left * left
    return 1 - 0.62 * pose.present * xp.clip(1.35 - reach, 0, 1)


class _Local(NamedTuple):
    """Rays and the sun in an object's own frame."""

    ox: Array
    oy: Array
    oz: Array
    dx: Array
    dy: Array
    dz: Array
    sun_x: Array
    sun_y: Array
    sun_z: Array


class _Hit(NamedTuple):
    depth: Array
    hit: Array
    red: Array
    green: Array
    blue: Array


_TINY = 1e-6


def _local(rays: Rays, pose: Pose, look: Look, ego: Ego) -> _Local:
    px, py = rays.ox - pose.x, rays.oy - pose.y
    sun_x = look.sun_x * ego.cos + look.sun_y * ego.sin
    sun_y = look.sun_y * ego.cos - look.sun_x * ego.sin
    return _Local(
        px * pose.cos + py * pose.sin,
        py * pose.cos - px * pose.sin,
        rays.oz,
        rays.dx * pose.cos + rays.dy * pose.sin,
        rays.dy * pose.cos - rays.dx * pose.sin,
        rays.dz,
        sun_x * pose.cos + sun_y * pose.sin,
        sun_y * pose.cos - sun_x * pose.sin,
        look.sun_z,
    )


def _inverse(xp: ModuleType, direction: Array) -> Array:
    return 1 / xp.where(xp.abs(direction) < _TINY, _TINY + 0 * direction, direction)


def _towards(xp: ModuleType, direction: Array, sun: Array) -> Array:
    """What part of the sun the face sees that a ray of this direction enters by."""
    return xp.where(direction > 0, -sun, sun)


def _box(
    xp: ModuleType, at: _Local, inverse: tuple[Array, Array, Array], shape: Array, look: Look, box: int
) -> _Hit:  # fmt: skip
    cx, cy, cz, hx, hy, hz, *colour = (shape[box * PART + i] for i in range(PART))
    ix, iy, iz = inverse
    mx, my, mz = (cx - at.ox) * ix, (cy - at.oy) * iy, (cz - at.oz) * iz
    wx, wy, wz = hx * xp.abs(ix), hy * xp.abs(iy), hz * xp.abs(iz)
    enter_x, enter_y, enter_z = mx - wx, my - wy, mz - wz
    enter = xp.maximum(xp.maximum(enter_x, enter_y), enter_z)
    leave = xp.minimum(xp.minimum(mx + wx, my + wy), mz + wz)
    # A ray enters by the face whose plane it crosses last.
    on_x, on_y = enter_x >= enter, enter_y >= enter
    facing = xp.where(
        on_x,
        _towards(xp, at.dx, at.sun_x),
        xp.where(on_y, _towards(xp, at.dy, at.sun_y), _towards(xp, at.dz, at.sun_z)),
    )
    ambient = look.ambient * xp.where(on_x | on_y, 0.85 + 0 * at.dx, 1 + 0 * at.dx)
    lit = ambient + look.diffuse * xp.clip(facing, 0, 1)
    part_x = (at.ox + enter * at.dx - cx) / (hx + _TINY)
    part_y = (at.oy + enter * at.dy - cy) / (hy + _TINY)
    part_z = (at.oz + enter * at.dz - cz) / (hz + _TINY)
    if box == 0:
        painted = _body(xp, (part_y, part_z), (on_x, on_y, at.dx < 0), shape, look, lit, colour)
    else:
        painted = _cabin(xp, (part_x, part_y, part_z), (on_x, on_y), shape, lit, colour)
    return _Hit(enter, (leave > enter) & (enter > 0.2), *painted)


def _body(
    xp: ModuleType, part: tuple[Array, ...], face: tuple[Array, ...], shape: Array, look: Look,
    lit: Array, colour: list[Array],
) -> list[Array]:  # fmt: skip
    """A car's body: white lamps in front and red ones behind, grille, plates, dark below."""
    (part_y, part_z), (on_x, on_y, front) = part, face
    paint, wide = shape[PAINT] > 0.5, xp.abs(part_y)
    lamp = paint & on_x & (wide > 0.55) & (wide < 0.95) & (xp.abs(part_z - 0.35) < 0.32)
    plate = paint & on_x & (wide < 0.28) & (xp.abs(part_z + 0.35) < 0.2)
    grille = on_x & front & (wide < 0.5) & (xp.abs(part_z - 0.25) < 0.2)
    dark = paint & (on_x | on_y) & ((part_z < -0.72) | grille)
    shine = xp.maximum(lit, look.glow * 1.25)
    body = xp.where(dark, 0.07 + 0 * lit, lit)
    painted = []
    for own, white, red, tin in zip(
        colour, (0.95, 0.95, 0.85), (0.78, 0.05, 0.05), (0.85, 0.85, 0.75), strict=True
    ):
        lamps = xp.where(front, white * shine, red * shine)
        painted.append(xp.where(lamp, lamps, xp.where(plate, tin * lit, own * body)))
    return painted


def _cabin(
    xp: ModuleType, part: tuple[Array, ...], face: tuple[Array, ...], shape: Array, lit: Array,
    colour: list[Array],
) -> list[Array]:  # fmt: skip
    """A car's cabin: windows between pillars."""
    (part_x, part_y, part_z), (on_x, on_y) = part, face
    across = xp.where(on_x, part_y, part_x * 1.03)
    glass = (shape[PAINT] > 0.5) & (on_x | on_y) & (part_x > shape[GLASS])
    glass = glass & (xp.abs(across) < 0.9) & (xp.abs(part_z) < 0.78)
    glass = glass & (on_x | (xp.abs(part_x - 0.05) > 0.04))
    return [
        xp.where(glass, pane * lit, own * lit)
        for own, pane in zip(colour, (0.10, 0.13, 0.16), strict=True)
    ]


def _ellipsoid(
    xp: ModuleType, at: _Local, shape: Array, look: Look, ball: int, swing: Array
) -> _Hit:  # fmt: skip
    start = (BOXES + ball) * PART
    cx, cy, cz, rx, ry, rz, *colour = (shape[start + i] for i in range(PART))
    if ball < 2:
        cx = cx + swing * (1 - 2 * ball)
    # In a space where it is a ball of radius 1: from the ray's point that is closest to the middle, which rounds least.
    sx, sy, sz = (at.ox - cx) / rx, (at.oy - cy) / ry, (at.oz - cz) / rz
    ex, ey, ez = at.dx / rx, at.dy / ry, at.dz / rz
    square = ex * ex + ey * ey + ez * ez
    closest = -(sx * ex + sy * ey + sz * ez) / square
    qx, qy, qz = sx + closest * ex, sy + closest * ey, sz + closest * ez
    inside = 1 - (qx * qx + qy * qy + qz * qz)
    enter = closest - xp.sqrt(xp.clip(inside, 0, 1) / square)
    nx, ny, nz = (sx + enter * ex) / rx, (sy + enter * ey) / ry, (sz + enter * ez) / rz
    length = xp.sqrt(nx * nx + ny * ny + nz * nz)
    facing = (nx * at.sun_x + ny * at.sun_y + nz * at.sun_z) / length
    lit = look.ambient * (0.9 + 0.1 * nz / length) + look.diffuse * xp.clip(facing, 0, 1)
    if ball == ELLIPSOIDS - 1:  # a head: hair behind and above the face
        hair = (shape[PAINT] < 0.5) & ((nx < 0.25 * length) | (nz > 0.7 * length))
        colour = [
            xp.where(hair, shape[SECOND + i] + 0 * lit, face + 0 * lit)
            for i, face in enumerate(colour)
        ]
    red, green, blue = (own * lit for own in colour)
    return _Hit(enter, (inside > 0) & (enter > 0.2), red, green, blue)


def draw(
    xp: ModuleType, rays: Rays, ground_depth: Array, pose: Pose, shape: Array, look: Look,
    ego: Ego, film: Film, index: Array, bit: Array,
) -> Film:  # fmt: skip
    """The film after one more object of parameters shape[0 … SHAPE-1]; index and bit are what owner and cover get."""
    at = _local(rays, pose, look, ego)
    inverse = (_inverse(xp, at.dx), _inverse(xp, at.dy), _inverse(xp, at.dz))
    nearest = FAR + 0 * at.dx
    red, green, blue = 0 * at.dx, 0 * at.dx, 0 * at.dx
    for part in range(BOXES + ELLIPSOIDS):
        if part < BOXES:
            new = _box(xp, at, inverse, shape, look, part)
        else:
            new = _ellipsoid(xp, at, shape, look, part - BOXES, pose.swing)
        hit = new.hit & (new.depth < nearest)
        nearest = xp.where(hit, new.depth, nearest)
        red = xp.where(hit, new.red, red)
        green = xp.where(hit, new.green, green)
        blue = xp.where(hit, new.blue, blue)

    found = (nearest < FAR) & (pose.present > 0.5)
    front = found & (nearest < film.depth)
    return Film(
        xp.where(front, nearest, film.depth),
        xp.where(front, red, film.red),
        xp.where(front, green, film.green),
        xp.where(front, blue, film.blue),
        xp.where(front, index, film.owner),
        xp.where(found, film.cover | bit, film.cover),
        film.shade * shadow(xp, rays, ground_depth, pose),
    )
