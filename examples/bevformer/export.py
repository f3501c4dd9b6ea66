#!/usr/bin/env python3
"""Writes the trained BEVFormer as ONNX, and compares the file with PyTorch on real frames.

    python export.py OUT.onnx --data evaluation.npz [--operator] [--weights weights.pt]

The size of the pictures is that of the data: draw it with make_data.py. Batch and number of cameras stay open;
projection and ego motion stay inputs. Without --operator, deformable attention is written as PyTorch has it, with
opset 17's GridSample; with it, as one operator of Tarmac each, with opset 14. Needs the environment of
`./dev frontend torch`, and `python/` of the checkout or the installed package tarmac-deploy.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from model import CELLS, CHANNELS, BevFormer

from tarmac.export.source import ExportError
from tarmac.export.torch import export

HERE = Path(__file__).resolve().parent
INPUTS = ("images", "projection", "ego_motion")


def load(weights: Path) -> BevFormer:
    """In evaluation mode, float32 whatever the file's precision is."""
    network = BevFormer()
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return network.eval()


def first_frames(network: BevFormer, data: Path, count: int) -> list[dict[str, np.ndarray]]:
    """A scene's first frames with the state that they leave, and two frames of four cameras as one batch."""
    with np.load(data) as arrays:
        rows = {name: arrays[name][:count] for name in INPUTS}
    state = np.zeros((1, CELLS * CELLS, CHANNELS), np.float32)
    samples = []
    for i in range(len(rows["images"])):
        samples.append({**{name: rows[name][i : i + 1] for name in INPUTS}, "prev_bev": state})
        with torch.no_grad():
            state = network(*(torch.from_numpy(part) for part in samples[-1].values())).bev.numpy()
    both = {name: np.concatenate([sample[name] for sample in samples[-2:]]) for name in samples[0]}
    return [
        *samples,
        {
            name: part[:, :4] if name in ("images", "projection") else part
            for name, part in both.items()
        },
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path)
    parser.add_argument(
        "--data", type=Path, required=True, help="frames to compare on, as make_data.py draws them"
    )
    parser.add_argument("--frames", type=int, default=3, help="how many of them")
    parser.add_argument("--operator", action="store_true", help="opset 14 with Tarmac's operator")
    parser.add_argument("--weights", type=Path, default=HERE / "weights.pt")
    given = parser.parse_args()
    network = load(given.weights)
    samples = first_frames(network, given.data, given.frames)
    height, width = samples[0]["images"].shape[3:]
    try:
        report = export(
            network,
            given.output,
            inputs=[
                f"images:uint8:batch,cameras,3,{height},{width}",
                "projection:float32:batch,cameras,4,4",
                "ego_motion:float32:batch,3,3",
                f"prev_bev:float32:batch,{CELLS * CELLS},{CHANNELS}",
            ],
            opset=14 if given.operator else 17,
            exporter="torchscript",
            driving_operators=given.operator,
            simplify=given.operator,  # it would put the operator in place of GridSample
            samples=samples,
            sizes={"batch": (1, 2), "cameras": (2, 3)},  # of what is traced
            max_error=1e-3,
        )
    except ExportError as failure:
        print(f"{failure.message}; {failure.remedy}", file=sys.stderr)
        return failure.code
    print(report.text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
