"""Requests that come one at a time, run together."""

from __future__ import annotations

import atexit
import weakref
from types import TracebackType

from tarmac import _native
from tarmac._errors import make_error
from tarmac._session import RunFuture, Session
from tarmac._types import Array, Tensors


class Batcher:
    """Collects items into batches along the first axis and runs them on contexts of a session's model. Any
    thread may use it.

    Items whose shapes differ go into different batches. A batch that fails is repeated item by item, so that
    errors reach only those whose they are. Counts go where the session's go.
    """

    def __init__(
        self,
        session: Session,
        *,
        max_batch: int = 8,
        max_wait_s: float = 0.002,
        contexts: int = 1,
        max_queue: int = 1024,
    ) -> None:
        """
        Args:
            session: gives the model; it need not stay.
            max_batch: items of a batch at most.
            max_wait_s: how long an item may wait for others.
            contexts: batches at once, each on a thread of its own.
            max_queue: items waiting; more are refused.

        Raises:
            UsageError: a model whose batch is fixed to a size between 1 and ``max_batch``, that has no batch
            axis or carries state.
        """
        self._native = _native.Batcher(
            session._native, max_batch, max_wait_s, contexts, max_queue, session._pool._native
        )
        _open.add(self)

    def submit(self, inputs: Tensors, *, deadline_s: float | None = None) -> RunFuture:
        """One item: its inputs have a first axis of 1 and must not change until the result is there, whose
        outputs have one too. Errors come out of the future: ResourceExhaustedError where the queue is full,
        DeadlineError, Session.run()'s."""
        future = RunFuture()
        future.set_running_or_notify_cancel()

        def done(results: dict[str, Array] | None, error: tuple[str, str, str, str] | None) -> None:
            if error is not None:
                future.set_exception(make_error(*error))
            else:
                future.set_result(results or {})

        self._native.submit(inputs, deadline_s, done)
        return future

    def close(self) -> None:
        """Runs what has been submitted, without waiting for more."""
        self._native.close()

    def __enter__(self) -> Batcher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


_open: weakref.WeakSet[Batcher] = weakref.WeakSet()


def _close_all() -> None:
    for batcher in list(_open):
        batcher.close()


atexit.register(_close_all)
