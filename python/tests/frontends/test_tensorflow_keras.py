"""Keras models, from .keras and .h5 files."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tensorflow_support import Cli, axes, operators, run_engine, tf

from tarmac.export import keras as exporter
from tarmac.export.source import ExportError, TensorSpec

layers = keras.layers


def network() -> Any:
    """Two outputs by key, of any picture size: an image, and a label."""
    keras.utils.set_random_seed(0)
    x = image = keras.Input((None, None, 3), name="image")
    x = layers.Conv2D(8, 3, strides=2, padding="same")(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.Activation("silu")(layers.DepthwiseConv2D(3, padding="same")(x))
    mask = layers.Conv2DTranspose(4, 2, strides=2)(x)
    label = layers.Dense(5, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, {"mask": mask, "label": label})


def two_inputs() -> Any:
    a, b = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    joined = layers.Dense(3, name="joined")(layers.Concatenate()([a, b]))
    return keras.Model([b, a], [joined, layers.Subtract(name="difference")([a, b])])


def recurrent() -> Any:
    x = keras.Input((7, 5), name="frames")
    return keras.Model(
        x, layers.Dense(2, name="out")(layers.LSTM(6)(layers.GRU(4, return_sequences=True)(x)))
    )


def bidirectional() -> Any:
    x = keras.Input((None, 5), name="frames")
    return keras.Model(
        x, layers.Bidirectional(layers.LSTM(6, return_sequences=True), name="out")(x)
    )


def attention() -> Any:
    x = keras.Input((9, 16), name="tokens")
    y = layers.LayerNormalization()(layers.MultiHeadAttention(4, 8)(x, x) + x)
    return keras.Model(x, layers.Dense(4, activation="gelu", name="out")(y))


def upsampling() -> Any:
    x = keras.Input((None, None, 3), name="image")
    return keras.Model(x, layers.UpSampling2D(2, interpolation="bilinear", name="larger")(x))


def save(model: Any, path: Path) -> Path:
    model.save(path)
    return path


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_names_and_dynamic_axes_are_kept(suffix: str, tmp_path: Path) -> None:
    out = tmp_path / "m.onnx"
    report = exporter.export(save(network(), tmp_path / f"m{suffix}"), out)
    assert {error.output for error in report.errors} == {"mask", "label"}
    assert max(error.max_rel for error in report.errors) < 1e-4
    assert axes(out) == {"image": ["batch", "height", "width", 3]}
    assert axes(out, "output")["label"] == ["batch", 5]
    assert axes(out, "output")["mask"][::3] == ["batch", 4]
    assert "keras 3" in report.framework
    assert "tf2onnx" in report.exporter


def test_channels_first_on_request(tmp_path: Path) -> None:
    """The same numbers in another order, on both engines."""
    path, out = save(network(), tmp_path / "m.keras"), tmp_path / "m.onnx"
    exporter.export(path, out, layout="nchw", output_layout="nchw")
    assert axes(out) == {"image": ["batch", 3, "height", "width"]}
    assert axes(out, "output")["mask"][:2] == ["batch", 4]
    pixels = np.random.default_rng(1).uniform(-1, 1, (2, 32, 48, 3)).astype(np.float32)
    expected = keras.saving.load_model(path)(pixels, training=False)
    for target in ("onnxruntime", "openvino"):
        found = run_engine(out, target, {"image": pixels.transpose(0, 3, 1, 2)}, tmp_path)
        np.testing.assert_allclose(found["mask"].transpose(0, 2, 3, 1), expected["mask"], atol=1e-4)
        np.testing.assert_allclose(found["label"], expected["label"], atol=1e-4)


def test_several_inputs_and_outputs_keep_their_order(tmp_path: Path) -> None:
    out = tmp_path / "m.onnx"
    exporter.export(save(two_inputs(), tmp_path / "m.keras"), out)
    assert list(axes(out)) == ["right", "left"]
    assert list(axes(out, "output")) == ["joined", "difference"]


def test_one_layer_with_two_outputs(tmp_path: Path) -> None:
    x = keras.Input((4, 3), name="x")
    y, state = layers.GRU(2, return_sequences=True, return_state=True, name="rnn")(x)
    exporter.export(keras.Model(x, [y, state]), tmp_path / "m.onnx")
    assert list(axes(tmp_path / "m.onnx", "output")) == ["rnn_0", "rnn_1"]


def test_outputs_of_a_sequential_model_are_named_after_the_layer(tmp_path: Path) -> None:
    model = keras.Sequential(
        [keras.Input((12,), name="v"), layers.Dense(4), layers.Dense(2, name="last")]
    )
    exporter.export(save(model, tmp_path / "m.keras"), tmp_path / "m.onnx")
    assert list(axes(tmp_path / "m.onnx", "output")) == ["last"]


@pytest.mark.parametrize("make", [recurrent, bidirectional])
def test_recurrent_layers(make: Any, tmp_path: Path) -> None:
    report = exporter.export(make(), tmp_path / "m.onnx")
    assert report.errors[0].max_rel < 1e-4
    assert "LSTM" in operators(tmp_path / "m.onnx")


def test_exact_gelu_arrives_as_one_operator(tmp_path: Path) -> None:
    """TensorFlow writes it with Erfc, which tf2onnx does not know."""
    report = exporter.export(attention(), tmp_path / "m.onnx")
    assert report.errors[0].max_rel < 1e-4
    assert "Gelu" in operators(tmp_path / "m.onnx")


def test_erfc_alone(tmp_path: Path) -> None:
    x = keras.Input((4,), name="x")
    exporter.export(keras.Model(x, layers.Lambda(tf.math.erfc, name="y")(x)), tmp_path / "m.onnx")
    values = np.array([[-2, -0.5, 0, 3]], np.float32)
    found = run_engine(tmp_path / "m.onnx", "onnxruntime", {"x": values}, tmp_path)["y"]
    np.testing.assert_allclose(found, tf.math.erfc(values), atol=1e-6)


@pytest.mark.parametrize(("opset", "result"), [(13, 13), (18, 18), (21, 21)])
def test_opsets_below_and_above_what_tf2onnx_knows(opset: int, result: int, tmp_path: Path) -> None:
    report = exporter.export(two_inputs(), tmp_path / "m.onnx", opset=opset)
    assert report.opset == result


def test_layers_that_need_fixed_sizes_say_so_and_get_them(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Keras cannot trace bilinear UpSampling2D at an open size."""
    path, out = save(upsampling(), tmp_path / "m.keras"), tmp_path / "m.onnx"
    assert "--input NAME:DIM" in Cli(capfd).refuses(4, "keras", path, "-o", out)
    report = exporter.export(
        path, out, layout="nchw", shapes=[TensorSpec("image", "", ("n", 3, 16, 24))]
    )
    assert report.errors[0].max_rel < 1e-4
    assert axes(out) == {"image": ["n", 3, 16, 24]}
    assert axes(out, "output")["larger"][1:] == [32, 48, 3]


