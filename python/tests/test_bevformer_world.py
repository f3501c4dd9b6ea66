"""The driving world of examples/bevformer: its pictures, its labels, and its ego motion agree with each other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples/bevformer"))

import make_data
from render import label_frame, render_frame
from world import PERIOD, RANGE, Scene, make_scene, pack

HEIGHT, WIDTH = 128, 352
CORNERS = np.array([(a, b, c) for a in (-0.5, 0.5) for b in (-0.5, 0.5) for c in (-0.5, 0.5)])


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [make_scene(seed, 12) for seed in range(24)]


def in_ego(pose: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points [P, 3] of an object's own frame, origin on the ground."""
    cos, sin = np.cos(pose[2]), np.sin(pose[2])
    moved = points @ np.array(((cos, sin, 0), (-sin, cos, 0), (0, 0, 1)))
    return moved + np.array((pose[0], pose[1], 0))


def project(projection: np.ndarray, points: np.ndarray) -> np.ndarray:
    """u and v in pixels, and depth, of ego points [P, 3]."""
    seen = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ projection.T
    return np.stack(
        [seen[:, 0] / seen[:, 2] * WIDTH, seen[:, 1] / seen[:, 2] * HEIGHT, seen[:, 2]], axis=-1
    )


def test_a_seed_gives_one_scene(scenes: list[Scene]) -> None:
    again, other = pack([make_scene(3, 12)]), pack([make_scene(4, 12)])
    for name, value in pack([scenes[3]]).items():
        np.testing.assert_array_equal(value, again[name])
    assert np.any(other["pose"] != again["pose"])
    first, _, _ = render_frame(scenes[3], 2, 64, 176)
    second, _, _ = render_frame(scenes[3], 2, 64, 176)
    np.testing.assert_array_equal(first, second)


def test_traffic_is_mixed_and_nothing_stands_in_another(scenes: list[Scene]) -> None:
    packed = pack(scenes)
    pose, kind = packed["pose"], packed["kind"][:, None]
    inside = (np.abs(pose[..., :2]).max(-1) < RANGE) & (kind >= 0) & (kind < 3)
    number = inside.sum(-1)
    assert np.mean((number >= 6) & (number <= 16)) > 0.8
    speed = np.hypot(pose[..., 3], pose[..., 4])
    for label, fastest in enumerate((8.0, 1.5, 4.0)):
        mine = speed[inside & (kind == label)]
        assert len(mine) > 0.1 * number.sum()
        assert 0.1 < np.mean(mine < 0.05) < 0.8 and mine.max() > fastest
    cars = inside & (kind == 0)
    apart = np.linalg.norm(pose[:, :, :, None, :2] - pose[:, :, None, :, :2], axis=-1)
    pairs = cars[:, :, :, None] & cars[:, :, None] & ~np.eye(cars.shape[-1], dtype=bool)
    assert apart[pairs].min() > 1.7
    ego = np.linalg.norm(np.diff(packed["ego"][..., :2], axis=1), axis=-1) / PERIOD
    assert np.any(ego < 0.01) and ego.max() > 6


def test_objects_move_as_ego_motion_and_velocity_say(scenes: list[Scene]) -> None:
    for scene in scenes:
        np.testing.assert_array_equal(scene.ego_motion[0], np.eye(3))
        here = scene.kind >= 0
        for frame in range(1, len(scene.pose)):
            motion = scene.ego_motion[frame].astype(np.float64)
            before, after = scene.pose[frame - 1, here], scene.pose[frame, here]
            moved = after[:, :2] @ motion[:2, :2].T + motion[:2, 2] - before[:, :2]
            turned = after[:, 3:5] @ motion[:2, :2].T
            step = PERIOD * 0.5 * (before[:, 3:5] + turned)
            stands = np.hypot(*before[:, 3:5].T) + np.hypot(*after[:, 3:5].T) == 0
            # What accelerates or turns in between is not quite where the mean of both velocities leads.
            assert np.abs(moved - step).max() < 0.45
            if stands.any():
                assert np.median(np.abs(moved[stands])) < 1e-3


