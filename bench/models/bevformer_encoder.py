"""BEVFormer-tiny's encoder (Li et al., "BEVFormer", ECCV 2022) in plain PyTorch, for export to ONNX.

Three layers of temporal self-attention, spatial cross-attention over six cameras and a feed-forward network, 256
channels, a 50×50 bird's-eye view, one feature level of 15×25. Deformable attention is written with grid_sample, as
exporters decompose it. Shapes are those of a vehicle: batch 1, all queries go to all cameras under a mask.
"""

import torch
from torch import nn
from torch.nn import functional as F

CHANNELS, HEADS, CAMERAS, LAYERS = 256, 8, 6, 3
BEV_HEIGHT = BEV_WIDTH = 50
FEATURE_HEIGHT, FEATURE_WIDTH = 15, 25
PILLAR_POINTS = 4


def deformable_attention(value, height, width, locations, weights):
    """value B×S×H×D, locations B×Q×H×P×2 in [0, 1], weights B×Q×H×P → B×Q×(H·D)."""
    batch, _, heads, depth = value.shape
    queries, points = locations.shape[1], locations.shape[3]
    grid = (2 * locations - 1).permute(0, 2, 1, 3, 4).reshape(batch * heads, queries, points, 2)
    picture = value.permute(0, 2, 3, 1).reshape(batch * heads, depth, height, width)
    sampled = F.grid_sample(picture, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    weights = weights.permute(0, 2, 1, 3).reshape(batch * heads, 1, queries, points)
    return (sampled * weights).sum(-1).view(batch, heads * depth, queries).transpose(1, 2)


class TemporalSelfAttention(nn.Module):
    POINTS = 4

    def __init__(self):
        super().__init__()
        self.offsets = nn.Linear(2 * CHANNELS, 2 * HEADS * self.POINTS * 2)
        self.weights = nn.Linear(2 * CHANNELS, 2 * HEADS * self.POINTS)
        self.value = nn.Linear(CHANNELS, CHANNELS)
        self.output = nn.Linear(CHANNELS, CHANNELS)

    def forward(self, query, position, previous, reference):
        queries = query.shape[1]
        history = torch.cat([previous, query], 0)  # 2×Q×C
        joined = torch.cat([previous, query + position], -1)
        value = self.value(history).view(2, queries, HEADS, CHANNELS // HEADS)
        offsets = self.offsets(joined).view(1, queries, HEADS, 2, self.POINTS, 2)
        weights = self.weights(joined).view(1, queries, HEADS, 2, self.POINTS).softmax(-1)
        offsets = offsets.permute(3, 0, 1, 2, 4, 5).reshape(2, queries, HEADS, self.POINTS, 2)
        weights = weights.permute(3, 0, 1, 2, 4).reshape(2, queries, HEADS, self.POINTS)
        size = offsets.new_tensor([BEV_WIDTH, BEV_HEIGHT])
        locations = reference[:, :, None, None, :] + offsets / size
        attended = deformable_attention(value, BEV_HEIGHT, BEV_WIDTH, locations, weights)
        return self.output(attended.mean(0, keepdim=True)) + query


class SpatialCrossAttention(nn.Module):
    POINTS = 8

    def __init__(self):
        super().__init__()
        self.offsets = nn.Linear(CHANNELS, HEADS * self.POINTS * 2)
        self.weights = nn.Linear(CHANNELS, HEADS * self.POINTS)
        self.value = nn.Linear(CHANNELS, CHANNELS)
        self.output = nn.Linear(CHANNELS, CHANNELS)

    def forward(self, query, position, features, reference, mask):
        queries = query.shape[1]
        asked = (query + position).expand(CAMERAS, queries, CHANNELS)
        value = self.value(features).view(CAMERAS, FEATURE_HEIGHT * FEATURE_WIDTH, HEADS, CHANNELS // HEADS)
        offsets = self.offsets(asked).view(CAMERAS, queries, HEADS, self.POINTS // PILLAR_POINTS, PILLAR_POINTS, 2)
        weights = self.weights(asked).view(CAMERAS, queries, HEADS, self.POINTS).softmax(-1)
        size = offsets.new_tensor([FEATURE_WIDTH, FEATURE_HEIGHT])
        locations = reference[:, :, None, None, :, :] + offsets / size
        locations = locations.view(CAMERAS, queries, HEADS, self.POINTS, 2)
        attended = deformable_attention(value, FEATURE_HEIGHT, FEATURE_WIDTH, locations, weights)
        seen = mask.any(-1).to(query.dtype)  # 6×Q
        slots = (attended * seen[:, :, None]).sum(0, keepdim=True)
        count = seen.sum(0).clamp(min=1.0)
        return self.output(slots / count[None, :, None]) + query


class EncoderLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.temporal = TemporalSelfAttention()
        self.spatial = SpatialCrossAttention()
        self.expand = nn.Linear(CHANNELS, 2 * CHANNELS)
        self.shrink = nn.Linear(2 * CHANNELS, CHANNELS)
        self.norms = nn.ModuleList(nn.LayerNorm(CHANNELS) for _ in range(3))

    def forward(self, query, position, features, previous, reference_bev, reference_cameras, mask):
        query = self.norms[0](self.temporal(query, position, previous, reference_bev))
        query = self.norms[1](self.spatial(query, position, features, reference_cameras, mask))
        return self.norms[2](query + self.shrink(F.relu(self.expand(query))))


class BevFormerEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer() for _ in range(LAYERS))
        self.query = nn.Embedding(BEV_HEIGHT * BEV_WIDTH, CHANNELS)
        self.camera_embedding = nn.Parameter(torch.randn(CAMERAS, CHANNELS))
        self.level_embedding = nn.Parameter(torch.randn(1, CHANNELS))
        self.rows = nn.Embedding(BEV_HEIGHT, CHANNELS // 2)
        self.columns = nn.Embedding(BEV_WIDTH, CHANNELS // 2)
        self.can_bus = nn.Sequential(
            nn.Linear(18, CHANNELS // 2), nn.ReLU(), nn.Linear(CHANNELS // 2, CHANNELS), nn.ReLU(), nn.LayerNorm(CHANNELS))

    def position(self):
        columns = self.columns(torch.arange(BEV_WIDTH))
        rows = self.rows(torch.arange(BEV_HEIGHT))
        both = torch.cat([columns[None].repeat(BEV_HEIGHT, 1, 1), rows[:, None].repeat(1, BEV_WIDTH, 1)], -1)
        return both.flatten(0, 1)[None]

    def reference_points(self):
        ys, xs = torch.meshgrid(torch.linspace(0.5, BEV_HEIGHT - 0.5, BEV_HEIGHT) / BEV_HEIGHT,
                                torch.linspace(0.5, BEV_WIDTH - 0.5, BEV_WIDTH) / BEV_WIDTH, indexing="ij")
        return torch.stack([xs.reshape(-1), ys.reshape(-1)], -1)[None]

    def forward(self, features, previous, can_bus, shift, reference_cameras, mask):
        """features 6×C×15×25, previous 1×2500×C, can_bus 1×18, shift 1×2, reference_cameras 6×2500×4×2, mask 6×2500×4."""
        position = self.position()
        query = self.query.weight[None] + self.can_bus(can_bus)[:, None]
        features = features.flatten(2).permute(0, 2, 1) + self.camera_embedding[:, None] + self.level_embedding[None]
        still = self.reference_points()
        reference_bev = torch.cat([still + shift[:, None], still], 0)
        for layer in self.layers:
            query = layer(query, position, features, previous, reference_bev, reference_cameras, mask)
        return query


INPUTS = {
    "features": lambda: torch.randn(CAMERAS, CHANNELS, FEATURE_HEIGHT, FEATURE_WIDTH),
    "previous": lambda: torch.randn(1, BEV_HEIGHT * BEV_WIDTH, CHANNELS),
    "can_bus": lambda: torch.randn(1, 18),
    "shift": lambda: torch.randn(1, 2) * 0.01,
    "reference_cameras": lambda: torch.rand(CAMERAS, BEV_HEIGHT * BEV_WIDTH, PILLAR_POINTS, 2),
    "mask": lambda: torch.rand(CAMERAS, BEV_HEIGHT * BEV_WIDTH, PILLAR_POINTS) > 0.6,
}
