"""`tarmac deploy` of a model in its framework, as a user runs it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest


@dataclass(frozen=True)
class Answer:
    status: int
    json: dict[str, Any]
    log: str

    @property
    def error(self) -> str:
        error = self.json["error"]
        return f"{error.get('context', '')}: {error['message']}"


def tarmac(*words: str | Path, folder: Path) -> Answer:
    line = [os.environ["TARMAC_PROGRAM"], *map(str, words), "--json", "-v"]
    # Which Python exports is what this is about.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TARMAC_PY", "PYTHON"))
    }
    done = subprocess.run(
        line, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    return Answer(done.returncode, json.loads(done.stdout), done.stderr)


def contract(folder: Path, model: str, inputs: Sequence[str], more: str = "") -> None:
    """Writes FOLDER/deploy.yaml, for ONNX Runtime."""
    rows = "".join(f"  {row}\n" for row in inputs)
    text = f"version: 1\nname: net\nmodel: {model}\ninputs:\n{rows}targets: [onnxruntime]\n{more}"
    (folder / "deploy.yaml").write_text(text)


def deploy(folder: Path) -> Answer:
    return tarmac("deploy", "deploy.yaml", "-o", "out", folder=folder)


def deployed(folder: Path) -> dict[str, Any]:
    """The part of the report about the export, after a deployment that went well."""
    answer = deploy(folder)
    assert answer.status == 0, answer.json.get("error", answer.log)
    made = answer.json["exported"]
    assert made["outputs"] and all(row["max_rel"] < 1e-3 for row in made["outputs"]), made
    assert (folder / "out" / "net.onnx").is_file()
    assert '"exported":{' in (folder / "out" / "report.html").read_text()
    assert isinstance(made, dict)
    return made


def run_plan(folder: Path, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the plan gives, by output name."""
    words: list[str | Path] = ["run", "out/net.onnxruntime.plan", "--output-dir", "outputs"]
    for name, value in inputs.items():
        np.save(folder / "input.npy", value)
        words += ["--input", f"{name}=input.npy"]
    answer = tarmac(*words, folder=folder)
    assert answer.status == 0, answer.json
    return {path.stem: np.load(path) for path in (folder / "outputs").glob("*.npy")}


def origin(folder: Path) -> dict[str, Any]:
    """Where the plan says that its model comes from."""
    found = tarmac("inspect", "out/net.onnxruntime.plan", folder=folder).json["origin"]
    assert isinstance(found, dict)
    return found


def load_models(folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """FOLDER/models.py, with what lies beside it."""
    monkeypatch.syspath_prepend(folder)
    return load_file("models_of_test", folder / "models.py")


def load_file(name: str, file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
