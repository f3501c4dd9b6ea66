#!/usr/bin/env python3
"""Which conformance cases an engine's own Python API gets right.

usage: peer_baseline.py openvino|onnxruntime CASES_FOLDER OUTPUT_FILE

Needs onnx, numpy, ml_dtypes and the engine's package on the module path. The comparison is that of the C++ runner:
tolerances.json beside this file. A case that crashes the engine counts as failed; the rest go on.
"""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

TOLERANCES = json.loads((Path(__file__).parent / "tolerances.json").read_text())
CASE_TIMEOUT_S = 120


def read_value(path, value_info):
    """(kind, value): numpy array, list of arrays, or None."""
    kind = value_info.type.WhichOneof("value")
    data = path.read_bytes()
    if kind == "sequence_type":
        return numpy_helper.to_list(onnx.SequenceProto.FromString(data))
    if kind == "optional_type":
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(data))
    return numpy_helper.to_array(onnx.TensorProto.FromString(data))


def read_case(folder):
    case = json.loads((folder / "case.json").read_text())
    model = onnx.load(folder / "model.onnx")
    infos = {i.name: i for i in list(model.graph.input) + list(model.graph.output)}
    data_sets = []
    for data in sorted(folder.glob("test_data_set_*")):
        data_sets.append(
            (
                {n: read_value(data / f"input_{j}.pb", infos[n]) for j, n in enumerate(case["inputs"])},
                {n: read_value(data / f"output_{j}.pb", infos[n]) for j, n in enumerate(case["outputs"])},
            )
        )
    return case, model, data_sets


def difference(expected, found, case):
    """Empty when equal within the tolerance table, else the first difference in words."""
    if expected is None:
        return "" if found is None else "expected an absent optional"
    if isinstance(expected, list):
        if not isinstance(found, list) or len(found) != len(expected):
            return "sequence lengths differ"
        return next((d for d in (difference(e, f, case) for e, f in zip(expected, found)) if d), "")
    found = np.asarray(found)
    if found.shape != expected.shape:
        return f"shape {found.shape}, expected {expected.shape}"
    strings = ("O", "U", "S", "T")
    if expected.dtype.kind in strings:
        to_text = lambda v: v.decode() if isinstance(v, bytes) else str(v)
        same = [to_text(a) == to_text(b) for a, b in zip(expected.ravel(), found.ravel())]
        return "" if all(same) else "strings differ"
    if found.dtype != expected.dtype:
        return f"dtype {found.dtype}, expected {expected.dtype}"
    tolerance = TOLERANCES.get(expected.dtype.name)
    if tolerance is None:
        same = expected.astype(np.float64) == found.astype(np.float64) if expected.dtype.kind == "V" else expected == found
        if expected.dtype.kind not in "iub":
            same = same | ((expected != expected) & (found != found))
        return "" if np.all(same) else "values differ"
    rtol, atol = tolerance["rtol"], tolerance["atol"]
    if expected.dtype.name in ("float32", "float64"):
        rtol, atol = max(rtol, case["rtol"]), max(atol, case["atol"])
    expected, found = expected.astype(np.float64), found.astype(np.float64)
    finite = np.abs(expected[np.isfinite(expected)])
    atol += tolerance["of_largest"] * (finite.max() if finite.size else 0.0)
    close = np.isclose(found, expected, rtol=rtol, atol=atol, equal_nan=True)
    return "" if close.all() else "values differ"


def pack(array, bits):
    """Sub-byte elements, low bits first."""
    flat = array.ravel().astype(np.int8).view(np.uint8) & ((1 << bits) - 1)
    per_byte = 8 // bits
    flat = np.concatenate([flat, np.zeros(-len(flat) % per_byte, np.uint8)]).reshape(-1, per_byte)
    return (flat << (np.arange(per_byte, dtype=np.uint8) * bits)).sum(axis=1).astype(np.uint8)


def unpack_int4(data, like):
    nibbles = np.stack([data.view(np.uint8) & 15, data.view(np.uint8) >> 4], axis=-1).ravel()[: like.size].astype(np.int8)
    if like.dtype.name == "int4":
        nibbles = np.where(nibbles > 7, nibbles - 16, nibbles)
    return nibbles.astype(like.dtype).reshape(like.shape)


