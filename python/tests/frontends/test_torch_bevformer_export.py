"""The example's BEVFormer: its committed ONNX file says what its committed weights say."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
import torch
from deploy_support import load_file
from torch import Tensor, nn

from tarmac.export.onnx_run import run_onnx
from tarmac.export.torch import export

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "bevformer"
INPUTS = ("images", "projection", "ego_motion", "prev_bev")


@pytest.fixture(scope="module")
def example() -> Iterator[ModuleType]:
    sys.path.insert(0, str(EXAMPLE))
    yield load_file("bevformer_export", EXAMPLE / "export.py")
    sys.path.remove(str(EXAMPLE))
    del sys.modules["model"]  # another test's model.py may follow


@pytest.fixture(scope="module")
def network(example: ModuleType) -> nn.Module:
    loaded: nn.Module = example.load(EXAMPLE / "weights.pt")
    return loaded


def projections(batch: int, cameras: int) -> np.ndarray:
    """Cameras 1.5 m high that look around evenly, 70 degrees wide."""
    found = np.zeros((batch, cameras, 4, 4), np.float32)
    for camera in range(cameras):
        yaw = 2 * np.pi * camera / cameras
        forward, right = (np.cos(yaw), np.sin(yaw), 0.0), (np.sin(yaw), -np.cos(yaw), 0.0)
        depth = np.array([*forward, 0.0])
        found[:, camera, 0] = 0.71 * np.array([*right, 0.0]) + 0.5 * depth
        found[:, camera, 1] = 1.96 * np.array([0, 0, -1, 1.5]) + 0.5 * depth
        found[:, camera, 2] = depth
        found[:, camera, 3, 3] = 1
    return found


def sample(batch: int, cameras: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    motion = np.array([[0.99, -0.1, 3.0], [0.1, 0.99, 0.2], [0, 0, 1]], np.float32)
    return {
        "images": rng.integers(0, 256, (batch, cameras, 3, 128, 352), dtype=np.uint8),
        "projection": projections(batch, cameras),
        "ego_motion": np.repeat(motion[None], batch, axis=0),
        "prev_bev": rng.standard_normal((batch, 4096, 96)).astype(np.float32),
    }


def test_the_committed_file_says_what_the_weights_say(network: nn.Module, tmp_path: Path) -> None:
    """At other batches and numbers of cameras than were traced, and with inputs that all matter."""
    first = sample(1, 2, 1)
    samples = [first, sample(2, 3, 2)]
    for name in ("projection", "ego_motion"):
        samples.append({**first, name: sample(1, 2, 1)[name]})
    samples[2]["projection"] = np.roll(first["projection"], 1, axis=1)
    samples[3]["ego_motion"] = np.eye(3, dtype=np.float32)[None]
    model = EXAMPLE / "bevformer.onnx"
    with torch.no_grad():
        expected = [network(*(torch.from_numpy(one[name]) for name in INPUTS)) for one in samples]
    names = expected[0]._fields
    found = run_onnx(model, samples, INPUTS, names, tmp_path)
    for outputs, right in zip(found, expected, strict=True):
        for name in names:
            value = getattr(right, name).numpy()
            limit = 1e-3 * float(value.max() - value.min())
            np.testing.assert_allclose(outputs[name], value, rtol=0, atol=limit)
    for changed in (2, 3):  # neither projection nor ego motion is folded
        assert np.abs(found[changed]["bev"] - found[0]["bev"]).max() > 0.1


def test_the_committed_file_has_no_operators_of_ours() -> None:
    nodes = onnx.load(EXAMPLE / "bevformer.onnx").graph.node
    assert Counter(node.op_type for node in nodes)["GridSample"] == 12
    assert {node.domain for node in nodes} == {""}
    size = sum((EXAMPLE / name).stat().st_size for name in ("bevformer.onnx", "weights.pt"))
    assert size <= 15_000_000


def test_driving_operators_are_left_alone_on_request(example: ModuleType, tmp_path: Path) -> None:
    function = example.load.__globals__["BevFormer"].forward.__globals__[
        "multi_scale_deformable_attn_pytorch"
    ]

    class Attention(nn.Module):
        def forward(self, value: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
            home = function.__globals__  # by its name, as code of its module calls it
            found: Tensor = home["multi_scale_deformable_attn_pytorch"](
                value, [(4, 5), (2, 3)], locations, weights
            )
            return found

    torch.manual_seed(0)
    inputs = {
        "value": torch.randn(1, 26, 2, 8),
        "locations": torch.rand(1, 7, 2, 2, 3, 2),
        "weights": torch.rand(1, 7, 2, 2, 3),
    }
    for ours in (True, False):
        out = tmp_path / f"{ours}.onnx"
        report = export(
            Attention(), out, inputs=inputs, opset=17, simplify=False, driving_operators=ours
        )
        kinds = Counter(node.op_type for node in onnx.load(out).graph.node)
        assert kinds["GridSample"] == (0 if ours else 2)
        assert kinds["MultiScaleDeformableAttention"] == (1 if ours else 0)
        assert any("left as one operator" in note for note in report.notes) == ours
