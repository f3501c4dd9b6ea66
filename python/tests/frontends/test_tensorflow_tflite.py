"""TensorFlow-Lite models: float ones, quantised ones, and a real one with its picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from tensorflow_support import Cli, axes, picture, run_engine, shared_data, tf

from tarmac.export import tflite
from tarmac.export.source import ExportError

layers = tf.keras.layers
KINDS = ("float", "float16", "dynamic", "int8", "int8_io", "uint8_io", "int16")


def samples() -> Iterator[list[np.ndarray]]:
    rng = np.random.default_rng(0)
    for _ in range(20):
        yield [rng.uniform(-1, 1, (1, 32, 32, 3)).astype(np.float32)]


def lite(kind: str) -> bytes:
    tf.keras.utils.set_random_seed(0)
    x = image = tf.keras.Input((32, 32, 3), name="image")
    x = layers.ReLU(6.0)(
        layers.BatchNormalization()(layers.Conv2D(8, 3, strides=2, padding="same")(x))
    )
    x = layers.Add()([x, layers.DepthwiseConv2D(3, padding="same")(x)])
    x = layers.MaxPool2D(2)(layers.UpSampling2D(2, interpolation="bilinear")(x))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(64, 3, activation="relu")(x))
    converter = tf.lite.TFLiteConverter.from_keras_model(
        tf.keras.Model(image, layers.Dense(5, activation="softmax")(x))
    )
    if kind != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind.startswith(("int", "uint")):
        converter.representative_dataset = samples
    if kind.endswith("_io"):
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = getattr(
            tf, kind.removesuffix("_io")
        )
    if kind == "int16":
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]
    data: bytes = converter.convert()
    return data


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("lite")

    def file(kind: str) -> Path:
        path = folder / f"{kind}.tflite"
        if not path.exists():
            path.write_bytes(lite(kind))
        return path

    return file


def stored_types(model: Path) -> set[int]:
    return {
        tensor.data_type for tensor in onnx.load(model).graph.initializer if len(tensor.dims) == 4
    }


@pytest.mark.parametrize("kind", ["float", "float16"])
def test_float_models(kind: str, files: Callable[[str], Path], tmp_path: Path) -> None:
    out = tmp_path / "m.onnx"
    report = tflite.export(files(kind), out)
    assert report.errors[0].max_rel < 1e-4
    assert axes(out) == {"image": ["batch", 32, 32, 3]}
    assert list(axes(out, "output")) == ["output_0"]
    assert not report.notes


@pytest.mark.parametrize(
    ("kind", "dtype"), [("int8", "float32"), ("int8_io", "int8"), ("uint8_io", "uint8")]
)
def test_quantised_models_stay_quantised_and_within_levels(
    kind: str, dtype: str, files: Callable[[str], Path], tmp_path: Path
) -> None:
    """On both engines, with channels first, at two batch sizes."""
    out = tmp_path / "m.onnx"
    model = tflite.load(files(kind))
    level = model.levels["output_0"]
    assert level == (1 / 256 if dtype == "float32" else 1)  # of a softmax
    report = tflite.export(files(kind), out, layout="nchw")
    assert axes(out) == {"image": ["batch", 3, 32, 32]}
    assert any(
        "4 of 4 convolutions and products of matrices read 8-bit data and 8-bit weights" in n
        for n in report.notes
    )
    assert stored_types(out) == {onnx.TensorProto.INT8}
    rng = np.random.default_rng(3)
    for batch in (1, 3):
        image = rng.uniform(-1, 1, (batch, 32, 32, 3)).astype(np.float32)
        image = (
            image
            if dtype == "float32"
            else (image * 100 + (128 if dtype == "uint8" else 0)).astype(dtype)
        )
        expected = model.call({"image": image})["output_0"]
        assert expected.dtype == dtype
        for target in ("onnxruntime", "openvino"):
            found = run_engine(out, target, {"image": image.transpose(0, 3, 1, 2)}, tmp_path)[
                "output_0"
            ]
            assert (
                np.abs(found.astype(np.float64) - expected.astype(np.float64)).max()
                <= tflite.LEVELS * level + 1e-6
            )


def test_weights_alone_in_8_bits(files: Callable[[str], Path], tmp_path: Path) -> None:
    """Dynamic-range models: LiteRT quantises activations in the run, ONNX computes with them as
    they are."""
    report = tflite.export(files("dynamic"), tmp_path / "m.onnx", max_error=0.03)
    assert onnx.TensorProto.INT8 in stored_types(tmp_path / "m.onnx")
    assert any(note.startswith("stays quantised") for note in report.notes)


def test_16_bits_are_refused_by_name(
    files: Callable[[str], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert "quantised to 16 bits" in Cli(capfd).refuses(
        3, "tflite", files("int16"), "-o", tmp_path / "m.onnx"
    )


@pytest.fixture(scope="module")
def bird() -> np.ndarray:
    image = picture(shared_data("mobilenet_v2_quant", "bird.bmp"))
    pixels: np.ndarray = tf.image.resize(image, (224, 224)).numpy().round().astype(np.uint8)[None]
    return pixels


def test_a_real_quantised_classifier_on_its_picture(
    bird: np.ndarray, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = shared_data("mobilenet_v2_quant", "mobilenet_v2_1.0_224_quant.tflite")
    labels = shared_data("mobilenet_v2_quant", "imagenet_labels.txt").read_text().splitlines()
    out, name = tmp_path / "m.onnx", "MobilenetV2/Predictions/Softmax"
    np.savez(tmp_path / "bird.npz", input=bird)
    answer = Cli(capfd).json("tflite", path, "-o", out, "--data", tmp_path / "bird.npz")
    assert answer["errors"][0]["output"] == name
    assert answer["errors"][0]["max_abs"] <= tflite.LEVELS
    assert any("53 of 53 convolutions" in note for note in answer["notes"]), answer["notes"]
    expected = tflite.load(path).call({"input": bird})[name].astype(int)
    assert "chickadee" in labels[expected.argmax()]
    for target in ("onnxruntime", "openvino"):
        found = run_engine(out, target, {"input": bird}, tmp_path)[name].astype(int)
        assert found.argmax() == expected.argmax()
        assert np.abs(found - expected).max() <= tflite.LEVELS


def test_an_error_of_more_levels_is_an_error(
    files: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = tflite._Caller.__call__

    def off(self: Any, arrays: Any) -> dict[str, np.ndarray]:
        return {name: array + array.dtype.type(5) for name, array in call(self, arrays).items()}

    monkeypatch.setattr(tflite._Caller, "__call__", off)
    with pytest.raises(ExportError, match="differs from the source") as error:
        tflite.export(files("int8_io"), tmp_path / "m.onnx")
    assert error.value.code == 5
    assert not (tmp_path / "m.onnx").exists()


def test_bad_files(
    files: Callable[[str], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cli, out = Cli(capfd), tmp_path / "m.onnx"
    good = files("float").read_bytes()

    def refused(path: Path) -> str:
        return cli.refuses(4, "tflite", path, "-o", out)

    assert "no such file" in refused(tmp_path / "missing.tflite")
    for name, data in (
        ("half", good[: len(good) // 2]),
        ("noise", bytes(range(256)) * 9),
        ("empty", b""),
    ):
        (tmp_path / f"{name}.tflite").write_bytes(data)
        refused(tmp_path / f"{name}.tflite")
    assert not out.exists()


@pytest.mark.parametrize(
    ("call", "op"),
    [(lambda x: tf.math.igamma(x, x), "Igamma"), (tf.linalg.det, "MatrixDeterminant")],
)
def test_operators_that_litert_lacks_are_named(
    call: Any, op: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A custom operator, and one that needs TensorFlow's own kernels."""
    function = tf.function(call, input_signature=[tf.TensorSpec((2, 2), name="x")])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.TFLITE_BUILTINS,
        tf.lite.OpsSet.SELECT_TF_OPS,
    ]
    converter.allow_custom_ops = True
    (tmp_path / "odd.tflite").write_bytes(converter.convert())
    assert op in Cli(capfd).refuses(3, "tflite", tmp_path / "odd.tflite", "-o", tmp_path / "m.onnx")
