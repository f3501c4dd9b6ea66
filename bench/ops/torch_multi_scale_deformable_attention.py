"""Multi-scale deformable attention as PyTorch users run it without a CUDA kernel: grid_sample for each level.

The formula is that of mmcv's multi_scale_deformable_attn_pytorch and of Deformable DETR's ms_deform_attn_core_pytorch.
"""
import torch
from torch.nn import functional as F

HEADS, DEPTH, POINTS = 8, 32, 8
SIZES = {  # batch, queries, levels: those of multi_scale_deformable_attention.cpp
    "tiny": (6, 2500, [(15, 25)]),
    "base": (1, 40000, [(116, 200), (58, 100), (29, 50), (15, 25)]),
}


def attention(value, levels, locations, weights):
    """value B×S×M×D, locations B×Q×M×L×P×2 in [0, 1], weights B×Q×M×L×P → B×Q×(M·D)."""
    batch, _, heads, depth = value.shape
    queries, points = locations.shape[1], locations.shape[4]
    grids = 2 * locations - 1
    sampled = []
    for level, rows in enumerate(value.split([height * width for height, width in levels], dim=1)):
        height, width = levels[level]
        picture = rows.flatten(2).transpose(1, 2).reshape(batch * heads, depth, height, width)
        grid = grids[:, :, :, level].transpose(1, 2).flatten(0, 1)
        sampled.append(F.grid_sample(picture, grid, mode="bilinear", padding_mode="zeros", align_corners=False))
    weights = weights.transpose(1, 2).reshape(batch * heads, 1, queries, len(levels) * points)
    summed = (torch.stack(sampled, dim=-2).flatten(-2) * weights).sum(-1)
    return summed.view(batch, heads * depth, queries).transpose(1, 2).contiguous()


def case(size):
    """A callable that computes the case once."""
    batch, queries, levels = SIZES[size]
    torch.manual_seed(1)
    cells = sum(height * width for height, width in levels)
    value = torch.rand(batch, cells, HEADS, DEPTH) * 2 - 1
    locations = torch.rand(batch, queries, HEADS, len(levels), POINTS, 2)
    weights = torch.rand(batch, queries, HEADS, len(levels), POINTS) * (2 / (len(levels) * POINTS))
    return lambda: attention(value, levels, locations, weights)
