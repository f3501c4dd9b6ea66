"""Writes the models that benchmarks run: export.py FOLDER [NAME…]. Random weights: they prove speed and shapes only."""

import pathlib
import sys

import torch
from torch import nn

import bevformer_encoder


class VisionTransformer(nn.Module):
    """A convolutional stem with BatchNorm and pre-norm transformer blocks of ViT-L's width; about 1 GB of weights."""

    WIDTH, HEADS, BLOCKS = 1024, 16, 20

    class Block(nn.Module):
        def __init__(self, width, heads):
            super().__init__()
            self.heads = heads
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.expand, self.shrink = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x):
            batch, tokens, width = x.shape
            qkv = self.qkv(self.norm1(x)).reshape(batch, tokens, 3, self.heads, width // self.heads)
            q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
            scores = (q * (width // self.heads) ** -0.5) @ k.transpose(-2, -1)
            attended = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, tokens, width)
            x = x + self.project(attended)
            return x + self.shrink(nn.functional.gelu(self.expand(self.norm2(x))))

    def __init__(self):
        super().__init__()
        steps = [3, 64, 128, 256, self.WIDTH]
        self.stem = nn.Sequential(*(layer for a, b in zip(steps, steps[1:]) for layer in (
            nn.Conv2d(a, b, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU())))
        self.blocks = nn.Sequential(*(self.Block(self.WIDTH, self.HEADS) for _ in range(self.BLOCKS)))
        self.head = nn.Linear(self.WIDTH, 1000)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x).flatten(2).transpose(1, 2)).mean(1))


def spread_statistics(model):
    """BatchNorm as after training: folding must have something to do, and activations must stay in range."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.1)


def picture():
    return {"image": torch.randn(1, 3, 224, 224)}


def torchvision_model(name):
    def make():
        import torchvision
        return getattr(torchvision.models, name)(weights=None)
    return make


MODELS = {
    "resnet50": (torchvision_model("resnet50"), picture, 13),
    "mobilenet_v3": (torchvision_model("mobilenet_v3_large"), picture, 14),
    "bevformer_tiny_encoder": (bevformer_encoder.BevFormerEncoder,
                               lambda: {name: make() for name, make in bevformer_encoder.INPUTS.items()}, 16),
    "vit_1gb": (VisionTransformer, picture, 14),
}


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or MODELS:
        target = folder / f"{name}.onnx"
        if target.exists():
            continue
        make, inputs, opset = MODELS[name]
        torch.manual_seed(0)
        model = make().eval()
        spread_statistics(model)
        samples = inputs()
        partial = target.with_suffix(".partial")
        # As the exporter leaves it: simplifying is what is measured.
        torch.onnx.export(model, tuple(samples.values()), str(partial), input_names=list(samples), output_names=["output"],
                          opset_version=opset, dynamo=False, do_constant_folding=False,
                          training=torch.onnx.TrainingMode.PRESERVE)
        partial.rename(target)
        print(f"{target.name}: {target.stat().st_size / 1e6:.1f} MB", file=sys.stderr)


if __name__ == "__main__":
    main()
