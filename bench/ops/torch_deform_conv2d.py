"""torchvision.ops.deform_conv2d, for the sizes of deform_conv2d.cpp."""
import torch
from torchvision.ops import deform_conv2d

SIZES = {"resnet50": (256, 50, 84), "bev": (128, 128, 128)}


def case(size):
    channels, height, width = SIZES[size]
    x = torch.rand(1, channels, height, width) * 2 - 1
    weight = torch.rand(channels, channels, 3, 3) * 0.2 - 0.1
    offset = torch.rand(1, 18, height, width) * 4 - 2
    mask = torch.rand(1, 9, height, width)
    bias = torch.rand(channels)
    return lambda: deform_conv2d(x, offset, weight, bias, padding=1, mask=mask)
