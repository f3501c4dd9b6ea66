"""A TensorFlow-Lite model, float or already quantised, as ONNX. What is quantised stays so, as
QuantizeLinear and DequantizeLinear.

  python -m tarmac.export tflite model.tflite -o model.onnx
  python -m tarmac.export tflite mobilenet_quant.tflite --data birds.npz -o mobilenet.onnx

Inputs and outputs get the names of the file's signature, or else of its tensors. Quantised outputs
may be off by up to four levels: LiteRT's own kernels differ by that much."""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tarmac.export import _tensorflow as shared
from tarmac.export import _tf2onnx, progress
from tarmac.export._tensorflow import Model, Port
from tarmac.export.report import ExportReport
from tarmac.export.source import BAD_INPUT, UNSUPPORTED, ExportError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tarmac.export._tensorflow import Options

LEVELS = 4
MAGIC = b"TFL3"
QUANTISED = frozenset(["int8", "uint8", "int16"])
HEAVY = ("Conv", "ConvTranspose", "MatMul", "Gemm")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="FILE.tflite")
    shared.add_arguments(parser)


def run(args: argparse.Namespace) -> ExportReport:
    model = load(args.model)
    return _write(model, args.output, shared.all_options(args, model))


def export(path: Path | str, output: Path | str, **options: Unpack[Options]) -> ExportReport:
    """Converts a TensorFlow-Lite file. Raises ExportError."""
    return _write(load(Path(path)), output, options)


def load(path: Path) -> Model:
    """Opens the file in LiteRT."""
    shared.check_file(path, "the .tflite file")
    shared.load_tensorflow()
    from ai_edge_litert import interpreter as litert

    progress.step(f"load {path}")
    if path.read_bytes()[4:8] != MAGIC:
        raise ExportError(
            BAD_INPUT, f"{path} is no TensorFlow-Lite file", "its bytes 4 to 7 should be TFL3"
        )
    try:
        interpreter = litert.Interpreter(str(path), num_threads=1)
        interpreter.allocate_tensors()
    except Exception as failure:
        raise _refusal(path, failure) from failure
    _refuse_int16(interpreter, path)
    names = _signature_names(interpreter)
    inputs = [_port(details, names[0]) for details in interpreter.get_input_details()]
    outputs = [_port(details, names[1]) for details in interpreter.get_output_details()]
    return Model(
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        call=_Caller(interpreter, inputs, outputs),
        framework=f"ai-edge-litert {_version()}",
        tflite=path,
        levels=_levels(interpreter),
    )


def _refusal(path: Path, failure: BaseException) -> ExportError:
    unknown = shared.unsupported_op(failure, path)
    if unknown is not None:
        return unknown
    if "Select TensorFlow op" in str(failure):
        # LiteRT does not say which; the file names them as custom operators with this prefix.
        flex = sorted({name.decode() for name in re.findall(rb"Flex(\w+)\0", path.read_bytes())})
        names = ", ".join(flex)
        message = f"{path} uses operators of TensorFlow itself, which LiteRT lacks: {names}"
        return ExportError(
            UNSUPPORTED, message, "export the SavedModel or Keras model that it was made from"
        )
    message = f"{path} cannot be run by LiteRT: {shared.first_line(failure)}"
    return ExportError(BAD_INPUT, message, "the file is damaged: write it again")


def _refuse_int16(interpreter: Any, path: Path) -> None:
    """ONNX has 16-bit QuantizeLinear from opset 21 on, and tf2onnx writes opset 18 at most."""
    for details in interpreter.get_tensor_details():
        if np.dtype(details["dtype"]) == np.int16 and details["quantization"][0] > 0:
            message = (
                f"{path} is quantised to 16 bits (tensor '{details['name']}'), which opset "
                f"{_tf2onnx.HIGHEST_OPSET} lacks"
            )
            raise ExportError(
                UNSUPPORTED,
                message,
                "quantise to 8 bits, or convert the float model and use tarmac quantize",
            )


def _version() -> str:
    from importlib.metadata import version

    return version("ai-edge-litert")


def _signature_names(interpreter: Any) -> tuple[dict[int, str], dict[int, str]]:
    """Names by tensor index, of inputs and of outputs, where the file has exactly one signature."""
    signatures = list(interpreter.get_signature_list())
    if len(signatures) != 1:
        return {}, {}
    runner = interpreter.get_signature_runner(signatures[0])
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    return (
        {d["index"]: name for name, d in inputs.items()},
        {d["index"]: name for name, d in outputs.items()},
    )


