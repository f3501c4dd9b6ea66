"""Layers for the tests of the exporter from PaddlePaddle, as users would write them."""

from __future__ import annotations

from typing import Any

import paddle
from paddle import nn


def resnet() -> nn.Layer:
    paddle.seed(1)
    return paddle.vision.models.resnet18(pretrained=False)


def mobilenet() -> nn.Layer:
    paddle.seed(1)
    return paddle.vision.models.mobilenet_v3_small(pretrained=False)


class Detector(nn.Layer):
    """Two heads with names, whose size follows the picture's."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2D(3, 16, 3, 2, 1), nn.BatchNorm2D(16), nn.Hardswish())
        self.neck = nn.Sequential(nn.Conv2D(16, 32, 3, 2, 1), nn.ReLU(), nn.Dropout(0.5))
        self.scores, self.boxes = nn.Conv2D(32, 5, 1), nn.Conv2D(32, 4, 1)

    def forward(self, image: Any) -> dict[str, Any]:
        x = self.neck(self.stem(image))
        return {
            "scores": nn.functional.sigmoid(self.scores(x)).flatten(2).transpose([0, 2, 1]),
            "boxes": self.boxes(x).flatten(2).transpose([0, 2, 1]),
        }


def detector() -> nn.Layer:
    paddle.seed(1)
    return Detector()


class Recurrent(nn.Layer):
    def __init__(self, layers: int) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(16, 32, layers), nn.Linear(32, 5)

    def forward(self, frames: Any) -> tuple[Any, Any]:
        features, (state, _) = self.lstm(frames)
        return self.head(features), state


def lstm() -> nn.Layer:
    paddle.seed(1)
    return Recurrent(1)


def stacked_lstm() -> nn.Layer:
    paddle.seed(1)
    return Recurrent(2)


def transformer() -> nn.Layer:
    paddle.seed(1)
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(64, 4, 128), 2)


class Decomposition(nn.Layer):
    def forward(self, x: Any) -> Any:
        return paddle.linalg.svd(x)[1]


class Twice(nn.Layer):
    def forward(self, x: Any) -> Any:
        return x * 2, x * 3


class Halves(nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(64, 4)

    def forward(self, x: Any) -> Any:
        return self.head(x.reshape([-1, 2, 64]))


def number() -> int:
    return 3


def broken() -> nn.Layer:
    raise ValueError("weights.pdparams is not here")
