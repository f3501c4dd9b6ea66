"""nuScenes' detection figures (Caesar et al. 2020) of decoded frames, in numpy: what training is judged by.

mAP: mean over classes and centre distances 0.5, 1, 2, 4 m of the area under the precision-recall curve, recall and precision
above 0.1. Errors: of matches at 2 m, cumulative means averaged over recall above 0.1. Score: NDS without the attributes that
this world does not have, (4 mAP + sum of 1 - min(1, error)) / 8 over translation, scale, orientation and velocity.
"""

import numpy as np
import torch
from model import CELLS, CLASSES, RANGE, Output
from torch.nn import functional as F

DISTANCES = (0.5, 1.0, 2.0, 4.0)
ERRORS = ("translation", "scale", "orientation", "velocity")
CELL = 2 * RANGE / CELLS


def decode(output: Output, most: int = 100, apart: float = 1.0) -> list[np.ndarray]:
    """For each frame [K, 11]: score, class, x, y, z, dx, dy, dz, yaw, vx, vy; best first. Of two boxes of a class whose centres
    are closer than `apart` metres, the better stays."""
    score = output.heatmap.float().sigmoid()
    score = score * (F.max_pool2d(score, 3, 1, 1) == score)
    best, index = score.flatten(1).topk(most)
    label, cell = index // CELLS**2, index % CELLS**2

    def at(name: str) -> torch.Tensor:
        rows = getattr(output, name).float().flatten(2).transpose(1, 2)
        return rows.gather(1, cell[..., None].expand(-1, -1, rows.shape[2]))

    offset, rotation = at("offset"), at("rotation")
    x = (cell % CELLS + offset[..., 0]) * CELL - RANGE
    y = (cell // CELLS + offset[..., 1]) * CELL - RANGE
    columns = [
        best[..., None],
        label[..., None].float(),
        x[..., None],
        y[..., None],
        at("height"),
        at("size").exp(),
        torch.atan2(rotation[..., 0], rotation[..., 1])[..., None],
        at("velocity"),
    ]
    return [_apart(frame, apart) for frame in torch.cat(columns, -1).double().cpu().numpy()]


def _apart(frame: np.ndarray, least: float) -> np.ndarray:
    kept: list[int] = []
    for i, row in enumerate(frame):
        same = [k for k in kept if frame[k, 1] == row[1]]
        if all((frame[k, 2] - row[2]) ** 2 + (frame[k, 3] - row[3]) ** 2 > least**2 for k in same):
            kept.append(i)
    return frame[kept]


def evaluate(
    frames: list[np.ndarray], truth: list[np.ndarray], least_score: float = 0.05
) -> dict[str, float]:
    """frames as decode() gives them, truth [M, 10] with class -1 for none. Keys: map, score, the errors, ap/CLASS."""
    figures: dict[str, float] = {}
    by_class: dict[str, list[float]] = {name: [] for name in ("map", *ERRORS)}
    for label, name in enumerate(CLASSES):
        found = [
            (frame, row)
            for frame, rows in enumerate(frames)
            for row in rows
            if row[1] == label and row[0] >= least_score
        ]
        found.sort(key=lambda item: -item[1][0])
        right = [rows[rows[:, 0] == label][:, 1:] for rows in truth]
        total = sum(len(rows) for rows in right)
        if total == 0:
            continue
        precisions = []
        for distance in DISTANCES:
            hits, errors = _match(found, right, distance)
            precisions.append(_average_precision(hits, total))
            if distance == 2.0:
                for error, value in _true_positive_errors(hits, errors, total).items():
                    by_class[error].append(value)
        figures[f"ap/{name}"] = float(np.mean(precisions))
        by_class["map"].append(figures[f"ap/{name}"])
    for name, values in by_class.items():
        figures[name] = float(np.mean(values)) if values else float("nan")
    figures["score"] = (
        4 * figures["map"] + sum(1 - min(1.0, figures[error]) for error in ERRORS)
    ) / 8
    return figures


def _match(found, right, distance):
    taken = [np.zeros(len(rows), bool) for rows in right]
    hits, errors = np.zeros(len(found), bool), {name: np.zeros(len(found)) for name in ERRORS}
    for i, (frame, row) in enumerate(found):
        rows = right[frame]
        if len(rows) == 0:
            continue
        gap = np.hypot(rows[:, 0] - row[2], rows[:, 1] - row[3])
        gap[taken[frame]] = np.inf
        nearest = int(gap.argmin())
        if gap[nearest] >= distance:
            continue
        taken[frame][nearest] = hits[i] = True
        other = rows[nearest]
        least, sizes = np.minimum(row[5:8], other[3:6]), (row[5:8].prod(), other[3:6].prod())
        turn = abs((row[8] - other[6] + np.pi) % (2 * np.pi) - np.pi)
        errors["translation"][i] = gap[nearest]
        errors["scale"][i] = 1 - least.prod() / (sizes[0] + sizes[1] - least.prod())
        errors["orientation"][i] = turn
        errors["velocity"][i] = np.hypot(*(row[9:11] - other[7:9]))
    return hits, errors


def _average_precision(hits: np.ndarray, total: int) -> float:
    right = hits.cumsum()
    recall, precision = right / total, right / np.arange(1, len(hits) + 1)
    if len(hits) == 0:
        return 0.0
    curve = np.interp(np.linspace(0, 1, 101), recall, precision, right=0)[11:]
    return float(np.maximum(curve - 0.1, 0).mean() / 0.9)


def _true_positive_errors(hits, errors, total) -> dict[str, float]:
    right = np.flatnonzero(hits)
    recall = np.arange(1, len(right) + 1) / total
    grid = np.linspace(0, 1, 101)
    last = int(np.searchsorted(grid, recall[-1] + 1e-9)) - 1 if len(right) else -1
    if last < 11:
        return {name: 1.0 for name in errors}
    means = {}
    for name, values in errors.items():
        running = values[right].cumsum() / np.arange(1, len(right) + 1)
        means[name] = float(np.interp(grid, recall, running)[11 : last + 1].mean())
    return means
