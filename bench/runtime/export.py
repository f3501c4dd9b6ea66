"""Writes what bench/models lacks, with an open batch: export.py FOLDER. Random weights, as there."""

import pathlib
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "models"))
import export as models  # noqa: E402


class SmallTransformer(models.VisionTransformer):
    """ViT-Tiny's width and depth."""

    WIDTH, HEADS, BLOCKS = 192, 3, 12


def main():
    target = pathlib.Path(sys.argv[1]) / "vit_tiny.batch.onnx"
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    model = SmallTransformer().eval()
    models.spread_statistics(model)
    partial = target.with_suffix(".partial")
    torch.onnx.export(model, (models.picture()["image"],), str(partial), input_names=["image"], output_names=["output"],
                      opset_version=17, dynamo=False, dynamic_axes={"image": {0: "batch"}, "output": {0: "batch"}})
    partial.rename(target)


if __name__ == "__main__":
    main()
