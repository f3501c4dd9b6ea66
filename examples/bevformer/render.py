"""Pictures and labels of world.py's scenes: render_frame with numpy on a core, render_batch with torch on a GPU.

Both draw with the functions of render_scenery.py and render_objects.py. What world.pack gives is all that the torch part
takes; the caller moves it to the device (`{name: torch.from_numpy(array).to(device) …}`).
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
from render_objects import draw
from render_pixels import FAR, Array, Ego, Film, Look, Pose, Rays, Road
from render_scenery import develop, ground, sky
from world import OBJECTS, RANGE, Scene
from world_shapes import PROP

NEAREST = 16  # objects that a camera draws at most
FARTHEST = 75.0  # m, of objects that are drawn
PIXELS = 12 / (128 * 352)  # of a camera's picture that an object must show to be a label
SHOWN = 0.15  # of the pixels that it would show alone
_BITS = 1 << np.arange(NEAREST, dtype=np.int32)


# Both libraries ---------------------------------------------------------------------------------


def _background(
    xp: ModuleType, rays: Rays, ego: Ego, road: Road, look: Look
) -> tuple[Array, Array, Array, Array]:
    """The ground's depth (FAR at the sky) and the colours without any object."""
    down = rays.dz < -0.004
    depth = rays.oz / xp.where(down, -rays.dz, 1 + 0 * rays.dz)
    lower = ground(xp, rays, depth, ego, road, look)
    upper = sky(xp, rays, ego, look)
    red, green, blue = (xp.where(down, a, b) for a, b in zip(lower, upper, strict=True))
    return xp.where(down, depth, FAR + 0 * depth), red, green, blue


def _seen(xp: ModuleType, origin: Array, axes: Array, x: Array, y: Array, size: Array) -> Array:
    """Distance of objects to a camera; FAR where they are certainly outside its picture."""
    dx, dy = x - origin[..., 0:1], y - origin[..., 1:2]
    radius = 0.5 * xp.sqrt(size[..., 0] ** 2 + size[..., 1] ** 2) + 0.5  # 0.5: its shadow
    left, right = axes[..., 0, :], axes[..., 0, :] + axes[..., 1, :]
    outside_left = _beside(xp, left, dx, dy)
    outside_right = -_beside(xp, right, dx, dy)
    ahead = dx * (left[..., 0:1] + right[..., 0:1]) + dy * (left[..., 1:2] + right[..., 1:2])
    distance = xp.sqrt(dx * dx + dy * dy)
    seen = (outside_left < radius) & (outside_right < radius) & (ahead > -2 * radius)
    return xp.where(seen & (distance < FARTHEST), distance, FAR + 0 * distance)


def _beside(xp: ModuleType, edge: Array, dx: Array, dy: Array) -> Array:
    """How far to the left of the line along a picture's edge."""
    length = xp.sqrt(edge[..., 0:1] ** 2 + edge[..., 1:2] ** 2)
    return (dy * edge[..., 0:1] - dx * edge[..., 1:2]) / length


# numpy ------------------------------------------------------------------------------------------


