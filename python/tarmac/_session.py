"""Running a model."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import json
import os
import tempfile
import weakref
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from types import TracebackType
from typing import Any, cast

from tarmac import _native
from tarmac._errors import make_error
from tarmac._graph import Graph, TensorSpec, specs
from tarmac._plan import PlanInfo, PlanProfile, plan_info
from tarmac._types import Array, ArrayLike, ModelLike, Path, Shape, Tensors


@dataclass(frozen=True)
class StateSpec:
    """An output that is an input of the next run. ``first``: .npy with what a scene begins with; None:
    zeros."""

    output: str
    input: str
    first: Path | None = None


@dataclass(frozen=True)
class NodeTime:
    """Time of a node in the latest run, in nanoseconds. ``kernel``: the engine's name of what ran it;
    ``reorder``: the engine put it in before ``node`` to change a tensor's memory layout or dtype."""

    node: str
    op_type: str
    kernel: str
    time_ns: int
    reorder: bool


@dataclass(frozen=True)
class PoolCounts:
    """Of a memory pool. Bytes are those of whole blocks; ``reused`` are those among ``acquired`` for which
    the system was not asked."""

    held_bytes: int
    in_use_bytes: int
    peak_in_use_bytes: int
    acquired: int
    reused: int
    refused: int


class MemoryPool:
    """Memory for arrays that come and go, taken from the system once. A block goes back to the pool when the
    last array that shows it is gone, also after the pool itself. Thread-safe."""

    def __init__(self, limit_bytes: int = 1 << 30) -> None:
        """``limit_bytes``: of all blocks, in use and free."""
        self._native = _native.MemoryPool(limit_bytes)

    def empty(self, shape: Shape, dtype: str = "float32") -> Array:
        """An array whose values are whatever was there. ResourceExhaustedError beyond the limit."""
        return cast(Array, self._native.empty(list(shape), dtype))

    @property
    def counts(self) -> PoolCounts:
        return PoolCounts(**self._native.counts())

    def trim(self) -> None:
        """Gives free blocks back to the system."""
        self._native.trim()


class RunFuture(concurrent.futures.Future[dict[str, Array]]):
    """The outputs of a run that is under way: a ``concurrent.futures.Future`` that asyncio can await too."""

    def __await__(self) -> Generator[Any, None, dict[str, Array]]:
        return asyncio.wrap_future(self).__await__()


