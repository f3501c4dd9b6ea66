"""PyTorch modules as sources: found by name, given their weights, run on numpy arrays."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from tarmac.export.factory import attribute_of, call, import_module
from tarmac.export.source import BAD_INPUT, USAGE, ExportError, TensorSpec

if TYPE_CHECKING:
    import torch


def load_module(text: str, weights: Path | None = None) -> torch.nn.Module:
    """The module that MODULE[:FACTORY] names, with the state dict of `weights`.

    MODULE is a file (models.py) or an importable name. FACTORY is a module, its class, or a function
    without arguments that returns one; without it, `model` or the only one of these in MODULE.
    """
    name, _, factory = text.partition(":")
    if Path(name).suffix in (".pt", ".pth", ".ckpt", ".safetensors"):
        message = f"{name} holds weights, not the module"
        remedy = "name the Python file that defines it, and give this file with --weights"
        raise ExportError(USAGE, message, remedy)
    home = import_module(name)
    found = attribute_of(home, name, factory) if factory else _only_module(home, name)
    module = _make(found, text)
    if weights is not None:
        load_weights(module, weights)
    return module


def _candidates(home: ModuleType) -> list[str]:
    """Names of modules, and of modules' classes defined in this very file."""
    import torch

    def is_module(value: Any) -> bool:
        if inspect.isclass(value):
            return issubclass(value, torch.nn.Module) and value.__module__ == home.__name__
        return isinstance(value, torch.nn.Module)

    return [name for name, value in vars(home).items() if is_module(value)]


def _only_module(home: ModuleType, name: str) -> Any:
    if hasattr(home, "model"):
        return home.model
    found = _candidates(home)
    if len(found) != 1:
        there = f"it has {', '.join(found)}" if found else "it defines none"
        message = f"{name} does not say which module to export: {there}"
        raise ExportError(USAGE, message, f"write {name}:NAME")
    return getattr(home, found[0])


def _make(found: Any, text: str) -> torch.nn.Module:
    import torch

    if isinstance(found, torch.nn.Module):
        return found
    if not callable(found):
        message = f"{text} is a {type(found).__name__}, not a module"
        raise ExportError(
            BAD_INPUT, message, "name a torch.nn.Module, or a function that makes one"
        )
    made = call(found, text)
    if not isinstance(made, torch.nn.Module):
        message = f"{text} returned a {type(made).__name__}, not a torch.nn.Module"
        raise ExportError(BAD_INPUT, message, "return the module itself")
    return made


def load_weights(module: torch.nn.Module, path: Path) -> None:
    """A state dict, bare or under `state_dict` or `model`, as training scripts save it. Only tensors
    are read from the file, no code."""
    import torch

    if not path.is_file():
        raise ExportError(BAD_INPUT, f"there is no file {path}", "check --weights")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError, ValueError) as failure:
        reason = str(failure).strip().splitlines()[0] if str(failure).strip() else "unreadable"
        remedy = "save it with torch.save(module.state_dict(), FILE)"
        raise ExportError(BAD_INPUT, f"{path} is no state dict: {reason}", remedy) from None
    for key in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict):
        message = f"{path} holds a {type(state).__name__}, not a state dict"
        raise ExportError(BAD_INPUT, message, "save it with torch.save(module.state_dict(), FILE)")
    # DataParallel puts `module.` before every name.
    if state and all(str(name).startswith("module.") for name in state):
        state = {name.removeprefix("module."): value for name, value in state.items()}
    own = module.state_dict()
    faults = [
        *(f"'{name}' is missing" for name in own if name not in state),
        *(f"'{name}' is not in the module" for name in state if name not in own),
        *(
            f"'{name}' is {list(value.shape)}, the module's {list(own[name].shape)}"
            for name, value in state.items()
            if name in own and hasattr(value, "shape") and value.shape != own[name].shape
        ),
    ]
    if faults:
        more = f", and {len(faults) - 3} more" if len(faults) > 3 else ""
        message = f"{path} does not fit the module: {', '.join(faults[:3])}{more}"
        raise ExportError(BAD_INPUT, message, "give the weights of this very module")
    module.load_state_dict(state)


