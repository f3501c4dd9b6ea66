"""SavedModels: signatures, names, and what people get wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tensorflow_support import ROOT, Cli, axes, run_engine, tf

from tarmac.export import saved_model


class Service(tf.Module):  # type: ignore[misc]
    """Names whose order in the code is not that of the alphabet."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable(tf.random.stateless_uniform((3, 4), (1, 2), -1, 1))

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, 3), name="points"),
            tf.TensorSpec((None, 4), name="bias"),
        ]
    )
    def serve(self, points: tf.Tensor, bias: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"z": points @ self.weights + bias, "count": tf.reduce_sum(bias, axis=1)}

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8, name="picture")])
    def brightness(self, picture: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"mean": tf.reduce_mean(tf.cast(picture, tf.float32) / 255, axis=[1, 2, 3])}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "service"
    service = Service()
    tf.saved_model.save(
        service,
        str(path),
        signatures={"serving_default": service.serve, "bright": service.brightness},
    )
    return path


def test_inputs_and_outputs_have_the_signature_s_names(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.onnx"
    report = saved_model.export(folder, out)
    assert {error.output for error in report.errors} == {"z", "count"}
    assert axes(out) == {"points": ["batch", 3], "bias": ["batch", 4]} or axes(out) == {
        "bias": ["batch", 4],
        "points": ["batch", 3],
    }
    rng = np.random.default_rng(0)
    inputs = {"points": rng.random((2, 3), np.float32), "bias": rng.random((2, 4), np.float32)}
    expected = tf.saved_model.load(str(folder)).signatures["serving_default"](**inputs)
    for target in ("onnxruntime", "openvino"):
        found = run_engine(out, target, inputs, tmp_path)
        np.testing.assert_allclose(found["z"], expected["z"], atol=1e-5)
        np.testing.assert_allclose(found["count"], expected["count"], atol=1e-5)


def test_another_signature_and_layout(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m.onnx"
    answer = Cli(capfd).json(
        "saved_model", folder, "--signature", "bright", "--layout", "NCHW", "-o", out
    )
    assert answer["errors"][0]["output"] == "mean"
    assert axes(out) == {"picture": ["batch", 3, "height", "width"]}
    assert axes(out, "output") == {"mean": ["batch"]}


def test_the_program_can_be_read_by_programs(folder: Path, tmp_path: Path) -> None:
    """A process of its own: one JSON object on stdout, nothing of TensorFlow's on either stream."""
    line = [sys.executable, "-m", "tarmac.export", "saved_model", str(folder), "-o", "m.onnx"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    done = subprocess.run(
        line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith("m.onnx: ")
    assert "compared with the source" in done.stdout


def test_models_exported_by_keras(tmp_path: Path) -> None:
    x = tf.keras.Input((8, 8, 3), name="image")
    y = tf.keras.layers.Dense(2)(tf.keras.layers.Flatten()(tf.keras.layers.Conv2D(4, 3)(x)))
    tf.keras.Model(x, {"score": y}).export(tmp_path / "export", verbose=False)
    report = saved_model.export(tmp_path / "export", tmp_path / "m.onnx")
    assert report.errors[0].max_rel < 1e-4
    assert axes(tmp_path / "m.onnx", "output") == {"score": ["batch", 2]}


def test_control_flow(tmp_path: Path) -> None:
    class Loop(tf.Module):  # type: ignore[misc]
        @tf.function(
            input_signature=[tf.TensorSpec((3,), name="x"), tf.TensorSpec((), tf.int32, name="n")]
        )
        def double(self, x: tf.Tensor, n: tf.Tensor) -> dict[str, tf.Tensor]:
            for _ in tf.range(n):
                x = tf.cond(tf.reduce_sum(x) < 100, lambda x=x: x * 2, lambda x=x: x)
            return {"y": x}

    loop = Loop()
    tf.saved_model.save(loop, str(tmp_path / "s"), signatures=loop.double)
    samples = [
        {"x": np.array([1, 2, 3], np.float32), "n": np.array(n, np.int32)} for n in (0, 3, 9)
    ]
    report = saved_model.export(tmp_path / "s", tmp_path / "m.onnx", samples=samples)
    assert report.errors[0].max_rel == 0


def test_an_input_that_does_nothing_is_noted(tmp_path: Path) -> None:
    class Idle(tf.Module):  # type: ignore[misc]
        @tf.function(
            input_signature=[tf.TensorSpec((2,), name="x"), tf.TensorSpec((2,), name="idle")]
        )
        def serve(self, x: tf.Tensor, idle: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"y": x + 1}

    idle = Idle()
    tf.saved_model.save(idle, str(tmp_path / "s"), signatures=idle.serve)
    report = saved_model.export(tmp_path / "s", tmp_path / "m.onnx")
    assert "idle" in axes(tmp_path / "m.onnx") or any("'idle'" in note for note in report.notes)


def test_input_and_output_of_one_name(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    class Same(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec((2,), name="x")])
        def serve(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"x": x + 1}

    same = Same()
    tf.saved_model.save(same, str(tmp_path / "s"), signatures=same.serve)
    assert "share a name: x, x" in Cli(capfd).refuses(
        4, "saved_model", tmp_path / "s", "-o", tmp_path / "m.onnx"
    )


def test_wrong_words(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cli, out = Cli(capfd), tmp_path / "m.onnx"
    line = cli.refuses(2, "saved_model", folder, "--signature", "nothing", "-o", out)
    assert "bright, serving_default" in line
    assert "nchw" in cli.refuses(2, "saved_model", folder, "--layout", "nchw", "-o", out)
    assert "no input 'q'" in cli.refuses(2, "saved_model", folder, "--input", "q:1,3", "-o", out)


def test_bad_folders(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cli, out = Cli(capfd), tmp_path / "m.onnx"

    def refused(path: Path) -> str:
        return cli.refuses(4, "saved_model", path, "-o", out)

    assert "no such folder" in refused(tmp_path / "missing")
    assert f"{folder} has one" in refused(folder.parent)
    (tmp_path / "empty").mkdir()
    assert "no saved_model.pb" in refused(tmp_path / "empty")
    (tmp_path / "m.keras").write_bytes(b"x")
    assert "use 'keras'" in refused(tmp_path / "m.keras")
    for name, damage in (
        ("half", lambda data: data[: len(data) // 2]),
        ("noise", lambda data: b"\xff" * 999),
    ):
        shutil.copytree(folder, tmp_path / name)
        file = tmp_path / name / "saved_model.pb"
        file.write_bytes(damage(file.read_bytes()))
        refused(tmp_path / name)
    shutil.copytree(folder, tmp_path / "weightless")
    shutil.rmtree(tmp_path / "weightless" / "variables")
    refused(tmp_path / "weightless")
    tf.saved_model.save(tf.Module(), str(tmp_path / "bare"))
    assert "no signature" in refused(tmp_path / "bare")
    assert not out.exists()
    assert "use: saved_model" in cli.refuses(
        4, "frozen_graph", folder / "saved_model.pb", "--outputs", "y", "-o", out
    )
