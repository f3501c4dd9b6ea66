"""An ONNX file on ONNX Runtime, by the program `tarmac`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tarmac._program import run_program


def run_onnx(
    model: Path,
    samples: Sequence[Mapping[str, np.ndarray]],
    inputs: Sequence[str],
    outputs: Sequence[str],
    folder: Path,
) -> list[dict[str, np.ndarray]]:
    """The outputs of each sample; the model is loaded once. Tensors pass through `folder`. Raises
    ProgramError."""
    arguments: list[str | Path] = [
        model,
        "--target",
        "onnxruntime",
        "--output-dir",
        folder / "outputs",
    ]
    for index, name in enumerate(inputs):
        (folder / f"input{index}").mkdir()
        for number, sample in enumerate(samples):
            file = folder / f"input{index}" / f"sample{number}.npy"
            np.save(file, np.asarray(sample[name], order="C"))
            arguments += ["--input", f"{name}={file}"]
    runs = run_program("run", arguments)["runs"]
    if len(samples) > 1:
        by_name = {run["name"]: run for run in runs}
        runs = [by_name[f"sample{number}"] for number in range(len(samples))]
    return [{name: np.load(run["outputs"][name]["file"]) for name in outputs} for run in runs]