class TorchSource:
    """A module with named inputs and outputs. While it lives inside `prepared()`, the module is in
    evaluation mode and its forward takes the inputs in order and returns a flat tuple of tensors."""

    def __init__(
        self,
        module: torch.nn.Module,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[str] = (),
        redirects: bool = True,
    ) -> None:
        self.module = module
        self.inputs = tuple(inputs)
        self.outputs: tuple[str, ...] = tuple(outputs)
        self.notes: list[str] = []
        self.runs_patched = False  # for comparison too: the module's own kernels are not here
        self.redirects = redirects
        self._call = module.forward
        self._names = _keywords(module, self.inputs)

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """Evaluation mode, and a flat forward; both are undone, also for a module that raises."""
        import torch

        modes = {part: part.training for part in self.module.modules()}
        own = vars(self.module).get("forward")
        fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(
            False
        )  # one operator of PyTorch's own, unknown to ONNX
        self.module.eval()
        # On the module itself, so that the names of its parts and parameters stay as they are.
        self.module.forward = self._flat_forward
        try:
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
            if own is None:
                del self.module.forward
            else:
                self.module.forward = own
            for part, mode in modes.items():
                part.training = mode

    def redirected(self) -> AbstractContextManager[list[str]]:
        """While it lasts, known functions are Tarmac's operators, unless the module's own shall stay;
        yields the names of those that were called."""
        from tarmac.export.torch_patch import patch

        return patch() if self.redirects else nullcontext([])

    def _flat_forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(value for _, value in _tensors(self._call_with(tensors)))

    def _call_with(self, tensors: Sequence[torch.Tensor]) -> Any:
        if self._names is None:
            return self._call(*tensors)
        return self._call(**dict(zip(self._names, tensors, strict=True)))

    def name_outputs(self, sample: Mapping[str, np.ndarray]) -> None:
        """Runs the module once. Outputs get the given names, else those of dictionaries and fields."""
        seen: list[str] = []
        flat = self.module.forward

        def look(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
            result = self._call_with(tensors)
            seen.extend(name for name, _ in _tensors(result))
            self.notes.extend(_left_out(result))
            return tuple(value for _, value in _tensors(result))

        self.module.forward = look
        try:
            self._run(sample)
        finally:
            self.module.forward = flat
        if not seen:
            raise ExportError(BAD_INPUT, "the module returns no tensor", "return at least one")
        if self.outputs and len(self.outputs) != len(seen):
            message = f"{len(self.outputs)} names are given for outputs, but the module returns {len(seen)}"
            raise ExportError(USAGE, message, f"it returns {', '.join(seen)}")
        taken = {spec.name for spec in self.inputs}
        names = self.outputs or tuple(f"{name}_out" if name in taken else name for name in seen)
        twice = {name for name in names if names.count(name) > 1 or name in taken}
        if twice:
            message = f"the name {', '.join(sorted(twice))} is used twice"
            raise ExportError(USAGE, message, "give each output a name of its own with --output")
        self.outputs = names

    def tensors(self, sample: Mapping[str, np.ndarray]) -> tuple[torch.Tensor, ...]:
        """The inputs as the module takes them, on its device."""
        import torch

        device = next((p.device for p in self.module.parameters()), torch.device("cpu"))
        return tuple(
            torch.from_numpy(np.ascontiguousarray(sample[spec.name])).to(device)
            for spec in self.inputs
        )

    def _run(self, sample: Mapping[str, np.ndarray]) -> tuple[torch.Tensor, ...]:
        import torch

        from tarmac.export.torch_patch import patch

        with torch.no_grad(), patch() if self.runs_patched else nullcontext():
            result: tuple[torch.Tensor, ...] = self.module(*self.tensors(sample))
        return result

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        values = self._run(inputs)
        return {name: to_numpy(value) for name, value in zip(self.outputs, values, strict=True)}


def to_numpy(value: torch.Tensor) -> np.ndarray:
    import torch

    if value.dtype == torch.bfloat16:
        value = value.float()  # numpy has no such type
    array: np.ndarray = value.detach().cpu().numpy()
    return array


def _keywords(module: torch.nn.Module, inputs: Sequence[TensorSpec]) -> list[str] | None:
    """The inputs' names where each is a parameter of forward; None where they go by position."""
    try:
        parameters = inspect.signature(module.forward).parameters
    except (TypeError, ValueError):
        return None
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    known = {name for name, parameter in parameters.items() if parameter.kind in kinds}
    names = [spec.name for spec in inputs]
    return names if set(names) <= known else None


def _tensors(result: Any) -> list[tuple[str, torch.Tensor]]:
    """Every tensor of a nested result, with a name made of keys, fields and positions."""
    import torch
    from torch.utils import _pytree as pytree

    leaves, _ = pytree.tree_flatten_with_path(_plain(result))
    found = []
    for path, value in leaves:
        if isinstance(value, torch.Tensor):
            name = "_".join(_step(key) for key in path)
            found.append((f"output{name}" if not name or name[0].isdecimal() else name, value))
    return found


def _plain(result: Any) -> Any:
    """Data classes and mappings that are no dictionaries, as dictionaries."""
    import dataclasses

    if dataclasses.is_dataclass(result) and not isinstance(result, (type, dict)):
        fields = [(field.name, getattr(result, field.name)) for field in dataclasses.fields(result)]
        return {name: _plain(value) for name, value in fields}
    if isinstance(result, Mapping):
        return {str(key): _plain(value) for key, value in result.items()}
    if isinstance(result, tuple) and hasattr(result, "_fields"):
        return {name: _plain(getattr(result, name)) for name in result._fields}
    if isinstance(result, (list, tuple)):
        return [_plain(value) for value in result]
    return result


def _step(key: Any) -> str:
    for attribute in ("key", "idx", "name"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)


def _left_out(result: Any) -> list[str]:
    import torch
    from torch.utils import _pytree as pytree

    leaves, _ = pytree.tree_flatten_with_path(_plain(result))
    return [
        f"'{'_'.join(_step(key) for key in path) or 'output'}' is a {type(value).__name__}, no tensor, "
        "and is left out"
        for path, value in leaves
        if value is not None and not isinstance(value, torch.Tensor)
    ]
