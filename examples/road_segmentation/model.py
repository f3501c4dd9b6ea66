"""The network: a small encoder and decoder of inverted residual blocks, about 60 million multiply-accumulates a picture.

input  image   float32 [batch, 3, 128, 256], NCHW, RGB, normalised as in train.py
output logits  float32 [batch, 4, 128, 256]: background, road, marking, vehicle

Every activation is a ReLU (no ReLU6), so a channel may be scaled before it and scaled back behind it: rescale.py does that.
"""

import torch
from torch import nn


def convolution(in_channels, out_channels, size=1, stride=1, groups=1, dilation=1, relu=True):
    layers = [nn.Conv2d(in_channels, out_channels, size, stride, dilation * (size // 2), dilation, groups, bias=False),
              nn.BatchNorm2d(out_channels)]
    return nn.Sequential(*layers, *([nn.ReLU()] if relu else []))


class InvertedResidual(nn.Module):
    """Expand, depthwise, project (Sandler et al., "MobileNetV2", 2018), with ReLU."""

    def __init__(self, in_channels, out_channels, expansion, stride=1, dilation=1):
        super().__init__()
        hidden = in_channels * expansion
        self.body = nn.Sequential(convolution(in_channels, hidden),
                                  convolution(hidden, hidden, 3, stride, hidden, dilation),
                                  convolution(hidden, out_channels, relu=False))
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x):
        return x + self.body(x) if self.residual else self.body(x)


class RoadNet(nn.Module):
    def __init__(self, classes=4):
        super().__init__()
        self.stem = convolution(3, 16, 3, stride=2)
        self.block_half = InvertedResidual(16, 16, 2)
        self.block_quarter = nn.Sequential(InvertedResidual(16, 32, 4, stride=2), InvertedResidual(32, 32, 3))
        self.block_eighth = nn.Sequential(InvertedResidual(32, 64, 4, stride=2), InvertedResidual(64, 64, 3),
                                    InvertedResidual(64, 64, 3, dilation=2), InvertedResidual(64, 64, 3, dilation=4))
        self.to_quarter, self.to_half = convolution(64, 32, relu=False), convolution(32, 16, relu=False)
        self.up_quarter, self.up_half = InvertedResidual(32, 32, 3), InvertedResidual(16, 16, 4)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        # Each place of the half-sized map decides four pixels.
        self.head = nn.Sequential(nn.Conv2d(16, 4 * classes, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, image):
        half = self.block_half(self.stem(image))
        quarter = self.block_quarter(half)
        quarter = self.up_quarter(quarter + self.up(self.to_quarter(self.block_eighth(quarter))))
        half = self.up_half(half + self.up(self.to_half(quarter)))
        return self.head(half)
