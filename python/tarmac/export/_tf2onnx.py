"""Running tf2onnx: the conversion itself, errors that name the operator, and axes with names."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tarmac.export import progress
from tarmac.export._tensorflow import Model, Options, TensorFlowSource, first_line
from tarmac.export.finish import finish
from tarmac.export.report import ExportReport
from tarmac.export.source import BAD_INPUT, UNSUPPORTED, USAGE, ExportError

LOWEST_OPSET, DEFAULT_OPSET, HIGHEST_OPSET = 13, 17, 18


class _Problems(logging.Handler):
    """Collects what tf2onnx only logs: operators that it left as they are, and nodes that it failed
    at."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.unknown: dict[str, list[str]] = {}
        self.failed: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg.startswith("Tensorflow op [%s: %s] is not supported") and isinstance(
            record.args, tuple
        ):
            node, op = map(str, record.args)
            self.unknown.setdefault(op, []).append(node)
        elif record.msg.startswith("Failed to convert node") and isinstance(record.args, tuple):
            self.failed.append(str(record.args[0]))

    def error(self, opset: int) -> ExportError:
        from tf2onnx.handler import tf_op

        each = ", ".join(
            f"{op} (node '{nodes[0]}'{_more(nodes)})" for op, nodes in sorted(self.unknown.items())
        )
        newer = tf_op.create_mapping(HIGHEST_OPSET, [])
        if opset < HIGHEST_OPSET and all(op in newer for op in self.unknown):
            remedy = f"opset {HIGHEST_OPSET} has it: pass --opset {HIGHEST_OPSET}"
        else:
            remedy = (
                "write it with operators that ONNX has, or end the model before it and do the "
                "rest in the program around it"
            )
        return ExportError(UNSUPPORTED, f"tf2onnx has no ONNX form of {each}", remedy)


def _more(nodes: Sequence[str]) -> str:
    return f" and {len(nodes) - 1} more" if len(nodes) > 1 else ""


@contextmanager
def _listening() -> Iterator[_Problems]:
    problems, logger = _Problems(), logging.getLogger("tf2onnx")
    logger.addHandler(problems)
    logger.propagate, kept = False, logger.propagate
    try:
        yield problems
    finally:
        logger.removeHandler(problems)
        logger.propagate = kept


def _add_operators() -> None:
    """What tf2onnx 1.17 lacks: Erfc, of which TensorFlow's exact GELU is made. erfc(x) = 1 -
    erf(x), and with x = -y·c, as GELU has it, 1 + erf(y·c), the form that optimisers know."""
    from tf2onnx.handler import tf_op

    if "Erfc" in tf_op.create_mapping(HIGHEST_OPSET, []):
        return

    @tf_op("Erfc")
    class Erfc:
        @classmethod
        def version_9(cls, ctx: Any, node: Any, **_: Any) -> None:
            from tf2onnx import utils

            dtype, shape = ctx.get_dtype(node.output[0]), ctx.get_shape(node.output[0])
            operator, inner = "Sub", node.input[0]

            def made_by(name: str, kind: str) -> Any:
                maker = ctx.get_node_by_output(name)
                return maker if maker is not None and maker.type == kind else None

            product = made_by(inner, "Mul")
            factors = product.input if product is not None else []
            negated = [name for name in factors if made_by(name, "Neg") is not None]
            if len(factors) == 2 and len(negated) == 1:
                other = next(name for name in factors if name not in negated)
                positive = ctx.get_node_by_output(negated[0]).input[0]
                own = {"shapes": [shape], "dtypes": [dtype]}
                inner = ctx.make_node("Mul", [positive, other], **own).output[0]
                operator = "Add"
            erf = ctx.make_node("Erf", [inner], shapes=[shape], dtypes=[dtype]).output[0]
            one = ctx.make_const(
                utils.make_name("one"), np.array(1, utils.map_onnx_to_numpy_type(dtype))
            ).output[0]
            name, output = node.name, node.output
            ctx.remove_node(name)
            ctx.make_node(
                operator, [one, erf], name=name, outputs=output, shapes=[shape], dtypes=[dtype]
            )


