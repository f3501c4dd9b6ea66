"""python -m tarmac.export torch, as a person or `tarmac deploy` calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch_models as models

from tarmac.export.__main__ import main

MODELS = Path(__file__).parent / "torch_models.py"
IMAGE = ["--input", "image:1,3,32,32"]


def call(
    *arguments: str | Path, folder: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "tarmac.export", *map(str, arguments)]
    env = {**os.environ, **environment}
    return subprocess.run(line, capture_output=True, text=True, cwd=folder, env=env, check=False)


def test_a_file_with_its_weights_becomes_one_json_object(tmp_path: Path) -> None:
    torch.save(models.Detector().state_dict(), tmp_path / "weights.pt")
    (tmp_path / "helper.py").write_text("from torch_models import Detector\n")
    (tmp_path / "my_models.py").write_text(
        f"import sys\nsys.path.append({str(MODELS.parent)!r})\n"
        "import helper\n\n\ndef detector():\n    print('built')\n    return helper.Detector()\n"
    )
    done = call(
        "torch", "my_models.py:detector", "--input", "image:float32:1,3,64,64", "--dynamic",
        "image:0=batch", "--weights", "weights.pt", "--opset", "17", "-o", "out.onnx", "--json",
        folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["status"], report["source"], report["opset"]) == ("ok", "torch", 17)
    assert report["framework"] == f"PyTorch {torch.__version__.split('+')[0]}"
    assert [error["output"] for error in report["errors"]] == ["boxes", "scores"]
    assert all(error["max_rel"] < 0.001 and error["samples"] == 2 for error in report["errors"])
    assert done.stderr == ""
    assert (tmp_path / "out.onnx").is_file()


def test_text_for_people_and_real_samples(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "data.npz", image=np.random.default_rng(0).random((3, 3, 32, 32), np.float32)
    )
    done = call(
        "torch",
        f"{MODELS}:Detector",
        *IMAGE,
        "--data",
        "data.npz",
        "-o",
        "out.onnx",
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "compared with the source on 3 given samples" in done.stdout
    assert "scores" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["torch", "nowhere.py:f", *IMAGE], 4, "there is no file nowhere.py"),
        (["torch", "nowhere.models:f", *IMAGE], 4, "there is no Python module 'nowhere'"),
        (["torch", f"{MODELS}:Detektor", *IMAGE], 4, "did you mean Detector"),
        (["torch", f"{MODELS}:math.pi", *IMAGE], 4, "is a float, not a module"),
        (["torch", str(MODELS), *IMAGE], 2, "does not say which module"),
        (["torch", "weights.pt", *IMAGE], 2, "holds weights"),
        (["torch", f"{MODELS}:Detector"], 2, "inputs are not described"),
        (["torch", f"{MODELS}:Detector", "--input", "image"], 2, "image:float32:batch,3,64,48"),
        (["torch", f"{MODELS}:Detector", "--input", "image:1,x y,3"], 2, "'x y' is no axis"),
        (["torch", f"{MODELS}:Detector", *IMAGE, "--dynamic", "image=0"], 2, "image:0=batch"),
        (["torch", f"{MODELS}:Detector", *IMAGE, "--exporter", "best"], 2, "invalid choice"),
        (["torch", f"{MODELS}:Detector", *IMAGE, "--max-error", "1.5"], 2, "0 to 100 %"),
        (["torhc", "x"], 2, "there is no source 'torhc'"),
    ],
)
def test_what_people_get_wrong(
    arguments: list[str],
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, "-o", "out.onnx", "--json"]) == code
    out, err = capfd.readouterr()
    error = json.loads(out)["error"]
    assert error["code"] == code
    assert said in f"{error['message']} {error['remedy']}"
    assert err.startswith("tarmac.export: ") and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_samples_of_another_shape_are_refused_with_both(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", image=np.zeros((2, 3, 16, 32), np.float32))
    done = call(
        "torch",
        f"{MODELS}:Detector",
        *IMAGE,
        "--data",
        "data.npz",
        "-o",
        "out.onnx",
        folder=tmp_path,
    )
    assert done.returncode == 4
    assert "float32 [2, 3, 16, 32], the input is float32 [1, 3, 32, 32]" in done.stderr


def test_a_python_without_the_framework_goes_on_in_the_frontends(tmp_path: Path) -> None:
    arguments = ["torch", f"{MODELS}:Detector", *IMAGE, "-o", str(tmp_path / "out.onnx")]
    bare = (
        f"import runpy, sys; sys.path.insert(0, {os.environ['PYTHONPATH']!r}); "
        f"sys.argv = ['', *{arguments!r}]; runpy.run_module('tarmac.export', run_name='__main__')"
    )
    line = [getattr(sys, "_base_executable", sys.executable), "-I", "-S", "-c", bare]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.onnx").is_file()
    env = {**os.environ, "TARMAC_CACHE": str(tmp_path)}
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 3
    assert "./dev frontend torch" in done.stderr and "pip install torch" in done.stderr


def test_help_says_what_there_is(tmp_path: Path) -> None:
    done = call("--help", folder=tmp_path)
    assert done.returncode == 0
    assert "saved_model" in done.stdout and "exit codes" in done.stdout
    done = call("torch", "--help", folder=tmp_path)
    assert done.returncode == 0
    assert "--dynamic" in done.stdout
