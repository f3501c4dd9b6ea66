"""Training data on the device: scenes drawn once into memory, then read as so many drives side by side."""

import concurrent.futures
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import render
import torch
import world
from torch import Tensor


class Frames(NamedTuple):
    images: Tensor  # uint8 [B, N, 3, H, W]
    projection: Tensor  # [B, N, 4, 4]
    ego_motion: Tensor  # [B, 3, 3]
    objects: Tensor  # [B, M, 10]
    begins: Tensor  # bool [B]: the first frame of a scene


class Pool(NamedTuple):
    """[S, T, …] of all scenes."""

    images: Tensor
    projection: Tensor
    ego_motion: Tensor
    objects: Tensor

    @property
    def scenes(self) -> int:
        return self.images.shape[0]

    @property
    def frames(self) -> int:
        return self.images.shape[1]

    def at(self, scene: Tensor, frame: Tensor) -> Frames:
        return Frames(*(part[scene, frame] for part in self), begins=frame == 0)


def _packed(work: tuple[int, int, int]) -> dict[str, np.ndarray]:
    first, count, frames = work
    return world.pack([world.make_scene(seed, frames) for seed in range(first, first + count)])


def draw_pool(
    first_seed: int, scenes: int, frames: int, height: int, width: int, device: torch.device
) -> Pool:
    """Scenes of the seeds first_seed, first_seed + 1, …; the same for the same arguments."""
    chunk = 25
    work = [
        (seed, min(chunk, first_seed + scenes - seed), frames)
        for seed in range(first_seed, first_seed + scenes, chunk)
    ]
    parts: list[tuple[Tensor, ...]] = []
    with concurrent.futures.ProcessPoolExecutor() as workers:
        for packed in workers.map(_packed, work):
            on_device = {
                name: torch.from_numpy(np.ascontiguousarray(rows)).to(device)
                for name, rows in packed.items()
            }
            count = len(next(iter(packed.values())))
            drawn = [
                _draw(on_device, torch.full((frames,), scene, device=device), height, width)
                for scene in range(count)
            ]
            parts.append(tuple(torch.stack(one) for one in zip(*drawn, strict=True)))
    return Pool(*(torch.cat(one) for one in zip(*parts, strict=True)))


def _draw(packed: dict[str, Tensor], scene: Tensor, height: int, width: int) -> tuple[Tensor, ...]:
    frame = torch.arange(len(scene), device=scene.device)
    images, visible = render.render_batch(packed, scene, frame, height, width)
    return images, *render.frame_tensors(packed, scene, frame, visible, height, width)


class Drives:
    """`count` drives through a pool at once, each from a random scene's beginning to its end, then another."""

    def __init__(self, pool: Pool, count: int, generator: torch.Generator):
        self.pool, self.generator, self.device = pool, generator, pool.images.device
        self.scene = self._random(pool.scenes, count)
        self.frame = self._random(pool.frames, count)  # not all begin at the same time

    def _random(self, below: int, count: int) -> Tensor:
        return torch.randint(below, (count,), generator=self.generator, device=self.device)

    def next(self) -> Frames:
        frames = self.pool.at(self.scene, self.frame)
        over = self.frame + 1 >= self.pool.frames
        self.scene = torch.where(over, self._random(self.pool.scenes, len(over)), self.scene)
        self.frame = torch.where(over, 0, self.frame + 1)
        return frames


def in_order(pool: Pool, together: int) -> Iterator[list[Frames]]:
    """All scenes, `together` at a time: their frames one after another."""
    for scenes in torch.arange(pool.scenes, device=pool.images.device).split(together):
        yield [pool.at(scenes, torch.full_like(scenes, frame)) for frame in range(pool.frames)]
