"""A Keras model (.keras of Keras 3, or .h5) as ONNX.

  python -m tarmac.export keras model.keras -o model.onnx
  python -m tarmac.export keras model.h5 --custom layers.py:Scale --layout nchw -o model.onnx

Inputs get the names of the model's inputs; outputs the keys of what the model returns, or the names
of the layers that make them."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tarmac.export import _tensorflow as shared
from tarmac.export import _tf2onnx, progress, saved_model
from tarmac.export._tensorflow import Model
from tarmac.export.report import ExportReport
from tarmac.export.source import BAD_INPUT, UNSUPPORTED, USAGE, ExportError, TensorSpec

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tarmac.export._tensorflow import Options

# Keras' words for a class or function that it does not know; names may carry the package they were
# registered in.
OWN_CODE = re.compile(
    r"(?:Could not locate (?:class|function)|Unknown (?:layer|object|class)):? '?(?:[\w.]+>)?(\w+)"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="FILE")
    parser.add_argument(
        "--custom",
        action="append",
        default=[],
        metavar="MODULE[:NAME]",
        help="a module or .py file with layers of your own, and the class or function there "
        "(without it: what the module "
        "registers with keras.saving); repeat it",
    )
    parser.add_argument(
        "--allow-lambda",
        action="store_true",
        help="run the code of Lambda layers in the file: only for files you trust",
    )
    shared.add_arguments(parser)


def run(args: argparse.Namespace) -> ExportReport:
    _tf2onnx.check_opset(args.opset)
    shared.check_file(args.model, "the .keras or .h5 file")
    shared.load_tensorflow()
    custom = dict(entry for text in args.custom for entry in _custom(text))
    options = shared.conversion_options(args)
    model = load(args.model, custom, args.allow_lambda, options["shapes"], options["layout"])
    return _tf2onnx.write(model, args.output, shared.all_options(args, model))


def export(
    model: Path | str | Any,
    output: Path | str,
    *,
    custom: Mapping[str, Any] | None = None,
    allow_lambda: bool = False,
    **options: Unpack[Options],
) -> ExportReport:
    """Converts a Keras model: its file, or the model itself. `custom` gives classes and functions
    of your own by name; `allow_lambda` runs the code of Lambda layers in the file. A model of an
    own class needs `shapes`. Raises ExportError."""
    shapes, layout = options.get("shapes", ()), options.get("layout", "nhwc")
    return _tf2onnx.write(load(model, custom or {}, allow_lambda, shapes, layout), output, options)


def load(
    path: Path | str | Any,
    custom: Mapping[str, Any],
    allow_lambda: bool = False,
    shapes: Sequence[TensorSpec] = (),
    layout: str = "nhwc",
) -> Model:
    """Reads the file and freezes the model as it runs in inference, at the sizes that `shapes` say
    for `layout`."""
    tf = shared.load_tensorflow()
    import keras

    progress.step("load the model")
    given = not isinstance(path, (str, Path))
    model: Any = path if given else _read(keras, Path(path), custom, allow_lambda)
    specs, structure = _inputs(tf, model, {spec.name: spec for spec in shapes}, layout)

    def call(**arrays: Any) -> dict[str, Any]:
        result = model(structure(arrays), training=False)
        return dict(zip(_output_names(model, result), tf.nest.flatten(result), strict=True))

    try:
        function = tf.function(call).get_concrete_function(**specs)
        reference = tf.function(call).get_concrete_function(**specs)
    except Exception as failure:
        message = f"the model does not run on {_said(specs)}: {shared.first_line(failure)}"
        raise ExportError(
            BAD_INPUT, message, "give sizes that it takes: --input NAME:DIM,DIM,…"
        ) from failure
    frozen = saved_model.freeze(tf, model, function, reference)
    order = {name: place for place, name in enumerate(specs)}
    names = list(function.structured_outputs)
    return Model(
        inputs=tuple(sorted(frozen.inputs, key=lambda port: order[port.name])),
        outputs=tuple(sorted(frozen.outputs, key=lambda port: names.index(port.name))),
        call=frozen.call,
        framework=f"{frozen.framework}, keras {keras.__version__}",
        graph_def=frozen.graph_def,
        tables=frozen.tables,
        batched=True,
    )


def _said(specs: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {spec.dtype.name} {spec.shape}" for name, spec in specs.items())


def _inputs(
    tf: Any, model: Any, shapes: Mapping[str, TensorSpec], layout: str
) -> tuple[dict[str, Any], Any]:
    """What each named input is like, and a function that makes of named tensors what the model is
    called with."""
    wanted = {name: shared.framework_shape(spec, layout) for name, spec in shapes.items()}
    tensors = getattr(model, "inputs", None)
    if tensors:
        names = [str(tensor.name).split(":")[0] for tensor in tensors]
        if len(set(names)) < len(names):
            raise ExportError(
                BAD_INPUT, f"inputs share a name: {', '.join(names)}", "name each keras.Input"
            )
        specs = {}
        for name, tensor in zip(names, tensors, strict=True):
            # Sizes that do not fit are reported by TensorFlowSource.
            fits = name in wanted and tf.TensorShape(wanted[name]).is_compatible_with(tensor.shape)
            shape = tf.TensorShape(tensor.shape).merge_with(wanted[name]) if fits else tensor.shape
            specs[name] = tf.TensorSpec(shape, tensor.dtype, name)
        like = getattr(model, "_inputs_struct", tensors if len(tensors) > 1 else tensors[0])
        return specs, lambda arrays: tf.nest.pack_sequence_as(
            like, [arrays[name] for name in names]
        )
    if not shapes:
        remedy = "say them in the order of its call: --input NAME:float32:batch,224,224,3"
        raise ExportError(
            USAGE, "the file does not say what inputs this model of an own class has", remedy
        )
    specs = {
        name: tf.TensorSpec(wanted[name], spec.dtype or "float32", name)
        for name, spec in shapes.items()
    }
    names = list(specs)
    return (
        specs,
        lambda arrays: arrays[names[0]] if len(names) == 1 else [arrays[name] for name in names],
    )


def _output_names(model: Any, result: Any) -> list[str]:
    if isinstance(result, Mapping):
        return sorted(result)
    count = len(result) if isinstance(result, list | tuple) else 1
    # A Sequential model keeps them one level down.
    known = getattr(model, "output_names", None) or getattr(
        getattr(model, "_functional", None), "output_names", None
    )
    names = [str(name) for name in known or []]
    if len(names) != count:
        names = [str(model.name)] if count == 1 else [f"output_{index}" for index in range(count)]
    # One layer may make several outputs.
    return [
        name if names.count(name) == 1 else f"{name}_{names[:index].count(name)}"
        for index, name in enumerate(names)
    ]


def _custom(text: str) -> list[tuple[str, Any]]:
    """Imports MODULE[:NAME]; what a module registers counts by the import alone."""
    module, _, name = text.partition(":")
    try:
        if module.endswith(".py"):
            spec = importlib.util.spec_from_file_location(Path(module).stem, module)
            assert spec is not None and spec.loader is not None
            loaded = importlib.util.module_from_spec(spec)
            sys.modules[spec.name] = loaded
            spec.loader.exec_module(loaded)
        else:
            sys.path.insert(0, "")
            loaded = importlib.import_module(module)
    except Exception as failure:
        message = f"--custom {text}: {type(failure).__name__}: {shared.first_line(failure)}"
        raise ExportError(
            BAD_INPUT, message, "give a module on the path or a .py file"
        ) from failure
    if not name:
        return []
    if not hasattr(loaded, name):
        raise ExportError(USAGE, f"--custom {text}: {module} has no '{name}'", "check the name")
    return [(name, getattr(loaded, name))]


def _read(keras: Any, path: Path, custom: Mapping[str, Any], allow_lambda: bool) -> Any:
    shared.check_file(path, "the .keras or .h5 file")
    if path.suffix not in (".keras", ".h5", ".hdf5"):
        raise ExportError(
            USAGE, f"{path}: Keras files end in .keras or .h5", "rename it, or use another source"
        )
    try:
        return keras.saving.load_model(
            path, custom_objects=dict(custom), compile=False, safe_mode=not allow_lambda
        )
    except Exception as failure:
        said = str(failure)
        own = OWN_CODE.search(said)
        if own is not None:
            message = f"{path} holds '{own[1]}', which is code of your own"
            raise ExportError(
                UNSUPPORTED, message, f"say where it is: --custom layers.py:{own[1]}"
            ) from failure
        if "safe_mode" in said or "unsafe" in said.lower():
            message = f"{path} holds Lambda layers, which are code that would be run"
            raise ExportError(
                UNSUPPORTED, message, "pass --allow-lambda if you trust the file"
            ) from failure
        if "No model config" in said or "No model found" in said:
            remedy = "save the whole model: model.save('model.keras')"
            raise ExportError(BAD_INPUT, f"{path} holds weights only", remedy) from failure
        message = f"{path} is no Keras model that can be read: {shared.first_line(failure)}"
        raise ExportError(
            BAD_INPUT, message, "the file is damaged, or was written by another Keras"
        ) from failure
