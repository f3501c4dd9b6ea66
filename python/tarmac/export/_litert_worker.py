"""LiteRT in a child process: runs a TFLite file on samples."""

from __future__ import annotations

from typing import Any

import numpy as np


def work(job: dict[str, Any]) -> dict[str, Any]:
    """Job: model: TFLite file; samples: .npz with in_i [N, …] in the ONNX model's order of axes;
    orders: for each input the order of axes that the file has, or null; inputs, outputs: names;
    results: .npz to write, out_i [N, …] in the file's order, real numbers.
    Result: `inputs` and `outputs`: dtype, shape, scale and zero_point (0 and 0 where not
    quantised) by name; `notes`."""
    notes: list[str] = []
    interpreter = _open(job["model"], notes)
    runner = interpreter.get_signature_runner("serving_default")
    details = {"inputs": runner.get_input_details(), "outputs": runner.get_output_details()}
    samples = np.load(job["samples"])
    arrays = [samples[f"in_{i}"] for i in range(len(job["inputs"]))]
    results: list[list[np.ndarray]] = [[] for _ in job["outputs"]]
    for rows in zip(*arrays, strict=True):
        feed = {}
        for name, row, order in zip(job["inputs"], rows, job["orders"], strict=True):
            feed[name] = _quantize(
                row if order is None else row.transpose(order), details["inputs"][name]
            )
        given = runner(**feed)
        for kept, name in zip(results, job["outputs"], strict=True):
            kept.append(_dequantize(given[name], details["outputs"][name]))
    stacked: dict[str, Any] = {f"out_{i}": np.stack(rows) for i, rows in enumerate(results)}
    np.savez(job["results"], **stacked)
    sides = {
        side: {name: _describe(entry) for name, entry in named.items()}
        for side, named in details.items()
    }
    return {**sides, "notes": notes}


def _open(path: str, notes: list[str]) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        interpreter = Interpreter(model_path=path)
        interpreter.allocate_tensors()
        return interpreter
    except RuntimeError as error:
        # XNNPACK refuses some models that LiteRT's own kernels run.
        interpreter = Interpreter(
            model_path=path,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
        first = str(error).strip().splitlines()[0]
        notes.append(
            f"LiteRT's XNNPACK does not take this model ({first}): "
            "create the interpreter without default delegates"
        )
        return interpreter


def _quantize(array: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    kind = np.dtype(detail["dtype"])
    scale, zero = detail["quantization"]
    if kind.kind not in "iu" or scale == 0:
        return array.astype(kind)
    limits = np.iinfo(kind)
    integers: np.ndarray = np.clip(
        np.rint(array.astype(np.float64) / scale) + zero, limits.min, limits.max
    ).astype(kind)
    return integers


def _dequantize(array: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    scale, zero = detail["quantization"]
    if array.dtype.kind not in "iu" or scale == 0:
        return array
    real: np.ndarray = ((array.astype(np.float64) - zero) * scale).astype(np.float32)
    return real


def _describe(detail: dict[str, Any]) -> dict[str, Any]:
    scale, zero = detail["quantization"]
    shape = [int(size) for size in detail["shape"]]
    return {
        "dtype": np.dtype(detail["dtype"]).name,
        "shape": shape,
        "scale": float(scale),
        "zero_point": int(zero),
    }
