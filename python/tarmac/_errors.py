"""Errors: one class for each code of the C++ library, with what the caller should do."""

from __future__ import annotations


class Error(Exception):
    """What Tarmac refuses or fails at; the text says what was found, what was expected and what to do.

    Attributes:
        code: stable lower-case word, as in the program's ``--json``.
        exit_code: what the program exits with for this code.
        message: the text without context and node.
        node: ONNX name of the node, value, input or output that it is about; "" where there is none.
        context: file, ``file:line`` or stage; "" where there is none.
    """

    code = "internal"
    exit_code = 1

    def __init__(self, message: str, *, node: str = "", context: str = "") -> None:
        self.message = message
        self.node = node
        self.context = context
        text = f"{context}: {message}" if context else message
        super().__init__(f"{text} (node '{node}')" if node else text)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.node, self.context))


def _rebuild(kind: type[Error], message: str, node: str, context: str) -> Error:
    return kind(message, node=node, context=context)


class UsageError(Error, ValueError):
    """The request itself is wrong: fix the arguments."""

    code, exit_code = "usage", 2


class UnsupportedError(Error):
    """Well-formed, but no engine or pass here can do it: follow the remedy in the message."""

    code, exit_code = "unsupported", 3


class InvalidModelError(Error):
    """The model or plan file is damaged or unsafe: get a good file."""

    code, exit_code = "invalid_model", 4


class InvalidInputError(Error, ValueError):
    """A value, tensor, picture or contract is wrong: correct it."""

    code, exit_code = "invalid_input", 4


class NotFoundError(Error, LookupError):
    """A file, name or tensor does not exist: correct the name."""

    code, exit_code = "not_found", 4


class FileError(Error):
    """Reading or writing failed (permission, disk full): repair the place, run again."""

    code, exit_code = "io", 4


class OutOfRangeError(Error, ValueError):
    """A shape lies outside what was compiled: use an allowed one."""

    code, exit_code = "out_of_range", 4


class ResourceExhaustedError(Error):
    """Memory or another limit was reached: give more or ask for less."""

    code, exit_code = "resource_exhausted", 4


class MismatchError(Error):
    """Made for another machine, engine version or model: rebuild it here."""

    code, exit_code = "mismatch", 4


class UnavailableError(Error):
    """A library or device is missing on this machine: install it or choose another target."""

    code, exit_code = "unavailable", 3


class AcceptanceError(Error):
    """Everything ran, but what was demanded is not met."""

    code, exit_code = "acceptance", 5


class DeadlineError(Error, TimeoutError):
    """The result would have come too late: drop the frame."""

    code, exit_code = "deadline", 5


class CancelledError(Error):
    """Stopped: the session was closed. Ctrl-C raises KeyboardInterrupt instead."""

    code, exit_code = "cancelled", 130


class InternalError(Error):
    """A bug of ours or of an engine: please report."""

    code, exit_code = "internal", 1


_BY_CODE = {kind.code: kind for kind in Error.__subclasses__()}


def make_error(code: str, message: str, node: str = "", context: str = "") -> Error:
    """The exception for a code; also called by the native module."""
    return _BY_CODE.get(code, InternalError)(message, node=node, context=context)
