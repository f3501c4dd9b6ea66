"""Driving operators for PyTorch modules: run as plain PyTorch, exported as one node each.

    from tarmac.export import torch_ops
    y = torch_ops.multi_scale_deformable_attention(value, spatial_shapes, locations, weights)

Both of PyTorch's exporters write each call as one operator of the ONNX domain `tarmac` (formulas and
layouts: docs/operators.md), which OpenVINO and ONNX Runtime run through Tarmac's kernels. Modules that
call mmcv's or torchvision's functions need no change: `torch_patch.patch()` redirects those while a
module is exported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

DOMAIN = "tarmac"
VERSION = 1


def multi_scale_deformable_attention(
    value: Tensor,
    spatial_shapes: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    level_start_index: Tensor | None = None,
) -> Tensor:
    """Multi-scale deformable attention (Zhu et al. 2020): the weighted sum of bilinear samples.

    value [B, S, M, D]: the rows of all levels, heads, channels. spatial_shapes [L, 2]: height and
    width of each level, integers. sampling_locations [B, Q, M, L, P, 2]: (x, y), where (0, 0) and
    (1, 1) are the corners of a map. attention_weights [B, Q, M, L, P]. level_start_index [L]: the
    row where each level begins; one after the other without it. Returns [B, Q, M·D].
    """
    shapes = torch.as_tensor(spatial_shapes)
    return _attention(value, shapes, level_start_index, sampling_locations, attention_weights)


def bev_pool(
    feat: Tensor,
    ranks_bev: Tensor,
    shape: Sequence[int],
    *,
    depth: Tensor | None = None,
    ranks_depth: Tensor | None = None,
    ranks_feat: Tensor | None = None,
    interval_starts: Tensor | None = None,
    interval_lengths: Tensor | None = None,
    channels_last: bool = False,
) -> Tensor:
    """Sums features into the cells of a bird's-eye view (BEVDet's bev_pool_v2, Huang et al. 2022).

    y[cell] = Σ depth[ranks_depth[p]] · feat[ranks_feat[p]] over the points p with ranks_bev[p] = cell,
    where depth is addressed flat and feat [..., C] by rows; without depth it counts as 1, without
    ranks_feat point p has row p. With intervals only their points count, and all points of an
    interval belong to the cell of its first. shape is (B, Z, H, W), cell = ((b·Z + z)·H + y)·W + x.
    Returns [B, C, Z, H, W], or [B, Z, H, W, C] with channels_last.
    """
    batch, z, height, width = (int(size) for size in shape)
    return _bev_pool(
        depth,
        feat,
        ranks_depth,
        ranks_feat,
        ranks_bev,
        interval_starts,
        interval_lengths,
        batch,
        z,
        height,
        width,
        "BZHWC" if channels_last else "BCZHW",
    )


def deform_conv2d(
    input: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    mask: Tensor | None = None,
) -> Tensor:
    """Deformable convolution, v2 with mask (Zhu et al. 2019), as torchvision.ops.deform_conv2d.

    input [N, C, H, W]; offset [N, 2·G·kH·kW, Ho, Wo]: y before x, G groups of channels; weight
    [O, C / groups, kH, kW]; mask [N, G·kH·kW, Ho, Wo]. Returns [N, O, Ho, Wo].
    """
    return _deform_conv2d(
        input, offset, weight, bias, _pair(stride), _pair(padding), _pair(dilation), mask
    )


def _pair(value: int | Sequence[int]) -> list[int]:
    first, second = (value, value) if isinstance(value, int) else value
    return [int(first), int(second)]


@torch.library.custom_op("tarmac::multi_scale_deformable_attention", mutates_args=())
def _attention(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor | None,
    sampling_locations: Tensor,
    attention_weights: Tensor,
) -> Tensor:
    batch, _, heads, channels = value.shape
    queries, levels = sampling_locations.shape[1], sampling_locations.shape[3]
    sizes = [(int(height), int(width)) for height, width in spatial_shapes.tolist()]
    if level_start_index is None:
        starts = [sum(h * w for h, w in sizes[:level]) for level in range(levels)]
    else:
        starts = [int(start) for start in level_start_index.tolist()]
    y = value.new_zeros(batch * heads, channels, queries)
    # [B, Q, M, L, P, …] as [B·M, Q, L, P, …]: a head is an image of its own to grid_sample.
    grids = (2 * sampling_locations - 1).to(value.dtype).transpose(1, 2).flatten(0, 1)
    weights = attention_weights.to(value.dtype).transpose(1, 2).flatten(0, 1)
    for level, ((height, width), start) in enumerate(zip(sizes, starts, strict=True)):
        rows = value[:, start : start + height * width]
        level_map = rows.permute(0, 2, 3, 1).reshape(batch * heads, channels, height, width)
        samples = functional.grid_sample(level_map, grids[:, :, level], align_corners=False)
        y += (samples * weights[:, None, :, level]).sum(-1)
    return y.view(batch, heads * channels, queries).transpose(1, 2).contiguous()


@_attention.register_fake
def _(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor | None,
    sampling_locations: Tensor,
    attention_weights: Tensor,
) -> Tensor:
    batch, _, heads, channels = value.shape
    return value.new_empty(batch, sampling_locations.shape[1], heads * channels)


@torch.library.custom_op("tarmac::bev_pool", mutates_args=())
def _bev_pool(
    depth: Tensor | None,
    feat: Tensor,
    ranks_depth: Tensor | None,
    ranks_feat: Tensor | None,
    ranks_bev: Tensor,
    interval_starts: Tensor | None,
    interval_lengths: Tensor | None,
    batch: int,
    z: int,
    height: int,
    width: int,
    layout: str,
) -> Tensor:
    channels = feat.shape[-1]
    rows = feat.reshape(-1, channels)
    cells = ranks_bev.long()
    points = torch.arange(cells.numel(), device=feat.device)
    if interval_starts is not None and interval_lengths is not None:
        lengths, starts = interval_lengths.long(), interval_starts.long()
        first = torch.repeat_interleave(starts, lengths)
        before = torch.repeat_interleave(lengths.cumsum(0) - lengths, lengths)
        points = first + torch.arange(first.numel(), device=feat.device) - before
        cells = cells[first]
    else:
        cells = cells[points]
    taken = rows[points if ranks_feat is None else ranks_feat.long()[points]].float()
    if depth is not None and ranks_depth is not None:
        taken = taken * depth.reshape(-1)[ranks_depth.long()[points]].float()[:, None]
    y = taken.new_zeros(batch * z * height * width, channels)
    y = y.index_add_(0, cells, taken).to(feat.dtype).view(batch, z, height, width, channels)
    return y if layout == "BZHWC" else y.permute(0, 4, 1, 2, 3).contiguous()


@_bev_pool.register_fake
def _(
    depth: Tensor | None,
    feat: Tensor,
    ranks_depth: Tensor | None,
    ranks_feat: Tensor | None,
    ranks_bev: Tensor,
    interval_starts: Tensor | None,
    interval_lengths: Tensor | None,
    batch: int,
    z: int,
    height: int,
    width: int,
    layout: str,
) -> Tensor:
    channels = feat.shape[-1]
    if layout == "BZHWC":
        return feat.new_empty(batch, z, height, width, channels)
    return feat.new_empty(batch, channels, z, height, width)


@torch.library.custom_op("tarmac::deform_conv2d", mutates_args=())
def _deform_conv2d(
    input: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    mask: Tensor | None,
) -> Tensor:
    n, channels, height, width = input.shape
    outs, group_channels, kh, kw = weight.shape
    ho, wo = offset.shape[2:]
    taps, offset_groups = kh * kw, offset.shape[1] // (2 * kh * kw)
    moves = offset.view(n, offset_groups, taps, 2, ho, wo)

    def positions(axis: int, size: int, taps_of_axis: Tensor) -> Tensor:
        """Where each tap reads, in elements: [n, offset_groups, taps, ho, wo]."""
        steps = torch.arange(size, device=input.device) * stride[axis] - padding[axis]
        at = steps.view((-1, 1) if axis == 0 else (1, -1))
        return taps_of_axis.view(-1, 1, 1) * dilation[axis] + at + moves[:, :, :, axis]

    tap = torch.arange(taps, device=input.device)
    y, x = positions(0, ho, tap // kw), positions(1, wo, tap % kw)
    # grid_sample without align_corners: -1 and 1 are the outer edges of the first and last element.
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1)
    maps = input.reshape(n * offset_groups, channels // offset_groups, height, width)
    grid = grid.reshape(n * offset_groups, taps, ho * wo, 2).to(input.dtype)
    columns = functional.grid_sample(maps, grid, align_corners=False)
    columns = columns.view(n, offset_groups, -1, taps, ho, wo)
    if mask is not None:
        columns = columns * mask.view(n, offset_groups, 1, taps, ho, wo)
    groups = channels // group_channels
    columns = columns.reshape(n, groups, group_channels * taps, ho * wo)
    kernels = weight.reshape(groups, outs // groups, group_channels * taps)
    result = torch.einsum("gok,ngkp->ngop", kernels, columns).reshape(n, outs, ho, wo)
    return result if bias is None else result + bias.view(1, -1, 1, 1)


@_deform_conv2d.register_fake
def _(
    input: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    mask: Tensor | None,
) -> Tensor:
    return input.new_empty(input.shape[0], weight.shape[0], *offset.shape[2:])


# How the operators leave PyTorch: from the arguments of a call to inputs and attributes of a node.
# `value` is any kind of tensor handle: both exporters share these.

Inputs = list[Any]
Attributes = dict[str, Any]


def _attention_node(
    value: Any, shapes: Any, starts: Any, locations: Any, weights: Any
) -> tuple[str, Inputs, Attributes]:
    return "MultiScaleDeformableAttention", [value, shapes, starts, locations, weights], {}


def _bev_pool_node(*arguments: Any) -> tuple[str, Inputs, Attributes]:
    batch, z, height, width, layout = arguments[7:]
    attributes = {"batch": batch, "z": z, "height": height, "width": width, "layout": layout}
    return "BevPool", list(arguments[:7]), attributes


def _deform_conv_node(
    input: Any,
    offset: Any,
    weight: Any,
    bias: Any,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    mask: Any,
    groups: int,
    offset_groups: int,
) -> tuple[str, Inputs, Attributes]:
    attributes = {
        "strides": list(stride),
        "pads": [*padding, *padding],
        "dilations": list(dilation),
        "group": groups,
        "offset_group": offset_groups,
    }
    return "DeformConv2d", [input, weight, offset, bias, mask], attributes


def _own_deform_conv_node(shape_of: Callable[[Any], Sequence[int]], *arguments: Any) -> Any:
    input, offset, weight, bias, stride, padding, dilation, mask = arguments
    channels, (_, group_channels, kh, kw) = shape_of(input)[1], shape_of(weight)
    groups, offset_groups = channels // group_channels, shape_of(offset)[1] // (2 * kh * kw)
    return _deform_conv_node(
        input, offset, weight, bias, stride, padding, dilation, mask, groups, offset_groups
    )


def _torchvision_deform_conv_node(*arguments: Any) -> Any:
    input, weight, offset, mask, bias, sh, sw, ph, pw, dh, dw, groups, offset_groups, use_mask = (
        arguments
    )
    return _deform_conv_node(
        input,
        offset,
        weight,
        bias,
        (sh, sw),
        (ph, pw),
        (dh, dw),
        mask if use_mask else None,
        groups,
        offset_groups,
    )


def node_of(name: str, shape_of: Callable[[Any], Sequence[int]], arguments: Sequence[Any]) -> Any:
    """What a call of the operator `name` becomes: (ONNX type, inputs, attributes)."""
    if name == "tarmac::multi_scale_deformable_attention":
        return _attention_node(*arguments)
    if name == "tarmac::bev_pool":
        return _bev_pool_node(*arguments)
    if name == "tarmac::deform_conv2d":
        return _own_deform_conv_node(shape_of, *arguments)
    return _torchvision_deform_conv_node(*arguments)
