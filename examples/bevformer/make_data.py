"""Write calibration.npz and evaluation.npz of the driving world, as deploy.yaml reads them.

    python make_data.py OUT [--name evaluation] [--height 128 --width 352] [--scenes N] [--frames N] [--seed S]

The same arguments give the same bytes.
"""

from __future__ import annotations

import argparse
import os
import sys
import zipfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from render import label_frame, render_frame
from world import make_scene

SPLITS = {"calibration": (1_000_000, 6), "evaluation": (2_000_000, 24)}  # first seed, scenes
FRAMES = 12
_DATE = (1980, 1, 1, 0, 0, 0)  # of the archive's members


def make_one(task: tuple[int, int, int, int]) -> dict[str, np.ndarray]:
    """All samples of the scene of (seed, frames, height, width)."""
    seed, frames, height, width = task
    scene = make_scene(seed, frames)
    images = np.empty((frames, 6, 3, height, width), np.uint8)
    labels = []
    for frame in range(frames):
        images[frame], visible, _ = render_frame(scene, frame, height, width)
        labels.append(label_frame(scene, frame, visible, height * width))
    return {
        "images": images,
        "projection": np.repeat(scene.projection[None], frames, axis=0),
        "ego_motion": scene.ego_motion,
        "labels": np.stack(labels).astype(np.float32),
    }


def make_split(
    path: Path, seed: int, scenes: int, frames: int, height: int, width: int, jobs: int
) -> None:
    """One .npz of scenes with the seeds from `seed` on, written beside its place and then moved there."""
    samples = scenes * frames
    parts: dict[str, list[np.ndarray]] = {"projection": [], "ego_motion": [], "labels": []}
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    tasks = [(seed + index, frames, height, width) for index in range(scenes)]
    try:
        with (
            zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive,
            ProcessPoolExecutor(jobs) as pool,
        ):
            # Pictures go to the file scene by scene: a large set need not fit in memory.
            with archive.open(_member("images"), "w", force_zip64=True) as images:
                _write_header(images, (samples, 6, 3, height, width), np.dtype(np.uint8))
                for index, made in enumerate(pool.map(make_one, tasks)):
                    images.write(made["images"].tobytes())
                    for name, values in parts.items():
                        values.append(made[name])
                    line = f"\r{path.name}: {index + 1} of {scenes} scenes"
                    print(line, end="", file=sys.stderr, flush=True)
            arrays = {name: np.concatenate(values) for name, values in parts.items()}
            arrays["labels"] = fill_up(arrays["labels"])
            arrays["scenes"] = np.repeat(np.arange(scenes, dtype=np.int64), frames)
            for name, array in arrays.items():
                with archive.open(_member(name), "w", force_zip64=True) as member:
                    _write_header(member, array.shape, array.dtype)
                    member.write(array.tobytes())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
        print(file=sys.stderr)


def fill_up(labels: np.ndarray) -> np.ndarray:
    """Rows with a class first; as many rows as the fullest sample has, the others -1 and zeros."""
    full = labels[..., 0] >= 0
    rows = max(1, int(full.sum(axis=1).max()))
    order = np.argsort(~full, axis=1, kind="stable")[:, :rows]
    labels = np.take_along_axis(labels, order[..., None], axis=1)
    empty = np.array([-1] + 9 * [0], np.float32)
    return np.where(labels[..., :1] >= 0, labels, empty).astype(np.float32)


def _member(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(f"{name}.npy", _DATE)


def _write_header(stream: object, shape: tuple[int, ...], dtype: np.dtype) -> None:
    header = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    np.lib.format.write_array_header_1_0(stream, header)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, help="folder for the .npz files")
    parser.add_argument("--name", choices=SPLITS, help="one of them only")
    parser.add_argument("--height", type=int, default=128)
    parser.add_argument("--width", type=int, default=352)
    parser.add_argument("--scenes", type=int, help="of each file")
    parser.add_argument("--frames", type=int, default=FRAMES, help="of each scene")
    parser.add_argument("--seed", type=int, help="of the first scene")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    given = parser.parse_args()
    if min(given.height, given.width, given.frames, given.jobs, given.scenes or 1) < 1:
        parser.error("height, width, scenes, frames and jobs must be 1 or more")
    given.out.mkdir(parents=True, exist_ok=True)
    for name in [given.name] if given.name else SPLITS:
        seed, scenes = SPLITS[name]
        make_split(
            given.out / f"{name}.npz",
            seed if given.seed is None else given.seed,
            given.scenes or scenes,
            given.frames,
            given.height,
            given.width,
            given.jobs,
        )


if __name__ == "__main__":
    main()
