"""The network: a small residual classifier for crops of traffic lights.

input  image   float32 [batch, 3, 96, 48], NCHW, RGB, normalised as in train.py
output logits  float32 [batch, 3]: red, yellow, green
"""

import torch
from torch import nn


class ResidualBlock(nn.Module):
    """Basic block of He et al., "Deep Residual Learning for Image Recognition", 2016."""

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        if stride == 1 and in_channels == out_channels:
            self.shortcut = nn.Identity()
        else:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.body(x) + self.shortcut(x))


class TrafficLightNet(nn.Module):
    """ResNet-8: a stem, three residual blocks, global average pooling, one linear layer."""

    def __init__(self, classes: int = 3):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
        self.blocks = nn.Sequential(
            ResidualBlock(32, 32, 1), ResidualBlock(32, 64, 2), ResidualBlock(64, 128, 2)
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(128, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.pool(self.blocks(self.stem(image))).flatten(1))


def count_macs(model: nn.Module, image: torch.Tensor) -> int:
    """Multiply-accumulates of the convolutions and linear layers for one `image` batch; FLOPs are twice that."""
    total = 0

    def add(layer, _, output):
        nonlocal total
        # Every output element takes one multiply-accumulate per weight of its output channel.
        total += output.numel() * layer.weight[0].numel()

    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(add) for layer in layers]
    with torch.no_grad():
        model(image)
    for hook in hooks:
        hook.remove()
    return total
