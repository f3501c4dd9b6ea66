#!/usr/bin/env python3
"""Draws the road pictures of this example, with the class of each pixel.

    python generate.py DIR [--calibration 500] [--test 200]

writes DIR/calibration/NNNN.png, DIR/test/NNNN.png (RGB, 128 high, 256 wide) and the masks DIR/test_masks/NNNN.png (8-bit gray, a
pixel's value is its class). Needs numpy only. The picture of a split and a number is always the same; the splits share none.

A picture is drawn by following each pixel's ray to flat ground: what lies there decides class and colour, so that perspective,
curves and dashes need no polygons. Then come vehicles, light, shadows, blur and noise.
"""

import argparse
import struct
import zlib
from pathlib import Path

import numpy as np

HEIGHT, WIDTH = 128, 256
LABELS = ["background", "road", "marking", "vehicle"]
BACKGROUND, ROAD, MARKING, VEHICLE = range(4)
SPLITS = {"train": 0, "calibration": 1, "test": 2}
CAMERA_HEIGHT = 1.5  # metres
VIEW = 110  # metres, then the road is out of sight


class Noise:
    """Smooth noise of mean 0 and about [-1, 1]: a lattice of random values, interpolated, over any coordinates."""

    def __init__(self, rng):
        self.table = rng.uniform(-1, 1, (64, 64)).astype(np.float32)

    def __call__(self, u, v):
        iu, iv = np.floor(u).astype(np.int32), np.floor(v).astype(np.int32)
        fu, fv = u - iu, v - iv
        fu, fv = fu * fu * (3 - 2 * fu), fv * fv * (3 - 2 * fv)
        at = lambda i, j: self.table[(iu + i) & 63, (iv + j) & 63]  # noqa: E731
        return (at(0, 0) * (1 - fu) + at(1, 0) * fu) * (1 - fv) + (at(0, 1) * (1 - fu) + at(1, 1) * fu) * fv


def colour(rng, low, high):
    """A random colour around a random gray of [low, high]."""
    return rng.uniform(low, high) + rng.uniform(-14, 14, 3)


def draw_background(rng, noise, y, x, horizon):
    """The sky, and what stands before it."""
    height = np.clip((horizon - y) / horizon, 0, 1)[..., None]
    sky = colour(rng, 150, 220) * (1 - height) + (colour(rng, 90, 190) + [-10, 0, 30]) * height
    sky = sky + 25 * noise(x / 40, y / 14)[..., None]
    step = rng.uniform(8, 30)
    heights = rng.uniform(0, rng.uniform(4, 38), 64)
    column = np.floor(x / step).astype(int)
    skyline = horizon - heights[column % 64] * (1 + 0.15 * noise(x / 7, x * 0))
    if rng.random() < 0.5:  # hills or trees instead of houses
        skyline = horizon - rng.uniform(5, 25) * (1 + 0.8 * noise(x / 25, x * 0 + 3) + 0.25 * noise(x / 4, y / 9))
    shades = rng.uniform(40, 170, (64, 1)) + rng.uniform(-18, 18, (64, 3))
    houses = shades[column % 64] + 18 * np.sign(noise(x / 3, y / 3))[..., None] * (rng.random() < 0.6)
    return np.where((y > skyline)[..., None], houses, sky)


