"""Modules that the tests export: real structures with seeded weights."""

from __future__ import annotations

import math

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional


def resnet18() -> nn.Module:
    torch.manual_seed(0)
    return torchvision.models.resnet18(weights=None)


class Detector(nn.Module):
    """Strides 2 and 4, joined by upsampling to whatever size the finer map has."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.fine = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.SiLU())
        self.coarse = nn.Sequential(nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.SiLU())
        self.lateral = nn.Conv2d(32, 16, 1)
        self.boxes = nn.Conv2d(16, 4, 1)
        self.scores = nn.Conv2d(16, 6, 1)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        fine = self.fine(image)
        up = functional.interpolate(
            self.lateral(self.coarse(fine)), size=fine.shape[2:], mode="bilinear"
        )
        joined = fine + up
        return {"boxes": self.boxes(joined), "scores": self.scores(joined).sigmoid()}


class Encoder(nn.Module):
    """A transformer over tokens of any number, with their embedding."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.embedding = nn.Embedding(10, 32)
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, tokens: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        y = self.layers(self.embedding(tokens) * scale)
        return y, y.mean(1)


class OnlyLargeTokens(Encoder):
    """Refuses what nobody would give it."""

    def forward(self, tokens: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        if not torch.jit.is_tracing() and int(tokens.min()) < 5:
            raise ValueError("tokens below 5 are reserved")
        return super().forward(tokens, scale)


class Branches(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.sum() > 0:
            return x * 2
        return x - 1


class Raises(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("this head was never finished")


class Random(nn.Module):
    """No file can give what it gives."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x)


class WrongWhenExported(nn.Module):
    """What nobody would write, but what a faulty exporter amounts to."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (3 if torch.jit.is_tracing() or torch.compiler.is_exporting() else 2)


class NotByTorchExport(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if torch.compiler.is_exporting():
            raise NotImplementedError("this layer does not support torch.export yet")
        return x * 2


# The functions below have the names and signatures of mmcv, Deformable DETR, BEVDet and BEVFusion,
# which modules call; what they compute is written from the operators' definitions.


def multi_scale_deformable_attn_pytorch(
    value: Tensor,
    value_spatial_shapes: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
) -> Tensor:
    batch, _, heads, channels = value.shape
    queries, levels, points = sampling_locations.shape[1], *sampling_locations.shape[3:5]
    sizes = [(int(h), int(w)) for h, w in value_spatial_shapes]
    maps = value.split([h * w for h, w in sizes], dim=1)
    sampled = []
    for level, (h, w) in enumerate(sizes):
        level_map = maps[level].flatten(2).transpose(1, 2).reshape(batch * heads, channels, h, w)
        grid = (2 * sampling_locations - 1)[:, :, :, level].transpose(1, 2).flatten(0, 1)
        sampled.append(functional.grid_sample(level_map, grid, align_corners=False))
    weights = attention_weights.transpose(1, 2).reshape(batch * heads, 1, queries, levels * points)
    y = (torch.stack(sampled, -2).flatten(-2) * weights).sum(-1)
    return y.view(batch, heads * channels, queries).transpose(1, 2).contiguous()


class MultiScaleDeformableAttnFunction(torch.autograd.Function):
    """As mmcv's, which calls a CUDA kernel that is not here."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx,
        value,
        value_spatial_shapes,
        value_level_start_index,
        sampling_locations,
        attention_weights,
        im2col_step=64,
    ):
        raise RuntimeError("ms_deform_attn_forward is not compiled with GPU support")


class ModulatedDeformConv2dFunction(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx,
        input,
        offset,
        mask,
        weight,
        bias=None,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        deform_groups=1,
    ):
        return torchvision.ops.deform_conv2d(
            input, offset, weight, bias, stride, padding, dilation, mask
        )


modulated_deform_conv2d = ModulatedDeformConv2dFunction.apply


def bev_pool_v2(
    depth,
    feat,
    ranks_depth,
    ranks_feat,
    ranks_bev,
    bev_feat_shape,
    interval_starts,
    interval_lengths,
):
    batch, z, height, width, channels = bev_feat_shape
    y = feat.new_zeros(batch * z * height * width, channels)
    for start, length in zip(interval_starts.tolist(), interval_lengths.tolist(), strict=True):
        for point in range(start, start + length):
            row = feat.reshape(-1, channels)[ranks_feat[point]]
            y[ranks_bev[start]] += depth.reshape(-1)[ranks_depth[point]] * row
    return y.view(batch, z, height, width, channels).permute(0, 4, 1, 2, 3).contiguous()


class DeformableAttention(nn.Module):
    """An attention layer as mmcv's, over two levels; `by_function` as mmcv does on a GPU."""

    shapes = ((6, 8), (3, 4))

    def __init__(self, by_function: bool = False) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.by_function = by_function
        self.value, self.output = nn.Linear(32, 32), nn.Linear(32, 32)
        self.offsets = nn.Linear(32, 4 * 2 * 3 * 2)
        self.weights = nn.Linear(32, 4 * 2 * 3)
        shapes = torch.tensor(self.shapes)
        self.register_buffer("spatial_shapes", shapes)
        self.register_buffer("starts", torch.tensor([0, 48]))

    def forward(self, query: Tensor, features: Tensor, reference: Tensor) -> Tensor:
        batch, queries, _ = query.shape
        value = self.value(features).view(batch, -1, 4, 8)
        offsets = self.offsets(query).view(batch, queries, 4, 2, 3, 2)
        weights = self.weights(query).view(batch, queries, 4, 6).softmax(-1)
        weights = weights.view(batch, queries, 4, 2, 3)
        normalizer = self.spatial_shapes.flip(-1)[None, None, None, :, None, :]
        locations = reference[:, :, None, :, None, :] + offsets / normalizer
        if self.by_function:
            y = MultiScaleDeformableAttnFunction.apply(
                value, self.spatial_shapes, self.starts, locations, weights, 64
            )
        else:
            y = multi_scale_deformable_attn_pytorch(value, self.spatial_shapes, locations, weights)
        return self.output(y) + query


class DeformableConvolution(nn.Module):
    """Version 2, two groups of offsets; by mmcv's function or torchvision's."""

    def __init__(self, by_mmcv: bool) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.by_mmcv = by_mmcv
        self.predict = nn.Conv2d(8, 2 * 27, 3, 2, 1)
        self.weight = nn.Parameter(torch.randn(6, 8, 3, 3) / math.sqrt(72))
        self.bias = nn.Parameter(torch.randn(6))

    def forward(self, x: Tensor) -> Tensor:
        predicted = self.predict(x)
        offset, mask = predicted[:, :36] * 3, predicted[:, 36:].sigmoid()
        if self.by_mmcv:
            return modulated_deform_conv2d(
                x, offset, mask, self.weight, self.bias, (2, 2), (1, 1), (1, 1), 1, 2
            )
        return torchvision.ops.deform_conv2d(x, offset, self.weight, self.bias, 2, 1, 1, mask)


class ViewTransformer(nn.Module):
    """Lift-splat as BEVDet does it: two cameras, geometry fixed."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        cells, points = 2 * 5 * 7, 2 * 4 * 3 * 5
        ranks_bev = torch.randint(0, cells, (points,)).sort().values
        first = torch.ones(points, dtype=torch.bool)
        first[1:] = ranks_bev[1:] != ranks_bev[:-1]
        starts = first.nonzero().flatten()
        lengths = torch.diff(starts, append=torch.tensor([points]))
        ranks_depth = torch.randperm(points)
        # depth [1, 2, 4, 3, 5] without its bins is a row of feat [1, 2, 3, 5, C].
        camera, pixel = ranks_depth // 60, ranks_depth % 15
        for name, value in {
            "ranks_bev": ranks_bev,
            "ranks_depth": ranks_depth,
            "ranks_feat": camera * 15 + pixel,
            "starts": starts,
            "lengths": lengths,
        }.items():
            self.register_buffer(name, value.int())
        self.depth = nn.Conv2d(8, 4, 1)

    def forward(self, features: Tensor) -> Tensor:
        depth = self.depth(features).softmax(1)[None]
        feat = features.permute(0, 2, 3, 1)[None]
        shape = (1, 2, 5, 7, 8)
        return bev_pool_v2(
            depth,
            feat,
            self.ranks_depth,
            self.ranks_feat,
            self.ranks_bev,
            shape,
            self.starts,
            self.lengths,
        )
