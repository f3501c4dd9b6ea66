"""A procedural driving world for training and testing a bird's-eye-view detector: scenes from a seed.

Ego frame: x forward, y left, z up, metres, origin on the ground below the rear axle's middle; yaw from x towards y. A frame
every PERIOD seconds. Seeds below 1,000,000 are for training, from 1,000,000 for calibration, from 2,000,000 for evaluation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from render_pixels import Look, Road
from world_shapes import PEDESTRIAN, PROP, make_shape
from world_traffic import (
    EGO_AXLE,
    EGO_LENGTH,
    STEP,
    ego_poses,
    plan_traffic,
    simulate,
    world_poses,
)

PERIOD = 0.5  # s
CAMERAS = ("front", "front_right", "back_right", "back", "back_left", "front_left")
CLASSES = ("car", "pedestrian", "cyclist")
OBJECTS = 40  # of a scene at most, props among them
RANGE = 25.6  # m, of labels to each side
_MOUNTS = ((1.7, 0.0), (1.5, -0.5), (0.6, -0.5), (0.0, 0.0), (0.6, 0.5), (1.5, 0.5))
_CROWD = 15  # things within RANGE at a time at most


@dataclass
class Scene:
    """All that drawing and labelling any frame takes. T frames, N = OBJECTS places, empty where the kind is -1."""

    road: np.ndarray  # float32 [fields of Road]
    look: np.ndarray  # float32 [fields of Look]
    origin: np.ndarray  # float32 [6, 3]: cameras in the ego frame
    axes: (
        np.ndarray
    )  # float32 [6, 3, 3]: a pixel's ray is axes[0] + u * axes[1] + v * axes[2], u and v in 0 … 1
    projection: np.ndarray  # float32 [6, 4, 4]: ego (x, y, z, 1) to (u d, v d, d, 1)
    kind: np.ndarray  # int32 [N]: 0 car, 1 pedestrian, 2 cyclist, 3 prop, -1 nothing
    size: np.ndarray  # float32 [N, 3]
    shape: np.ndarray  # float32 [N, SHAPE]
    ego: np.ndarray  # float32 [T, 4]: x, y, yaw in the world, number of the picture's noise
    ego_motion: np.ndarray  # float32 [T, 3, 3]: this frame's ego coordinates to the frame's before
    pose: np.ndarray  # float32 [T, N, 6]: x, y, yaw, vx, vy in the ego frame; the legs' swing, m


def make_scene(seed: int, frames: int) -> Scene:
    """The scene of a seed: the same on every machine with the same numpy."""
    rng = np.random.default_rng(seed)
    seconds = PERIOD * (frames - 1)
    road = _make_road(seconds, rng)
    plan = plan_traffic(road, seconds, rng)
    agents = [plan.ego, *plan.agents]
    made = [make_shape(agent.kind, rng) for agent in agents]
    size = np.array([one[0] for one in made])
    size[0] = (EGO_LENGTH, 1.9, 1.6)
    stride = round(PERIOD / STEP)
    if plan.turn:  # who is in ego's lane beyond the junction does not stop it
        agents[0] = plan.ego._replace(lane=-1)
    driven, speed = simulate(agents, size[:, 0], road, stride * (frames - 1))
    x, y, yaw = world_poses(agents, driven, road)
    ego_x, ego_y, ego_yaw = ego_poses(plan, driven[0])
    x[0], y[0] = ego_x + EGO_AXLE * np.cos(ego_yaw), ego_y + EGO_AXLE * np.sin(ego_yaw)
    yaw[0] = ego_yaw
    kind = np.array([agent.kind for agent in agents])
    kept = _choose(kind, size, x[:, ::2], y[:, ::2], yaw[:, ::2], rng)
    every = slice(None, None, stride)
    ego = np.stack([ego_x, ego_y, ego_yaw], axis=-1)[every]
    pose = _pose_in_ego(ego, x[kept, every], y[kept, every], yaw[kept, every], speed[kept, every])
    walks = 0.11 * size[kept, 2, None] * np.sin(4.2 * driven[kept, every] + 1.7 * kept[:, None])
    swing = np.where((kind[kept, None] == PEDESTRIAN), walks, 0)
    number = len(kept)
    scene_kind = np.full(OBJECTS, -1, np.int32)
    scene_kind[:number] = kind[kept]
    scene_size = np.ones((OBJECTS, 3), np.float32)
    scene_size[:number] = size[kept]
    shape = np.tile(made[0][1], (OBJECTS, 1))
    shape[:number] = np.stack([made[index][1] for index in kept]) if number else shape[:0]
    scene_pose = np.zeros((frames, OBJECTS, 6), np.float32)
    scene_pose[:, :, 0] = -1000.0
    scene_pose[:, :number] = np.concatenate([pose, swing[..., None]], axis=-1).transpose(1, 0, 2)
    origin, axes, projection = _make_rig(rng)
    numbers = rng.integers(1 << 30) % (1 << 20) + np.arange(frames)
    return Scene(
        road=np.array(road, np.float32),
        look=np.array(_make_look(rng), np.float32),
        origin=origin,
        axes=axes,
        projection=projection,
        kind=scene_kind,
        size=scene_size,
        shape=shape,
        ego=np.concatenate([ego, numbers[:, None]], axis=-1).astype(np.float32),
        ego_motion=_motions(ego),
        pose=scene_pose,
    )


def pack(scenes: list[Scene]) -> dict[str, np.ndarray]:
    """The arrays of scenes with the same number of frames, by the names of Scene, scenes along the first axis."""
    return {
        one.name: np.stack([getattr(scene, one.name) for scene in scenes]) for one in fields(Scene)
    }


def _make_road(seconds: float, rng: np.random.Generator) -> Road:
    kind = rng.choice(3, p=[0.3, 0.35, 0.35])
    curvature = 1e-5
    if kind == 1:
        curvature = rng.choice((-1, 1)) / rng.uniform(max(35, 3 * seconds), max(160, 6 * seconds))
    lanes, lane = rng.choice((1, 2), p=(0.6, 0.4)), rng.uniform(3.0, 3.6)
    parking = 2.3 * (rng.random() < 0.55)
    return Road(
        curvature=curvature,
        lane=lane,
        lanes=lanes,
        half=lanes * lane + parking,
        pavement=rng.uniform(1.8, 3.6),
        crossing=float(kind == 2),
        middle_b=0.0,
        half_b=rng.uniform(3.2, 3.8),
        start_b=0.0 if rng.random() < 0.3 else -1000.0,
        crosswalk=rng.uniform(-25, 35) if rng.random() < 0.6 else 1000.0,
        solid=float(rng.random() < 0.4),
        asphalt=rng.uniform(0.2, 0.42),
        stone=rng.uniform(0.4, 0.62),
        green=rng.uniform(0.25, 0.5),
        seed=float(rng.integers(1 << 20)),
    )


def _make_look(rng: np.random.Generator) -> Look:
    weather = rng.choice(3, p=(0.55, 0.2, 0.25))  # day, dusk, rain
    angle, height = rng.uniform(0, 2 * math.pi), math.radians(rng.uniform(25, 65))
    warm = rng.uniform(-0.05, 0.05)
    day = Look(
        sun_x=math.cos(angle) * math.cos(height),
        sun_y=math.sin(angle) * math.cos(height),
        sun_z=math.sin(height),
        ambient=rng.uniform(0.45, 0.6),
        diffuse=rng.uniform(0.4, 0.65),
        glow=0.0,
        red=0.78 + warm,
        green=0.84,
        blue=0.92 - warm,
        fog=rng.uniform(0.001, 0.004),
        zenith=rng.uniform(0.2, 0.7),
        noise=rng.uniform(0.005, 0.02),
        rain=0.0,
        contrast=rng.uniform(0.9, 1.1),
        seed=float(rng.integers(1 << 20)),
    )
    if weather == 1:
        dim = rng.uniform(0.28, 0.42)
        return day._replace(
            ambient=dim, diffuse=0.15 * dim, glow=1.0, red=0.42 + 2 * warm, green=0.33, blue=0.38,
            zenith=0.8, noise=rng.uniform(0.02, 0.04),
        )  # fmt: skip
    if weather == 2:
        grey = rng.uniform(0.5, 0.7)
        return day._replace(
            ambient=rng.uniform(0.5, 0.62), diffuse=0.08, glow=0.5, red=grey, green=grey * 1.02,
            blue=grey * 1.05, fog=rng.uniform(0.008, 0.018), zenith=0.15,
            noise=rng.uniform(0.012, 0.03), rain=rng.uniform(0.2, 0.5),
            contrast=rng.uniform(0.7, 0.85),
        )  # fmt: skip
    return day


def _make_rig(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Six cameras around the roof, 60 degrees apart, each a little off its place as on a real vehicle."""
    origin = np.zeros((6, 3))
    axes = np.zeros((6, 3, 3))
    projection = np.zeros((6, 4, 4))
    for camera, (x, y) in enumerate(_MOUNTS):
        origin[camera] = np.array((x, y, 1.6)) + rng.uniform(-0.05, 0.05, 3)
        yaw = math.radians(-60 * camera + rng.uniform(-1.5, 1.5))
        pitch = math.radians(rng.uniform(-0.8, 0.8))  # downwards
        focal = 0.5 / math.tan(math.radians(35)) * rng.uniform(0.97, 1.03)
        fx, fy, cx, cy = focal, focal * 704 / 256, 0.5, 0.4
        ahead = np.array(
            (math.cos(yaw) * math.cos(pitch), math.sin(yaw) * math.cos(pitch), -math.sin(pitch))
        )
        right = np.array((math.sin(yaw), -math.cos(yaw), 0.0))
        down = np.cross(ahead, right)
        axes[camera] = (ahead - right * cx / fx - down * cy / fy, right / fx, down / fy)
        rows = np.stack([fx * right + cx * ahead, fy * down + cy * ahead, ahead])
        projection[camera, :3, :3] = rows
        projection[camera, :3, 3] = -rows @ origin[camera]
        projection[camera, 3, 3] = 1
    return origin.astype(np.float32), axes.astype(np.float32), projection.astype(np.float32)


