"""A TensorFlow SavedModel (the folder with saved_model.pb) as ONNX.

  python -m tarmac.export saved_model export/ -o model.onnx
  python -m tarmac.export saved_model export/ --signature detect --layout nchw -o model.onnx

Inputs and outputs get the names that the signature gives them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tarmac.export import _tensorflow as shared
from tarmac.export import _tf2onnx, progress
from tarmac.export._tensorflow import Model, Port
from tarmac.export.report import ExportReport
from tarmac.export.source import BAD_INPUT, UNSUPPORTED, USAGE, ExportError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tarmac.export._tensorflow import Options

DEFAULT_SIGNATURE = "serving_default"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--signature",
        default=DEFAULT_SIGNATURE,
        metavar="NAME",
        help=f"which function (default: {DEFAULT_SIGNATURE})",
    )
    shared.add_arguments(parser)


def run(args: argparse.Namespace) -> ExportReport:
    _tf2onnx.check_opset(args.opset)
    model = load(args.model, args.signature)
    return _tf2onnx.write(model, args.output, shared.all_options(args, model))


def export(
    folder: Path | str,
    output: Path | str,
    *,
    signature: str = DEFAULT_SIGNATURE,
    **options: Unpack[Options],
) -> ExportReport:
    """Converts one signature of a SavedModel. Raises ExportError."""
    return _tf2onnx.write(load(Path(folder), signature), output, options)


def load(folder: Path, signature: str = DEFAULT_SIGNATURE) -> Model:
    """Loads the folder and freezes one of its signatures."""
    folder = _folder(Path(folder))
    progress.step(f"load {folder}")
    tf = shared.load_tensorflow()
    loaded = _loaded(tf, folder)
    function = _signature(loaded, signature, folder)
    # Freezing takes captured tables out of a function for good, so the one to compare with is
    # loaded anew.
    reference = _signature(_loaded(tf, folder), signature, folder)
    return freeze(tf, loaded, function, reference)


def freeze(tf: Any, trackable: Any, function: Any, reference: Any) -> Model:
    """A concrete function with named inputs and outputs as a frozen graph; `reference` is the same
    one, which is called."""
    from tf2onnx.tf_loader import from_trackable

    captured = {tensor.name for tensor in function.graph.internal_captures}
    tensors = [tensor for tensor in function.inputs if tensor.name not in captured]
    # TensorFlow lays out a dict's tensors by its sorted keys.
    inputs = sorted(function.structured_input_signature[1])
    outputs = sorted(function.structured_outputs)
    results = list(function.outputs)
    progress.step("freeze")
    try:
        graph_def, tables = from_trackable(
            trackable, function, [t.name for t in tensors], [t.name for t in results], False
        )
    except ValueError as failure:
        if "2GB" not in str(failure):
            raise
        message = "the model holds more than 2 GB, which TensorFlow cannot freeze into one graph"
        raise ExportError(UNSUPPORTED, message, "export its parts one by one") from failure

    def call(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {
            name: found.numpy()
            for name, found in reference(**{n: tf.constant(arrays[n]) for n in inputs}).items()
        }

    return Model(
        inputs=_ports(inputs, tensors, "input"),
        outputs=_ports(outputs, results, "output"),
        call=call,
        framework=shared.framework_name(tf),
        graph_def=graph_def,
        tables=tables,
    )


def _ports(names: Sequence[str], tensors: Sequence[Any], which: str) -> tuple[Port, ...]:
    return tuple(
        Port(
            tensor.name,
            name,
            shared.numpy_name(tensor.dtype, f"{which} '{name}'"),
            shared.known_shape(tensor.shape),
        )
        for name, tensor in zip(names, tensors, strict=True)
    )


def _folder(path: Path) -> Path:
    if path.name == "saved_model.pb" and path.is_file():
        return path.parent
    if not path.exists():
        raise ExportError(BAD_INPUT, f"{path}: cannot open: no such folder", "check the path")
    if not path.is_dir():
        kinds = {".pb": "frozen_graph", ".keras": "keras", ".h5": "keras", ".tflite": "tflite"}
        hint = f"use '{kinds[path.suffix]}' for it" if path.suffix in kinds else "give the folder"
        raise ExportError(
            BAD_INPUT, f"{path} is a file; a SavedModel is a folder with saved_model.pb", hint
        )
    if not (path / "saved_model.pb").is_file():
        inside = sorted(found.parent for found in path.glob("*/saved_model.pb"))
        hint = (
            f"{inside[0]} has one"
            if inside
            else "give the folder that tf.saved_model.save() or model.export() wrote"
        )
        raise ExportError(BAD_INPUT, f"{path} has no saved_model.pb", hint)
    return path


def _loaded(tf: Any, folder: Path) -> Any:
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    except Exception as failure:
        raise _damaged(folder, failure) from failure
    sets = [sorted(meta.meta_info_def.tags) for meta in saved.meta_graphs]
    if not sets:
        raise ExportError(
            BAD_INPUT, f"{folder}/saved_model.pb holds no graph", "it is damaged or of another kind"
        )
    try:
        return tf.saved_model.load(str(folder), tags=["serve"] if ["serve"] in sets else sets[0])
    except Exception as failure:
        raise shared.unsupported_op(failure, folder) or _damaged(folder, failure) from failure


def _damaged(folder: Path, failure: BaseException) -> ExportError:
    message = f"{folder} is no SavedModel that TensorFlow can load: {shared.first_line(failure)}"
    return ExportError(BAD_INPUT, message, "a file of it is damaged or missing: write it again")


def _signature(loaded: Any, name: str, folder: Path) -> Any:
    if name in loaded.signatures:
        return loaded.signatures[name]
    names = sorted(n for n in loaded.signatures if not n.startswith("_"))
    if not names:
        remedy = "save it with signatures=…, or by Keras' model.export()"
        raise ExportError(
            BAD_INPUT, f"{folder} has no signature, so its inputs have no names", remedy
        )
    raise ExportError(
        USAGE, f"{folder} has no signature '{name}'", f"it has {', '.join(names)}: pass --signature"
    )
