"""Pictures as tensors, by the preprocessing of a contract that also runs on the vehicle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tarmac._program import run_program
from tarmac.export.source import BAD_INPUT, ExportError, TensorSpec

EXTENSIONS = (
    ".jpg",
    ".jpeg",
    ".png",
    ".bmp",
    ".webp",
    ".pgm",
    ".ppm",
    ".nv12",
    ".yuyv",
    ".yuv",
    ".raw",
)


def preprocessed(
    data: Path, contract: Path, specs: Sequence[TensorSpec], most: int, folder: Path
) -> list[dict[str, np.ndarray]]:
    """At most `most` pictures of `data` and its sub-folders, evenly over them, as the contract's
    input takes them: `tarmac run` gets a model that gives back its input."""
    import onnx
    from onnx import helper

    if len(specs) != 1:
        raise ExportError(
            BAD_INPUT,
            f"the model has {len(specs)} inputs, pictures give one",
            "give an .npz with --data",
        )
    spec = specs[0]
    files = sorted(file for file in data.rglob("*") if file.suffix.lower() in EXTENSIONS)
    if not files:
        raise ExportError(
            BAD_INPUT, f"{data} holds no picture", f"expected {', '.join(EXTENSIONS)}"
        )
    if len(files) > most:
        files = [files[(i * len(files)) // most] for i in range(most)]
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))
    value = helper.make_tensor_value_info(spec.name, kind, list(spec.shape))
    same = helper.make_tensor_value_info("same", kind, list(spec.shape))
    graph = helper.make_graph(
        [helper.make_node("Identity", [spec.name], ["same"])], "identity", [value], [same]
    )
    path = folder / "identity.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path
    )
    # Links with numbers for names: pictures of different folders may have one name.
    links = folder / "pictures"
    links.mkdir()
    for number, file in enumerate(files):
        (links / f"{number:06}{file.suffix.lower()}").symlink_to(file.resolve())
    arguments: list[str | Path] = [
        path,
        "--target",
        "onnxruntime",
        "--contract",
        contract,
        "--output-dir",
        folder / "tensors",
    ]
    runs = run_program("run", [*arguments, "--input", f"{spec.name}={links}"])["runs"]
    return [{spec.name: np.load(entry["outputs"]["same"]["file"])} for entry in runs]
