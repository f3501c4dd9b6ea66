"""Driving operators leave PyTorch as one node each, and every engine computes them as PyTorch does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import torch_models as models
from torch import Tensor, nn

from tarmac._program import run_program
from tarmac.export import torch_ops
from tarmac.export.torch import export
from tarmac.export.torch_patch import patch

BOTH = pytest.mark.parametrize("exporter", ["torchscript", "dynamo"])


def check(
    module: nn.Module, inputs: dict[str, Tensor], exporter: str, folder: Path
) -> Counter[str]:
    """Exports, runs the file on both engines, and returns the operators of the domain `tarmac`."""
    out = folder / "out.onnx"
    export(module, out, inputs=inputs, exporter=exporter, max_error=1e-4, simplify=False)
    with torch.no_grad():
        expected = module.eval()(**inputs).numpy()
    for target in ("onnxruntime", "openvino"):
        arguments: list[str | Path] = [out, "--target", target, "--output-dir", folder / target]
        for name, value in inputs.items():
            np.save(folder / f"{name}.npy", value.numpy())
            arguments += ["--input", f"{name}={folder / name}.npy"]
        run_program("run", arguments)
        found = np.load(folder / target / "output.npy")
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    nodes = onnx.load(out).graph.node
    assert not any(node.op_type == "GridSample" for node in nodes)
    return Counter(node.op_type for node in nodes if node.domain == "tarmac")


def attention_inputs() -> dict[str, Tensor]:
    torch.manual_seed(10)
    return {
        "query": torch.randn(2, 9, 32),
        "features": torch.randn(2, 60, 32),
        "reference": torch.rand(2, 9, 2, 2),
    }


@BOTH
def test_deformable_attention_of_mmcv(exporter: str, tmp_path: Path) -> None:
    found = check(models.DeformableAttention(), attention_inputs(), exporter, tmp_path)
    assert found == {"MultiScaleDeformableAttention": 1}


@BOTH
def test_deformable_attention_without_its_cuda_kernel(exporter: str, tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    module = models.DeformableAttention(by_function=True)
    report = export(module, out, inputs=attention_inputs(), exporter=exporter, simplify=False)
    nodes = [node.op_type for node in onnx.load(out).graph.node if node.domain == "tarmac"]
    assert nodes == ["MultiScaleDeformableAttention"]
    assert any("not compiled with GPU support" in note for note in report.notes)
    with pytest.raises(RuntimeError, match="not compiled"):
        module(**attention_inputs())  # nothing stays redirected


@pytest.mark.parametrize("by_mmcv", [True, False])
@BOTH
def test_deformable_convolution(exporter: str, by_mmcv: bool, tmp_path: Path) -> None:
    torch.manual_seed(11)
    inputs = {"x": torch.randn(2, 8, 11, 13)}
    found = check(models.DeformableConvolution(by_mmcv), inputs, exporter, tmp_path)
    assert found == {"DeformConv2d": 1}


@BOTH
def test_bev_pool_of_bevdet(exporter: str, tmp_path: Path) -> None:
    torch.manual_seed(12)
    inputs = {"features": torch.randn(2, 8, 3, 5)}
    assert check(models.ViewTransformer(), inputs, exporter, tmp_path) == {"BevPool": 1}


class Called(nn.Module):
    """Operators called by their public names, with what is optional left out."""

    def __init__(self, call: Callable[..., Tensor]) -> None:
        super().__init__()
        self.call = call

    def forward(self, x: Tensor, offset: Tensor | None = None) -> Tensor:
        return self.call(x) if offset is None else self.call(x, offset)


@BOTH
def test_the_operators_by_their_public_names(exporter: str, tmp_path: Path) -> None:
    torch.manual_seed(13)
    cells = torch.randint(0, 12, (20,))
    pooled = Called(lambda x: torch_ops.bev_pool(x, cells, (1, 1, 3, 4)) * 2)
    (tmp_path / "pool").mkdir()
    found = check(pooled, {"x": torch.randn(20, 5)}, exporter, tmp_path / "pool")
    assert found == {"BevPool": 1}
    weight = torch.randn(4, 2, 3, 3)
    convolved = Called(lambda x, offset: torch_ops.deform_conv2d(x, offset, weight, padding=1))
    (tmp_path / "conv").mkdir()
    inputs = {"x": torch.randn(1, 4, 6, 7), "offset": torch.randn(1, 18, 6, 7)}
    assert check(convolved, inputs, exporter, tmp_path / "conv") == {"DeformConv2d": 1}


@BOTH
def test_a_simplified_file_keeps_the_operator(exporter: str, tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    export(models.DeformableAttention(), out, inputs=attention_inputs(), exporter=exporter)
    types = Counter(node.op_type for node in onnx.load(out).graph.node)
    assert types["MultiScaleDeformableAttention"] == 1


@BOTH
def test_deformable_attention_with_a_dynamic_batch(exporter: str, tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    report = export(
        models.DeformableAttention(),
        out,
        inputs=[
            f"{n}:{','.join(map(str, ('batch', *v.shape[1:])))}"
            for n, v in attention_inputs().items()
        ],
        exporter=exporter,
    )
    assert report.errors[0].samples == 2


def test_eager_deformable_convolution_is_torchvisions() -> None:
    import torchvision

    torch.manual_seed(14)
    x, offset = torch.randn(2, 6, 9, 8), torch.randn(2, 3 * 2 * 6, 5, 8) * 3
    mask, weight, bias = torch.rand(2, 3 * 6, 5, 8), torch.randn(4, 3, 3, 2), torch.randn(4)
    settings = {"stride": (2, 1), "padding": (2, 1), "dilation": (2, 2), "mask": mask}
    expected = torchvision.ops.deform_conv2d(x, offset, weight, bias, **settings)
    found = torch_ops.deform_conv2d(x, offset, weight, bias, **settings)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_eager_attention_is_mmcvs_with_levels_anywhere() -> None:
    torch.manual_seed(15)
    shapes, starts = torch.tensor([[3, 4], [6, 8]]), torch.tensor([48, 0])
    value = torch.randn(1, 60, 2, 4)
    locations, weights = torch.rand(1, 5, 2, 2, 3, 2) * 1.4 - 0.2, torch.rand(1, 5, 2, 2, 3)
    in_order = torch.cat([value[:, 48:], value[:, :48]], 1)
    expected = models.multi_scale_deformable_attn_pytorch(in_order, shapes, locations, weights)
    found = torch_ops.multi_scale_deformable_attention(value, shapes, locations, weights, starts)
    torch.testing.assert_close(found, expected)


def test_the_operators_are_well_formed() -> None:
    torch.manual_seed(16)
    cells = torch.randint(0, 12, (20,))
    none = (None,) * 2
    x, offset = torch.randn(1, 4, 6, 7), torch.randn(1, 18, 6, 7)
    weight = torch.randn(4, 4, 3, 3)
    value, shapes = torch.randn(1, 12, 2, 4), torch.tensor([[3, 4]])
    locations, weights = torch.rand(1, 5, 2, 1, 3, 2), torch.rand(1, 5, 2, 1, 3)
    cases = {
        torch.ops.tarmac.bev_pool.default: (
            None, torch.randn(20, 5), *none, cells, *none, 1, 1, 3, 4, "BCZHW"
        ),
        torch.ops.tarmac.deform_conv2d.default: (
            x, offset, weight, None, [1, 1], [1, 1], [1, 1], None
        ),
        torch.ops.tarmac.multi_scale_deformable_attention.default: (
            value, shapes, None, locations, weights
        ),
    }  # fmt: skip
    for operator, arguments in cases.items():
        torch.library.opcheck(operator, arguments)


def test_only_what_is_called_is_told_and_all_is_put_back() -> None:
    original = models.multi_scale_deformable_attn_pytorch
    module, inputs = models.DeformableAttention(), attention_inputs()
    expected = module(**inputs)
    with patch() as called:
        assert models.multi_scale_deformable_attn_pytorch is not original
        assert called == []
        torch.testing.assert_close(module(**inputs), expected)
        assert called == ["torch_models.multi_scale_deformable_attn_pytorch"]
    assert models.multi_scale_deformable_attn_pytorch is original
    assert "apply" not in vars(models.MultiScaleDeformableAttnFunction)


def test_a_function_of_the_same_name_but_other_parameters_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def bev_pool(feats: Tensor, where: Tensor) -> Tensor:
        return feats

    monkeypatch.setattr(models, "bev_pool", bev_pool, raising=False)
    with patch():
        assert models.bev_pool is bev_pool  # type: ignore[attr-defined]
