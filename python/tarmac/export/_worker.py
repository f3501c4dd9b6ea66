"""Converters run in a child process of their own, sealed off from the network and from pip.

They abort the process (paddle2onnx), exit it (onnx2tf), write into the working folder, overwrite
their input, install packages and download pictures. A child in a temporary folder makes all of that
either harmless or an error that says what happened."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

_JOB = "job.json"
_RESULT = "result.json"
# The child gets this package and nothing else of this Python's path.
_BOOTSTRAP = """
import importlib.util, runpy, sys
spec = importlib.util.spec_from_file_location(
    "tarmac", sys.argv[1] + "/__init__.py", submodule_search_locations=[sys.argv[1]])
sys.modules["tarmac"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
sys.argv = sys.argv[1:]
from tarmac.export import _worker
sys.exit(_worker.main(sys.argv[1]))
"""
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Refused(RuntimeError):
    """A converter wanted the network or pip."""


class WorkerFailure(Exception):
    """The child ended without a result; the message is one line that says why."""


class Unsupported(Exception):
    """Raised in a worker: the model has something that the converter cannot say in its format."""


def refuse_network_and_pip(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook (sys.addaudithook): local sockets and other programs stay possible."""
    if event == "socket.getaddrinfo" and arguments[0] not in (
        None,
        "localhost",
        "127.0.0.1",
        "::1",
    ):
        raise Refused(f"the converter tried to reach {arguments[0]!r}; nothing is downloaded here")
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = str(arguments[1][0])
        if not host.startswith("127.") and host != "::1":
            raise Refused(f"the converter tried to reach {host!r}; nothing is downloaded here")
    if event in ("subprocess.Popen", "os.system"):
        words = re.split(
            r"[\s,'\"\[\]\\]+", str(arguments[1] if event == "subprocess.Popen" else arguments[0])
        )
        if any(
            re.fullmatch(r"pip[0-9.]*|uv|conda|wget|curl", os.path.basename(word)) for word in words
        ):
            raise Refused(
                f"the converter tried to start {' '.join(words).strip()!r}; "
                "nothing is installed here"
            )


def run_worker(module: str, job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Runs `module`'s work(job) in a child whose working and temporary folder is `folder`; gives
    its result. What the child printed goes to standard error, which the command line shows with
    -v."""
    (folder / _JOB).write_text(json.dumps(job))
    (folder / _RESULT).unlink(missing_ok=True)
    environment = os.environ | {
        "TMPDIR": str(folder),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    package = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-B", "-c", _BOOTSTRAP, str(package), module],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    chatter = _COLOURS.sub("", done.stdout.decode(errors="replace"))
    sys.stderr.flush()
    os.write(2, chatter.encode())
    result: dict[str, Any] = {}
    if (folder / _RESULT).is_file():
        result = json.loads((folder / _RESULT).read_text())
    if done.returncode == 0 and result and "failure" not in result:
        return result
    raise WorkerFailure(result.get("failure") or _reason(done.returncode, chatter))


def _reason(returncode: int, chatter: str) -> str:
    """The last line that speaks of an error; converters print their reason before they abort."""
    lines = [line.strip() for line in chatter.splitlines() if line.strip()]
    telling = [
        line
        for line in lines
        if re.search(r"error|not support|unsupported|failed|not yet", line, re.IGNORECASE)
    ]
    ended = (
        f"signal {signal.Signals(-returncode).name}"
        if returncode < 0
        else f"exit code {returncode}"
    )
    return f"{(telling or lines or ['it said nothing'])[0][:400]} ({ended})"


def main(module: str) -> int:
    """In the child: seals the process and does the job of the working folder."""
    import importlib
    import traceback

    sys.addaudithook(refuse_network_and_pip)
    job = json.loads(Path(_JOB).read_text())
    result: dict[str, Any]
    try:
        result = importlib.import_module(module).work(job)
    except SystemExit as stop:  # onnx2tf's way to report an error
        return int(stop.code) if isinstance(stop.code, int) and stop.code else 1
    except Exception as error:
        traceback.print_exc()
        first = (str(error).strip().splitlines() or [""])[0]
        reason = (
            str(error) if isinstance(error, Unsupported) else f"{type(error).__name__}: {first}"
        )
        result = {"failure": reason[:600]}
    Path(_RESULT).write_text(json.dumps(result))
    return 1 if "failure" in result else 0
