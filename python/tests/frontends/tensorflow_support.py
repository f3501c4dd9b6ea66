"""What the tests of the exporters from TensorFlow share: the command line in this process, engines,
pinned data."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tarmac._program import run_program
from tarmac.export import __main__ as command
from tarmac.export._tensorflow import load_tensorflow
from tarmac.export.frontends import Frontend

ROOT = Path(__file__).resolve().parents[3]
SHARED = ROOT.parent / "shared" / "data"
tf = load_tensorflow()


class Cli:
    """python -m tarmac.export, with what it printed."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self.capfd = capfd
        self.out = self.err = ""

    def __call__(self, *arguments: object) -> int:
        self.capfd.readouterr()
        code = command.main([str(argument) for argument in arguments])
        self.out, self.err = self.capfd.readouterr()
        return code

    def json(self, *arguments: object) -> dict[str, Any]:
        assert self(*arguments, "--json") == 0, self.err
        answer: dict[str, Any] = json.loads(self.out)
        return answer

    def refuses(self, code: int, *arguments: object) -> str:
        """What it says in one line, without a traceback and without a file left behind."""
        assert self(*arguments) == code, self.out + self.err
        assert self.out == ""
        assert "Traceback" not in self.err
        assert len(self.err.splitlines()) == 1, self.err
        assert self.err.startswith("tarmac.export: ")
        return self.err


def pinned_data(name: str, *parts: str) -> Path:
    """A file of a `data` row of cmake/dependencies.lock, which ./dev test frontends unpacks."""
    row = re.search(
        rf"^data +{name} +(\S+)", (ROOT / "cmake/dependencies.lock").read_text(), re.MULTILINE
    )
    assert row is not None
    path = Frontend("", (), "").python().parents[2] / f"{name}-{row[1]}" / Path(*parts)
    assert path.is_file(), f"{path} is missing: run the tests by ./dev test frontends tensorflow"
    return path


def shared_data(*parts: str) -> Path:
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no {path} beside this checkout")
    return path


def picture(path: Path) -> np.ndarray:
    return tf.io.decode_image(path.read_bytes(), channels=3, expand_animations=False).numpy()


def run_engine(
    model: Path, target: str, inputs: dict[str, np.ndarray], folder: Path
) -> dict[str, np.ndarray]:
    arguments: list[str | Path] = [model, "--target", target, "--output-dir", folder / target]
    for index, (name, array) in enumerate(inputs.items()):
        np.save(folder / f"in{index}.npy", array)
        arguments += ["--input", f"{name}={folder / f'in{index}.npy'}"]
    outputs = run_program("run", arguments)["runs"][0]["outputs"]
    return {name: np.load(entry["file"]) for name, entry in outputs.items()}


def axes(model: Path, which: str = "input") -> dict[str, list[int | str]]:
    graph = onnx.load(model, load_external_data=False).graph
    values = graph.input if which == "input" else graph.output
    return {
        v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in values
    }


def operators(model: Path) -> set[str]:
    return {node.op_type for node in onnx.load(model, load_external_data=False).graph.node}
