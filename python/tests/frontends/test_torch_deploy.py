"""model: {torch: …} in deploy.yaml, with the real PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from deploy_support import contract, deploy, deployed, load_models, origin, run_plan

MODELS = """
import torch
from layers import block

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = torch.nn.Sequential(block(3, 8), block(8, 4))
        self.head = torch.nn.Linear(4, 5)

    def forward(self, image):
        return self.head(self.body(image).mean((2, 3)))

def net():
    torch.manual_seed(1)
    return Net()

def broken():
    raise ValueError("no such backbone")
"""
LAYERS = """
import torch

def block(inputs, outputs):
    convolution = torch.nn.Conv2d(inputs, outputs, 3, padding=1)
    return torch.nn.Sequential(convolution, torch.nn.BatchNorm2d(outputs), torch.nn.ReLU())
"""
INPUTS = ["image: {shape: [batch, 3, 32, 24], dtype: float32}"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "models.py").write_text(MODELS)
    (tmp_path / "layers.py").write_text(LAYERS)
    return tmp_path


def test_plan_gives_what_torch_gives(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = load_models(folder, monkeypatch).net()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(1.5)
    net.eval()
    torch.save(net.state_dict(), folder / "net.pth")
    contract(
        folder, '{torch: "models.py:net", weights: net.pth, outputs: [scores], opset: 17}', INPUTS
    )
    made = deployed(folder)
    assert made["format"] == "torch" and "torch" in made["framework"].lower() and not made["reused"]
    assert [row["name"] for row in made["outputs"]] == ["scores"]
    image = np.random.default_rng(0).standard_normal((2, 3, 32, 24), dtype=np.float32)
    with torch.no_grad():
        wanted = net(torch.from_numpy(image)).numpy()
    np.testing.assert_allclose(
        run_plan(folder, {"image": image})["scores"], wanted, rtol=1e-3, atol=1e-4
    )
    found = origin(folder)
    assert (
        found["source"] == "models.py:net"
        and len(found["source_sha256"]) == len(found["model_sha256"]) == 64
    )


def test_is_exported_again_only_when_something_changed(folder: Path) -> None:
    contract(folder, '{torch: "models.py:net"}', INPUTS)
    assert not deployed(folder)["reused"]
    assert deployed(folder)["reused"]
    (folder / "layers.py").write_text(LAYERS.replace("ReLU", "GELU"))
    assert not deployed(folder)["reused"]


def test_both_exporters_and_an_imported_module(folder: Path) -> None:
    for exporter, opset, name in (
        ("torchscript", 13, "TorchScript"),
        ("dynamo", 18, "torch.export"),
    ):
        contract(folder, f'{{torch: "models:net", exporter: {exporter}, opset: {opset}}}', INPUTS)
        made = deployed(folder)
        assert made["exporter"].startswith(name) and made["opset"] == opset


def test_errors_are_the_exporters_with_their_exit_codes(folder: Path) -> None:
    contract(folder, '{torch: "models.py:broken"}', INPUTS)
    failed = deploy(folder)
    assert (
        failed.status == 4 and "no such backbone" in failed.error and "model.torch" in failed.error
    )
    contract(folder, '{torch: "models.py:absent"}', INPUTS)
    assert deploy(folder).status in (2, 4)
    contract(folder, '{torch: "models.py:net", max_error: 0%}', INPUTS)
    failed = deploy(folder)
    assert failed.status == 5, failed.json
    assert not (folder / "out" / "net.onnx").exists()
    contract(folder, '{torch: "models.py:net", time_limit: 300 ms}', INPUTS)
    failed = deploy(folder)
    assert failed.status == 4 and "model.time_limit" in failed.error
