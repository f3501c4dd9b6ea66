"""PaddlePaddle models, dynamic and static graph, to ONNX by paddle2onnx."""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from tarmac.export._interface import name_output_axes, rename_outputs, set_input_axes, specs_of
from tarmac.export._worker import WorkerFailure, run_worker
from tarmac.export.arguments import add_common_arguments, check_output
from tarmac.export.factory import load_factory
from tarmac.export.finish import Samples, finish
from tarmac.export.report import ExportReport
from tarmac.export.samples import Sizes, load_samples, made_up_samples, parse_sizes
from tarmac.export.source import BAD_INPUT, UNSUPPORTED, USAGE, ExportError, TensorSpec

# What paddle2onnx 2.1 can write; Tarmac converts to what lies above.
HIGHEST_OPSET = 21
DEFAULT_OPSET, LOWEST_OPSET = 17, 13


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model",
        metavar="PREFIX|MODULE:FACTORY",
        help="PREFIX of a saved model (PREFIX.json or PREFIX.pdmodel, with PREFIX.pdiparams), "
        "or a Python module or file and a "
        "function in it that gives a paddle.nn.Layer",
    )
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME:DTYPE:DIM,…",
        help="an input, in the order of forward(); a DIM that is a word is a dynamic axis: "
        "image:float32:batch,3,224,224. "
        "Needed for MODULE:FACTORY; names the dynamic axes of PREFIX",
    )
    parser.add_argument(
        "--output-name",
        action="append",
        default=[],
        metavar="NAME",
        help="name of an output; repeat it in their order",
    )
    add_common_arguments(parser)


def run(args: argparse.Namespace) -> ExportReport:
    if args.data is not None and args.sizes:
        raise ExportError(USAGE, "--sizes is about made-up inputs", "leave it or --data out")
    return export(
        args.model,
        args.output,
        inputs=[TensorSpec.parse(text) for text in args.input],
        outputs=args.output_name,
        opset=args.opset,
        data=args.data,
        sizes=parse_sizes(args.sizes),
        max_error=args.max_error,
        simplify=not args.no_simplify,
    )


def export(
    model: str,
    output: Path,
    *,
    inputs: Sequence[TensorSpec] = (),
    outputs: Sequence[str] = (),
    opset: int | None = None,
    data: Path | None = None,
    samples: Samples | None = None,
    sizes: Sizes | None = None,
    max_error: float = 0.01,
    simplify: bool = True,
) -> ExportReport:
    """Converts a saved model (PREFIX) or the layer that MODULE:FACTORY gives; `inputs` describe the
    latter's, in order.

    The layer is put into evaluation mode, traced by paddle.jit.save and read by paddle2onnx.
    Outputs are called as `outputs` says, else as the keys of a dictionary that the layer gives (in
    alphabetical order, Paddle's), else output, or output0, …. The result is compared on `samples`,
    the .npz `data`, or made-up inputs."""
    output = Path(output)
    check_output(output)
    if opset is not None and opset < LOWEST_OPSET:
        raise ExportError(USAGE, f"opset {opset} is too old", f"ask for {LOWEST_OPSET} or more")
    with tempfile.TemporaryDirectory(prefix="tarmac-paddle-") as temporary:
        folder = Path(temporary)
        source = _open(model, inputs, folder)
        converted = folder / "converted.onnx"
        notes = _convert(source, converted, opset or DEFAULT_OPSET, folder)
        _name_inputs(source, converted, inputs)
        if data is not None:
            samples = load_samples(data, source.inputs)
        _name_outputs(source, converted, outputs, samples or made_up_samples(source.inputs, sizes))
        return finish(
            converted,
            source,
            output,
            samples=samples,
            sizes=sizes,
            max_error=max_error,
            simplify=simplify,
            opset=opset,
            framework=f"paddlepaddle {version('paddlepaddle')}",
            exporter=f"paddle2onnx {version('paddle2onnx')}",
            notes=notes,
        )


@dataclass
class _SavedModel:
    """A static graph in files, run by Paddle's predictor. What its inputs are is known once it
    was converted."""

    model: Path
    params: Path
    predictor: Any
    inputs: Sequence[TensorSpec] = ()
    outputs: Sequence[str] = ()

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        for spec in self.inputs:
            self.predictor.get_input_handle(spec.name).copy_from_cpu(
                np.ascontiguousarray(inputs[spec.name])
            )
        self.predictor.run()
        arrays = [
            self.predictor.get_output_handle(name).copy_to_cpu()
            for name in self.predictor.get_output_names()
        ]
        return dict(zip(self.outputs, arrays, strict=True))

    def output_names(self, _: Mapping[str, np.ndarray]) -> list[str]:
        return list(self.predictor.get_output_names())