def _choose(
    kind: np.ndarray, size: np.ndarray, x: np.ndarray, y: np.ndarray, yaw: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Which agents a scene keeps: near ego at some time, never within another, not too many at once. Agent 0 is ego."""
    distance = np.maximum(abs(x - x[0]), abs(y - y[0]))
    near = (distance < RANGE).mean(axis=1)
    weight = rng.random(len(kind)) + 0.6 * near + np.choose(kind, (0.0, 0.05, 0.3, 0.1))
    order = np.argsort(-weight)
    order = order[(distance.min(axis=1)[order] < 40) & (order > 0)][:64]
    order = np.concatenate([[0], order])
    # Circles along each thing's length: three are close enough to a car's outline.
    radius = np.where(kind == PROP, 0.4, 0.5 * size[:, 1] * 1.05)[order]
    reach = np.maximum(size[order, 0] / 2 - radius, 0)[:, None, None] * np.array((-1, 0, 1))
    px = x[order][:, :, None] + reach * np.cos(yaw[order])[:, :, None]
    py = y[order][:, :, None] + reach * np.sin(yaw[order])[:, :, None]
    kept: list[int] = []
    crowd = np.zeros(x.shape[1])
    props = 0
    for index, agent in enumerate(order):
        inside = (distance[agent] < RANGE) & (kind[agent] != PROP)
        if index and ((crowd + inside).max() > _CROWD or (kind[agent] == PROP and props == 6)):
            continue
        if kept:
            dx = px[kept][:, :, :, None] - px[index][None, :, None, :]
            dy = py[kept][:, :, :, None] - py[index][None, :, None, :]
            limit = (radius[kept] + radius[index] + 0.1)[:, None, None, None]
            if (dx * dx + dy * dy < limit * limit).any():
                continue
        kept.append(index)
        props += kind[agent] == PROP
        if index:
            crowd += inside
        if len(kept) == OBJECTS + 1:
            break
    return order[kept[1:]]


def _pose_in_ego(
    ego: np.ndarray, x: np.ndarray, y: np.ndarray, yaw: np.ndarray, speed: np.ndarray
) -> np.ndarray:
    """x, y, yaw, vx, vy [N, T, 5] in each frame's ego coordinates; velocities over ground."""
    cos, sin = np.cos(ego[:, 2]), np.sin(ego[:, 2])
    dx, dy = x - ego[:, 0], y - ego[:, 1]
    turned = (yaw - ego[:, 2] + math.pi) % (2 * math.pi) - math.pi
    return np.stack(
        [
            dx * cos + dy * sin,
            dy * cos - dx * sin,
            turned,
            speed * np.cos(turned),
            speed * np.sin(turned),
        ],
        axis=-1,
    )


def _motions(ego: np.ndarray) -> np.ndarray:
    motions = np.tile(np.eye(3), (len(ego), 1, 1))
    if len(ego) > 1:
        world = np.tile(np.eye(3), (len(ego), 1, 1))
        cos, sin = np.cos(ego[:, 2]), np.sin(ego[:, 2])
        world[:, 0, 0], world[:, 0, 1], world[:, 0, 2] = cos, -sin, ego[:, 0]
        world[:, 1, 0], world[:, 1, 1], world[:, 1, 2] = sin, cos, ego[:, 1]
        motions[1:] = np.linalg.inv(world[:-1]) @ world[1:]
    return motions.astype(np.float32)