def _port(details: Mapping[str, Any], names: Mapping[int, str]) -> Port:
    name = names.get(details["index"], details["name"])
    dtype = np.dtype(details["dtype"])
    if dtype.kind not in "biuf":
        raise ExportError(
            UNSUPPORTED, f"'{name}' has the type {dtype}", "give the model numbers only"
        )
    signature = details.get("shape_signature")
    sizes = (
        signature
        if signature is not None and len(signature) == len(details["shape"])
        else details["shape"]
    )
    return Port(
        details["name"], name, dtype.name, tuple(None if size < 0 else int(size) for size in sizes)
    )


class _Caller:
    """Runs the interpreter at the sizes that it is given."""

    def __init__(self, interpreter: Any, inputs: Sequence[Port], outputs: Sequence[Port]) -> None:
        self.interpreter = interpreter
        self.inputs, self.outputs = inputs, outputs

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        details = self.interpreter.get_input_details()
        resized = False
        for port, detail in zip(self.inputs, details, strict=True):
            if tuple(detail["shape"]) != arrays[port.name].shape:
                self.interpreter.resize_tensor_input(
                    detail["index"], arrays[port.name].shape, strict=True
                )
                resized = True
        if resized:
            self.interpreter.allocate_tensors()
        for port, detail in zip(self.inputs, details, strict=True):
            self.interpreter.set_tensor(detail["index"], arrays[port.name])
        self.interpreter.invoke()
        found = self.interpreter.get_output_details()
        return {
            port.name: self.interpreter.get_tensor(detail["index"])
            for port, detail in zip(self.outputs, found, strict=True)
        }


def _levels(interpreter: Any) -> dict[str, float]:
    """How much one quantisation level of an output is, in the output's own numbers: 1 where it is
    stored quantised, its scale where the last operator makes floats of it."""
    # A delegate is listed as one more maker of what it took over.
    own = [op for op in interpreter._get_ops_details() if op["op_name"] != "DELEGATE"]
    makers = {int(index): op for op in own for index in op["outputs"]}
    tensors = {d["index"]: d for d in interpreter.get_tensor_details()}
    names = _signature_names(interpreter)[1]
    levels = {}
    for details in interpreter.get_output_details():
        name, index = names.get(details["index"], details["name"]), details["index"]
        maker = makers.get(index)
        if details["quantization"][0] > 0 and np.dtype(details["dtype"]).name in QUANTISED:
            levels[name] = 1.0
        elif maker is not None and maker["op_name"] == "DEQUANTIZE":
            scale = tensors[int(maker["inputs"][0])]["quantization"][0]
            if scale > 0:
                levels[name] = float(scale)
    return levels


def _write(model: Model, output: Path | str, options: Options) -> ExportReport:
    absolute = {name: LEVELS * level for name, level in model.levels.items()}
    report = _tf2onnx.write(model, output, options, absolute=absolute)
    found = [*_quantised_notes(report.output), *_level_notes(report, model.levels)]
    return dataclasses.replace(report, notes=(*report.notes, *found))


def _level_notes(report: ExportReport, levels: Mapping[str, float]) -> list[str]:
    return [
        f"output '{error.output}' is off by at most {error.max_abs / levels[error.output]:.3g} "
        f"quantisation levels "
        f"({LEVELS} are allowed whatever the range)"
        for error in report.errors
        if error.output in levels
    ]


def _quantised_notes(output: Path) -> list[str]:
    """How much of the written file is stored and computed in 8 bits."""
    import onnx

    graph = onnx.load(output, load_external_data=False).graph
    counts = Counter(node.op_type for node in graph.node)
    if not counts["DequantizeLinear"]:
        return []
    makers = {name: node.op_type for node in graph.node for name in node.output}
    heavy = [node for node in graph.node if node.op_type in HEAVY]
    both = sum(
        all(makers.get(name) == "DequantizeLinear" for name in node.input[:2]) for node in heavy
    )
    return [
        f"stays quantised: {counts['QuantizeLinear']} QuantizeLinear, "
        f"{counts['DequantizeLinear']} DequantizeLinear; "
        f"{both} of {len(heavy)} convolutions and products of matrices read 8-bit data and 8-bit "
        f"weights"
    ]
