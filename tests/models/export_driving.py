"""Exports small networks with driving operators as PyTorch's exporters decompose them: export_driving.py FOLDER [NAME…].

The modules are written after the public descriptions of Deformable DETR, BEVFormer, RT-DETR, Lift-Splat-Shoot, BEVDet and
PointPillars, with random weights and sizes of a few elements. tests/passes/data holds what torch 2.5.1 made of them.
"""

import pathlib
import sys

import torch
from torch import nn
from torch.nn import functional as F


def attention_core(value, shapes, locations, weights):
    """mmcv's and Hugging Face's form: value B×S×M×D, locations B×Q×M×L×P×2 in [0, 1], weights B×Q×M×L×P → B×Q×(M·D)."""
    batch, _, heads, depth = value.shape
    _, queries, heads, levels, points, _ = locations.shape
    parts = value.split([h * w for h, w in shapes], dim=1)
    grids = 2 * locations - 1
    sampled = []
    for level, (height, width) in enumerate(shapes):
        picture = parts[level].flatten(2).transpose(1, 2).reshape(batch * heads, depth, height, width)
        grid = grids[:, :, :, level].transpose(1, 2).flatten(0, 1)
        sampled.append(F.grid_sample(picture, grid, mode="bilinear", padding_mode="zeros", align_corners=False))
    weights = weights.transpose(1, 2).reshape(batch * heads, 1, queries, levels * points)
    output = (torch.stack(sampled, dim=-2).flatten(-2) * weights).sum(-1).view(batch, heads * depth, queries)
    return output.transpose(1, 2).contiguous()


def attention_core_v2(value, shapes, locations, weights, points):
    """RT-DETRv2's form: levels with their points in one axis."""
    batch, _, heads, depth = value.shape
    queries = locations.shape[1]
    parts = value.permute(0, 2, 3, 1).flatten(0, 1).split([h * w for h, w in shapes], dim=-1)
    grids = (2 * locations - 1).permute(0, 2, 1, 3, 4).flatten(0, 1).split(points, dim=-2)
    sampled = []
    for (height, width), part, grid in zip(shapes, parts, grids):
        picture = part.reshape(batch * heads, depth, height, width)
        sampled.append(F.grid_sample(picture, grid, mode="bilinear", padding_mode="zeros", align_corners=False))
    weights = weights.permute(0, 2, 1, 3).reshape(batch * heads, 1, queries, sum(points))
    output = (torch.concat(sampled, dim=-1) * weights).sum(-1).reshape(batch, heads * depth, queries)
    return output.permute(0, 2, 1)