def test_boxes_lie_around_their_pixels(scenes: list[Scene]) -> None:
    checked = 0
    for scene in scenes[:8]:
        _, visible, owners = render_frame(scene, 5, HEIGHT, WIDTH)
        labels = label_frame(scene, 5, visible, HEIGHT * WIDTH)
        for index in np.flatnonzero(labels[:, 0] >= 0):
            x, y, z, dx, dy, dz, yaw = labels[index, 1:8]
            corners = in_ego(np.array((x, y, yaw)), CORNERS * (dx, dy, dz) + (0, 0, z))
            for camera in range(6):
                rows, columns = np.nonzero(owners[camera] == index)
                seen = project(scene.projection[camera], corners)
                if len(rows) == 0 or seen[:, 2].min() < 0.5:
                    continue
                low, high = seen[:, :2].min(axis=0), seen[:, :2].max(axis=0)
                slack = 1 + 0.06 * (high - low)  # a stride, a wheel
                assert np.all(columns + 0.5 >= low[0] - slack[0])
                assert np.all(columns + 0.5 <= high[0] + slack[0])
                assert np.all(rows + 0.5 >= low[1] - slack[1])
                assert np.all(rows + 0.5 <= high[1] + slack[1])
                # A whole object in the picture's middle reaches to its box's sides.
                whole = low[0] > 0 and high[0] < WIDTH and high[1] < HEIGHT
                if whole and visible[index, 1] > 0.99 and labels[index, 0] == 0:
                    assert np.ptp(columns) + 3 > 0.85 * (high[0] - low[0])
                    assert np.ptp(rows) + 3 > 0.75 * (high[1] - low[1])
                    checked += 1
    assert checked > 10


def test_cars_show_red_lamps_behind_and_white_ones_in_front(scenes: list[Scene]) -> None:
    found = {"front": 0, "rear": 0}
    for scene in scenes:
        if scene.look[12] > 0:  # rain takes the colours away
            continue
        images, _, owners = render_frame(scene, 4, HEIGHT, WIDTH)
        for index in np.flatnonzero(scene.kind == 0):
            _, _, middle, long, wide, high = scene.shape[index, :6]
            for end, sign in (("front", 1), ("rear", -1)):
                lamp = np.array(
                    [(sign * long, side * 0.75 * wide, middle + 0.35 * high) for side in (1, -1)]
                )
                points = in_ego(scene.pose[4, index], lamp)
                outwards = sign * np.array(
                    (np.cos(scene.pose[4, index, 2]), np.sin(scene.pose[4, index, 2]))
                )
                for camera in range(6):
                    to_camera = scene.origin[camera, :2] - points[0, :2]
                    distance = np.linalg.norm(to_camera)
                    if distance > 14 or to_camera @ outwards < 0.5 * distance:
                        continue
                    for u, v, depth in project(scene.projection[camera], points):
                        if depth < 1 or not (2 <= u < WIDTH - 2 and 2 <= v < HEIGHT - 2):
                            continue
                        if owners[camera, int(v), int(u)] == index:
                            red, green, blue = images[camera, :, int(v), int(u)].astype(float)
                            assert (red > 1.8 * max(green, blue)) == (end == "rear")
                            found[end] += 1
    assert min(found.values()) > 5


