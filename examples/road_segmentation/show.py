#!/usr/bin/env python3
"""Draws what models see: show.py OUT.png MODEL… (ONNX, or OpenVINO's .xml; needs the Python package openvino).

A row for each of a few test pictures: the picture, its true classes, then those of each model.
"""

import sys
from pathlib import Path

import numpy as np
import openvino

import generate

COLOURS = np.array([[34, 42, 52], [128, 110, 160], [250, 240, 170], [226, 88, 70]], np.uint8)
NUMBERS = [3, 11, 57]


def main():
    output, models = Path(sys.argv[1]), sys.argv[2:]
    core, shape = openvino.Core(), [1, 3, generate.HEIGHT, generate.WIDTH]
    compiled = []
    for path in models:
        model = core.read_model(path)
        model.reshape(openvino.PartialShape(shape))
        compiled.append(core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}))
    rows = []
    for number in NUMBERS:
        picture, classes = generate.draw("test", number)
        image = ((picture.astype(np.float32) / 255 - 0.5) / 0.25).transpose(2, 0, 1)[None]
        found = [model(np.ascontiguousarray(image))[0][0].argmax(0) for model in compiled]
        gap = np.full((generate.HEIGHT, 6, 3), 255, np.uint8)
        parts = [part for shown in (picture, COLOURS[classes], *(COLOURS[f] for f in found)) for part in (shown, gap)][:-1]
        rows += [np.concatenate(parts, 1), np.full((6, sum(part.shape[1] for part in parts), 3), 255, np.uint8)]
    generate.write_png(output, np.concatenate(rows[:-1]))


if __name__ == "__main__":
    main()