@dataclass
class _Layer:
    """A dynamic graph: the comparison runs the layer itself, not what was traced of it."""

    model: Path
    params: Path
    layer: Any
    inputs: Sequence[TensorSpec]
    outputs: Sequence[str] = ()

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        arrays = [np.asarray(tensor.numpy()) for _, tensor in self._call(inputs)]
        return dict(zip(self.outputs, arrays, strict=True))

    def output_names(self, sample: Mapping[str, np.ndarray]) -> list[str]:
        keys = [key for key, _ in self._call(sample)]
        if len(set(keys)) == len(keys) and all(keys):
            return keys
        return ["output"] if len(keys) == 1 else [f"output{i}" for i in range(len(keys))]

    def _call(self, inputs: Mapping[str, np.ndarray]) -> list[tuple[str, Any]]:
        import paddle

        with paddle.no_grad():
            return _flatten(
                self.layer(*(paddle.to_tensor(inputs[spec.name]) for spec in self.inputs))
            )


def _open(model: str, inputs: Sequence[TensorSpec], folder: Path) -> _SavedModel | _Layer:
    prefix = Path(model)
    if prefix.suffix in (".json", ".pdmodel", ".pdiparams"):
        prefix = prefix.with_suffix("")
    graph = next(
        (file for file in (Path(f"{prefix}.json"), Path(f"{prefix}.pdmodel")) if file.is_file()),
        None,
    )
    if graph is not None:
        return _load(graph, Path(f"{prefix}.pdiparams"))
    if ":" not in model:
        raise ExportError(
            BAD_INPUT,
            f"there is neither {prefix}.json nor {prefix}.pdmodel",
            "give the files' common beginning, or MODULE:FACTORY for a layer in Python",
        )
    return _trace(model, inputs, folder)


def _load(graph: Path, params: Path) -> _SavedModel:
    from paddle import inference

    if not params.is_file():
        raise ExportError(
            BAD_INPUT, f"there is no {params} beside {graph.name}", "put the weights there"
        )
    config = inference.Config(str(graph), str(params))
    config.disable_glog_info()
    config.disable_gpu()
    config.switch_ir_optim(False)  # the reference is the model as it is
    try:
        return _SavedModel(graph, params, inference.create_predictor(config))
    except Exception as error:
        raise ExportError(
            BAD_INPUT, f"Paddle cannot read {graph}: {_first_line(error)}", "save the model anew"
        ) from error


def _trace(model: str, inputs: Sequence[TensorSpec], folder: Path) -> _Layer:
    import paddle

    layer = load_factory(model)
    if not isinstance(layer, paddle.nn.Layer):
        raise ExportError(
            BAD_INPUT, f"{model} gives {type(layer).__name__}", "it must give a paddle.nn.Layer"
        )
    if not inputs:
        raise ExportError(
            USAGE,
            f"the inputs of {model} are not known",
            "add --input image:float32:batch,3,224,224 for each",
        )
    if len({spec.name for spec in inputs}) < len(inputs):
        raise ExportError(
            USAGE, "two inputs have the same name", "give each --input a name of its own"
        )
    layer.eval()
    specs = [
        paddle.static.InputSpec(
            [None if isinstance(dim, str) else dim for dim in i.shape], i.dtype, name=i.name
        )
        for i in inputs
    ]
    try:
        paddle.jit.save(layer, str(folder / "model"), input_spec=specs)
    except Exception as error:
        raise ExportError(
            UNSUPPORTED,
            f"Paddle cannot trace {model} with {', '.join(map(str, inputs))}: {_first_line(error)}",
            "correct --input, or write forward() so that paddle.jit.to_static takes it",
        ) from error
    return _Layer(folder / "model.json", folder / "model.pdiparams", layer, tuple(inputs))


def _flatten(given: Any) -> list[tuple[str, Any]]:
    """The tensors of a layer's result with the names that their dictionaries' keys give, in the
    order of Paddle's tracing."""
    if isinstance(given, dict):
        return [
            (_join(str(key), name), tensor)
            for key in sorted(given)
            for name, tensor in _flatten(given[key])
        ]
    if isinstance(given, (list, tuple)):
        return [(name, tensor) for part in given for name, tensor in _flatten(part)]
    return [] if given is None else [("", given)]


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if name else key


