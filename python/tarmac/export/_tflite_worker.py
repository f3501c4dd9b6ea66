"""onnx2tf and TensorFlow's TFLite converter in a child process, in a temporary working folder."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tarmac.export._worker import Unsupported

# onnx2tf takes pictures of its maker's from this file of the working folder, and downloads them
# where it is not there.
_PICTURES = "calibration_image_sample_data_20x128x128x3_float32.npy"


def work(job: dict[str, Any]) -> dict[str, Any]:
    """Job, all paths absolute:
    model: ONNX file with fixed shapes; its i-th input is called in_i, its i-th output out_i
    transposed: for each input, the order of axes that TensorFlow's input shall have, or null to
    keep the shape
    reference: .npz with one sample: in_i as the ONNX model takes them and out_i as it gives them
    samples: .npz with in_i [N, …] for calibration, or null
    mode: float32 | float16 | int8;  io: int8 | uint8 | float32;  allow_float: operators without
    INT8 form stay float
    keep_outputs: outputs get the ONNX model's order of axes
    inputs, outputs: the names to write into the file;  output: the TFLite file
    Result: `orders`: for each output, the order of ONNX axes that the TFLite output has."""
    import tensorflow as tf

    reference = dict(np.load(job["reference"]))
    order_in = [None if order is None else tuple(order) for order in job["transposed"]]
    taken = [
        reference[f"in_{i}"] if o is None else reference[f"in_{i}"].transpose(o)
        for i, o in enumerate(order_in)
    ]
    # onnx2tf cannot tell NCHW from NHWC where both have the same sizes: there it keeps the order,
    # and _save() changes it.
    inside = [
        None if o is None or a.shape == reference[f"in_{i}"].shape else o
        for i, (a, o) in enumerate(zip(taken, order_in, strict=True))
    ]
    model = _to_keras(job["model"], inside, reference)
    given = model(
        [
            tf.convert_to_tensor(reference[f"in_{i}"] if o is None else taken[i])
            for i, o in enumerate(inside)
        ]
    )
    given = list(given) if isinstance(given, (list, tuple)) else [given]
    if len(given) != len(job["outputs"]):
        raise RuntimeError(f"onnx2tf gave {len(given)} outputs instead of {len(job['outputs'])}")
    orders = [
        _order_of(array.numpy(), reference[f"out_{i}"], job["outputs"][i])
        for i, array in enumerate(given)
    ]
    back = [
        tuple(int(a) for a in np.argsort(order)) if job["keep_outputs"] else None
        for order in orders
    ]
    front = [
        None if o == i or o is None else tuple(int(a) for a in np.argsort(o))
        for o, i in zip(order_in, inside, strict=True)
    ]
    _save(model, taken, front, back)
    data = _convert(job, order_in)
    Path(job["output"]).write_bytes(_with_names(data, job["inputs"], job["outputs"]))
    return {"orders": [list(range(len(o))) if job["keep_outputs"] else list(o) for o in orders]}


def _to_keras(
    path: str, orders: list[tuple[int, ...] | None], reference: dict[str, np.ndarray]
) -> Any:
    import onnx
    import onnx2tf
    import onnx2tf.ops

    known = {module.name for module in pkgutil.iter_modules(onnx2tf.ops.__path__)}
    graph = onnx.load(path).graph
    missing = {
        node.op_type: node.name
        for node in reversed(graph.node)
        if node.op_type not in known or node.domain not in ("", "ai.onnx")
    }
    if missing:
        listed = ", ".join(
            f"{operator} (node '{name}')" for operator, name in sorted(missing.items())
        )
        raise Unsupported(f"onnx2tf has no form for {listed}")
    data, kept = [], []
    for i, order in enumerate(orders):
        array = reference[f"in_{i}"] if order is None else reference[f"in_{i}"].transpose(order)
        np.save(f"in_{i}.npy", array)
        data.append([f"in_{i}", f"in_{i}.npy"])
        if order is None:
            kept.append(f"in_{i}")
        if array.ndim == 4 and array.shape[-1] == 3:
            np.save(_PICTURES, array.astype(np.float32))
    return onnx2tf.convert(
        input_onnx_file_path=path,
        output_folder_path="onnx2tf",
        not_use_onnxsim=True,  # Tarmac simplified it already
        custom_input_op_name_np_data_path=data,
        keep_shape_absolutely_input_names=kept or None,
        disable_model_save=True,
        verbosity="error",
    )


def _order_of(got: np.ndarray, wanted: np.ndarray, name: str) -> tuple[int, ...]:
    """The order of the ONNX output's axes in which the converter put them: that of all with this
    shape which fits the numbers."""
    import itertools

    if got.ndim != wanted.ndim:
        raise Unsupported(
            f"output '{name}' has {got.ndim} axes instead of {wanted.ndim} after onnx2tf"
        )
    orders = [
        o
        for o in itertools.permutations(range(got.ndim))
        if tuple(wanted.shape[a] for a in o) == got.shape
    ]
    if not orders:
        raise Unsupported(
            f"output '{name}' has the shape {list(got.shape)} instead of {list(wanted.shape)} "
            "after onnx2tf"
        )
    wide = wanted.astype(np.float64)
    # The first of equals is the one with the least exchanged: permutations() begins with the
    # identity.
    return min(
        orders,
        key=lambda o: float(np.nan_to_num(np.abs(wide.transpose(o) - got), nan=np.inf).sum()),
    )


def _save(
    model: Any,
    taken: list[np.ndarray],
    front: list[tuple[int, ...] | None],
    back: list[tuple[int, ...] | None],
) -> None:
    """As a SavedModel that takes arrays like `taken`; `front` and `back` say how axes change on
    the way in and out."""
    import tensorflow as tf

    @tf.function(
        input_signature=[tf.TensorSpec(a.shape, a.dtype, f"in_{i}") for i, a in enumerate(taken)]
    )
    def serve(*inputs: Any) -> dict[str, Any]:
        outputs = model(
            [
                x if order is None else tf.transpose(x, order)
                for x, order in zip(inputs, front, strict=True)
            ]
        )
        outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        # identity: an output may be another one too, or an input.
        return {
            f"out_{i}": tf.identity(output if order is None else tf.transpose(output, order))
            for i, (output, order) in enumerate(zip(outputs, back, strict=True))
        }

    module = tf.Module()
    module.model, module.serve = model, serve
    tf.saved_model.save(module, "saved_model", signatures={"serving_default": serve})


def _convert(job: dict[str, Any], orders: list[tuple[int, ...] | None]) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(
        "saved_model", signature_keys=["serving_default"]
    )
    sets = tf.lite.OpsSet
    converter.target_spec.supported_ops = [sets.TFLITE_BUILTINS]
    if job["mode"] == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    elif job["mode"] == "int8":
        samples = np.load(job["samples"])
        arrays = [samples[f"in_{i}"] for i in range(len(orders))]

        def representative() -> Iterator[dict[str, np.ndarray]]:
            for rows in zip(*arrays, strict=True):
                yield {
                    f"in_{i}": r if o is None else r.transpose(o)
                    for i, (r, o) in enumerate(zip(rows, orders, strict=True))
                }

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative
        converter.target_spec.supported_ops = [sets.TFLITE_BUILTINS_INT8] + (
            [sets.TFLITE_BUILTINS] if job["allow_float"] else []
        )
        kind = {"int8": tf.int8, "uint8": tf.uint8, "float32": tf.float32}[job["io"]]
        converter.inference_input_type = converter.inference_output_type = kind
    try:
        return bytes(converter.convert())
    except Exception as error:
        raise Unsupported(_why(str(error))) from error


def _why(message: str) -> str:
    import re

    lacking = sorted(set(re.findall(r"'tf\.(\w+)' op is neither", message)))
    if lacking:
        return f"TensorFlow-Lite has no operator for TensorFlow's {', '.join(lacking)}"
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    telling = [
        line
        for line in lines
        if re.search(r"not supported|unsupported|Quantization not yet|failed", line)
    ]
    return "TensorFlow's converter: " + " ".join(dict.fromkeys(telling or lines))[:500]


def _with_names(data: bytes, inputs: list[str], outputs: list[str]) -> bytes:
    """The ONNX model's names, whatever characters they have, on signature and tensors."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    names = {f"in_{i}": name for i, name in enumerate(inputs)} | {
        f"out_{i}": name for i, name in enumerate(outputs)
    }
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    signature = model.signatureDefs[0]
    found = [entry.name.decode() for entry in [*signature.inputs, *signature.outputs]]
    if sorted(found) != sorted(names):
        lost = sorted(names[key] for key in set(names) - set(found))
        raise Unsupported(f"TensorFlow's converter left out {', '.join(lost)}")
    tensors = model.subgraphs[signature.subgraphIndex].tensors
    for entry in [*signature.inputs, *signature.outputs]:
        entry.name = names[entry.name.decode()].encode()
        tensors[entry.tensorIndex].name = entry.name
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