def test_the_ground_stays_where_it_is_when_ego_moves(scenes: list[Scene]) -> None:
    """What lies on the road before ego is found again in the last picture where ego_motion says it was, and nowhere else."""
    across, along = np.meshgrid(np.linspace(-6, 6, 97), np.linspace(8, 11, 25))
    points = np.stack([along.ravel(), across.ravel(), np.zeros(across.size)], axis=-1)
    differences = []  # by how much of ego's motion is followed
    for scene in scenes:
        forward = scene.ego_motion[:, 0, 2]
        frames = np.flatnonzero((forward > 0.8) & (forward < 3))
        if scene.look[12] > 0 or scene.look[5] > 0 or len(frames) == 0 or len(differences) == 5:
            continue  # neither rain nor dusk, whose noise hides the ground
        motion = scene.ego_motion[frames[0]]
        step = points[:, :2] @ motion[:2, :2].T + motion[:2, 2] - points[:, :2]
        made = [render_frame(scene, frames[0] - back, 2 * HEIGHT, 2 * WIDTH) for back in (0, 1)]
        greys = []
        for (images, _, owners), part in zip(
            [made[0], *[made[1]] * 4], (0, 0, 0.5, 1, 1.5), strict=True
        ):
            where = points + np.pad(part * step, ((0, 0), (0, 1)))
            u, v, _ = 2 * project(scene.projection[0], where).T
            u, v = (
                np.clip(u, 0, 2 * WIDTH - 1).astype(int),
                np.clip(v, 0, 2 * HEIGHT - 1).astype(int),
            )
            grey = images[0, :, v, u].mean(axis=-1)
            greys.append(np.where(owners[0, v, u] < 0, grey, np.nan))
        differences.append([np.nanmedian(np.abs(greys[0] - other)) for other in greys[1:]])
    assert len(differences) >= 3
    none, half, whole, more = np.mean(differences, axis=0)
    assert whole < 0.7 * min(none, half, more)


def test_labels_are_near_and_seen(scenes: list[Scene]) -> None:
    scene = scenes[1]
    _, visible, owners = render_frame(scene, 0, HEIGHT, WIDTH)
    labels = label_frame(scene, 0, visible, HEIGHT * WIDTH)
    assert visible[:, 1].max() <= 1
    for index, label in enumerate(labels):
        assert visible[index, 0] == np.count_nonzero(owners == index)
        seen = visible[index, 0] >= 12 and visible[index, 1] >= 0.15
        near = np.abs(scene.pose[0, index, :2]).max() < RANGE
        assert (label[0] >= 0) == (seen and near and scene.kind[index] in (0, 1, 2))
    np.testing.assert_allclose(labels[:, 3], labels[:, 6] / 2)


def test_any_size_shows_the_same(scenes: list[Scene]) -> None:
    small, _, _ = render_frame(scenes[2], 3, HEIGHT, WIDTH)
    large, _, _ = render_frame(scenes[2], 3, 2 * HEIGHT, 2 * WIDTH)
    shrunk = large.reshape(6, 3, HEIGHT, 2, WIDTH, 2).mean(axis=(3, 5))
    assert np.abs(shrunk - small).mean() < 8


def test_data_sets_are_whole_and_the_same_each_time(tmp_path: Path) -> None:
    for folder, jobs in (("a", "1"), ("b", "2")):
        arguments = ["--height", "32", "--width", "88", "--scenes", "2", "--frames", "3"]
        command = [sys.executable, make_data.__file__, str(tmp_path / folder)]
        subprocess.run([*command, *arguments, "--jobs", jobs], check=True, capture_output=True)
    names = ["calibration.npz", "evaluation.npz"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    data = np.load(tmp_path / "a/evaluation.npz")
    assert data["images"].shape == (6, 6, 3, 32, 88) and data["images"].dtype == np.uint8
    assert data["projection"].shape == (6, 6, 4, 4) and data["ego_motion"].shape == (6, 3, 3)
    assert data["scenes"].tolist() == [0, 0, 0, 1, 1, 1]
    assert data["labels"].shape[::2] == (6, 10) and data["labels"].dtype == np.float32
    scene = make_scene(2_000_001, 3)
    np.testing.assert_array_equal(data["images"][5], render_frame(scene, 2, 32, 88)[0])
    np.testing.assert_array_equal(data["projection"][5], scene.projection)


def test_labels_are_filled_up_behind() -> None:
    labels = np.zeros((2, 4, 10), np.float32)
    labels[:, :, 0] = [[-1, 2, -1, 1], [-1, -1, -1, 0]]
    labels[:, :, 1] = 7
    filled = make_data.fill_up(labels)
    assert filled[:, :, 0].tolist() == [[2, 1], [0, -1]]
    assert filled[:, :, 1].tolist() == [[7, 7], [7, 0]]