def _tf2onnx(model: Model, source: TensorFlowSource, opset: int) -> Any:
    from tf2onnx.convert import _convert_common

    _add_operators()
    tensors = {port.name: port.tensor for port in (*model.inputs, *model.outputs)}
    renamed = {
        port.tensor: port.name
        for port in (*model.inputs, *model.outputs)
        if port.tensor != port.name
    }
    with _listening() as problems:
        try:
            proto, _ = _convert_common(
                model.graph_def,
                name="model",
                opset=opset,
                continue_on_error=False,
                tflite_path=str(model.tflite) if model.tflite else None,
                input_names=[port.tensor for port in model.inputs],
                output_names=[port.tensor for port in model.outputs],
                tensors_to_rename=renamed,
                initialized_tables=model.tables,
                inputs_as_nchw=[tensors[name] for name in source.first_inputs],
                outputs_as_nchw=[tensors[name] for name in source.first_outputs],
            )
        except Exception as failure:
            if problems.unknown:
                raise problems.error(opset) from failure
            node = f" at node '{problems.failed[0]}'" if problems.failed else ""
            what = f"{type(failure).__name__}: {first_line(failure)}"
            remedy = "another opset may help, or another form of that part of the model"
            raise ExportError(UNSUPPORTED, f"tf2onnx fails{node}: {what}", remedy) from failure
    if problems.unknown:
        raise problems.error(opset)
    return proto


def _name_axes(proto: Any, source: TensorFlowSource) -> None:
    """Gives inputs the source's axes. Names that tf2onnx made up elsewhere go: what is left is
    inferred from the inputs."""
    specs = {spec.name: spec for spec in source.inputs}
    for value in proto.graph.input:
        shape = value.type.tensor_type.shape
        del shape.dim[:]
        for size in specs[value.name].shape:
            dim = shape.dim.add()
            if isinstance(size, int):
                dim.dim_value = size
            else:
                dim.dim_param = size
    del proto.graph.value_info[:]
    batches = {
        port.name
        for port in source.model.outputs
        if source.model.batched and port.shape and port.shape[0] is None
    }
    for value in proto.graph.output:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.WhichOneof("value") != "dim_value":
                dim.Clear()
                if axis == 0 and value.name in batches:
                    dim.dim_param = "batch"


def check_opset(opset: int | None) -> None:
    if opset is not None and opset < LOWEST_OPSET:
        remedy = (
            f"ask for {LOWEST_OPSET} or more, and convert further down with tarmac optimize --opset"
        )
        raise ExportError(
            USAGE, f"exporters write opset {LOWEST_OPSET} and up, not {opset}", remedy
        )


def write(
    model: Model,
    output: Path | str,
    options: Options,
    *,
    absolute: Mapping[str, float] | None = None,
) -> ExportReport:
    """Converts a model by tf2onnx and hands the file to finish(). tf2onnx knows opsets up to 18;
    `tarmac optimize` converts to newer ones."""
    import tf2onnx

    opset = options.get("opset")
    check_opset(opset)
    names = [port.name for port in (*model.inputs, *model.outputs)]
    if len(set(names)) < len(names):
        message = f"inputs and outputs share a name: {', '.join(names)}"
        raise ExportError(BAD_INPUT, message, "give each its own name in the model")
    source = TensorFlowSource(model, options)
    progress.step("convert")
    proto = _tf2onnx(model, source, min(opset or DEFAULT_OPSET, HIGHEST_OPSET))
    _name_axes(proto, source)
    with tempfile.TemporaryDirectory() as folder:
        converted = Path(folder) / "converted.onnx"
        converted.write_bytes(proto.SerializeToString())
        return finish(
            converted,
            source,
            Path(output),
            samples=options.get("samples"),
            sizes=options.get("sizes"),
            max_error=options.get("max_error", 0.01),
            absolute=absolute,
            simplify=options.get("simplify", True),
            opset=opset,
            framework=model.framework,
            exporter=f"tf2onnx {tf2onnx.__version__}",
        )
