"""A frozen TensorFlow graph (.pb, a GraphDef whose weights are constants) as ONNX.

  python -m tarmac.export frozen_graph detector.pb --inputs image_tensor:0 \\
      --outputs detection_boxes:0,detection_scores:0 -o detector.onnx

Inputs and outputs keep the names as they are given: with the ':0', or without."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tarmac.export import _tensorflow as shared
from tarmac.export import _tf2onnx, progress
from tarmac.export._tensorflow import Model, Port
from tarmac.export.report import ExportReport
from tarmac.export.source import BAD_INPUT, USAGE, ExportError, TensorSpec

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tarmac.export._tensorflow import Options

MOST_NAMES = 12
STANDS_FOR = "tarmac_input"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="FILE.pb")
    for which, default in (
        ("inputs", "default: the placeholders that outputs depend on"),
        ("outputs", "required"),
    ):
        parser.add_argument(
            f"--{which}",
            nargs="+",
            default=[],
            metavar="NAME",
            help=f"tensors of the graph, separated by spaces or commas ({default})",
        )
    shared.add_arguments(parser)


def run(args: argparse.Namespace) -> ExportReport:
    inputs, outputs = (_names(words) for words in (args.inputs, args.outputs))
    model = load(args.model, inputs, outputs, shared.conversion_options(args)["shapes"])
    return _tf2onnx.write(model, args.output, shared.all_options(args, model))


def export(
    path: Path | str,
    output: Path | str,
    *,
    outputs: Sequence[str],
    inputs: Sequence[str] = (),
    **options: Unpack[Options],
) -> ExportReport:
    """Converts a frozen graph. `inputs` and `outputs` name tensors (the ':0' may be left out);
    without `inputs`, every placeholder that the outputs depend on is one. Raises ExportError."""
    model = load(Path(path), inputs, outputs, options.get("shapes", ()))
    return _tf2onnx.write(model, output, options)


def _names(words: Sequence[str]) -> list[str]:
    return [name for word in words for name in word.split(",") if name]


def load(
    path: Path, inputs: Sequence[str], outputs: Sequence[str], shapes: Sequence[TensorSpec] = ()
) -> Model:
    """Reads the graph and cuts it to what lies between inputs and outputs."""
    shared.check_file(path, "the .pb file")
    tf = shared.load_tensorflow()
    progress.step(f"load {path}")
    graph_def = _read(tf, path)
    graph = tf.Graph()
    with graph.as_default():
        try:
            tf.import_graph_def(graph_def, name="")
        except Exception as failure:
            unknown = shared.unsupported_op(failure, path)
            raise unknown or _broken(path, failure) from failure
    if not outputs:
        raise ExportError(
            USAGE, "the following arguments are required: --outputs", f"graph ends: {_ends(graph)}"
        )
    fetched = {name: _tensor(graph, name, "output") for name in outputs}
    ranks = {spec.name: len(spec.shape) for spec in shapes}
    fed = {
        name: _tensor(graph, name, "input")
        for name in inputs or _placeholders(tf, graph_def, fetched.values())
    }
    cut, placeholders = _cut(tf, graph_def, fed, fetched, ranks)
    return Model(
        inputs=tuple(_port(name, fed[name], "input", placeholders[name]) for name in fed),
        outputs=tuple(_port(name, fetched[name], "output", fetched[name].name) for name in fetched),
        call=_caller(tf, graph_def, fed, fetched),
        framework=shared.framework_name(tf),
        graph_def=cut,
    )


def _port(name: str, tensor: Any, which: str, own: str) -> Port:
    dtype = shared.numpy_name(tensor.dtype, f"{which} '{name}'")
    return Port(own, name, dtype, shared.known_shape(tensor.shape))


def _broken(path: Path, failure: BaseException) -> ExportError:
    message = f"{path} is no graph that TensorFlow can load: {shared.first_line(failure)}"
    return ExportError(
        BAD_INPUT,
        message,
        "the file is damaged, or was written by a program that is not TensorFlow",
    )


def _read(tf: Any, path: Path) -> Any:
    data = path.read_bytes()
    graph_def = tf.compat.v1.GraphDef()
    try:
        graph_def.ParseFromString(data)
    except Exception:
        graph_def.Clear()
    if not graph_def.node or not any(node.op for node in graph_def.node):
        if path.name == "saved_model.pb":
            raise ExportError(
                BAD_INPUT, f"{path} belongs to a SavedModel", f"use: saved_model {path.parent}"
            )
        remedy = "it is damaged or of another kind; 'saved_model', 'keras' and 'tflite' read those"
        raise ExportError(BAD_INPUT, f"{path} is no TensorFlow GraphDef", remedy)
    variables = [
        node.name for node in graph_def.node if node.op in ("VarHandleOp", "VariableV2", "Variable")
    ]
    if variables:
        message = (
            f"{path} is not frozen: {len(variables)} variables, '{variables[0]}' first, have no "
            f"values in it"
        )
        remedy = (
            "freeze it (convert_variables_to_constants), or export the SavedModel that it "
            "belongs to"
        )
        raise ExportError(BAD_INPUT, message, remedy)
    return graph_def


def _placeholders(tf: Any, graph_def: Any, outputs: Iterable[Any]) -> list[str]:
    """Those that the outputs depend on."""
    names = [tensor.op.name for tensor in outputs]
    used = tf.compat.v1.graph_util.extract_sub_graph(graph_def, names)
    return [f"{node.name}:0" for node in used.node if node.op == "Placeholder"]


def _tensor(graph: Any, name: str, which: str) -> Any:
    try:
        return graph.get_tensor_by_name(name if ":" in name else f"{name}:0")
    except (KeyError, ValueError):
        if which == "input":
            has = _list(
                [op.outputs[0].name for op in graph.get_operations() if op.type == "Placeholder"]
            )
            remedy = f"its placeholders: {has}"
        else:
            remedy = f"the graph ends in {_ends(graph)}"
        raise ExportError(USAGE, f"the graph has no tensor '{name}'", remedy) from None


def _ends(graph: Any) -> str:
    skip = ("Const", "Placeholder", "Assert", "NoOp")
    return _list(
        [
            t.name
            for op in graph.get_operations()
            if op.type not in skip
            for t in op.outputs
            if not t.consumers()
        ]
    )


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return (", ".join(names[:MOST_NAMES]) or "none") + more


def _cut(
    tf: Any,
    graph_def: Any,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    ranks: Mapping[str, int],
) -> tuple[Any, dict[str, str]]:
    """The part of the graph between inputs and outputs, constants folded, and by input the tensor
    that stands for it there."""
    from tf2onnx.tf_loader import tf_optimize

    graph = tf.Graph()
    with graph.as_default():
        fed, own = {}, {}
        for index, (name, tensor) in enumerate(inputs.items()):
            # Where the file does not know the number of axes, tf2onnx needs what the user says.
            unknown = name in ranks and tensor.shape.rank is None
            shape = [None] * ranks[name] if unknown else tensor.shape
            placeholder = tf.compat.v1.placeholder(tensor.dtype, shape, f"{STANDS_FOR}{index}")
            fed[tensor.name], own[name] = placeholder, placeholder.name
        try:
            tf.import_graph_def(graph_def, input_map=fed, name="")
        except ValueError as failure:
            message = f"an input is not used by the graph: {shared.first_line(failure)}"
            raise ExportError(USAGE, message, "leave it out of --inputs") from failure
        used = tf.compat.v1.graph_util.extract_sub_graph(
            graph.as_graph_def(add_shapes=True), [tensor.op.name for tensor in outputs.values()]
        )
    kept = {node.name for node in used.node}
    for name, placeholder in own.items():
        if placeholder.split(":")[0] not in kept:
            message = f"no output depends on the input '{name}'"
            raise ExportError(USAGE, message, "leave it out of --inputs")
    for node in used.node:
        if node.op == "Placeholder" and not node.name.startswith(STANDS_FOR):
            message = f"the outputs also depend on the placeholder '{node.name}'"
            raise ExportError(USAGE, message, "name it in --inputs too")
    with tf.Graph().as_default():
        names = [tensor.name for tensor in outputs.values()]
        return tf_optimize(list(own.values()), names, used), own


def _caller(
    tf: Any, graph_def: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
) -> Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]:
    """The graph as it is in the file."""
    whole = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph_def, name=""), [])
    function = whole.prune(
        [tensor.name for tensor in inputs.values()], [tensor.name for tensor in outputs.values()]
    )

    def call(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        found = function(*(tf.constant(arrays[name]) for name in inputs))
        return {name: array.numpy() for name, array in zip(outputs, found, strict=True)}

    return call