class Session:
    """A loaded model with room for one inference at a time; clone() makes further ones that share its weights
    and may run at once.

    Inputs are read where they lie: a numpy array, or anything with ``__dlpack__`` in the processor's memory,
    is not copied if it is dense (C order), and must not change during a run. Lists and arrays with other
    strides are copied first. The dtype must be the input's own.

    Outputs are numpy arrays over memory that the engine wrote: not copied, kept alive by the array, never
    written again by later runs. They are copied only where their shape does not follow from that of the
    inputs (as after NonMaxSuppression) and for temporal state. Elements that numpy has no type for come as
    those of ``ml_dtypes`` where that package is there, else as their bits in unsigned integers.

    Any thread may use a session; calls wait for each other, without the interpreter's lock.
    """

    def __init__(
        self,
        model: ModelLike,
        *,
        target: str | None = None,
        cores: int = 0,
        streams: int = 0,
        providers: Sequence[str] = (),
        allow_fallback: bool = False,
        profile: bool = False,
        strict: bool = False,
        state: Iterable[StateSpec] = (),
        required_signer: Path | None = None,
        pool: MemoryPool | None = None,
        trace: bool = False,
    ) -> None:
        """Loads a plan, an ONNX file or a graph.

        Args:
            target: engine (default: the plan's, else openvino). A plan runs on its own only.
            cores: threads that the model may use; 0: the plan's budget, or all.
            streams: inferences at once that the engine is laid out for; 0: the plan's, or 1.
            providers: ONNX Runtime's execution providers, most wanted first; a plan brings its own.
            allow_fallback: nodes may run on a later provider than the first.
            profile: record node_times() (slower).
            strict: refuse shapes that the plan does not make ready, instead of counting them.
            state: outputs that are inputs of the next run (default: the plan's).
            required_signer: PEM file of an Ed25519 public key: only plans that it signed are opened.
            pool: gives the memory of outputs (default: one of the session's own).
            trace: record what takes how long, for write_trace().

        Raises:
            NotFoundError, FileError, InvalidModelError, UnsupportedError (names the node and the remedy),
            UnavailableError, UsageError (no such target), MismatchError (a plan for another machine or
            engine, or signed by another).
        """
        self._pool = pool if pool is not None else MemoryPool(1 << 40)
        options = {
            "target": target or "",
            "cores": cores,
            "streams": streams,
            "providers": list(providers),
            "allow_fallback": allow_fallback,
            "profile": profile,
            "strict": strict,
            "state": [
                (spec.output, spec.input, os.fspath(spec.first) if spec.first is not None else "")
                for spec in state
            ],
            "required_signer": os.fspath(required_signer) if required_signer is not None else "",
            "trace": trace,
        }
        if isinstance(model, Graph):
            with tempfile.TemporaryDirectory(prefix="tarmac-") as folder:
                path = str(FilePath(folder) / "model.onnx")
                model.save(path)  # weights stay mapped when the folder is gone
                self._native = _native.Session.open(path, options, self._pool._native)
        else:
            self._native = _native.Session.open(os.fspath(model), options, self._pool._native)
        self._path = None if isinstance(model, Graph) else FilePath(model)

    def clone(self) -> Session:
        """A further session on the same compiled model, with its own bindings and temporal state."""
        other = object.__new__(Session)
        other._pool, other._path = self._pool, self._path
        other._native = self._native.clone()
        return other

    # ---- What it is

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Inputs that are to be fed: those that temporal state provides are not among them."""
        return specs(json.loads(self._native.inputs()))

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return specs(json.loads(self._native.outputs()))

    @property
    def target(self) -> str:
        return self._native.target

    @property
    def engine_version(self) -> str:
        return self._native.engine_version

    @property
    def notes(self) -> tuple[str, ...]:
        """Fallbacks taken, precision that the engine chose, threads in use."""
        return tuple(self._native.notes)

    @property
    def plan(self) -> PlanInfo | None:
        """What the plan says about itself; None for an ONNX model."""
        text = self._native.plan()
        return plan_info(self._path or "", json.loads(text)) if text else None

    @property
    def profiles(self) -> tuple[PlanProfile, ...]:
        """Shapes that the plan admits. The one that takes all inputs of a run is found by itself; sizes
        outside raise OutOfRangeError with the range. Empty: every shape of the inputs' types."""
        plan = self.plan
        return plan.profiles if plan is not None else ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The plan's class names by index."""
        plan = self.plan
        return plan.labels if plan is not None else ()

    @property
    def pool(self) -> MemoryPool:
        """Where the memory of outputs comes from."""
        return self._pool

    # ---- Running

    def run(
        self,
        inputs: Tensors | None = None,
        *,
        outputs: Sequence[str] | None = None,
        deadline_s: float | None = None,
    ) -> dict[str, Array]:
        """One inference, without the interpreter's lock.

        Args:
            inputs: by name; those left out are what they were in the run before, read again where they lie.
            outputs: names of those wanted (default: all).
            deadline_s: seconds from now after which the result is of no use: a run that has not begun by
                then does not begin, one under way is stopped where the engine can.

        Raises:
            NotFoundError (a name), InvalidInputError (dtype, rank or size; an input without a value),
            OutOfRangeError (outside the plan's profiles), DeadlineError, InternalError (the engine).
        """
        return self._native.run(inputs or {}, outputs, deadline_s)

    __call__ = run

    def run_async(
        self,
        inputs: Tensors | None = None,
        *,
        outputs: Sequence[str] | None = None,
        deadline_s: float | None = None,
        callback: Callable[[RunFuture], object] | None = None,
    ) -> RunFuture:
        """As run(), on a thread of the session's own. Until it is done the session answers whatever else is
        asked of it with UsageError.

        Args:
            callback: gets the future when it is done, on that thread; it may begin the next run.

        Returns:
            A future: ``result(timeout)`` waits, ``await`` does inside asyncio. It keeps the inputs alive.
            Errors of the run come out there; those of the inputs are raised here.
        """
        future = RunFuture()
        future.set_running_or_notify_cancel()
        if callback is not None:
            future.add_done_callback(callback)  # type: ignore[arg-type]

        def done(results: dict[str, Array] | None, error: tuple[str, str, str, str] | None) -> None:
            _under_way.discard(future)
            if error is not None:
                future.set_exception(make_error(*error))
            else:
                future.set_result(results or {})

        _under_way.add(future)
        try:
            self._native.run_async(inputs or {}, outputs, deadline_s, done)
        except BaseException:
            _under_way.discard(future)
            raise
        return future

    def run_batch(self, items: Sequence[Tensors], batch: int = 0) -> list[dict[str, Array]]:
        """Runs items with a first axis of 1, batched along it, and gives their outputs in their order.

        Args:
            batch: items at a time (0: the model's own, the opt batch of the plan's first profile, or else
                all together). A last batch is filled up where the plan makes no smaller one ready.

        Raises:
            As run(). InvalidInputError: items of one batch that differ in shape. UsageError: a model whose
            batch is fixed to another size, or that carries state, or after set_output().
        """
        return self._native.run_batch(list(items), batch)

    def set_input(self, name: str, value: ArrayLike) -> None:
        """Binds an input for the runs that follow: its memory is read in each of them. Errors: as run()."""
        self._native.set_input(name, value)

    def set_output(self, name: str, array: Array) -> None:
        """Has the engine write an output into this array, in every run that follows: dense, writable, of
        exactly the result's shape and dtype. run() then returns it for this output."""
        self._native.set_output(name, array)

    def reset_scene(self) -> None:
        """Temporal state: the next run begins a new scene, with first values."""
        self._native.reset_scene()

    @property
    def carries_state(self) -> bool:
        """Whether outputs are inputs of the next run."""
        return self._native.carries_state

    # ---- Pictures

    def preprocess(self, name: str, picture: Path | ArrayLike, *, format: str = "bgr") -> Array:
        """A picture as the value of an input, by the plan's contract: a batch of one.

        Args:
            name: a picture input.
            picture: a file, or pixels of 8 bits: [height, width, 3] for "bgr" and "rgb", [height * 3 / 2,
                width] for "nv12", [height, width, 2] for "yuyv". Rows may be further apart than they are
                long; nothing is copied.
            format: of pixels; it must be what the contract's decode step names, "bgr" where it names none.

        Raises:
            UsageError: no plan with a contract, or no picture input of this name. NotFoundError,
            InvalidInputError: the picture.
        """
        if isinstance(picture, (str, os.PathLike)):
            return cast(Array, self._native.preprocess_file(name, os.fspath(picture)))
        return cast(Array, self._native.preprocess_frame(name, picture, format))

    def preprocess_into(
        self, name: str, picture: ArrayLike, out: Array, index: int = 0, *, format: str = "bgr"
    ) -> None:
        """The same of pixels, into sample ``index`` of the first axis of ``out``: dense, writable, of the
        input's dtype. Also during runs."""
        self._native.preprocess_into(name, picture, format, out, index)

    # ---- What it did

    def node_times(self) -> tuple[NodeTime, ...]:
        """Of the latest run, in the engine's order. UsageError unless opened with ``profile``."""
        return tuple(NodeTime(**fields) for fields in json.loads(self._native.node_times()))

    def metrics(self) -> Mapping[str, int]:
        """Counts of this session and its clones: runs, failures, deadlines_missed, cold_shapes, ..."""
        return self._native.metrics()

    def metrics_text(self, model: str = "") -> str:
        """The same and times, in Prometheus' text format; ``model`` is the label of that name."""
        return self._native.prometheus(model)

    def write_trace(self, path: Path) -> None:
        """Writes what was recorded as a Chrome trace, for Perfetto. UsageError unless opened with
        ``trace``."""
        self._native.write_trace(os.fspath(path))

    # ---- Its end

    def close(self) -> None:
        """Lets go of the model, once a run under way has ended. Further use: UsageError. Outputs stay."""
        self._native.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        names = ", ".join(f"{tensor.name}: {tensor.type}" for tensor in self.inputs)
        return f"<tarmac.Session ({names}) on {self.engine_version}>"


_under_way: weakref.WeakSet[RunFuture] = weakref.WeakSet()


def _finish_runs() -> None:
    """Their threads must not meet an interpreter that is gone."""
    concurrent.futures.wait(list(_under_way), timeout=60)


atexit.register(_finish_runs)
