"""The three models of these examples, in plain PyTorch. Weights are random, from a fixed seed: they prove
speed and shapes, and how far a lower precision moves the outputs, but nothing is recognised by them."""

import torch
from torch import Tensor, nn


class BevHead(nn.Module):
    """A head over bird's-eye-view features: class scores for each cell of the grid."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(256, 128, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(128, 64, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(64, 10, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features)


class Detector(nn.Module):
    """A small one-stage detector: for each cell of 4 x 4 pixels a box, an objectness and a class."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 64, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(64, 128, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(128, 6, 1),
        )

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image)


class TransformerBlock(nn.Module):
    """A pre-norm encoder block, its attention written out as most code bases do. With `open_sizes` the number
    of heads follows from the width of the input, as in code that serves several widths: exported with that
    axis open, the graph no longer tells it."""

    WIDTH, HEADS = 96, 3

    def __init__(self, open_sizes: bool = False) -> None:
        super().__init__()
        self.open_sizes = open_sizes
        self.norm1, self.norm2 = nn.LayerNorm(self.WIDTH), nn.LayerNorm(self.WIDTH)
        self.query, self.key, self.value, self.project = (
            nn.Linear(self.WIDTH, self.WIDTH) for _ in range(4)
        )
        self.expand, self.shrink = (
            nn.Linear(self.WIDTH, 2 * self.WIDTH),
            nn.Linear(2 * self.WIDTH, self.WIDTH),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        batch, length, width = tokens.shape
        heads = width // (self.WIDTH // self.HEADS) if self.open_sizes else self.HEADS

        def split(x: Tensor) -> Tensor:
            return x.view(batch, length, heads, width // heads).transpose(1, 2)

        x = self.norm1(tokens)
        query, key, value = split(self.query(x)), split(self.key(x)), split(self.value(x))
        scores = query @ key.transpose(-2, -1) * (self.WIDTH // self.HEADS) ** -0.5
        attended = (scores.softmax(-1) @ value).transpose(1, 2).reshape(batch, length, width)
        tokens = tokens + self.project(attended)
        return tokens + self.shrink(nn.functional.gelu(self.expand(self.norm2(tokens))))


def bev_head() -> nn.Module:
    torch.manual_seed(1)
    return BevHead().eval()


def detector() -> nn.Module:
    torch.manual_seed(2)
    return Detector().eval()


def transformer_block() -> nn.Module:
    torch.manual_seed(3)
    return TransformerBlock().eval()


def transformer_block_open() -> nn.Module:
    torch.manual_seed(3)
    return TransformerBlock(open_sizes=True).eval()