def draw_ground(rng, noise, ground_x, ground_z, pixel):
    """Colours and classes of the ground at (ground_x, ground_z) metres; `pixel` is how many metres a pixel is wide there."""
    lanes, lane_width = rng.integers(1, 4), rng.uniform(3.1, 3.8)
    half = lanes * lane_width / 2 + rng.uniform(0.4, 1.0)
    bend, heading = rng.uniform(-0.0035, 0.0035), rng.uniform(-0.10, 0.10)
    own_lane = rng.integers(lanes)
    offset = (own_lane + 0.5) * lane_width - lanes * lane_width / 2 + rng.uniform(-0.5, 0.5)
    centre = lambda z: -offset + heading * z + bend * z * z  # noqa: E731
    side = ground_x - centre(ground_z)

    grass = np.array([[88, 108, 60], [135, 120, 88], [120, 122, 118], [70, 84, 52]][rng.integers(4)]) + rng.uniform(-20, 20, 3)
    picture = grass + (26 * noise(ground_x / 0.7, ground_z / 1.5) + 16 * noise(ground_x * 2, ground_z / 0.5))[..., None]
    asphalt = colour(rng, 62, 128)
    worn = 9 * noise(side * 1.1, ground_z / 9) + 7 * noise(ground_x * 5, ground_z * 2)
    patch = 16 * (noise(side / 2 + 9, ground_z / 5) > 0.55)
    classes = np.full(ground_x.shape, BACKGROUND, np.uint8)
    on_road = (np.abs(side) < half + 0.12 * noise(ground_z / 1.5, ground_z * 0)) & (ground_z < VIEW)
    picture = np.where(on_road[..., None], asphalt + (worn - patch)[..., None], picture)
    classes[on_road] = ROAD

    line_width = rng.uniform(0.24, 0.36)
    paint = np.array([[232, 232, 226], [214, 180, 72]][int(rng.random() < 0.25)]) * rng.uniform(0.88, 1.04)
    period, duty, phase = rng.uniform(6, 12), rng.uniform(0.4, 0.6), rng.uniform(0, 12)
    marked = np.zeros(ground_x.shape, bool)
    for line in range(lanes + 1):
        inside = np.abs(side - (line - lanes / 2) * lane_width) < line_width / 2
        if 0 < line < lanes:
            inside &= np.mod(ground_z + phase, period) < duty * period
        elif rng.random() < 0.12:  # a road edge without a line
            continue
        marked |= inside
    if rng.random() < 0.2:  # a stop line or the stripes of a crossing
        start, depth = rng.uniform(6, 18), rng.choice([0.7, 3.0])
        across = (ground_z > start) & (ground_z < start + depth) & (np.abs(side) < lanes * lane_width / 2)
        marked |= across & ((np.mod(side, 1.1) < 0.55) if depth > 1 else True)
    marked &= on_road & (pixel < line_width)  # farther away a line is narrower than a pixel
    strength = np.clip(0.85 + 0.2 * noise(side * 3, ground_z * 1.5), 0.6, 1)[..., None]
    picture = np.where(marked[..., None], picture * (1 - strength) + paint * strength, picture)
    classes[marked] = MARKING

    shadow = 1 - rng.uniform(0, 0.45) * (noise(ground_x / 4 + 20, ground_z / 7) > rng.uniform(0.1, 0.7))
    return picture * shadow[..., None], classes, lambda z: centre(z) + (rng.integers(lanes) - (lanes - 1) / 2) * lane_width


def draw_vehicle(rng, picture, classes, y, x, middle, bottom, metre):
    """The rear of a car, van or lorry; `metre` is how many pixels one is long at its distance."""
    lorry = rng.random() < 0.25
    width, height = (2.4, rng.uniform(2.6, 3.4)) if lorry else (1.85, rng.uniform(1.4, 1.75))
    u, v = (x - middle) / (width * metre), (bottom - y) / (height * metre)  # u in [-0.5, 0.5], v in [0, 1]
    ground = (np.abs(u) < 0.6) & (v > -0.09) & (v < 0.15)
    picture[ground] *= 0.45
    narrowing = 0 if lorry else np.clip((v - 0.52) * 0.42, 0, 1)
    body = (np.abs(u) < 0.5 - narrowing) & (v > 0.14) & (v < 1)
    wheels = (np.abs(np.abs(u) - 0.37) < 0.1) & (v >= 0) & (v <= 0.3)
    paint = colour(rng, 25, 225) + rng.uniform(-60, 60, 3) * (rng.random() < 0.6)
    picture[body] = (paint + 34 * (v[..., None] - 0.5))[body]
    window = body & (np.abs(u) < 0.4 - narrowing) & (v > 0.58) & (v < (0.75 if lorry else 0.92))
    picture[window] = colour(rng, 25, 75)
    lights = body & (np.abs(np.abs(u) - 0.42) < 0.06) & (v > 0.4) & (v < 0.54)
    picture[lights] = [rng.uniform(150, 255), 30, 30]
    plate = body & (np.abs(u) < 0.13) & (v > 0.27) & (v < 0.38)
    picture[plate] = rng.uniform(150, 230)
    picture[wheels] = rng.uniform(12, 40)
    classes[body | wheels] = VEHICLE