class DeformableAttention(nn.Module):
    """Deformable DETR: reference points of 2 or 4 coordinates a level; `twisted` breaks the pattern in a named way."""

    def __init__(self, shapes, heads=2, depth=4, points=3, coordinates=2, form="mmcv", twisted=None):
        super().__init__()
        self.shapes, self.heads, self.points, self.coordinates = shapes, heads, points, coordinates
        self.form, self.twisted = form, twisted
        channels, levels = heads * depth, len(shapes)
        self.offsets = nn.Linear(channels, heads * levels * points * 2)
        self.weights = nn.Linear(channels, heads * levels * points)
        self.value = nn.Linear(channels, channels)
        self.output = nn.Linear(channels, channels)

    def forward(self, query, memory, reference):
        batch, queries, channels = query.shape
        heads, levels, points = self.heads, len(self.shapes), self.points
        value = self.value(memory).view(batch, memory.shape[1], heads, channels // heads)
        offsets = self.offsets(query).view(batch, queries, heads, levels, points, 2) * 3
        weights = self.weights(query).view(batch, queries, heads, levels * points).softmax(-1)
        if self.coordinates == 2:
            size = torch.tensor([[w, h] for h, w in self.shapes], dtype=torch.float32)
            locations = reference[:, :, None, :, None, :] + offsets / size[None, None, None, :, None, :]
        else:
            locations = reference[:, :, None, :, None, :2] + offsets / points * reference[:, :, None, :, None, 2:] * 0.5
        if self.form == "v2":
            locations = locations.flatten(3, 4)
            attended = attention_core_v2(value, self.shapes, locations, weights, [points] * levels)
        else:
            weights = weights.view(batch, queries, heads, levels, points)
            attended = attention_core(value, self.shapes, locations, weights)
        return self.output(attended)


class BareAttention(nn.Module):
    """The core alone; `twisted`: breaks it in a way that must be seen."""

    def __init__(self, shapes, twisted=None):
        super().__init__()
        self.shapes, self.twisted = shapes, twisted

    def forward(self, value, locations, weights):
        if self.twisted is None:
            return attention_core(value, self.shapes, locations, weights)
        batch, _, heads, depth = value.shape
        queries, points = locations.shape[1], locations.shape[4]
        (height, width), = self.shapes
        picture = value.flatten(2).transpose(1, 2).reshape(batch * heads, depth, height, width)
        grid = (2 * locations - (0 if self.twisted == "locations" else 1)).transpose(1, 2).reshape(batch * heads, queries, points, 2)
        how = {"nearest": dict(mode="nearest", padding_mode="zeros", align_corners=False),
               "border": dict(mode="bilinear", padding_mode="border", align_corners=False),
               "corners": dict(mode="bilinear", padding_mode="zeros", align_corners=True)}
        sampled = F.grid_sample(picture, grid, **how.get(self.twisted, dict(padding_mode="zeros", align_corners=False)))
        weights = weights.transpose(1, 2).reshape(batch * heads, 1, queries, points)
        if self.twisted == "channels":
            weights = weights.expand(-1, depth, -1, -1) * torch.arange(1.0, depth + 1)[None, :, None, None]
        return (sampled * weights).sum(-1).view(batch, heads * depth, queries).transpose(1, 2)


class TemporalSelfAttention(nn.Module):
    """BEVFormer: history and present as two batches, one level."""

    def __init__(self, shape, channels=8, heads=2, points=2):
        super().__init__()
        self.shape, self.heads, self.points, self.queue = shape, heads, points, 2
        self.offsets = nn.Linear(2 * channels, 2 * heads * points * 2)
        self.weights = nn.Linear(2 * channels, 2 * heads * points)
        self.value = nn.Linear(channels, channels)
        self.output = nn.Linear(channels, channels)

    def forward(self, query, history, reference):
        batch, queries, channels = query.shape
        heads, points = self.heads, self.points
        joined = torch.cat([history[:batch], query], -1)
        value = self.value(history).reshape(batch * 2, queries, heads, channels // heads)
        offsets = self.offsets(joined).view(batch, queries, heads, 2, 1, points, 2) * 3
        weights = self.weights(joined).view(batch, queries, heads, 2, points).softmax(-1)
        weights = weights.view(batch, queries, heads, 2, 1, points)
        weights = weights.permute(0, 3, 1, 2, 4, 5).reshape(batch * 2, queries, heads, 1, points).contiguous()
        offsets = offsets.permute(0, 3, 1, 2, 4, 5, 6).reshape(batch * 2, queries, heads, 1, points, 2)
        size = torch.tensor([[self.shape[1], self.shape[0]]], dtype=torch.float32)
        locations = reference[:, :, None, :, None, :] + offsets / size[None, None, None, :, None, :]
        attended = attention_core(value, [self.shape], locations, weights)
        attended = attended.permute(1, 2, 0).view(queries, channels, batch, 2).mean(-1).permute(2, 0, 1)
        return self.output(attended) + query


class SpatialCrossAttention(nn.Module):
    """BEVFormer: reference points at Z heights a pillar, cameras as batch, a mask of what each camera sees."""

    def __init__(self, shapes, cameras=3, channels=8, heads=2, points=4, heights=2):
        super().__init__()
        self.shapes, self.cameras, self.heads, self.points, self.heights = shapes, cameras, heads, points, heights
        levels = len(shapes)
        self.offsets = nn.Linear(channels, heads * levels * points * 2)
        self.weights = nn.Linear(channels, heads * levels * points)
        self.value = nn.Linear(channels, channels)
        self.output = nn.Linear(channels, channels)

    def forward(self, query, features, reference, mask):
        queries, channels = query.shape[1:]
        heads, levels, points, cameras = self.heads, len(self.shapes), self.points, self.cameras
        asked = query.expand(cameras, queries, channels)
        value = self.value(features).view(cameras, features.shape[1], heads, channels // heads)
        offsets = self.offsets(asked).view(cameras, queries, heads, levels, points, 2) * 3
        weights = self.weights(asked).view(cameras, queries, heads, levels * points).softmax(-1)
        weights = weights.view(cameras, queries, heads, levels, points)
        size = torch.tensor([[w, h] for h, w in self.shapes], dtype=torch.float32)
        offsets = offsets / size[None, None, None, :, None, :]
        offsets = offsets.view(cameras, queries, heads, levels, points // self.heights, self.heights, 2)
        locations = reference[:, :, None, None, None, :, :] + offsets
        locations = locations.view(cameras, queries, heads, levels, points, 2)
        attended = attention_core(value, self.shapes, locations, weights)
        seen = mask.any(-1).to(query.dtype)
        slots = (attended * seen[:, :, None]).sum(0, keepdim=True)
        count = seen.sum(0).clamp(min=1.0)
        return self.output(slots / count[None, :, None]) + query


class DeformableConvolution(nn.Module):
    def __init__(self, modulated=True, groups=1):
        super().__init__()
        self.modulated, self.groups = modulated, groups
        self.weight = nn.Parameter(torch.randn(6, 4 // groups, 3, 3))
        self.bias = nn.Parameter(torch.randn(6))
        self.offset = nn.Conv2d(4, 27 if modulated else 18, 3, padding=1)

    def forward(self, image):
        import torchvision
        found = self.offset(image)
        mask = found[:, 18:].sigmoid() if self.modulated else None
        return torchvision.ops.deform_conv2d(image, found[:, :18], self.weight, self.bias, padding=1, mask=mask)


class PillarScatter(nn.Module):
    """PointPillars: one picture at a time, as mmdetection3d writes it."""

    def __init__(self, channels=3, height=5, width=7, batch=1, form="assign"):
        super().__init__()
        self.channels, self.height, self.width, self.batch, self.form = channels, height, width, batch, form

    def forward(self, features, coordinates):
        size = self.height * self.width
        if self.form == "single":
            canvas = torch.zeros(self.channels, size, dtype=features.dtype)
            canvas[:, (coordinates[:, 2] * self.width + coordinates[:, 3]).long()] = features.t()
            return canvas.view(1, self.channels, self.height, self.width)
        if self.form == "scatter":
            index = (coordinates[:, 2] * self.width + coordinates[:, 3]).long()
            canvas = torch.zeros(self.channels, size, dtype=features.dtype)
            canvas = canvas.scatter(1, index[None, :].expand(self.channels, -1), features.t())
            return canvas.view(1, self.channels, self.height, self.width)
        if self.form == "flat":
            index = (coordinates[:, 0] * size + coordinates[:, 2] * self.width + coordinates[:, 3]).long()
            canvas = torch.zeros(self.batch * size, self.channels, dtype=features.dtype)
            canvas[index] = features
            return canvas.view(self.batch, self.height, self.width, self.channels).permute(0, 3, 1, 2)
        pictures = []
        for number in range(self.batch):
            canvas = torch.zeros(self.channels, size, dtype=features.dtype)
            here = coordinates[:, 0] == number
            index = (coordinates[here, 2] * self.width + coordinates[here, 3]).long()
            canvas[:, index] = features[here].t()
            pictures.append(canvas)
        return torch.stack(pictures, 0).view(self.batch, self.channels, self.height, self.width)


class BevPool(nn.Module):
    """Depth × features of each camera added up in the cells of a bird's-eye view; ranks come from the geometry."""

    def __init__(self, height=4, width=5, form="index_add"):
        super().__init__()
        self.height, self.width, self.form = height, width, form

    def forward(self, depth, features, ranks_depth, ranks_feat, ranks_bev):
        channels = features.shape[-1]
        if self.form.startswith("volume"):  # depth N×D×H×W, features N×H×W×C, one row for each frustum point
            volume = (depth.unsqueeze(-1) * features.unsqueeze(1)).reshape(-1, channels)
            rows = volume[ranks_depth] if self.form == "volume_kept" else volume
            zeros = torch.zeros(self.height * self.width, channels, dtype=features.dtype)
            pooled = zeros.index_add(0, ranks_bev, rows)
        else:
            rows = depth.reshape(-1)[ranks_depth][:, None] * features.reshape(-1, channels)[ranks_feat]
            zeros = torch.zeros(self.height * self.width, channels, dtype=features.dtype)
            if self.form == "index_add":
                pooled = zeros.index_add(0, ranks_bev, rows)
            elif self.form == "scatter_add":
                pooled = zeros.scatter_add(0, ranks_bev[:, None].expand(-1, channels), rows)
            else:
                pooled = zeros.index_put((ranks_bev,), rows, accumulate=True)
        return pooled.view(1, self.height, self.width, channels).permute(0, 3, 1, 2)


LEVELS = [(6, 8), (3, 4), (5, 2), (2, 2), (1, 3)]


def attention_inputs(levels, batch=2, queries=5, channels=8, coordinates=2):
    places = sum(h * w for h, w in LEVELS[:levels])
    return {"query": torch.randn(batch, queries, channels), "memory": torch.randn(batch, places, channels),
            "reference": torch.rand(batch, queries, levels, coordinates)}


def bare_inputs(levels, batch=2, queries=5, heads=2, depth=4, points=3):
    places = sum(h * w for h, w in LEVELS[:levels])
    return {"value": torch.randn(batch, places, heads, depth), "locations": torch.rand(batch, queries, heads, levels, points, 2),
            "weights": torch.rand(batch, queries, heads, levels, points)}


BATCH_AND_QUERIES = {"query": {0: "batch", 1: "queries"}, "memory": {0: "batch"}, "reference": {0: "batch", 1: "queries"}}


def pillars(batch=1, count=6):
    cells = torch.randperm(35)[:count]
    rows = torch.stack([torch.arange(count) % batch, torch.zeros(count, dtype=torch.long), cells // 7, cells % 7], 1)
    return {"features": torch.randn(count, 3), "coordinates": rows.to(torch.int32)}


def frustum(kept=9):
    return {"depth": torch.rand(2, 3, 2, 4), "features": torch.randn(2, 2, 4, 6), "ranks_depth": torch.randint(48, (kept,)),
            "ranks_feat": torch.randint(16, (kept,)), "ranks_bev": torch.randint(20, (kept,))}


def volume():
    inputs = frustum()
    inputs["ranks_bev"] = torch.randint(20, (48,))
    return inputs


# name: module, inputs, opset, dynamic axes
MODELS = {}
for count in range(1, 6):
    MODELS[f"msda_{count}_levels"] = (lambda n=count: DeformableAttention(LEVELS[:n]), lambda n=count: attention_inputs(n), 16, None)
MODELS |= {
    "msda_opset20": (lambda: DeformableAttention(LEVELS[:2]), lambda: attention_inputs(2), 20, None),
    "msda_boxes": (lambda: DeformableAttention(LEVELS[:2], coordinates=4), lambda: attention_inputs(2, coordinates=4), 17, None),
    "msda_v2": (lambda: DeformableAttention(LEVELS[:3], form="v2"), lambda: attention_inputs(3), 17, None),
    "msda_v2_boxes": (lambda: DeformableAttention(LEVELS[:3], form="v2", coordinates=4), lambda: attention_inputs(3, coordinates=4), 17, None),
    "msda_dynamic": (lambda: DeformableAttention(LEVELS[:2]), lambda: attention_inputs(2), 16, BATCH_AND_QUERIES),
    "msda_dynamic_1_level": (lambda: DeformableAttention(LEVELS[:1]), lambda: attention_inputs(1), 16, BATCH_AND_QUERIES),
    "msda_dynamic_boxes": (lambda: DeformableAttention(LEVELS[:2], coordinates=4), lambda: attention_inputs(2, coordinates=4), 16,
                           BATCH_AND_QUERIES),
    "msda_dynamic_batch": (lambda: DeformableAttention(LEVELS[:2]), lambda: attention_inputs(2), 16,
                           {name: {0: "batch"} for name in BATCH_AND_QUERIES}),
    "msda_one_batch": (lambda: DeformableAttention(LEVELS[:2]), lambda: attention_inputs(2, batch=1), 16, None),
    "msda_one_head": (lambda: DeformableAttention(LEVELS[:2], heads=1, depth=8), lambda: attention_inputs(2), 16, None),
    "msda_one_point": (lambda: DeformableAttention(LEVELS[:2], points=1), lambda: attention_inputs(2), 16, None),
    "msda_one_of_all": (lambda: DeformableAttention(LEVELS[:1], points=1, heads=1, depth=8), lambda: attention_inputs(1, batch=1, queries=1), 16, None),
    "msda_core": (lambda: BareAttention(LEVELS[:3]), lambda: bare_inputs(3), 16, None),
    "bevformer_temporal": (lambda: TemporalSelfAttention((4, 5)), lambda: {
        "query": torch.randn(1, 20, 8), "history": torch.randn(2, 20, 8), "reference": torch.rand(2, 20, 1, 2)}, 16, None),
    "bevformer_spatial": (lambda: SpatialCrossAttention(LEVELS[:2]), lambda: {
        "query": torch.randn(1, 7, 8), "features": torch.randn(3, 60, 8), "reference": torch.rand(3, 7, 2, 2),
        "mask": torch.rand(3, 7, 2) > 0.6}, 16, None),
    "bevformer_spatial_1_level": (lambda: SpatialCrossAttention(LEVELS[:1]), lambda: {
        "query": torch.randn(1, 7, 8), "features": torch.randn(3, 48, 8), "reference": torch.rand(3, 7, 2, 2),
        "mask": torch.rand(3, 7, 2) > 0.6}, 16, None),
    "deform_conv_v1": (lambda: DeformableConvolution(False), lambda: {"image": torch.randn(1, 4, 6, 7)}, 19, None),
    "deform_conv_v2": (lambda: DeformableConvolution(True), lambda: {"image": torch.randn(1, 4, 6, 7)}, 19, None),
    "pillar_single": (lambda: PillarScatter(form="single"), pillars, 16, {"features": {0: "pillars"}, "coordinates": {0: "pillars"}}),
    "pillar_single_static": (lambda: PillarScatter(form="single"), pillars, 16, None),
    "pillar_scatter": (lambda: PillarScatter(form="scatter"), pillars, 16, None),
    "pillar_flat": (lambda: PillarScatter(form="flat", batch=2), lambda: pillars(2), 16, None),
    "pillar_batches": (lambda: PillarScatter(batch=2), lambda: pillars(2), 16, {"features": {0: "pillars"}, "coordinates": {0: "pillars"}}),
    "bev_pool_index_add": (lambda: BevPool(), frustum, 16, {n: {0: "points"} for n in ("ranks_depth", "ranks_feat", "ranks_bev")}),
    "bev_pool_index_add_static": (lambda: BevPool(), frustum, 16, None),
    "bev_pool_scatter_add": (lambda: BevPool(form="scatter_add"), frustum, 16, None),
    "bev_pool_index_put": (lambda: BevPool(form="index_put"), frustum, 16, None),
    "bev_pool_volume": (lambda: BevPool(form="volume"), volume, 16, None),
    "bev_pool_volume_kept": (lambda: BevPool(form="volume_kept"), frustum, 16, None),
}
for kind in ("nearest", "border", "corners", "channels", "locations"):
    MODELS[f"msda_not_{kind}"] = (lambda k=kind: BareAttention(LEVELS[:1], twisted=k), lambda: bare_inputs(1), 16, None)


# By the newer exporter as well, as NAME_dynamo; it needs onnxscript.
DYNAMO = ["msda_2_levels", "bevformer_spatial"]


def export_dynamo(name, folder):
    make, inputs, _, _ = MODELS[name]
    torch.manual_seed(0)
    model, samples = make().eval(), inputs()
    program = torch.onnx.export(model, tuple(samples.values()), dynamo=True, input_names=list(samples), output_names=["output"])
    import onnx
    proto = program.model_proto
    graphs = [proto.graph, *proto.functions]
    for graph in graphs:  # what people read is most of such a file
        graph.doc_string = ""
        graph.ClearField("metadata_props")
        graph.ClearField("value_info")
        for node in graph.node:
            node.doc_string = ""
            node.ClearField("metadata_props")
    onnx.save(proto, str(folder / f"{name}_dynamo.onnx"))


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or MODELS:
        make, inputs, opset, dynamic = MODELS[name]
        torch.manual_seed(0)
        model, samples = make().eval(), inputs()
        target = folder / f"{name}.onnx"
        try:
            torch.onnx.export(model, tuple(samples.values()), str(target), input_names=list(samples), output_names=["output"],
                              opset_version=opset, dynamic_axes=dynamic, dynamo=False)
        except Exception as error:  # one that cannot be exported does not keep the others
            print(f"{name}: {type(error).__name__}: {str(error).splitlines()[0]}", file=sys.stderr)
    try:
        import onnxscript  # noqa: F401
    except ImportError:
        return
    for name in DYNAMO:
        if not sys.argv[2:] or name in sys.argv[2:]:
            export_dynamo(name, folder)


if __name__ == "__main__":
    main()
