"""Writes ResNet-50 (He et al., 2015; strides in the 3x3 convolutions, as torchvision has it) with made-up weights, batch
normalisation in them: `write_resnet50.py OUT.onnx`. Input image [batch, 3, 224, 224], output scores [batch, 1000]."""

from __future__ import annotations

import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

rng = np.random.default_rng(50)
nodes, weights = [], []


def weight(shape: tuple[int, ...], name: str, gain: float = 1.0) -> str:
    fan_in = int(np.prod(shape[1:]))
    values = rng.normal(0, gain * np.sqrt(2 / fan_in), shape).astype(np.float32)
    weights.append(numpy_helper.from_array(values, name))
    return name


def zeros(size: int, name: str) -> str:
    weights.append(numpy_helper.from_array(np.zeros(size, np.float32), name))
    return name


def node(kind: str, inputs: list[str], output: str, **attributes: object) -> str:
    nodes.append(helper.make_node(kind, inputs, [output], output, **attributes))
    return output


def conv(
    x: str, name: str, sizes: tuple[int, int], kernel: int, stride: int = 1, gain: float = 1.0
) -> str:
    shape = (sizes[1], sizes[0], kernel, kernel)
    operands = [x, weight(shape, f"{name}.weight", gain), zeros(sizes[1], f"{name}.bias")]
    return node(
        "Conv",
        operands,
        name,
        kernel_shape=[kernel] * 2,
        strides=[stride] * 2,
        pads=[kernel // 2] * 4,
    )


def relu(x: str) -> str:
    return node("Relu", [x], f"{x}.relu")


def main() -> None:
    x = relu(conv("image", "stem", (3, 64), 7, 2))
    x = node("MaxPool", [x], "pool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    channels = 64
    for stage, (blocks, width) in enumerate([(3, 64), (4, 128), (6, 256), (3, 512)]):
        for block in range(blocks):
            name, stride = f"stage{stage}.{block}", 2 if stage > 0 and block == 0 else 1
            y = relu(conv(x, f"{name}.reduce", (channels, width), 1))
            y = relu(conv(y, f"{name}.middle", (width, width), 3, stride))
            # A small last gain, as trained networks have, keeps the sums of the residual path bounded.
            y = conv(y, f"{name}.expand", (width, 4 * width), 1, gain=0.3)
            if block == 0:
                x = conv(x, f"{name}.shortcut", (channels, 4 * width), 1, stride)
            x = relu(node("Add", [y, x], f"{name}.sum"))
            channels = 4 * width
    x = node("Flatten", [node("GlobalAveragePool", [x], "mean")], "features")
    operands = [x, weight((1000, channels), "head.weight"), zeros(1000, "head.bias")]
    node("Gemm", operands, "scores", transB=1)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 224, 224])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 1000])
    graph = helper.make_graph(nodes, "resnet50", [image], [scores], weights)
    save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        sys.argv[1],
    )


main()
