"""CenterPoint's targets and losses (Yin et al. 2021), on the device, for a whole batch at once."""

import torch
from model import CELLS, CLASSES, RANGE, Output
from torch import Tensor
from torch.nn import functional as F

SPREAD = (1.3, 0.9, 0.9)  # sigma of a class's Gaussian, cells
WEIGHTS = {"offset": 1.0, "height": 0.5, "size": 0.5, "rotation": 0.7, "velocity": 1.0}
CELL = 2 * RANGE / CELLS


class Targets:
    """objects [B, M, 10]: class (-1: none), x, y, z, dx, dy, dz, yaw, vx, vy."""

    def __init__(self, objects: Tensor):
        label = objects[..., 0].long()
        place = (objects[..., 1:3] + RANGE) / CELL
        cell = place.floor()
        self.there = (label >= 0) & (cell >= 0).all(-1) & (cell < CELLS).all(-1)  # [B, M]
        self.cell = (
            cell[..., 1].clamp(0, CELLS - 1) * CELLS + cell[..., 0].clamp(0, CELLS - 1)
        ).long()
        sigma = torch.tensor(SPREAD, device=objects.device)[label.clamp(min=0)]
        axis = torch.arange(CELLS, device=objects.device, dtype=torch.float32)
        near = [
            torch.exp(-((axis - cell[..., k, None]) ** 2) / (2 * sigma[..., None] ** 2))
            for k in (0, 1)
        ]
        bumps = near[1][..., :, None] * near[0][..., None, :]  # [B, M, i along y, j along x]
        maps = [
            (bumps * (self.there & (label == c))[..., None, None]).amax(1)
            for c in range(len(CLASSES))
        ]
        self.heatmap = torch.stack(maps, 1)
        yaw = objects[..., 7]
        self.values = {
            "offset": place - cell,
            "height": objects[..., 3:4],
            "size": objects[..., 4:7].clamp(min=0.05).log(),
            "rotation": torch.stack([yaw.sin(), yaw.cos()], -1),
            "velocity": objects[..., 8:10],
        }


def losses(output: Output, targets: Targets) -> dict[str, Tensor]:
    """Focal loss of the heatmap (CornerNet's: alpha 2, beta 4), and L1 at the centres; the sum is under `total`."""
    logits = output.heatmap.float()
    hot = targets.heatmap
    centre = hot > 0.999
    score = logits.sigmoid()
    found = F.logsigmoid(logits) * (1 - score) ** 2 * centre
    wrong = F.logsigmoid(-logits) * score**2 * (1 - hot) ** 4 * ~centre
    count = targets.there.sum().clamp(min=1)
    parts = {"heatmap": -(found.sum() + wrong.sum()) / count}
    for name, weight in WEIGHTS.items():
        rows = getattr(output, name).float().flatten(2).transpose(1, 2)  # [B, cells, channels]
        at = rows.gather(1, targets.cell[..., None].expand(-1, -1, rows.shape[2]))
        gap = (at - targets.values[name]).abs().sum(-1) * targets.there
        parts[name] = weight * gap.sum() / count
    parts["total"] = torch.stack(list(parts.values())).sum()
    return parts