LAYERS = """
import keras
class Scale(keras.layers.Layer):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor
    def call(self, x):
        return x * self.factor
    def get_config(self):
        return {**super().get_config(), "factor": self.factor}
class Net(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = keras.layers.Dense(3)
    def call(self, x):
        return self.inner(x)
"""


def test_layers_of_ones_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cli, code, out = Cli(capfd), tmp_path / "mylayers.py", tmp_path / "m.onnx"
    code.write_text(LAYERS)
    scope: dict[str, Any] = {}
    exec(LAYERS, scope)
    x = keras.Input((4,), name="x")
    path = save(keras.Model(x, scope["Scale"](3.0, name="scaled")(x)), tmp_path / "m.keras")
    line = cli.refuses(3, "keras", path, "-o", out)
    assert "Scale" in line
    assert "--custom" in line
    answer = cli.json("keras", path, "-o", out, "--custom", f"{code}:Scale")
    assert answer["errors"][0]["output"] == "scaled"
    assert "has no 'Skale'" in cli.refuses(2, "keras", path, "-o", out, "--custom", f"{code}:Skale")
    assert "--custom nowhere" in cli.refuses(4, "keras", path, "-o", out, "--custom", "nowhere")


def test_a_model_of_an_own_class_needs_its_inputs_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cli, code, out = Cli(capfd), tmp_path / "mynets.py", tmp_path / "m.onnx"
    code.write_text(LAYERS)
    scope: dict[str, Any] = {}
    exec(LAYERS, scope)
    net = scope["Net"]()
    net(np.zeros((1, 5), np.float32))
    path = save(net, tmp_path / "net.keras")
    custom = ["--custom", f"{code}:Net"]
    cli.refuses(2, "keras", path, "-o", out, *custom)
    cli.json("keras", path, "-o", out, *custom, "--input", "features:float32:batch,5")
    assert axes(out) == {"features": ["batch", 5]}


def test_lambda_layers_run_only_when_allowed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    x = keras.Input((4,), name="x")
    path = save(
        keras.Model(x, layers.Lambda(lambda v: v * 2, output_shape=(4,), name="y")(x)),
        tmp_path / "m.keras",
    )
    assert "--allow-lambda" in Cli(capfd).refuses(3, "keras", path, "-o", tmp_path / "m.onnx")
    Cli(capfd).json("keras", path, "-o", tmp_path / "m.onnx", "--allow-lambda")


def test_the_user_s_samples_are_taken(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = save(two_inputs(), tmp_path / "m.keras")
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "d.npz",
        left=rng.random((3, 4), np.float32),
        right=rng.random((3, 4), np.float32),
    )
    answer = Cli(capfd).json("keras", path, "-o", tmp_path / "m.onnx", "--data", tmp_path / "d.npz")
    assert answer["data"] == "3 given samples"


def test_bad_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cli, out = Cli(capfd), tmp_path / "m.onnx"
    good = save(two_inputs(), tmp_path / "good.keras")

    def refused(path: Path) -> str:
        return cli.refuses(4, "keras", path, "-o", out)

    assert "no such file" in refused(tmp_path / "missing.keras")
    assert "is a folder" in refused(tmp_path)
    (tmp_path / "half.keras").write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    refused(tmp_path / "half.keras")
    (tmp_path / "noise.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"x" * 500)
    refused(tmp_path / "noise.h5")
    with zipfile.ZipFile(good) as archive, zipfile.ZipFile(tmp_path / "part.keras", "w") as part:
        for name in archive.namelist():
            if name != "model.weights.h5":
                part.writestr(name, archive.read(name))
    refused(tmp_path / "part.keras")
    two_inputs().save_weights(tmp_path / "only.weights.h5")
    assert "weights only" in refused(tmp_path / "only.weights.h5")
    assert cli("keras", good, "-o", tmp_path / "no" / "m.onnx") == 4
    assert not out.exists()


def test_types_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    x = keras.Input((1,), dtype="string", name="text")
    with pytest.raises(ExportError, match="has the type string") as error:
        exporter.export(keras.Model(x, layers.Hashing(8, name="bucket")(x)), tmp_path / "m.onnx")
    assert error.value.code == 3