class OpenVino:
    def __init__(self):
        import openvino as ov

        self.ov = ov
        self.core = ov.Core()
        t = ov.Type
        self.special = {"bfloat16": t.bf16, "float8_e4m3fn": t.f8e4m3, "float8_e5m2": t.f8e5m2}

    version = property(lambda self: "OpenVINO " + self.ov.get_version().split("-")[0])

    def tensor(self, value):
        if isinstance(value, list) or value is None:
            raise TypeError("no sequences or optionals in the API")
        name = value.dtype.name
        if name in self.special:
            tensor = self.ov.Tensor(self.special[name], self.ov.Shape(value.shape))
            width = np.uint16 if value.dtype.itemsize == 2 else np.uint8
            if value.size:
                tensor.data.view(width)[...] = value.view(width)
            return tensor
        if name in ("int4", "uint4"):
            packed = pack(value, 4)
            element = self.ov.Type.u4 if name == "uint4" else self.ov.Type.i4
            return self.ov.Tensor(packed, self.ov.Shape(value.shape), element)
        return self.ov.Tensor(value.copy()) if value.dtype.kind in "biuf" else self.ov.Tensor(value)

    def run(self, folder, case, inputs, outputs):
        # The CPU plugin's own default may be bfloat16 on some machines; its documentation's way to get float32:
        compiled = self.core.compile_model(str(folder / "model.onnx"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        request = compiled.create_infer_request()
        if len(compiled.inputs) == len(inputs):
            feeds = {i: self.tensor(v) for i, v in enumerate(inputs.values())}
        else:  # inputs that nothing reads are gone
            left = {name for port in compiled.inputs for name in port.names}
            feeds = {name: self.tensor(v) for name, v in inputs.items() if name in left}
        request.infer(feeds)
        found = []
        for name, expected in outputs.items():
            tensor = request.get_tensor(name)
            if tensor.element_type == self.ov.Type.string:
                found.append(tensor.str_data)
                continue
            data = tensor.data
            if expected is not None and not isinstance(expected, list) and expected.dtype.name in ("int4", "uint4"):
                found.append(unpack_int4(data, expected))
                continue
            if expected is not None and not isinstance(expected, list) and expected.dtype.name in self.special:
                data = data.view(expected.dtype)
            found.append(data)
        return found


class OnnxRuntime:
    def __init__(self):
        import onnxruntime as ort

        self.ort = ort
        ort.set_default_logger_severity(4)

    version = property(lambda self: "ONNX Runtime " + self.ort.__version__)

    def run(self, folder, case, inputs, outputs):
        session = self.ort.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
        special = any(
            not isinstance(v, list) and v is not None and v.dtype.kind in "V"
            for v in list(inputs.values()) + list(outputs.values())
        )
        if not special:
            return session.run(list(outputs), inputs)
        # numpy has no such types: the API's way is OrtValue with the ONNX type beside the bits.
        feeds = {}
        for name, value in inputs.items():
            bits = value
            if value.dtype.kind == "V":
                bits = value.view(np.uint16 if value.dtype.itemsize == 2 else np.uint8)
            onnx_type = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
            feeds[name] = (
                self.ort.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, onnx_type)
                if value.dtype.kind == "V"
                else self.ort.OrtValue.ortvalue_from_numpy(value)
            )
        results = session.run_with_ort_values(list(outputs), feeds)
        found = []
        for result, expected in zip(results, outputs.values()):
            array = result.numpy()
            if expected.dtype.kind == "V" and array.dtype != expected.dtype:
                array = array.view(expected.dtype)
            found.append(array)
        return found


ENGINES = {"openvino": OpenVino, "onnxruntime": OnnxRuntime}


def worker(engine_name, cases_folder):
    """Reads case names on stdin, answers "name TAB ok" or "name TAB reason"."""
    warnings.simplefilter("ignore")
    engine = ENGINES[engine_name]()
    print(f"version\t{engine.version}", flush=True)
    for line in sys.stdin:
        name = line.strip()
        folder = Path(cases_folder) / name
        try:
            case, _, data_sets = read_case(folder)
            outcome = "ok"
            for inputs, outputs in data_sets:
                found = engine.run(folder, case, inputs, outputs)
                reason = next(
                    (d for d in (difference(e, f, case) for e, f in zip(outputs.values(), found)) if d), ""
                )
                if reason:
                    outcome = "wrong: " + reason
        except BaseException as error:  # whatever the engine throws is an outcome
            outcome = f"error: {type(error).__name__}: {error}"
        print(f"{name}\t{' '.join(outcome.split())[:300]}", flush=True)


def main():
    if len(sys.argv) == 4 and sys.argv[3] == "--worker":
        return worker(sys.argv[1], sys.argv[2])
    if len(sys.argv) != 4 or sys.argv[1] not in ENGINES:
        sys.exit(__doc__)
    engine, cases_folder, output = sys.argv[1:]
    names = sorted(str(p.parent.relative_to(cases_folder)) for p in Path(cases_folder).glob("*/*/model.onnx"))
    outcomes, version, next_case = {}, "", 0
    while next_case < len(names):
        process = subprocess.Popen(
            [sys.executable, __file__, engine, cases_folder, "--worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        version = process.stdout.readline().strip().split("\t")[-1]
        while next_case < len(names):
            process.stdin.write(names[next_case] + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
            while answer and answer.split("\t")[0] != names[next_case]:
                answer = process.stdout.readline()
            outcomes[names[next_case]] = answer.strip().split("\t")[1] if answer else "crashed"
            next_case += 1
            if not answer:
                break
        process.kill()
        process.wait()
    right = sorted(name for name, outcome in outcomes.items() if outcome == "ok")
    header = f"# {version}: {len(right)} of {len(names)} cases of onnx {onnx.__version__} right by its own Python API\n"
    Path(output).write_text(header + "".join(name + "\n" for name in right))
    print(header.strip("# \n"))
    for name, outcome in outcomes.items():
        if outcome != "ok":
            print(f"{name}\t{outcome}")


if __name__ == "__main__":
    main()
