"""A compact BEVFormer (Li et al., "BEVFormer", ECCV 2022): 2.3 million parameters, any number of cameras, any batch.

inputs
  images      uint8   [B, N, 3, H, W]   RGB of N cameras; H and W divide by 32
  projection  float32 [B, N, 4, 4]      ego metres (x, y, z, 1) -> (u d, v d, d, 1); u, v from 0 to 1 over the picture, d metres
  ego_motion  float32 [B, 3, 3]         (x, y, 1) of this frame's ego coordinates -> those of the frame before
  prev_bev    float32 [B, 4096, 96]     `bev` of the frame before; zeros where a scene begins
outputs
  bev         float32 [B, 4096, 96]     one row a cell; cell (i, j) = row 64 i + j, i along y, j along x
  heatmap     float32 [B, 3, 64, 64]    logits: car, pedestrian, cyclist
  offset      float32 [B, 2, 64, 64]    x, y of the centre in the cell, in cells
  height      float32 [B, 1, 64, 64]    z of the box's middle, metres
  size        float32 [B, 3, 64, 64]    log of length, width, height in metres
  rotation    float32 [B, 2, 64, 64]    sine and cosine of the yaw
  velocity    float32 [B, 2, 64, 64]    m/s over ground along the ego axes

The heads are those of CenterPoint (Yin et al. 2021), which converge in minutes where DETR's object queries take days.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CLASSES = ("car", "pedestrian", "cyclist")
RANGE = 25.6  # metres to each side
CELLS = 64  # each way, 0.8 m
CHANNELS = 96
HEADS = 4
LAYERS = 3
TEMPORAL_POINTS = 4
SPATIAL_POINTS = 8
PILLAR = (0.2, 0.7, 1.2, 1.8)  # heights of a cell's reference points, metres
STRIDES = (8, 16, 32)
LEVELS = len(STRIDES)
MEAN, DEVIATION = (105.0, 105.0, 105.0), 60.0
HEAD_CHANNELS = {
    "heatmap": len(CLASSES),
    "offset": 2,
    "height": 1,
    "size": 3,
    "rotation": 2,
    "velocity": 2,
}

Shapes = list[tuple[int, int]]


class Output(NamedTuple):
    bev: Tensor
    heatmap: Tensor
    offset: Tensor
    height: Tensor
    size: Tensor
    rotation: Tensor
    velocity: Tensor


def convolution(
    inputs: int, outputs: int, size: int = 3, stride: int = 1, relu: bool = True
) -> nn.Sequential:
    layers = [
        nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([nn.ReLU()] if relu else []))


class BasicBlock(nn.Module):
    """He et al. 2016."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__()
        self.body = nn.Sequential(
            convolution(inputs, outputs, 3, stride), convolution(outputs, outputs, relu=False)
        )
        same = inputs == outputs and stride == 1
        self.shortcut = (
            nn.Identity() if same else convolution(inputs, outputs, 1, stride, relu=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.shortcut(x))


class Backbone(nn.Module):
    """[B, 3, H, W] -> feature pyramid (Lin et al. 2017): CHANNELS at strides 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            convolution(3, 24, stride=2), convolution(24, 32, stride=2), BasicBlock(32, 32)
        )
        self.stages = nn.ModuleList(
            [
                nn.Sequential(BasicBlock(32, 64, 2), BasicBlock(64, 64)),
                nn.Sequential(BasicBlock(64, 128, 2), BasicBlock(128, 128)),
                BasicBlock(128, 128, 2),
            ]
        )
        self.lateral = nn.ModuleList(
            nn.Conv2d(channels, CHANNELS, 1) for channels in (64, 128, 128)
        )
        self.smooth = nn.ModuleList(
            nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1) for _ in range(LEVELS)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)
        maps = []
        for stage, lateral in zip(self.stages, self.lateral, strict=True):
            x = stage(x)
            maps.append(lateral(x))
        for level in (1, 0):
            maps[level] = maps[level] + F.interpolate(
                maps[level + 1], scale_factor=2.0, mode="nearest"
            )
        return [smooth(found) for smooth, found in zip(self.smooth, maps, strict=True)]


def multi_scale_deformable_attn_pytorch(
    value: Tensor,
    value_spatial_shapes: Shapes,
    sampling_locations: Tensor,
    attention_weights: Tensor,
) -> Tensor:
    """Deformable DETR (Zhu et al. 2020) in plain PyTorch, under the name by which exporters know it.

    value [B, S, M, D], value_spatial_shapes L times (height, width), sampling_locations [B, Q, M, L, P, 2] in [0, 1],
    attention_weights [B, Q, M, L, P] -> [B, Q, M D].
    """
    heads, depth = value.shape[2:]
    _, queries, _, levels, points, _ = sampling_locations.shape
    parts = value.split([h * w for h, w in value_spatial_shapes], dim=1)
    grids = 2 * sampling_locations - 1
    sampled = []
    for level, (height, width) in enumerate(value_spatial_shapes):
        picture = parts[level].flatten(2).transpose(1, 2).reshape(-1, depth, height, width)
        grid = grids[:, :, :, level].transpose(1, 2).flatten(0, 1)
        sampled.append(
            F.grid_sample(picture, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        )
    weights = attention_weights.transpose(1, 2).reshape(-1, 1, queries, levels * points)
    output = (torch.stack(sampled, dim=-2).flatten(-2) * weights).sum(-1)
    return output.reshape(-1, heads * depth, queries).transpose(1, 2)


def star(heads: int, levels: int, points: int) -> Tensor:
    """Deformable DETR's first offsets: each head looks into its own direction, each point a cell further."""
    angle = torch.arange(heads) * (2 * math.pi / heads)
    direction = torch.stack([angle.cos(), angle.sin()], -1)
    direction = direction / direction.abs().max(-1, keepdim=True).values
    steps = torch.arange(1, points + 1, dtype=torch.float32)
    return (
        (direction[:, None, None] * steps[None, None, :, None])
        .expand(heads, levels, points, 2)
        .contiguous()
    )


def start(offsets: nn.Linear, weights: nn.Linear, bias: Tensor) -> None:
    for layer in (offsets, weights):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    with torch.no_grad():
        offsets.bias.copy_(bias.flatten())


class TemporalSelfAttention(nn.Module):
    """Deformable attention over the last frame's map, where ego motion says a cell was, and over this one's."""

    def __init__(self) -> None:
        super().__init__()
        self.offsets = nn.Linear(2 * CHANNELS, 2 * HEADS * TEMPORAL_POINTS * 2)
        self.weights = nn.Linear(2 * CHANNELS, 2 * HEADS * TEMPORAL_POINTS)
        self.value = nn.Linear(CHANNELS, CHANNELS)
        self.output = nn.Linear(CHANNELS, CHANNELS)
        start(self.offsets, self.weights, star(HEADS, 1, TEMPORAL_POINTS).expand(2, -1, -1, -1, -1))

    def forward(
        self, query: Tensor, position: Tensor, previous: Tensor, reference: Tensor
    ) -> Tensor:
        """query, previous [B, Q, C], position [1, Q, C], reference [2 B, Q, 1, 2]: then and now, B after B."""
        batch, queries = query.shape[0], query.shape[1]
        joined = torch.cat([previous, query + position], -1)
        value = self.value(torch.cat([previous, query], 0)).view(
            2 * batch, queries, HEADS, CHANNELS // HEADS
        )
        offsets = self.offsets(joined).view(batch, queries, 2, HEADS, 1, TEMPORAL_POINTS, 2)
        weights = self.weights(joined).view(batch, queries, 2, HEADS, TEMPORAL_POINTS).softmax(-1)
        offsets = offsets.permute(2, 0, 1, 3, 4, 5, 6).reshape(
            2 * batch, queries, HEADS, 1, TEMPORAL_POINTS, 2
        )
        weights = weights.permute(2, 0, 1, 3, 4).reshape(
            2 * batch, queries, HEADS, 1, TEMPORAL_POINTS
        )
        locations = reference[:, :, None, :, None, :] + offsets / CELLS
        attended = multi_scale_deformable_attn_pytorch(value, [(CELLS, CELLS)], locations, weights)
        mean = attended.view(2, batch, queries, CHANNELS).mean(0)
        return self.output(mean) + query


class SpatialCrossAttention(nn.Module):
    """Each cell looks, at the heights of its pillar, into those cameras that see it."""

    def __init__(self) -> None:
        super().__init__()
        self.offsets = nn.Linear(CHANNELS, HEADS * LEVELS * SPATIAL_POINTS * 2)
        self.weights = nn.Linear(CHANNELS, HEADS * LEVELS * SPATIAL_POINTS)
        self.value = nn.Linear(CHANNELS, CHANNELS)
        self.output = nn.Linear(CHANNELS, CHANNELS)
        each = star(HEADS, LEVELS, SPATIAL_POINTS // len(PILLAR))
        start(self.offsets, self.weights, each.repeat_interleave(len(PILLAR), dim=2))

    def forward(
        self,
        query: Tensor,
        position: Tensor,
        features: Tensor,
        shapes: Shapes,
        reference: Tensor,
        seen: Tensor,
        most: int,
    ) -> Tensor:
        """features [B, N, S, C], reference [B, N, Q, 4, 2], seen [B, N, Q] (0 or 1). `most` > 0: only so many
        cells of a camera are computed, those it sees first; the same result where it sees no more."""
        batch, cameras = features.shape[0], features.shape[1]
        queries, pillar, heads = query.shape[1], len(PILLAR), HEADS
        value = self.value(features).view(batch * cameras, -1, heads, CHANNELS // heads)
        asked = query + position
        offsets = self.offsets(asked).view(
            batch, 1, queries, heads, LEVELS, SPATIAL_POINTS // pillar, pillar, 2
        )
        weights = (
            self.weights(asked).view(batch, 1, queries, heads, LEVELS * SPATIAL_POINTS).softmax(-1)
        )
        size = torch.tensor([[w, h] for h, w in shapes], device=query.device, dtype=query.dtype)
        offsets = offsets / size[:, None, None, :]
        seen_now = seen
        if most:
            chosen = seen.topk(most, -1).indices
            offsets, weights = (
                take(t.expand(-1, cameras, *t.shape[2:]), chosen) for t in (offsets, weights)
            )
            reference, seen_now = take(reference, chosen), take(seen, chosen)
        locations = reference[:, :, :, None, None, None, :, :] + offsets
        rows = locations.shape[2]
        locations = locations.reshape(batch * cameras, rows, heads, LEVELS, SPATIAL_POINTS, 2)
        weights = weights.expand(-1, cameras, -1, -1, -1)
        weights = weights.reshape(batch * cameras, rows, heads, LEVELS, SPATIAL_POINTS)
        attended = multi_scale_deformable_attn_pytorch(value, shapes, locations, weights)
        attended = attended.view(batch, cameras, rows, CHANNELS) * seen_now[..., None]
        if most:
            rows_of = chosen.flatten(1)[..., None].expand(-1, -1, CHANNELS)
            total = torch.zeros_like(query, dtype=attended.dtype).scatter_add(
                1, rows_of, attended.flatten(1, 2)
            )
        else:
            total = attended.sum(1)
        return self.output(total / seen.sum(1).clamp(min=1.0)[..., None]) + query


def take(x: Tensor, chosen: Tensor) -> Tensor:
    """x [B, N, Q, …], chosen [B, N, K] -> [B, N, K, …]."""
    shape = chosen.shape + x.shape[3:]
    return x.gather(2, chosen.view(*chosen.shape, *[1] * (x.dim() - 3)).expand(shape))


class EncoderLayer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.temporal = TemporalSelfAttention()
        self.spatial = SpatialCrossAttention()
        self.expand = nn.Linear(CHANNELS, 2 * CHANNELS)
        self.shrink = nn.Linear(2 * CHANNELS, CHANNELS)
        self.norms = nn.ModuleList(nn.LayerNorm(CHANNELS) for _ in range(3))

    def forward(self, query, position, previous, reference_bev, *spatial) -> Tensor:
        query = self.norms[0](self.temporal(query, position, previous, reference_bev))
        query = self.norms[1](self.spatial(query, position, *spatial))
        return self.norms[2](query + self.shrink(F.relu(self.expand(query))))


class BevFormer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.level_embedding = nn.Parameter(0.02 * torch.randn(LEVELS, CHANNELS))
        self.query = nn.Parameter(0.02 * torch.randn(1, CELLS * CELLS, CHANNELS))
        self.rows = nn.Parameter(0.02 * torch.randn(CELLS, 1, CHANNELS // 2))
        self.columns = nn.Parameter(0.02 * torch.randn(1, CELLS, CHANNELS // 2))
        self.layers = nn.ModuleList(EncoderLayer() for _ in range(LAYERS))
        self.shared = convolution(CHANNELS, CHANNELS)
        self.heads = nn.ModuleDict(
            {
                name: nn.Sequential(convolution(CHANNELS, 32), nn.Conv2d(32, channels, 1))
                for name, channels in HEAD_CHANNELS.items()
            }
        )
        nn.init.constant_(self.heads["heatmap"][-1].bias, -2.19)  # a tenth
        middle = (torch.arange(CELLS) + 0.5) * (2 * RANGE / CELLS) - RANGE
        y, x = torch.meshgrid(middle, middle, indexing="ij")
        ground = torch.stack(
            [x.flatten(), y.flatten(), torch.ones(CELLS * CELLS)], -1
        )  # [Q, 3]: x, y, 1
        pillars = torch.stack(
            [
                torch.stack(
                    [ground[:, 0], ground[:, 1], torch.full_like(ground[:, 0], z), ground[:, 2]], -1
                )
                for z in PILLAR
            ],
            1,
        )  # [Q, 4, 4]: x, y, z, 1
        self.register_buffer("ground", ground, persistent=False)
        self.register_buffer("pillars", pillars.flatten(0, 1), persistent=False)

    def position(self) -> Tensor:
        both = [self.columns.expand(CELLS, CELLS, -1), self.rows.expand(CELLS, CELLS, -1)]
        return torch.cat(both, -1).flatten(0, 1)[None]

    def camera_reference(self, projection: Tensor) -> tuple[Tensor, Tensor]:
        """Where each camera sees the pillars' points [B, N, Q, 4, 2], and whether it sees any of them [B, N, Q]."""
        batch, cameras = projection.shape[0], projection.shape[1]
        seen = torch.matmul(self.pillars, projection.transpose(-1, -2))  # [B, N, Q·4, 4]
        seen = seen.view(batch, cameras, CELLS * CELLS, len(PILLAR), 4)
        depth = seen[..., 2:3]
        place = seen[..., 0:2] / depth.clamp(min=0.1)
        inside = (depth[..., 0] > 0.1) & (place > 0).all(-1) & (place < 1).all(-1)
        return place.clamp(-1.0, 2.0), inside.any(-1)

    def bev_reference(self, ego_motion: Tensor) -> Tensor:
        """Where the cells were in the last frame's map, and where they are: [2 B, Q, 1, 2] in [0, 1]."""
        then = torch.matmul(self.ground, ego_motion.transpose(-1, -2))[..., 0:2]
        now = self.ground[None, :, 0:2].expand_as(then)
        return (torch.cat([then, now], 0) / (2 * RANGE) + 0.5)[:, :, None]

    def features(self, images: Tensor) -> tuple[Tensor, Shapes]:
        """[B, N, S, C] of all levels, and the levels' heights and widths."""
        batch, cameras = images.shape[0], images.shape[1]
        height, width = int(images.shape[3]), int(images.shape[4])
        mean = torch.tensor(MEAN, device=images.device).view(1, 3, 1, 1)
        maps = self.backbone((images.flatten(0, 1).float() - mean) / DEVIATION)
        shapes = [(height // stride, width // stride) for stride in STRIDES]
        rows = [
            found.flatten(2).transpose(1, 2) + self.level_embedding[i]
            for i, found in enumerate(maps)
        ]
        rows_all = torch.cat(rows, 1)
        return rows_all.view(batch, cameras, rows_all.shape[1], CHANNELS), shapes

    def forward(
        self,
        images: Tensor,
        projection: Tensor,
        ego_motion: Tensor,
        prev_bev: Tensor,
        most: int = 0,
    ) -> Output:
        features, shapes = self.features(images)
        reference, seen = self.camera_reference(projection)
        reference_bev = self.bev_reference(ego_motion)
        position = self.position()
        bev = self.query.expand(images.shape[0], -1, -1)
        seen = seen.to(bev.dtype)
        for layer in self.layers:
            bev = layer(
                bev, position, prev_bev, reference_bev, features, shapes, reference, seen, most
            )
        shared = self.shared(bev.transpose(1, 2).reshape(-1, CHANNELS, CELLS, CELLS))
        return Output(bev, **{name: head(shared) for name, head in self.heads.items()})
