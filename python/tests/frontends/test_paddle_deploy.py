"""model: {paddle: …} in deploy.yaml, with the real PaddlePaddle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle
import pytest
from deploy_support import contract, deploy, deployed, load_models, origin, run_plan

MODELS = """
import paddle

def net():
    paddle.seed(1)
    return paddle.nn.Sequential(
        paddle.nn.Conv2D(3, 6, 3, padding=1),
        paddle.nn.ReLU(),
        paddle.nn.AdaptiveAvgPool2D(1),
        paddle.nn.Flatten(),
        paddle.nn.Linear(6, 4),
    )
"""
INPUTS = ["image: {shape: [batch, 3, 16, 12], dtype: float32}"]
IMAGE = np.random.default_rng(0).random((2, 3, 16, 12), dtype=np.float32)


def test_layer_in_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models.py").write_text(MODELS)
    contract(tmp_path, '{paddle: "models.py:net", outputs: [scores]}', INPUTS)
    made = deployed(tmp_path)
    assert made["format"] == "paddle" and "paddle" in made["framework"].lower()
    layer = load_models(tmp_path, monkeypatch).net()
    layer.eval()
    wanted = layer(paddle.to_tensor(IMAGE)).numpy()
    np.testing.assert_allclose(
        run_plan(tmp_path, {"image": IMAGE})["scores"], wanted, rtol=1e-3, atol=1e-4
    )
    assert deployed(tmp_path)["reused"]


def test_saved_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models.py").write_text(MODELS)
    layer = load_models(tmp_path, monkeypatch).net()
    layer.eval()
    spec = [paddle.static.InputSpec([None, 3, 16, 12], "float32", name="image")]
    paddle.jit.save(layer, str(tmp_path / "inference" / "model"), input_spec=spec)
    contract(tmp_path, "{paddle: inference/model, outputs: [scores]}", INPUTS)
    assert not deployed(tmp_path)["reused"]
    assert origin(tmp_path)["format"] == "paddle"
    wanted = layer(paddle.to_tensor(IMAGE)).numpy()
    np.testing.assert_allclose(
        run_plan(tmp_path, {"image": IMAGE})["scores"], wanted, rtol=1e-3, atol=1e-4
    )


def test_what_the_module_raises_is_shown(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text("def net():\n    raise ValueError('no such backbone')\n")
    contract(tmp_path, '{paddle: "models.py:net"}', INPUTS)
    failed = deploy(tmp_path)
    assert failed.status == 4 and "no such backbone" in failed.error, failed.json