def draw(split, number):
    """uint8 [128, 256, 3] RGB, and the class of each pixel as uint8 [128, 256]."""
    rng = np.random.default_rng([SPLITS[split], number])
    noise = Noise(rng)
    y, x = np.meshgrid(np.arange(HEIGHT, dtype=np.float32) + 0.5, np.arange(WIDTH, dtype=np.float32) + 0.5, indexing="ij")
    focal, horizon = rng.uniform(190, 250), rng.uniform(38, 56)
    middle = WIDTH / 2 + rng.uniform(-8, 8)
    below = y > horizon + 0.5
    ground_z = focal * CAMERA_HEIGHT / np.where(below, y - horizon, 1)
    ground_x = (x - middle) * ground_z / focal

    picture = draw_background(rng, noise, y, x, horizon)
    ground, ground_classes, lane_middle = draw_ground(rng, noise, ground_x, ground_z, ground_z / focal)
    picture = np.where(below[..., None], ground, picture)
    classes = np.where(below, ground_classes, BACKGROUND).astype(np.uint8)
    for distance in sorted(rng.uniform(7, 55, rng.integers(0, 5)), reverse=True):
        draw_vehicle(rng, picture, classes, y, x, middle + lane_middle(distance) * focal / distance,
                     horizon + focal * CAMERA_HEIGHT / distance, focal / distance)

    haze = np.clip(ground_z / rng.uniform(150, 900), 0, 0.6)[..., None] * below[..., None]
    picture = picture * (1 - haze) + 185 * haze
    light = rng.uniform(0.55, 1.2) * (1 + rng.uniform(-0.2, 0.2) * (x / WIDTH - 0.5))[..., None] * rng.uniform(0.93, 1.07, 3)
    picture = picture * light
    blur = rng.uniform(0, 0.2)
    for axis in (0, 1):
        edge = np.take(picture, [0] + list(range(picture.shape[axis])) + [-1], axis)
        before, after = np.delete(edge, [-2, -1], axis), np.delete(edge, [0, 1], axis)
        picture = picture * (1 - 2 * blur) + (before + after) * blur
    picture = picture + rng.normal(0, rng.uniform(1, 7), picture.shape)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8), classes


def write_png(path, pixels):
    """8-bit gray [h, w] or RGB [h, w, 3]."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    height, width = pixels.shape[:2]
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], 1)  # each row: filter 0, then its bytes
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if pixels.ndim == 2 else 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows.tobytes(), 3))
                     + chunk(b"IEND", b""))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--calibration", type=int, default=500, help="pictures of that split")
    parser.add_argument("--test", type=int, default=200, help="pictures of that split, with masks")
    args = parser.parse_args()
    for split, count in (("calibration", args.calibration), ("test", args.test)):
        folder, masks = args.folder / split, args.folder / f"{split}_masks"
        for path in (folder, masks)[: 1 + (split == "test")]:
            path.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            picture, classes = draw(split, number)
            write_png(folder / f"{number:04}.png", picture)
            if split == "test":
                write_png(masks / f"{number:04}.png", classes)


if __name__ == "__main__":
    main()
