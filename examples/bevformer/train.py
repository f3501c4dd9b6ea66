#!/usr/bin/env python3
"""Trains the BEVFormer on drives that are drawn on the spot, and says what it learned from scenes it never saw.

    python train.py FOLDER [--seconds 440] [--budget 880] [--device cuda]

Resumable: a command trains for `--seconds`, leaves checkpoints (each below 16 MB) in FOLDER and goes on from those it finds
there. The learning rate follows the seconds trained, of all commands together, through `--budget`. FOLDER/accuracy.json has
the figures of the held-out scenes: with history, without, and with the cameras' pictures swapped.
"""

import argparse
import json
import math
import time
from pathlib import Path

import torch
from losses import Targets, losses
from model import CELLS, CHANNELS, BevFormer, Output
from stream import Drives, Pool, draw_pool, in_order
from torch import Tensor, nn

from metrics import decode, evaluate

SMALL, LARGE = (128, 352), (256, 704)
HELD_OUT_SEED = 2_000_000
SCENES, FRAMES = 350, 16
MOST_SEEN = 1152  # cells that a camera sees at most, with some to spare
RATE, DECAY, CLIP = 1.2e-3, 0.01, 5.0
EMA = 0.998
WINDOW = 2  # frames through which gradients flow
FORGET = 0.08  # share of frames that must do without history
BLIND = 0.04  # share of frames with one camera black


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Exposure and tint of each camera; now and then one is black."""
    batch, cameras = images.shape[:2]

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=images.device)

    gain = (0.8 + 0.4 * uniform(batch, 1, 1, 1, 1)) * (
        0.92 + 0.16 * uniform(batch, cameras, 3, 1, 1)
    )
    blind = (uniform(batch, 1) < BLIND) & (
        torch.arange(cameras, device=images.device) == (uniform(batch, 1) * cameras).long()
    )
    gain = gain * ~blind[..., None, None, None]
    return (images * gain + 16 * (uniform(batch, 1, 1, 1, 1) - 0.5)).clamp(0, 255)


def nothing_before(batch: int, device: torch.device) -> Tensor:
    return torch.zeros(batch, CELLS * CELLS, CHANNELS, device=device)


class Student:
    """One size of pictures: its drives and the history that goes with them."""

    def __init__(self, pool: Pool, drives: int, generator: torch.Generator):
        self.drives, self.generator = Drives(pool, drives, generator), generator
        self.previous = nothing_before(drives, pool.images.device)

    def loss(self, network: nn.Module) -> dict[str, Tensor]:
        previous, parts = self.previous, []
        for _ in range(WINDOW):
            frames = self.drives.next()
            draw = torch.rand(frames.begins.shape, generator=self.generator, device=previous.device)
            previous = previous * (~(frames.begins | (draw < FORGET)))[:, None, None]
            with torch.autocast(previous.device.type, torch.bfloat16, enabled=previous.is_cuda):
                output = network(
                    augment(frames.images, self.generator),
                    frames.projection,
                    frames.ego_motion,
                    previous,
                    MOST_SEEN,
                )
            parts.append(losses(output, Targets(frames.objects)))
            previous = output.bev.float()
        self.previous = previous.detach()
        return {name: sum(part[name] for part in parts) / WINDOW for name in parts[0]}


@torch.no_grad()
def drive(
    network: nn.Module, pool: Pool, together: int, history: bool = True, swap: Tensor | None = None
):
    """Decoded frames and truth of all scenes, in order."""
    network.eval()
    found, truth = [], []
    for scene in in_order(pool, together):
        previous = nothing_before(len(scene[0].begins), pool.images.device)
        rows, right = [], []
        for frames in scene:
            images = frames.images if swap is None else frames.images[:, swap]
            with torch.autocast(previous.device.type, torch.bfloat16, enabled=previous.is_cuda):
                output = network(images, frames.projection, frames.ego_motion, previous, MOST_SEEN)
            output = Output(*(part.float() for part in output))
            previous = output.bev if history else previous
            rows.append(decode(output))
            right.append(frames.objects.double().cpu().numpy())
        found += [frame for one in zip(*rows, strict=True) for frame in one]
        truth += [frame for one in zip(*right, strict=True) for frame in one]
    return found, truth


def examine(network: nn.Module, pool: Pool) -> dict[str, dict[str, float]]:
    swap = torch.tensor([3, 0, 4, 1, 5, 2], device=pool.images.device)
    modes = {
        "with_history": {},
        "without_history": {"history": False},
        "cameras_swapped": {"swap": swap},
    }
    return {name: evaluate(*drive(network, pool, 16, **mode)) for name, mode in modes.items()}


def rate(progress: float) -> float:
    """Rises for 4 % of the budget, then falls as a cosine."""
    if progress < 0.04:
        return RATE * (progress / 0.04 + 0.02)
    return RATE * (0.5 + 0.5 * math.cos(math.pi * min(1.0, (progress - 0.04) / 0.96))) + 1e-6


class Checkpoint:
    """weights.pt (averaged, float32), training.pt (the weights being trained, float32), moments.pt (Adam's, bfloat16)."""

    def __init__(self, folder: Path):
        self.folder = folder

    def load(
        self,
        network: nn.Module,
        average: nn.Module,
        optimizer: torch.optim.Optimizer,
        device: torch.device,
    ) -> dict:
        if not (self.folder / "training.pt").exists():
            return {"seconds": 0.0, "steps": 0, "commands": 0}
        saved = torch.load(self.folder / "training.pt", map_location=device)
        network.load_state_dict(saved["network"])
        average.load_state_dict(torch.load(self.folder / "weights.pt", map_location=device))
        state = optimizer.state_dict()
        moments = torch.load(self.folder / "moments.pt", map_location=device)
        state["state"] = {
            k: {"step": m["step"], **{n: m[n].float() for n in ("exp_avg", "exp_avg_sq")}}
            for k, m in moments.items()
        }
        optimizer.load_state_dict(state)
        return saved["progress"]

    def save(
        self,
        network: nn.Module,
        average: nn.Module,
        optimizer: torch.optim.Optimizer,
        progress: dict,
    ) -> None:
        moments = {
            k: {"step": m["step"], **{n: m[n].bfloat16() for n in ("exp_avg", "exp_avg_sq")}}
            for k, m in optimizer.state_dict()["state"].items()
        }
        parts = {
            "training": {"network": network.state_dict(), "progress": progress},
            "weights": average.state_dict(),
            "moments": moments,
        }
        for name, part in parts.items():
            torch.save(part, self.folder / f"{name}.pt.new")
        for name in parts:
            (self.folder / f"{name}.pt.new").replace(self.folder / f"{name}.pt")


def learn(network, average, optimizer, students, progress, seconds, budget, log) -> None:
    """Every fourth step is on large pictures, where there are any."""
    network.train()
    begun, since, first, sums = time.monotonic(), progress["seconds"], progress["steps"], {}
    while time.monotonic() - begun < seconds:
        progress["seconds"] = since + time.monotonic() - begun
        for group in optimizer.param_groups:
            group["lr"] = rate(progress["seconds"] / budget)
        parts = students[-1 if progress["steps"] % 4 == 3 else 0].loss(network)
        optimizer.zero_grad(set_to_none=True)
        parts["total"].backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        keep = min(EMA, (1 + progress["steps"]) / (10 + progress["steps"]))
        with torch.no_grad():
            trained = network.state_dict()
            for name, value in average.state_dict().items():
                value.lerp_(trained[name], 1 - keep) if value.is_floating_point() else value.copy_(
                    trained[name]
                )
        progress["steps"] += 1
        for name, value in parts.items():
            sums[name] = sums.get(name, 0) + value.detach()
        if progress["steps"] % 100 == 0:
            count = min(100, progress["steps"] - first)
            line = " ".join(f"{name} {float(value) / count:.3f}" for name, value in sums.items())
            log(
                f"step {progress['steps']}, {progress['seconds']:.0f} s, rate {optimizer.param_groups[0]['lr']:.1e}: {line}"
            )
            sums = {}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=440)
    parser.add_argument("--budget", type=float, default=880)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--drives", type=int, default=32)
    parser.add_argument("--scenes", type=int, default=SCENES)
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--held-out", type=int, default=48)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    device, begun = torch.device(arguments.device), time.monotonic()
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")

    def log(text: str) -> None:
        print(f"[{time.monotonic() - begun:6.1f}] {text}", flush=True)

    torch.manual_seed(1)
    network, average = BevFormer().to(device), BevFormer().to(device)
    average.load_state_dict(network.state_dict())
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    checkpoint = Checkpoint(arguments.folder)
    progress = checkpoint.load(network, average, optimizer, device)
    generator = torch.Generator(device).manual_seed(1000 + progress["steps"])
    seed = progress["commands"] * 20_000  # every command draws other scenes
    if arguments.seconds > 0:
        sizes = [
            (SMALL, arguments.scenes, arguments.drives),
            (LARGE, arguments.scenes // 5, arguments.drives // 3),
        ]
        students = [
            Student(
                draw_pool(seed + 10_000 * i, scenes, arguments.frames, *size, device),
                drives,
                generator,
            )
            for i, (size, scenes, drives) in enumerate(sizes)
            if drives
        ]
        log(
            f"drew {arguments.scenes} and {arguments.scenes // 5} scenes of {arguments.frames} frames"
        )
        learn(
            network,
            average,
            optimizer,
            students,
            progress,
            arguments.seconds,
            arguments.budget,
            log,
        )
        progress["commands"] += 1
        checkpoint.save(network, average, optimizer, progress)
        log("saved")
        del students
    figures = {}
    for name, size in (("128x352", SMALL), ("256x704", LARGE)):
        figures[name] = examine(
            average, draw_pool(HELD_OUT_SEED, arguments.held_out, arguments.frames, *size, device)
        )
        for mode, values in figures[name].items():
            log(
                f"{name} {mode}: " + " ".join(f"{key} {value:.3f}" for key, value in values.items())
            )
    summary = {
        "training": progress,
        "held_out_scenes": arguments.held_out,
        "frames_a_scene": arguments.frames,
        "figures": figures,
    }
    (arguments.folder / "accuracy.json").write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
