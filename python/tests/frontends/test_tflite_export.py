"""python -m tarmac.export to-tflite."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from watch_support import run_watched

from tarmac._program import run_program
from tarmac.export import __main__ as command
from tarmac.export import to_tflite
from tarmac.export._pictures import preprocessed
from tarmac.export.source import ExportError, TensorSpec

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples/traffic_light"
PICTURES = ROOT / "build/demo/data/traffic_light"
FASTESTDET = ROOT.parent / "shared/data/fastestdet/FastestDet.onnx"
LABELS = ["red", "yellow", "green"]
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def weights(name: str, *shape: int) -> onnx.TensorProto:
    rng = np.random.default_rng(len(name) + sum(shape))
    return numpy_helper.from_array((0.3 * rng.standard_normal(shape)).astype(np.float32), name)


def write(
    path: str,
    nodes: Sequence[Any],
    inputs: dict[str, Any],
    outputs: dict[str, Any],
    parts: Sequence[Any] = (),
) -> Path:
    """A model of opset 17; inputs and outputs: shape by name, (type, shape) where it is no
    float."""

    def infos(values: dict[str, Any]) -> list[Any]:
        typed = {
            name: value if isinstance(value, tuple) else (FLOAT, value)
            for name, value in values.items()
        }
        return [
            helper.make_tensor_value_info(name, kind, shape)
            for name, (kind, shape) in typed.items()
        ]

    graph = helper.make_graph(list(nodes), "graph", infos(inputs), infos(outputs), list(parts))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return Path(path)


def two_inputs() -> Path:
    """Names that TensorFlow does not take, and a picture with as many channels as rows and
    columns."""
    make = helper.make_node
    nodes = [
        make("Conv", ["in/put:0", "w"], ["c"], pads=[1, 1, 1, 1]),
        make("Relu", ["c"], ["map.1"]),
        make("GlobalAveragePool", ["map.1"], ["p"]),
        make("Flatten", ["p"], ["f"]),
        make("Concat", ["f", "state"], ["k"], axis=1),
        make("MatMul", ["k", "m"], ["a b/c:0"]),
    ]
    return write(
        "two.onnx",
        nodes,
        {"in/put:0": ["batch", 8, 8, 8], "state": ["batch", 4]},
        {"map.1": ["batch", 8, 8, 8], "a b/c:0": ["batch", 3]},
        [weights("w", 8, 8, 3, 3), weights("m", 12, 3)],
    )


def segmenter() -> Path:
    """Dynamic height and width; upsampling; every size differs."""
    make = helper.make_node
    nodes = [
        make("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        make("Sigmoid", ["c"], ["s"]),
        make("Mul", ["c", "s"], ["m"]),
        make(
            "Resize",
            ["m", "", "by"],
            ["r"],
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        ),
        make("Conv", ["r", "v"], ["y"]),
    ]
    parts = [weights("w", 8, 3, 3, 3), weights("v", 5, 8, 1, 1)]
    parts.append(numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "by"))
    return write(
        "segmenter.onnx", nodes, {"x": ["n", 3, "h", "w"]}, {"y": ["n", 5, "h2", "w2"]}, parts
    )


def attention() -> Path:
    make = helper.make_node
    nodes = [
        make("MatMul", ["tokens", "q"], ["Q"]),
        make("MatMul", ["tokens", "k"], ["K"]),
        make("Transpose", ["K"], ["Kt"], perm=[0, 2, 1]),
        make("MatMul", ["Q", "Kt"], ["S"]),
        make("Softmax", ["S"], ["P"], axis=-1),
        make("MatMul", ["P", "tokens"], ["O"]),
        make("LayerNormalization", ["O", "g", "b"], ["out"], axis=-1),
    ]
    parts = [weights("q", 16, 16), weights("k", 16, 16), weights("g", 16), weights("b", 16)]
    return write(
        "attention.onnx", nodes, {"tokens": ["batch", 10, 16]}, {"out": ["batch", 10, 16]}, parts
    )


def small() -> Path:
    """One matrix: what the tests of options and mistakes convert."""
    node = helper.make_node("Gemm", ["x", "w"], ["y"])
    return write(
        "small.onnx", [node], {"x": ["batch", 6]}, {"y": ["batch", 4]}, [weights("w", 6, 4)]
    )


def lite(path: Path | str) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_path=str(path)).get_signature_runner("serving_default")


def test_pictures_become_nhwc_and_results_stay() -> None:
    model = EXAMPLE / "traffic_light.onnx"
    before = model.read_bytes()
    report = to_tflite.export(model, "out.tflite")
    assert report.errors[0].max_rel < 1e-4
    assert report.inputs[0].onnx_shape == (1, 3, 96, 48)
    assert report.inputs[0].shape == (1, 96, 48, 3)
    assert report.inputs[0].order == (0, 2, 3, 1)
    assert "image: [1, 3, 96, 48] → [1, 96, 48, 3] float32, NCHW became NHWC" in report.text()
    assert lite("out.tflite")(image=np.zeros((1, 96, 48, 3), np.float32))["logits"].shape == (1, 3)
    assert os.listdir() == ["out.tflite"]
    assert model.read_bytes() == before  # onnx2tf writes into its input


@pytest.mark.skipif(
    not PICTURES.is_dir(), reason="the traffic light pictures are not here: ./dev demo brings them"
)
def test_int8_keeps_the_accuracy_of_the_traffic_light_classifier(tmp_path: Path) -> None:
    model, contract = EXAMPLE / "traffic_light.onnx", EXAMPLE / "deploy.yaml"
    report = to_tflite.export(
        model,
        "int8.tflite",
        mode="int8",
        data=PICTURES / "train",
        contract=contract,
        most_samples=300,
    )
    assert report.calibration_samples == 300
    assert report.inputs[0].dtype == report.outputs[0].dtype == "int8"
    assert report.bytes < 0.3 * model.stat().st_size
    assert report.errors[0].snr_db > 25
    # Labelled pictures that calibration never saw, preprocessed by the contract.
    right = {"onnx": 0, "int8": 0}
    count = 0
    runner = lite("int8.tflite")
    scale, zero = runner.get_input_details()["image"]["quantization"]
    for label, name in enumerate(LABELS):
        folder = tmp_path / name
        folder.mkdir()
        spec = TensorSpec("image", "float32", (1, 3, 96, 48))
        pictures = preprocessed(PICTURES / "test" / name, contract, [spec], 1000, folder)
        images = np.concatenate([picture["image"] for picture in pictures])
        np.save(folder / "images.npy", images)
        run_program(
            "run",
            [
                model,
                "--target",
                "onnxruntime",
                "--input",
                f"image={folder}/images.npy",
                "--output-dir",
                folder / "out",
            ],
        )
        right["onnx"] += int(np.sum(np.load(folder / "out/logits.npy").argmax(1) == label))
        quantised = (
            np.clip(np.rint(images / scale) + zero, -128, 127).astype(np.int8).transpose(0, 2, 3, 1)
        )
        right["int8"] += sum(
            int(runner(image=one[None])["logits"].argmax() == label) for one in quantised
        )
        count += len(images)
    assert count == 297
    assert right["onnx"] / count > 0.95
    assert right["int8"] / count > right["onnx"] / count - 0.02


@pytest.mark.skipif(
    not FASTESTDET.is_file(), reason="shared/data/fastestdet is not beside this checkout"
)
def test_a_detector_of_others_converts() -> None:
    report = to_tflite.export(FASTESTDET, "out.tflite")
    assert report.errors[0].max_rel < 1e-3
    assert report.inputs[0].name == "input.1"
    assert report.outputs[0].shape == (1, 22, 22, 85)


@pytest.mark.parametrize("keep", [False, True])
def test_any_names_and_equal_sizes(keep: bool) -> None:
    report = to_tflite.export(two_inputs(), "out.tflite", keep_nchw=keep)
    assert max(error.max_rel for error in report.errors) < 1e-4
    order = (0, 1, 2, 3) if keep else (0, 2, 3, 1)
    assert report.inputs[0].order == report.outputs[0].order == order
    rng = np.random.default_rng(3)
    picture = rng.standard_normal((1, 8, 8, 8)).astype(np.float32)
    state = rng.standard_normal((1, 4)).astype(np.float32)
    np.save("p.npy", picture)
    np.save("s.npy", state)
    run = ["two.onnx", "--target", "onnxruntime", "--output-dir", "o", "--input", "in/put:0=p.npy"]
    done = run_program("run", [*run, "--input", "state=s.npy"])["runs"][0]["outputs"]
    got = lite("out.tflite")(**{"in/put:0": picture.transpose(order), "state": state})
    for name, axes in (("map.1", order), ("a b/c:0", (0, 1))):
        wanted = np.load(done[name]["file"]).transpose(axes)
        assert np.abs(got[name] - wanted).max() < 1e-4 * np.abs(wanted).max()


def test_dynamic_sizes_are_fixed_and_float16_halves_the_weights() -> None:
    model = segmenter()
    with pytest.raises(ExportError, match="dynamic axes") as refused:
        to_tflite.export(model, "out.tflite")
    assert refused.value.code == 2
    report = to_tflite.export(model, "out.tflite", mode="float16", shapes={"x": (2, 3, 32, 40)})
    assert report.inputs[0].shape == (2, 32, 40, 3)
    assert report.outputs[0].shape == (2, 32, 40, 5)
    assert 0 < report.errors[0].max_rel < 0.01


def test_sequences_keep_their_axes() -> None:
    report = to_tflite.export(attention(), "out.tflite")
    assert report.inputs[0].order == (0, 1, 2)
    assert report.errors[0].max_rel < 1e-4


def test_int8_with_float_borders_and_the_limit() -> None:
    x = np.random.default_rng(0).standard_normal((40, 6)).astype(np.float32)
    np.savez("x.npz", x=x)
    model = small()
    report = to_tflite.export(model, "out.tflite", mode="int8", data=Path("x.npz"), io="float32")
    assert report.inputs[0].dtype == "float32"
    assert report.calibration_samples == 40
    assert report.compared_samples == 32
    assert 20 < report.errors[0].snr_db < 80
    Path("out.tflite").unlink()
    with pytest.raises(ExportError, match=r"allowed are 0\.001 %") as refused:
        to_tflite.export(model, "out.tflite", mode="int8", data=Path("x.npz"), max_error=1e-5)
    assert refused.value.code == 5
    assert "SNR" in str(refused.value)
    assert not Path("out.tflite").exists()


def test_nothing_is_downloaded_and_nothing_left(tmp_path_factory: pytest.TempPathFactory) -> None:
    # A picture of three channels as the only input: what onnx2tf downloads data for.
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    write(
        "rgb.onnx", [node], {"x": [1, 3, 16, 20]}, {"y": [1, 4, 14, 18]}, [weights("w", 4, 3, 3, 3)]
    )
    np.save("x.npy", np.random.default_rng(0).standard_normal((4, 3, 16, 20)).astype(np.float32))
    arguments = ["to-tflite", "rgb.onnx", "-o", "out.tflite", "--int8", "--data", "x.npy", "--json"]
    done, asked = run_watched(arguments, tmp_path_factory.mktemp("watched"))
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["inputs"][0]["shape"] == [1, 16, 20, 3]
    assert answer["inputs"][0]["scale"] > 0
    assert answer["outputs"][0]["onnx_shape"] == [1, 4, 14, 18]
    assert answer["errors"][0]["snr_db"] > 20
    assert "_worker" in asked
    assert not re.search(r"\bpip\b|socket\.", asked)
    assert sorted(os.listdir()) == ["out.tflite", "rgb.onnx", "x.npy"]


@pytest.fixture
def refuse(capfd: pytest.CaptureFixture[str]) -> Iterator[Any]:
    def check(code: int, *arguments: object) -> str:
        capfd.readouterr()
        before = {name: Path(name).stat().st_mtime_ns for name in os.listdir()}
        assert command.main(["to-tflite", *map(str, arguments)]) == code
        out, err = capfd.readouterr()
        assert out == ""
        assert len(err.splitlines()) == 1, err
        assert {name: Path(name).stat().st_mtime_ns for name in os.listdir()} == before
        return err

    yield check


def test_mistakes_get_one_line_and_a_remedy(refuse: Any) -> None:
    small()
    model, out = "small.onnx", ("-o", "out.tflite")
    assert "no file" in refuse(4, "none.onnx", *out)
    Path("broken.onnx").write_bytes(b"no model")
    assert "broken.onnx" in refuse(4, "broken.onnx", *out)
    assert "folder" in refuse(4, model, "-o", "none/out.tflite")
    assert "--data" in refuse(2, model, *out, "--int8")
    assert "INT8" in refuse(2, model, *out, "--allow-float")
    assert "float16" in refuse(2, model, *out, "--int8", "--float16")
    assert "no data" in refuse(4, model, *out, "--int8", "--data", "none.npz")
    assert "--contract" in refuse(2, model, *out, "--int8", "--data", ".")
    assert "its inputs are x" in refuse(2, model, *out, "--shape", "y:1x6")
    assert "correct --shape" in refuse(2, model, *out, "--shape", "x:1x7")
    assert "NAME:1x3x224x224" in refuse(2, model, *out, "--shape", "x:1xa")
    np.savez("z.npz", z=np.ones((2, 6), np.float32))
    assert "no array 'x'" in refuse(4, model, *out, "--int8", "--data", "z.npz")
    np.savez("wide.npz", x=np.ones((2, 7), np.float32))
    assert "[2, 7]" in refuse(4, model, *out, "--int8", "--data", "wide.npz")
    np.savez("nan.npz", x=np.array([[1, 2, 3, 4, 5, 6], [1, 2, np.nan, 4, 5, 6]], np.float32))
    assert "sample 1 of 'x' has NaN" in refuse(4, model, *out, "--int8", "--data", "nan.npz")
    Path("empty").mkdir()
    contract = ("--contract", EXAMPLE / "deploy.yaml")
    assert "no picture" in refuse(4, model, *out, "--int8", "--data", "empty", *contract)
    assert "folders of pictures" in refuse(2, model, *out, "--data", "nan.npz", *contract)
    assert "at least 1" in refuse(2, model, *out, "--int8", "--data", "z.npz", "--samples", 0)


def test_operators_without_a_form_are_named(refuse: Any) -> None:
    make = helper.make_node
    write("det.onnx", [make("Det", ["x"], ["y"], name="area")], {"x": [2, 4, 4]}, {"y": [2]})
    assert "MatrixDeterminant" in refuse(3, "det.onnx", "-o", "out.tflite")
    node = make("QuickGelu", ["x"], ["y"], name="bend", domain="com.microsoft")
    graph = helper.make_graph(
        [node],
        "graph",
        [helper.make_tensor_value_info("x", FLOAT, [2, 4])],
        [helper.make_tensor_value_info("y", FLOAT, [2, 4])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), "vendor.onnx")
    assert "QuickGelu (node 'bend')" in refuse(3, "vendor.onnx", "-o", "out.tflite")