def render_frame(
    scene: Scene, frame: int, height: int, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures uint8 [6, 3, height, width]; what is seen of each object, float32 [N, 2]; owners int32 [6, height, width].

    What is seen: pixels in all pictures, and their part of those that the object would have alone. An owner is an object's
    place in the scene, -1 where a pixel shows none.
    """
    images = np.empty((6, 3, height, width), np.uint8)
    owners = np.empty((6, height, width), np.int32)
    counts = np.zeros((scene.kind.size, 2))
    for camera in range(6):
        film, order = _render_camera(scene, frame, camera, height, width, images[camera])
        for place, index in enumerate(order):
            counts[index, 0] += np.count_nonzero(film.owner == place)
            counts[index, 1] += np.count_nonzero(film.cover & _BITS[place])
        names = np.append(order, -1).astype(np.int32)  # owner -1 takes the last
        owners[camera] = names[film.owner]
    part = counts[:, 0] / np.maximum(counts[:, 1], 1)
    return images, np.stack([counts[:, 0], part], axis=-1).astype(np.float32), owners


def _render_camera(
    scene: Scene, frame: int, camera: int, height: int, width: int, image: np.ndarray
) -> tuple[Film, np.ndarray]:
    cell = (1, 1)
    rows, columns = np.arange(height, dtype=np.int32), np.arange(width, dtype=np.int32)
    axes = scene.axes[camera]
    v = ((rows + np.float32(0.5)) / np.float32(height)).astype(np.float32)[:, None]
    u = ((columns + np.float32(0.5)) / np.float32(width)).astype(np.float32)[None]
    direction = [axes[0, i] + u * axes[1, i] + v * axes[2, i] for i in range(3)]
    across, down = np.linalg.norm(axes[1]) / width, np.linalg.norm(axes[2]) / height
    one = [np.full(cell, value, np.float32) for value in (*scene.origin[camera], across, down)]
    shape = (height, width)
    rays = Rays(
        *one[:3], *direction, np.broadcast_to(rows[:, None], shape),
        np.broadcast_to(columns[None], shape), *one[3:],
    )  # fmt: skip
    road = Road(*(np.full(cell, value) for value in scene.road))
    look = Look(*(np.full(cell, value) for value in scene.look))
    x, y, yaw, number = scene.ego[frame]
    values = (x, y, np.cos(yaw), np.sin(yaw), number * 6 + camera)
    ego = Ego(*(np.full(cell, value, np.float32) for value in values))
    film = Film(
        *_background(np, rays, ego, road, look), np.full(shape, -1, np.int32),
        np.zeros(shape, np.int32), np.ones(shape, np.float32),
    )  # fmt: skip
    film = Film(*(np.ascontiguousarray(layer, layer.dtype) for layer in film))
    ground_depth = film.depth.copy()
    poses = scene.pose[frame]
    distance = _seen(
        np,
        scene.origin[camera][None],
        axes[None],
        poses[None, :, 0],
        poses[None, :, 1],
        scene.size[None],
    )[0]
    distance = np.where(scene.kind < 0, FAR, distance)
    order = np.argsort(distance, kind="stable")[:NEAREST]
    order = order[distance[order] < FAR]
    for place, index in enumerate(order):
        window = _window(scene, frame, camera, int(index), height, width)
        x, y, yaw, _, _, swing = poses[index]
        half = 0.5 * scene.size[index]
        values = (x, y, np.cos(yaw), np.sin(yaw), swing, half[0], half[1], 1)
        pose = Pose(*(np.full(cell, value, np.float32) for value in values))
        part = Rays(*(layer[window] if layer.shape == shape else layer for layer in rays))
        done = draw(
            np, part, ground_depth[window], pose, scene.shape[index][:, None, None], look, ego,
            Film(*(layer[window] for layer in film)), np.int32(place), _BITS[place],
        )  # fmt: skip
        for layer, new in zip(film, done, strict=True):
            layer[window] = new
    for channel, colour in enumerate(develop(np, rays, ego, look, film)):
        image[channel] = colour.astype(np.uint8)
    return film, order


def _window(
    scene: Scene, frame: int, camera: int, index: int, height: int, width: int
) -> tuple[slice, slice]:
    """The part of a picture that an object and its shadow can touch."""
    x, y, yaw = scene.pose[frame, index, :3]
    long, wide, high = scene.size[index] * (0.5, 0.5, 1) + (0.4, 0.4, 0.1)
    corners = np.array([(a, b, c) for a in (-1, 1) for b in (-1, 1) for c in (0, 1)]) * (
        long,
        wide,
        high,
    )
    turn = np.array(((np.cos(yaw), -np.sin(yaw)), (np.sin(yaw), np.cos(yaw))))
    corners[:, :2] = corners[:, :2] @ turn.T + (x, y)
    seen = np.concatenate([corners, np.ones((8, 1))], axis=1) @ scene.projection[camera].T
    if seen[:, 2].min() < 0.3:
        return slice(0, height), slice(0, width)
    u, v = seen[:, 0] / seen[:, 2] * width, seen[:, 1] / seen[:, 2] * height
    first = np.clip((np.floor(v.min()) - 1, np.floor(u.min()) - 1), 0, (height, width))
    last = np.clip((np.ceil(v.max()) + 1, np.ceil(u.max()) + 1), 0, (height, width))
    return slice(int(first[0]), int(last[0])), slice(int(first[1]), int(last[1]))


def label_frame(scene: Scene, frame: int, visible: np.ndarray, pixels: int) -> np.ndarray:
    """Labels float32 [N, 10] of a frame: class (-1: none), x, y, z, dx, dy, dz, yaw, vx, vy.

    visible: render_frame's; pixels: of one picture.
    """
    return _labels(np, scene.kind, scene.size, scene.pose[frame], visible, pixels)


def _labels(
    xp: ModuleType, kind: Array, size: Array, pose: Array, visible: Array, pixels: int
) -> Array:
    inside = (xp.abs(pose[..., 0]) < RANGE) & (xp.abs(pose[..., 1]) < RANGE)
    seen = (visible[..., 0] >= PIXELS * pixels) & (visible[..., 1] >= SHOWN)
    label = xp.where(inside & seen & (kind < PROP) & (kind >= 0), kind, 0 * kind - 1)
    columns = [
        label + 0 * size[..., 0], pose[..., 0], pose[..., 1], 0.5 * size[..., 2],
        size[..., 0], size[..., 1], size[..., 2], pose[..., 2], pose[..., 3], pose[..., 4],
    ]  # fmt: skip
    return xp.stack(columns, -1)


# torch ------------------------------------------------------------------------------------------

Packed = dict[str, Any]  # name -> tensor [scenes, …], what world.pack gives
_compiled: dict[str, Any] = {}


def _step(name: str, function: Any, fuse: bool) -> Any:
    """The function, compiled into one kernel where that is wanted."""
    if not fuse:
        return function
    if name not in _compiled:
        _compiled[name] = _torch().compile(
            function, dynamic=False, options={"max_fusion_size": 1024}
        )
    return _compiled[name]


def _torch() -> ModuleType:
    return sys.modules["torch"]  # the caller's


def _torch_background(
    origin: Any, axes: Any, ego: Any, road: Any, look: Any, height: int, width: int
) -> tuple[Any, Any, Any, Any]:
    torch = _torch()
    return _background(
        torch, _torch_rays(origin, axes, height, width), Ego(*ego), Road(*road), Look(*look)
    )


def _torch_rays(origin: Any, axes: Any, height: int, width: int) -> Rays:
    """Rays [C, height * width] of cameras, origin [C, 3], axes [C, 3, 3]: flat, so that all loops over them can become one."""
    torch = _torch()
    pixel = torch.arange(height * width, dtype=torch.int32, device=origin.device)[None]
    rows, columns = pixel // width, pixel % width
    v, u = (rows + 0.5) / height, (columns + 0.5) / width
    axes = axes[:, :, :, None]
    direction = [axes[:, 0, i] + u * axes[:, 1, i] + v * axes[:, 2, i] for i in range(3)]
    across = torch.sqrt((axes[:, 1] ** 2).sum(1)) / width
    down = torch.sqrt((axes[:, 2] ** 2).sum(1)) / height
    at = origin[:, :, None]
    return Rays(at[:, 0], at[:, 1], at[:, 2], *direction, rows, columns, across, down)


def _torch_draw(
    origin: Any, axes: Any, ego: Any, look: Any, ground_depth: Any, film: Any, pose: Any,
    shape: Any, index: Any, bit: Any, height: int, width: int,
) -> Film:  # fmt: skip
    rays = _torch_rays(origin, axes, height, width)
    return draw(
        _torch(), rays, ground_depth, Pose(*pose), shape, Look(*look), Ego(*ego), Film(*film), index, bit
    )  # fmt: skip


def _torch_develop(
    origin: Any, axes: Any, ego: Any, look: Any, film: Any, height: int, width: int
) -> Any:
    torch = _torch()
    rays = _torch_rays(origin, axes, height, width)
    colours = develop(torch, rays, Ego(*ego), Look(*look), Film(*film))
    return torch.stack(colours, 1).to(torch.uint8)  # [C, 3, height * width]


def render_batch(
    packed: Packed, scene: Any, frame: Any, height: int, width: int, fuse: bool | None = None
) -> tuple[Any, Any]:
    """Pictures uint8 [B, 6, 3, height, width] of frames, and what is seen of each object, float32 [B, N, 2], as render_frame.

    scene, frame: int64 [B]. fuse: torch.compile the loop's body, by default on a GPU; each shape is compiled once.
    """
    torch = _torch()
    fuse = scene.is_cuda if fuse is None else fuse
    with torch.no_grad():
        batch = scene.shape[0]
        pose, size = packed["pose"][scene, frame], packed["size"][scene]
        x, y, yaw, number = packed["ego"][scene, frame].unbind(-1)
        cameras = torch.arange(6, device=scene.device)
        origin, axes = packed["origin"][scene].flatten(0, 1), packed["axes"][scene].flatten(0, 1)

        def spread(value: Any) -> Any:  # [B, …] to [B * 6, …]
            return value[:, None].expand(batch, 6, *value.shape[1:]).flatten(0, 1)

        seed = (number[:, None] * 6 + cameras).flatten()
        ego = [spread(value) for value in (x, y, torch.cos(yaw), torch.sin(yaw))] + [seed]
        ego = [value[:, None].contiguous() for value in ego]
        road = [v[:, None].contiguous() for v in spread(packed["road"][scene]).unbind(-1)]
        look = [v[:, None].contiguous() for v in spread(packed["look"][scene]).unbind(-1)]

        everything = spread(pose)
        distance = _seen(torch, origin, axes, everything[..., 0], everything[..., 1], spread(size))
        distance = torch.where(spread(packed["kind"][scene]) < 0, FAR, distance)
        order = torch.sort(distance, dim=1, stable=True)
        present = (order.values[:, :NEAREST] < FAR).to(torch.float32)
        order = order.indices[:, :NEAREST]
        chosen = torch.take_along_dim(everything, order[..., None], 1)
        half = 0.5 * torch.take_along_dim(spread(size), order[..., None], 1)
        shapes = torch.take_along_dim(spread(packed["shape"][scene]), order[..., None], 1)
        shapes = shapes.permute(1, 2, 0)[..., None].contiguous()  # [NEAREST, SHAPE, C, 1]
        placed = [
            chosen[..., 0], chosen[..., 1], torch.cos(chosen[..., 2]), torch.sin(chosen[..., 2]),
            chosen[..., 5], half[..., 0], half[..., 1], present,
        ]  # fmt: skip
        placed = torch.stack(placed).permute(2, 0, 1)[..., None].contiguous()

        background = _step("background", _torch_background, fuse)(
            origin, axes, ego, road, look, height, width
        )
        depth = background[0]
        film = Film(
            depth.clone(), *background[1:], torch.full_like(depth, -1, dtype=torch.int32),
            torch.zeros_like(depth, dtype=torch.int32), torch.ones_like(depth),
        )  # fmt: skip
        places = torch.arange(NEAREST, dtype=torch.int32, device=scene.device)
        bits = torch.from_numpy(_BITS).to(scene.device)
        body = _step("draw", _torch_draw, fuse)
        for k in range(NEAREST):
            film = body(
                origin, axes, ego, look, depth, film, list(placed[k]), shapes[k], places[k], bits[k],
                height, width,
            )  # fmt: skip
        images = _step("develop", _torch_develop, fuse)(
            origin, axes, ego, look, film, height, width
        )

        seen = torch.zeros(batch, OBJECTS, 2, device=scene.device)
        for k in range(NEAREST):
            own = (film.owner == k).sum(1, dtype=torch.float32).view(batch, 6)
            alone = ((film.cover >> k) & 1).sum(1, dtype=torch.float32).view(batch, 6)
            place = order[:, k].view(batch, 6, 1).expand(batch, 6, 2)
            seen.scatter_add_(1, place, torch.stack([own, alone], -1))
        part = seen[..., 0] / seen[..., 1].clamp(min=1)
        return images.view(batch, 6, 3, height, width), torch.stack([seen[..., 0], part], -1)


def frame_tensors(
    packed: Packed, scene: Any, frame: Any, visible: Any, height: int, width: int
) -> tuple[Any, Any, Any]:
    """projection [B, 6, 4, 4], ego_motion [B, 3, 3] and labels [B, N, 10] as label_frame; visible: render_batch's."""
    labels = _labels(
        _torch(), packed["kind"][scene], packed["size"][scene], packed["pose"][scene, frame],
        visible, height * width,
    )  # fmt: skip
    return packed["projection"][scene], packed["ego_motion"][scene, frame], labels
