"""model: {tflite: …}, {keras: …} and {saved_model: …} in deploy.yaml, with the real TensorFlow."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from deploy_support import contract, deploy, deployed, origin, run_plan

IMAGE = np.random.default_rng(0).random((2, 16, 12, 3), dtype=np.float32)


def net() -> keras.Model:
    keras.utils.set_random_seed(1)
    image = keras.Input((16, 12, 3), name="image")
    hidden = keras.layers.Conv2D(6, 3, activation="relu", padding="same")(image)
    scores = keras.layers.Dense(4, name="scores")(keras.layers.GlobalAveragePooling2D()(hidden))
    return keras.Model(image, scores)


def only(outputs: dict[str, np.ndarray]) -> np.ndarray:
    (value,) = outputs.values()
    return value


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return net()


def test_keras_as_it_is_and_with_channels_first(tmp_path: Path, model: keras.Model) -> None:
    model.save(tmp_path / "net.keras")
    wanted = np.asarray(model(IMAGE))
    contract(tmp_path, "{keras: net.keras}", ["image: {shape: [batch, 16, 12, 3], dtype: float32}"])
    made = deployed(tmp_path)
    assert made["format"] == "keras" and made["framework"]
    np.testing.assert_allclose(
        only(run_plan(tmp_path, {"image": IMAGE})), wanted, rtol=1e-3, atol=1e-4
    )
    contract(
        tmp_path,
        "{keras: net.keras}",
        ["image: {shape: [batch, 3, 16, 12], dtype: float32, layout: NCHW}"],
    )
    assert not deployed(tmp_path)["reused"]
    first = np.ascontiguousarray(IMAGE.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(
        only(run_plan(tmp_path, {"image": first})), wanted, rtol=1e-3, atol=1e-4
    )


def test_tensorflow_lite(tmp_path: Path, model: keras.Model) -> None:
    lite = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    (tmp_path / "net.tflite").write_bytes(lite)
    contract(tmp_path, "{tflite: net.tflite}", ["image: {shape: [1, 16, 12, 3], dtype: float32}"])
    assert deployed(tmp_path)["format"] == "tflite"
    assert origin(tmp_path)["source"] == "net.tflite"
    got = only(run_plan(tmp_path, {"image": IMAGE[:1]}))
    np.testing.assert_allclose(got, np.asarray(model(IMAGE[:1])), rtol=1e-3, atol=1e-4)


def test_saved_model(tmp_path: Path, model: keras.Model) -> None:
    model.export(tmp_path / "saved", verbose=False)
    contract(
        tmp_path,
        "{saved_model: saved, signature: serving_default}",
        ["image: {shape: [batch, 16, 12, 3], dtype: float32}"],
    )
    assert deployed(tmp_path)["format"] == "saved_model"
    assert deployed(tmp_path)["reused"]
    got = only(run_plan(tmp_path, {"image": IMAGE}))
    np.testing.assert_allclose(got, np.asarray(model(IMAGE)), rtol=1e-3, atol=1e-4)


def test_frozen_graph_with_the_contracts_inputs(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.uint8, [None, None, None, 3], name="image_tensor")
        mean = tf.reduce_mean(tf.cast(image, tf.float32) / 255, axis=[1, 2])
        tf.identity(tf.matmul(mean, np.arange(12, dtype=np.float32).reshape(3, 4)), name="scores")
        tf.square(mean, name="unused")
    (tmp_path / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
    contract(
        tmp_path,
        '{frozen_graph: graph.pb, outputs: ["scores:0"]}',
        ['"image_tensor:0": {shape: [1, height, 20, 3], dtype: uint8}'],
    )
    made = deployed(tmp_path)
    assert [row["name"] for row in made["outputs"]] == ["scores:0"]
    picture = np.random.default_rng(0).integers(0, 256, (1, 30, 20, 3), dtype=np.uint8)
    wanted = (picture / 255).mean((1, 2)) @ np.arange(12).reshape(3, 4)
    got = only(run_plan(tmp_path, {"image_tensor:0": picture}))
    np.testing.assert_allclose(got, wanted, rtol=1e-3)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(b"\x1c\0\0\0TFL3 damaged")
    contract(tmp_path, "{tflite: net.tflite}", ["x: {shape: [1], dtype: float32}"])
    failed = deploy(tmp_path)
    assert failed.status == 4 and "model.tflite" in failed.error, failed.json