def _convert(source: _SavedModel | _Layer, converted: Path, opset: int, folder: Path) -> list[str]:
    asked = min(opset, HIGHEST_OPSET)
    job = {
        "model": str(source.model.resolve()),
        "params": str(source.params.resolve()) if source.params.is_file() else "",
        "opset": asked,
        "output": str(converted),
    }
    try:
        run_worker("tarmac.export._paddle_worker", job, folder)
    except WorkerFailure as failure:
        raise ExportError(
            UNSUPPORTED,
            f"paddle2onnx cannot convert {source.model.name}: {failure}{_operators(source.model)}",
            "another --opset may have the operator; else write it with others",
        ) from failure
    import onnx

    made = {entry.domain: entry.version for entry in onnx.load(converted).opset_import}.get("", 0)
    if made == opset:
        return [f"paddle2onnx wrote opset {made}"]
    why = (
        f"paddle2onnx ends at {HIGHEST_OPSET}"
        if opset > HIGHEST_OPSET
        else "an operator needs that"
    )
    return [f"paddle2onnx wrote opset {made} ({why}); Tarmac made {opset} of it"]


def _operators(graph: Path) -> str:
    """paddle2onnx does not say which operators it lacks: those of the model, for the user to
    judge."""
    if graph.suffix != ".json":
        return ""
    found = sorted(set(re.findall(r'"#"\s*:\s*"1\.(\w+)"', graph.read_text(errors="replace"))))
    found = [name for name in found if not name.startswith("a_") and name not in ("data", "fetch")]
    return f"; the model's operators: {', '.join(found[:40])}" if found else ""


def _name_inputs(
    source: _SavedModel | _Layer, converted: Path, inputs: Sequence[TensorSpec]
) -> None:
    import onnx

    model = onnx.load(converted)
    found = specs_of(model)
    described = _matching(found, inputs) if inputs else found
    if isinstance(source, _SavedModel):
        source.inputs = described  # a layer is called with all of its inputs
    set_input_axes(model, described)
    onnx.save(model, converted)


def _name_outputs(
    source: _SavedModel | _Layer, converted: Path, outputs: Sequence[str], samples: Samples
) -> None:
    """Writes names of outputs and their axes into the file; the first two samples show what they
    are where the file does not."""
    import onnx

    model = onnx.load(converted)
    count = len(model.graph.output)
    try:
        names = list(outputs) or source.output_names(samples[0])
    except Exception as error:
        message = f"the model does not run on its first sample: {_first_line(error)}"
        raise ExportError(BAD_INPUT, message, "correct --input, or give --data") from error
    if not outputs and len(names) != count:
        message = f"the layer gives {len(names)} outputs, Paddle's tracing {count}"
        raise ExportError(UNSUPPORTED, message, "give each tensor once")
    if len(names) != count or len(set(names)) != count:
        message = f"the model has {count} outputs, but they shall be called {', '.join(names)}"
        raise ExportError(USAGE, message, "give --output-name once for each, all different")
    source.outputs = names
    rename_outputs(model, names)
    name_output_axes(model, source.inputs, _runs(source, samples[:2]))
    onnx.save(model, converted)


def _matching(found: Sequence[TensorSpec], wanted: Sequence[TensorSpec]) -> list[TensorSpec]:
    """The inputs as the user describes them, where that fits the file: in its order, which
    tracing keeps."""
    by_name = {spec.name: spec for spec in wanted}
    for spec in found:
        other = by_name.get(spec.name)
        fits = (
            other is not None and other.dtype == spec.dtype and len(other.shape) == len(spec.shape)
        )
        if not fits or any(
            isinstance(a, int) and a != b
            for a, b in zip(spec.shape, by_name[spec.name].shape, strict=True)
        ):
            raise ExportError(
                USAGE,
                f"the model's input is {spec}, not {other or ', '.join(by_name)}",
                "correct --input, or leave it out",
            )
    return [by_name[spec.name] for spec in found]


def _runs(
    source: _SavedModel | _Layer, samples: Samples
) -> list[tuple[dict[str, int], list[np.ndarray]]]:
    """The sizes of the dynamic axes and the outputs, as far as the model runs."""
    runs = []
    for sample in samples:
        try:
            given = source.run(sample)
        except Exception:
            break  # finish() says what is wrong
        sizes = {
            dim: size
            for spec in source.inputs
            for dim, size in zip(spec.shape, sample[spec.name].shape, strict=True)
            if isinstance(dim, str)
        }
        runs.append((sizes, [given[name] for name in source.outputs]))
    return runs


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # Paddle ends its long reports with the reason.
    return f"{type(error).__name__}: {(lines or ['no message'])[-1]}"[:500]
