"""Tarmac takes a trained driving model to the road: check, optimise, quantise, compile, run, verify.

    import tarmac

    graph = tarmac.Graph.load("model.onnx")
    print(tarmac.check(graph, "openvino").runs)
    graph, report = tarmac.optimize(graph)
    session = tarmac.Session(graph)
    scores = session.run({"image": picture})["scores"]

Nothing native is loaded before the first of these names is used, so that ``tarmac.export`` works as plain
Python inside the environments of the frameworks that it converts from.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tarmac._batcher import Batcher as Batcher
    from tarmac._check import NodeVerdict as NodeVerdict
    from tarmac._check import TargetCheck as TargetCheck
    from tarmac._check import TargetInfo as TargetInfo
    from tarmac._check import check as check
    from tarmac._check import targets as targets
    from tarmac._commands import DeployReport as DeployReport
    from tarmac._commands import Profile as Profile
    from tarmac._commands import compile as compile
    from tarmac._commands import deploy as deploy
    from tarmac._commands import quantize as quantize
    from tarmac._errors import AcceptanceError as AcceptanceError
    from tarmac._errors import CancelledError as CancelledError
    from tarmac._errors import DeadlineError as DeadlineError
    from tarmac._errors import Error as Error
    from tarmac._errors import FileError as FileError
    from tarmac._errors import InternalError as InternalError
    from tarmac._errors import InvalidInputError as InvalidInputError
    from tarmac._errors import InvalidModelError as InvalidModelError
    from tarmac._errors import MismatchError as MismatchError
    from tarmac._errors import NotFoundError as NotFoundError
    from tarmac._errors import OutOfRangeError as OutOfRangeError
    from tarmac._errors import ResourceExhaustedError as ResourceExhaustedError
    from tarmac._errors import UnavailableError as UnavailableError
    from tarmac._errors import UnsupportedError as UnsupportedError
    from tarmac._errors import UsageError as UsageError
    from tarmac._graph import Graph as Graph
    from tarmac._graph import ModelInfo as ModelInfo
    from tarmac._graph import Node as Node
    from tarmac._graph import TensorSpec as TensorSpec
    from tarmac._optimize import Change as Change
    from tarmac._optimize import OptimizeReport as OptimizeReport
    from tarmac._optimize import optimize as optimize
    from tarmac._plan import PlanInfo as PlanInfo
    from tarmac._plan import PlanProfile as PlanProfile
    from tarmac._plan import inspect_plan as inspect_plan
    from tarmac._session import MemoryPool as MemoryPool
    from tarmac._session import NodeTime as NodeTime
    from tarmac._session import RunFuture as RunFuture
    from tarmac._session import Session as Session
    from tarmac._session import StateSpec as StateSpec
    from tarmac._verify import OutputErrors as OutputErrors
    from tarmac._verify import VerifyReport as VerifyReport
    from tarmac._verify import verify as verify

_HOMES = {
    "_batcher": ["Batcher"],
    "_check": ["NodeVerdict", "TargetCheck", "TargetInfo", "check", "targets"],
    "_commands": ["DeployReport", "Profile", "compile", "deploy", "quantize"],
    "_errors": [
        "AcceptanceError",
        "CancelledError",
        "DeadlineError",
        "Error",
        "FileError",
        "InternalError",
        "InvalidInputError",
        "InvalidModelError",
        "MismatchError",
        "NotFoundError",
        "OutOfRangeError",
        "ResourceExhaustedError",
        "UnavailableError",
        "UnsupportedError",
        "UsageError",
    ],
    "_graph": ["Graph", "ModelInfo", "Node", "TensorSpec"],
    "_optimize": ["Change", "OptimizeReport", "optimize"],
    "_plan": ["PlanInfo", "PlanProfile", "inspect_plan"],
    "_session": ["MemoryPool", "NodeTime", "RunFuture", "Session", "StateSpec"],
    "_verify": ["OutputErrors", "VerifyReport", "verify"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted([*_HOME_OF, "__version__"])


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = importlib.import_module("tarmac._native").version()
    elif name in _HOME_OF:
        value = getattr(importlib.import_module(f"tarmac.{_HOME_OF[name]}"), name)
    else:
        raise AttributeError(f"module 'tarmac' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
