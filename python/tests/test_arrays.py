"""Arrays go in and out of sessions without copies."""

from __future__ import annotations

import ctypes
import gc
from typing import Any

import numpy as np
import pytest
from conftest import MODEL, model_of

import tarmac

DOUBLES = {"body": "y = Add(x, x)", "inputs": "float[n, 3] x", "outputs": "float[n, 3] y"}


class Producer:
    """What torch.Tensor is to us: an object with __dlpack__."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


class OnGpu(Producer):
    """One whose tensor says that it lies on a GPU."""

    def __dlpack__(self, **_: Any) -> Any:
        capsule = self.array.__dlpack__()
        address = ctypes.pythonapi.PyCapsule_GetPointer
        address.restype, address.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        ctypes.c_int32.from_address(address(capsule, b"dltensor") + 8).value = 2
        return capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0)


@pytest.mark.parametrize("target", ["openvino", "onnxruntime"])
def test_an_input_is_read_where_it_lies(target: str) -> None:
    session = tarmac.Session(model_of(**DOUBLES), target=target)
    x = np.ones((2, 3), np.float32)
    assert (session.run({"x": x})["y"] == 2).all()
    x[:] = 5  # bound already: a copy would still say 1
    assert (session.run()["y"] == 10).all()


@pytest.mark.parametrize("target", ["openvino", "onnxruntime"])
def test_a_dlpack_tensor_is_read_where_it_lies(target: str) -> None:
    session = tarmac.Session(model_of(**DOUBLES), target=target)
    x = np.ones((2, 3), np.float32)
    session.set_input("x", Producer(x))
    gc.collect()
    x[:] = 7
    assert (session.run()["y"] == 14).all()


@pytest.mark.parametrize("target", ["openvino", "onnxruntime"])
def test_an_output_is_the_memory_that_the_engine_wrote(target: str) -> None:
    session = tarmac.Session(model_of(**DOUBLES), target=target)
    x = np.ones((2, 3), np.float32)
    first = session.run({"x": x})["y"]
    address = first.ctypes.data
    del first  # free again: the engine goes on writing there
    second = session.run()["y"]
    assert second.ctypes.data == address
    x[:] = 3
    third = session.run()["y"]
    assert third.ctypes.data != address
    assert (second == 2).all() and (third == 6).all()


def test_results_that_are_kept_are_never_written_again(
    session: tarmac.Session, picture: np.ndarray
) -> None:
    kept = [session.run({"image": picture * i})["logits"] for i in range(10)]
    again = [session.run({"image": picture * i})["logits"].copy() for i in range(10)]
    assert len({array.ctypes.data for array in kept}) == 10
    np.testing.assert_array_equal(kept, again)


def test_memory_is_used_again_once_results_are_gone(picture: np.ndarray) -> None:
    session = tarmac.Session(MODEL)
    for _ in range(10):
        logits = session.run({"image": picture})["logits"]
    counts = session.pool.counts
    assert counts.acquired - counts.reused <= 2, counts
    del logits


def test_an_output_outlives_its_session(picture: np.ndarray) -> None:
    session = tarmac.Session(MODEL)
    logits = session.run({"image": picture})["logits"]
    expected = logits.copy()
    session.close()
    del session
    gc.collect()
    np.ones(1 << 20)  # whoever takes freed memory
    np.testing.assert_array_equal(logits, expected)


def test_outputs_leave_through_dlpack_without_a_copy(
    session: tarmac.Session, picture: np.ndarray
) -> None:
    logits = session.run({"image": picture})["logits"]
    assert np.from_dlpack(logits).ctypes.data == logits.ctypes.data
    assert logits.flags.writeable and not logits.flags.owndata


def test_an_output_goes_into_the_callers_array() -> None:
    session = tarmac.Session(model_of(**DOUBLES))
    y = np.zeros((2, 3), np.float32)
    session.set_output("y", y)
    assert session.run({"x": np.ones((2, 3), np.float32)})["y"] is y
    assert (y == 2).all()


def test_shapes_may_change_from_run_to_run() -> None:
    session = tarmac.Session(model_of(**DOUBLES))
    for n in (1, 4, 2, 4, 1):
        x = np.full((n, 3), n, np.float32)
        np.testing.assert_array_equal(session.run({"x": x})["y"], 2 * x)


@pytest.mark.parametrize("target", ["openvino", "onnxruntime"])
def test_an_output_whose_shape_depends_on_values_is_copied_and_kept(target: str) -> None:
    session = tarmac.Session(
        model_of("y = NonZero(x)", "float[6] x", "int64[1, k] y"), target=target
    )
    first = session.run({"x": np.array([0, 1, 0, 1, 1, 0], np.float32)})["y"]
    second = session.run({"x": np.array([1, 0, 0, 0, 0, 0], np.float32)})["y"]
    assert first.tolist() == [[1, 3, 4]] and second.tolist() == [[0]]


def test_other_strides_are_made_dense() -> None:
    session = tarmac.Session(model_of(**DOUBLES))
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.testing.assert_array_equal(session.run({"x": x.T})["y"], 2 * x.T)
    np.testing.assert_array_equal(session.run({"x": Producer(x.T)})["y"], 2 * x.T)
    np.testing.assert_array_equal(session.run({"x": x.T.astype(">f4")})["y"], 2 * x.T)


def test_read_only_arrays_and_lists_are_inputs_too() -> None:
    session = tarmac.Session(model_of(**DOUBLES))
    x = np.ones((1, 3), np.float32)
    x.flags.writeable = False
    assert session.run({"x": x})["y"].tolist() == [[2, 2, 2]]
    assert session.run({"x": [[1, 2, 3]]})["y"].tolist() == [[2, 4, 6]]


def test_a_tensor_of_another_device_is_refused(
    session: tarmac.Session, picture: np.ndarray
) -> None:
    with pytest.raises(tarmac.InvalidInputError):
        session.run({"image": OnGpu(picture)})


@pytest.mark.parametrize(
    ("onnx", "dtype"),
    [
        ("float", "float32"), ("double", "float64"), ("float16", "float16"), ("int8", "int8"),
        ("int16", "int16"), ("int32", "int32"), ("int64", "int64"), ("uint8", "uint8"),
        ("uint16", "uint16"), ("uint32", "uint32"), ("uint64", "uint64"), ("bool", "bool"),
    ],
)  # fmt: skip
def test_every_plain_type_goes_through(onnx: str, dtype: str) -> None:
    graph = model_of("y = Transpose <perm = [1, 0]> (x)", f"{onnx}[2, 3] x", f"{onnx}[3, 2] y")
    x = np.arange(6).reshape(2, 3).astype(dtype)
    y = tarmac.Session(graph, target="onnxruntime").run({"x": x})["y"]
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y, x.T)


def test_bfloat16_comes_as_that_of_ml_dtypes() -> None:
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    graph = model_of("y = Transpose <perm = [1, 0]> (x)", "bfloat16[2, 3] x", "bfloat16[3, 2] y")
    x = np.arange(6).reshape(2, 3).astype(bfloat16)
    y = tarmac.Session(graph, target="onnxruntime").run({"x": x})["y"]
    assert y.dtype == bfloat16
    np.testing.assert_array_equal(y.astype("f4"), x.T.astype("f4"))


def test_texts_go_through() -> None:
    graph = model_of("y = Identity(x)", "string[2] x", "string[2] y")
    y = tarmac.Session(graph, target="onnxruntime").run({"x": ["stop", "gö"]})["y"]
    assert y.tolist() == ["stop", "gö"]


def test_a_pool_lends_arrays() -> None:
    pool = tarmac.MemoryPool(limit_bytes=1 << 20)
    array = pool.empty((3, 4), "float32")
    array[:] = 1
    address = array.ctypes.data
    del array
    assert pool.empty((3, 4), "float32").ctypes.data == address
    assert pool.counts.reused == 1
    with pytest.raises(tarmac.ResourceExhaustedError):
        pool.empty((1 << 20,), "float32")
    pool.trim()
    assert pool.counts.held_bytes == 0
