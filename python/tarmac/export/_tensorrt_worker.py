"""In a child process: one engine."""

from __future__ import annotations

import resource
import signal
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tarmac.export._tensorrt_library import Library, NoLibrary, open_library
from tarmac.export._worker import Unsupported

# Layers that do the arithmetic; the precision of the others follows from them.
COMPUTE = (
    "CONVOLUTION",
    "DECONVOLUTION",
    "MATRIX_MULTIPLY",
    "EINSUM",
    "ATTENTION_INPUT",
    "RECURRENCE",
)


def work(job: dict[str, Any]) -> dict[str, Any]:
    if job["memory_limit"]:
        resource.setrlimit(resource.RLIMIT_DATA, (job["memory_limit"], job["memory_limit"]))
    if job["time_limit"]:
        # Native code does not come back for a handler: the signal itself ends the process.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, job["time_limit"])
    try:
        library = open_library(job["library"])
    except NoLibrary as failure:
        raise Unsupported(str(failure)) from None
    try:
        return _Build(library, job).run()
    except WrongUse as failure:
        return {"wrong_use": str(failure)}


class WrongUse(Exception):
    """The profiles do not fit the model."""


class _Build:
    def __init__(self, library: Library, job: dict[str, Any]) -> None:
        trt = library.api
        errors: list[str] = []
        self.errors = errors

        class Log(trt.ILogger):  # type: ignore[misc, name-defined]
            def log(self, severity: Any, message: str) -> None:
                if int(severity) <= int(trt.ILogger.ERROR):
                    errors.append(message)
                print(message, flush=True)

        self.library, self.trt, self.job = library, trt, job
        self.logger = Log()
        self.builder = trt.Builder(self.logger)
        # TensorRT 10 has to be asked for it; to 11 and RTX it says nothing new.
        self.network = self.builder.create_network(
            1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        )

    def run(self) -> dict[str, Any]:
        self._parse()
        self._allow_decomposing()
        config = self._config()
        engine = self.builder.build_serialized_network(self.network, config)
        if engine is None:
            raise Unsupported(self._reason("the engine could not be built"))
        data = bytes(memoryview(engine))
        Path(self.job["output"]).write_bytes(data)
        layers = list(self._layers())
        compute = Counter(layer["precision"] for layer in layers if layer["type"] in COMPUTE)
        return {
            "library": self.library.label,
            "bytes": len(data),
            "inputs": [
                self._tensor(self.network.get_input(i)) for i in range(self.network.num_inputs)
            ],
            "outputs": [
                self._tensor(self.network.get_output(i)) for i in range(self.network.num_outputs)
            ],
            "layers": layers,
            "compute_precisions": dict(compute),
        }

    def _reason(self, fallback: str) -> str:
        return " | ".join(dict.fromkeys(self.errors)) or fallback

    def _parse(self) -> None:
        parser = self.trt.OnnxParser(self.network, self.logger)
        if parser.parse_from_file(self.job["model"]):
            return
        found = []
        for i in range(parser.num_errors):
            error = parser.get_error(i)
            where = (
                f"node '{error.node_name()}' ({error.node_operator()}): "
                if error.node_operator()
                else ""
            )
            found.append(where + error.desc().strip())
        raise Unsupported(
            "its parser refuses the model: " + ("; ".join(found) or self._reason("no reason given"))
        )

    def _allow_decomposing(self) -> None:
        """Attention for which TensorRT has no kernel of its own is refused, unless it may become products and a softmax."""
        kind = getattr(self.trt.LayerType, "ATTENTION_INPUT", None)
        for i in range(self.network.num_layers if kind is not None else 0):
            layer = self.network.get_layer(i)
            if layer.type == kind:
                layer.__class__ = self.trt.IAttentionInputLayer  # the bindings give the base class
                layer.attention.decomposable = True

    def _config(self) -> Any:
        config = self.builder.create_builder_config()
        if self.job["workspace"]:
            config.set_memory_pool_limit(self.trt.MemoryPoolType.WORKSPACE, self.job["workspace"])
        if self.job["level"] is not None:
            config.builder_optimization_level = self.job["level"]
        if not self.job["tf32"]:
            config.clear_flag(self.trt.BuilderFlag.TF32)
        self._set_capabilities(config, self.job["capabilities"])
        self._check_profiles(self.job["profiles"])
        for wanted in self.job["profiles"]:
            profile = self.builder.create_optimization_profile()
            for name, shapes in wanted.items():
                profile.set_shape(name, *map(tuple, shapes))
            if config.add_optimization_profile(profile) < 0:
                raise Unsupported(self._reason("a profile was refused"))
        return config

    def _check_profiles(self, profiles: Sequence[Mapping[str, Sequence[Sequence[int]]]]) -> None:
        """Every input with open sizes is in each profile, with shapes that fit; TensorRT says -1 or gives no engine."""
        inputs = {}
        for i in range(self.network.num_inputs):
            tensor = self.network.get_input(i)
            inputs[tensor.name] = list(tensor.shape)
        for profile in profiles:
            for name, shapes in profile.items():
                if name not in inputs:
                    raise WrongUse(
                        f"--profile: there is no input '{name}'; there are {', '.join(inputs)}"
                    )
                for found in shapes:
                    if len(found) != len(inputs[name]) or any(
                        size >= 0 and size != one
                        for size, one in zip(inputs[name], found, strict=True)
                    ):
                        raise WrongUse(
                            f"--profile: input '{name}' is {inputs[name]} (-1: open), which {list(found)} does not fit"
                        )
        for name, shape in inputs.items():
            if any(size < 0 for size in shape) and not all(name in one for one in profiles or [{}]):
                raise WrongUse(
                    f"input '{name}' has open sizes {shape} and no profile; "
                    f"add --profile '{name}:MIN,BEST,MAX'"
                )

    def _set_capabilities(self, config: Any, names: Sequence[str]) -> None:
        known = {
            one.removeprefix("SM"): getattr(self.trt.ComputeCapability, one)
            for one in dir(getattr(self.trt, "ComputeCapability", None))
            if one.startswith("SM")
        }
        codes = [name.replace(".", "") for name in names]
        unknown = [name for name, code in zip(names, codes, strict=True) if code not in known]
        if unknown:
            there = (
                ", ".join(f"{code[:-1]}.{code[-1]}" for code in sorted(known, key=int))
                or "none: it builds for the GPU at hand"
            )
            raise Unsupported(
                f"{self.library.label} does not build for compute capability {', '.join(unknown)}; it has {there}"
            )
        if codes:
            config.num_compute_capabilities = len(codes)
            for i, code in enumerate(codes):
                config.set_compute_capability(known[code], i)

    def _tensor(self, tensor: Any) -> dict[str, Any]:
        return {"name": tensor.name, "dtype": tensor.dtype.name, "shape": list(tensor.shape)}

    def _layers(self) -> Iterator[dict[str, Any]]:
        """Of the network as it was parsed: an engine cannot be looked into without its GPU."""
        dequantized = {}
        for i in range(self.network.num_layers):
            layer = self.network.get_layer(i)
            kind = layer.type.name
            first = layer.get_input(0)
            if kind == "DEQUANTIZE" and first is not None:
                for k in range(layer.num_outputs):
                    dequantized[layer.get_output(k).name] = first.dtype.name
            if kind == "SHUFFLE" and first is not None and first.name in dequantized:
                dequantized[layer.get_output(0).name] = dequantized[first.name]  # only moved
            result = layer.get_output(0)
            precision = result.dtype.name if result is not None else ""
            if kind in COMPUTE and first is not None:
                precision = dequantized.get(first.name, first.dtype.name)
                if kind == "MATRIX_MULTIPLY" and (second := layer.get_input(1)) is not None:
                    # Weights of few bits beside float activations.
                    weights = dequantized.get(second.name, second.dtype.name)
                    precision = (
                        precision if weights == precision else f"{precision}, weights {weights}"
                    )
            yield {"name": layer.name, "type": kind, "precision": precision}
