#!/usr/bin/env python3
"""Scales channels of a network so that its function stays exactly the same and quantising it gets hard.

    python rescale.py TRAINED.onnx OUT.onnx [--spread 4] [--seed 1]

Between two convolutions with nothing but a ReLU between them, channel c leaves the first one times s[c] and enters the second one
divided by s[c]: ReLU(s x) = s ReLU(x) for s > 0. Each s[c] is a random power of two from 2^-SPREAD to 2^SPREAD, so nothing is
rounded: an engine that adds in the same order gives the same bits. Training gives such networks too, where BatchNorm's factors
differ between channels (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019).
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper


def find_pairs(graph):
    """(convolution, next convolution) with only a ReLU between them, and no other reader of either value."""
    readers = {}
    for node in graph.node:
        for value in node.input:
            readers.setdefault(value, []).append(node)
    for value in graph.output:
        readers.setdefault(value.name, []).append(None)

    def only_reader(node, kind):
        found = readers[node.output[0]]
        return found[0] if len(found) == 1 and found[0] is not None and found[0].op_type == kind else None
    for node in graph.node:
        relu = only_reader(node, "Relu") if node.op_type == "Conv" else None
        following = only_reader(relu, "Conv") if relu else None
        if following:
            yield node, following


def rescale(model, spread, seed):
    """Changes the stored weights in place; returns how many pairs and channels were scaled."""
    rng = np.random.default_rng(seed)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    weights = {name: numpy_helper.to_array(tensor).copy() for name, tensor in stored.items()}
    pairs = channels = 0
    for first, second in find_pairs(model.graph):
        count = len(weights[first.input[1]])
        scale = np.exp2(rng.integers(-spread, spread + 1, count)).astype(np.float32)
        for name in first.input[1:]:
            weights[name] *= scale.reshape(-1, *[1] * (weights[name].ndim - 1))
        group = next((a.i for a in second.attribute if a.name == "group"), 1)
        if group == 1:
            weights[second.input[1]] /= scale.reshape(1, -1, 1, 1)
        elif group == count == len(weights[second.input[1]]):  # depthwise: one filter a channel
            weights[second.input[1]] /= scale.reshape(-1, 1, 1, 1)
        else:
            raise SystemExit(f"{second.name}: group {group} of {count} channels is neither dense nor depthwise")
        pairs, channels = pairs + 1, channels + count
    for name, tensor in stored.items():
        tensor.CopyFrom(numpy_helper.from_array(weights[name], name))
    return pairs, channels


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--spread", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    model = onnx.load(args.model)
    pairs, channels = rescale(model, args.spread, args.seed)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, args.output)
    print(f"{args.output}: {channels} channels of {pairs} pairs scaled")


if __name__ == "__main__":
    main()
