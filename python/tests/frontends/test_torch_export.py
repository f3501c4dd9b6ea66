"""A PyTorch module becomes an ONNX file that gives what the module gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import torch_models as models

from tarmac._program import run_program
from tarmac.export import ExportError, TensorSpec
from tarmac.export.torch import export

BOTH = pytest.mark.parametrize("exporter", ["torchscript", "dynamo"])


def opset_of(path: Path) -> int:
    return {entry.domain: entry.version for entry in onnx.load(path).opset_import}[""]


def dims_of(path: Path, name: str) -> list[int | str]:
    graph = onnx.load(path).graph
    value = next(v for v in [*graph.input, *graph.output] if v.name == name)
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]


@BOTH
def test_resnet18_runs_at_every_batch(exporter: str, tmp_path: Path) -> None:
    out = tmp_path / "resnet18.onnx"
    module = models.resnet18()
    report = export(module, out, inputs=["image:batch,3,64,64"], exporter=exporter)
    assert report.errors[0].max_rel < 1e-4
    assert report.errors[0].samples == 2
    assert report.nodes_after <= report.nodes_before
    assert dims_of(out, "image") == ["batch", 3, 64, 64]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["resnet18.onnx"]


@BOTH
def test_a_detector_keeps_its_dynamic_sizes_and_names(exporter: str, tmp_path: Path) -> None:
    out = tmp_path / "detector.onnx"
    report = export(
        models.Detector(),
        out,
        inputs={"image": torch.rand(1, 3, 64, 96)},
        dynamic={"image": {0: "batch", 2: "height", 3: "width"}},
        exporter=exporter,
    )
    assert [error.output for error in report.errors] == ["boxes", "scores"]
    assert dims_of(out, "image") == ["batch", 3, "height", "width"]
    # A size that the export never saw.
    picture = tmp_path / "picture.npy"
    np.save(picture, np.random.default_rng(0).random((3, 3, 50, 70), np.float32))
    arguments = [out, "--target", "onnxruntime", "--input", f"image={picture}"]
    run_program("run", [*arguments, "--output-dir", tmp_path])
    with torch.no_grad():
        expected = models.Detector().eval()(torch.from_numpy(np.load(picture)))["scores"].numpy()
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), expected, atol=1e-5)


ENCODER_INPUTS = [TensorSpec("tokens", "int64", ("batch", "length")), "scale:float32:1"]


def test_a_transformer_with_two_inputs_and_a_tuple(tmp_path: Path) -> None:
    out = tmp_path / "encoder.onnx"
    report = export(
        models.Encoder(),
        out,
        inputs=ENCODER_INPUTS,
        outputs=["tokens_out", "mean"],
        sizes={"length": (7, 12)},
    )
    assert [error.output for error in report.errors] == ["tokens_out", "mean"]
    assert dims_of(out, "tokens") == ["batch", "length"]


def test_sizes_that_tracing_froze_are_found_and_the_other_exporter_is_taken(tmp_path: Path) -> None:
    described = {"inputs": ENCODER_INPUTS, "sizes": {"length": (7, 12)}}
    with pytest.raises(ExportError, match="does not run on tokens") as failed:
        export(models.Encoder(), tmp_path / "x.onnx", exporter="torchscript", **described)
    assert failed.value.code == 5
    report = export(models.Encoder(), tmp_path / "x.onnx", opset=17, **described)
    assert (report.exporter, report.opset) == ("torch.export", 17)
    assert any("torchscript wrote a wrong file" in note for note in report.notes)


def test_an_operator_that_torchscript_cannot_write_so_low_comes_by_torch_export(
    tmp_path: Path,
) -> None:
    described = {"inputs": ENCODER_INPUTS, "sizes": {"length": (7, 12)}}
    report = export(models.Encoder(), tmp_path / "x.onnx", opset=13, **described)
    assert (report.exporter, opset_of(tmp_path / "x.onnx")) == ("torch.export", 13)
    assert any("'aten::scaled_dot_product_attention'" in note for note in report.notes)
    assert any("lowered it to 13" in note for note in report.notes)


@pytest.mark.parametrize("opset", [13, 17, 18, 20])
@BOTH
def test_each_opset_that_is_asked_for(exporter: str, opset: int, tmp_path: Path) -> None:
    out = tmp_path / "detector.onnx"
    report = export(
        models.Detector(), out, inputs=["image:1,3,32,32"], opset=opset, exporter=exporter
    )
    assert report.opset == opset == opset_of(out)
    lowered = [note for note in report.notes if "lowered" in note]
    assert len(lowered) == (1 if exporter == "dynamo" and opset < 18 else 0)


def test_auto_goes_by_torch_export_and_below_opset_18_by_torchscript(tmp_path: Path) -> None:
    described = {"inputs": ["image:1,3,32,32"]}
    new = export(models.Detector(), tmp_path / "new.onnx", **described)
    old = export(models.Detector(), tmp_path / "old.onnx", opset=13, **described)
    assert (new.exporter, old.exporter) == ("torch.export", "TorchScript")
    assert not new.notes and not old.notes


def test_the_other_exporter_is_used_and_the_reason_is_told(tmp_path: Path) -> None:
    report = export(models.NotByTorchExport(), tmp_path / "x.onnx", inputs=["x:2,3"])
    assert report.exporter == "TorchScript"
    assert any(note.startswith("exporter torchscript was used because") for note in report.notes)
    assert any("support torch.export yet (torch_models.py:" in note for note in report.notes)


def test_an_exporter_that_was_asked_for_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="--exporter auto") as failed:
        export(models.NotByTorchExport(), tmp_path / "x.onnx", inputs=["x:2,3"], exporter="dynamo")
    assert failed.value.code == 3


def test_a_scripted_module_is_refused_with_the_way_out(tmp_path: Path) -> None:
    module = torch.jit.script(models.Detector())
    with pytest.raises(ExportError, match="export the module that it was made from") as failed:
        export(module, tmp_path / "x.onnx", inputs=["image:1,3,32,32"])
    assert failed.value.code == 3


def test_samples_serve_as_the_example_where_made_up_values_do_not(tmp_path: Path) -> None:
    samples = [{"tokens": np.full((1, 4), 9), "scale": np.ones(1, np.float32)}]
    report = export(
        models.OnlyLargeTokens(),
        tmp_path / "x.onnx",
        inputs=[TensorSpec("tokens", "int64", ("batch", 4)), "scale:1"],
        samples=samples,
        exporter="torchscript",
    )
    assert report.data == "1 given sample"


def test_the_module_is_left_as_it_was(tmp_path: Path) -> None:
    module = models.Detector()
    module.train()
    module.fine.eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    export(module, tmp_path / "x.onnx", inputs=["image:1,3,32,32"])
    assert module.training and not module.fine.training and module.coarse.training
    assert "forward" not in vars(module)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_weights_of_a_state_dict_are_what_the_file_computes_with(tmp_path: Path) -> None:
    trained = models.Detector()
    with torch.no_grad():
        trained.boxes.weight.mul_(3)
    torch.save({"state_dict": trained.state_dict()}, tmp_path / "trained.pt")
    module = models.Detector()
    export(module, tmp_path / "x.onnx", inputs=["image:1,3,32,32"], weights=tmp_path / "trained.pt")
    assert torch.equal(module.boxes.weight, trained.boxes.weight)


def test_weights_of_another_module_are_refused(tmp_path: Path) -> None:
    torch.save(models.Encoder().state_dict(), tmp_path / "other.pt")
    with pytest.raises(ExportError, match=r"'fine.0.weight' is missing.*more") as failed:
        export(
            models.Detector(),
            tmp_path / "x.onnx",
            inputs=["image:1,3,32,32"],
            weights=tmp_path / "other.pt",
        )
    assert failed.value.code == 4


def test_weights_that_run_code_are_refused(tmp_path: Path) -> None:
    torch.save(models.Detector(), tmp_path / "pickled.pt")
    with pytest.raises(ExportError, match="is no state dict") as failed:
        export(
            models.Detector(),
            tmp_path / "x.onnx",
            inputs=["image:1,3,32,32"],
            weights=tmp_path / "pickled.pt",
        )
    assert failed.value.code == 4


def test_shapes_that_the_module_does_not_take(tmp_path: Path) -> None:
    with pytest.raises(
        ExportError, match=r"does not run on image \[1, 4, 32, 32\].*channels"
    ) as failed:
        export(models.Detector(), tmp_path / "x.onnx", inputs=["image:1,4,32,32"])
    assert failed.value.code == 4


def test_a_module_that_raises_is_quoted_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"never finished \(torch_models.py:\d+\)") as failed:
        export(models.Raises(), tmp_path / "x.onnx", inputs=["x:2,3"])
    assert failed.value.code == 4


@pytest.mark.parametrize("opset", [13, 20])
def test_control_flow_by_values_is_refused_with_its_place(opset: int, tmp_path: Path) -> None:
    with pytest.raises(
        ExportError, match=r"values of its tensors, at torch_models.py:\d+"
    ) as failed:
        export(models.Branches(), tmp_path / "x.onnx", inputs=["x:2,3"], opset=opset)
    assert failed.value.code == 3
    assert "torch.where" in failed.value.remedy


@pytest.mark.parametrize("module", [models.Random, models.WrongWhenExported])
def test_a_file_that_computes_something_else_is_not_written(module: type, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="differs from the source: 'output' by") as failed:
        export(module(), tmp_path / "x.onnx", inputs=["x:2,3"])
    assert failed.value.code == 5
    assert list(tmp_path.iterdir()) == []


def test_the_allowed_error_is_the_users(tmp_path: Path) -> None:
    report = export(models.Random(), tmp_path / "x.onnx", inputs=["x:2,3"], max_error=10)
    assert 0.01 < report.errors[0].max_rel < 10


def test_usage_errors_say_what_was_expected(tmp_path: Path) -> None:
    out, module = tmp_path / "x.onnx", models.Detector()
    with pytest.raises(ExportError, match="inputs are not described") as failed:
        export(module, out, inputs=[])
    assert failed.value.code == 2
    with pytest.raises(ExportError, match="it returns boxes, scores"):
        export(module, out, inputs=["image:1,3,32,32"], outputs=["one"])
    with pytest.raises(ExportError, match="there is no folder"):
        export(module, tmp_path / "no" / "x.onnx", inputs=["image:1,3,32,32"])
    with pytest.raises(ExportError, match="no input 'picture'"):
        export(module, out, inputs=["image:1,3,32,32"], dynamic={"picture": {0: "batch"}})
