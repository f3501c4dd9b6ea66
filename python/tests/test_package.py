"""The package as it is installed."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import MODEL, ROOT

import tarmac

PACKAGE = Path(tarmac.__file__).parent


def python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_nothing_is_loaded_before_it_is_used() -> None:
    loaded = python(
        "import sys, tarmac, tarmac.export;"
        "print([name for name in ('numpy', 'tarmac._native', 'tarmac._graph') if name in sys.modules])"
    )
    assert loaded.strip() == "[]"


def test_every_name_is_there() -> None:
    for name in tarmac.__all__:
        assert getattr(tarmac, name) is not None
    assert set(tarmac.__all__) <= set(dir(tarmac))
    with pytest.raises(AttributeError, match="compute"):
        tarmac.compute  # noqa: B018


def test_codes_are_those_of_the_program() -> None:
    kinds = tarmac.Error.__subclasses__()
    codes = {kind.code: kind.exit_code for kind in kinds}
    text = (ROOT / "include/tarmac/result.h").read_text()
    assert len(codes) == text.split("enum class ErrorCode {")[1].split("};")[0].count("  k")
    assert codes["usage"] == 2 and codes["unsupported"] == 3 and codes["internal"] == 1
    assert codes["acceptance"] == 5 and codes["not_found"] == 4 and codes["cancelled"] == 130


def test_errors_cross_processes() -> None:
    error = tarmac.NotFoundError("gone", node="n", context="file")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is tarmac.NotFoundError
    assert (str(again), again.node, again.context) == ("file: gone (node 'n')", "n", "file")


def test_the_stub_and_the_types_hold() -> None:
    pytest.importorskip("mypy")
    assert (PACKAGE / "py.typed").is_file() and (PACKAGE / "_native.pyi").is_file()
    script = (
        "import tarmac\n"
        "session = tarmac.Session('model.onnx')\n"
        "reveal_type(session.run({}))\n"
        "reveal_type(tarmac.optimize('model.onnx'))\n"
        "tarmac.check(3)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "-c", script],
        capture_output=True,
        text=True,
        cwd="/",
    )
    assert "dict[str, numpy.ndarray[" in done.stdout.replace("builtins.", ""), done.stdout
    assert "Graph, tarmac._optimize.OptimizeReport" in done.stdout, done.stdout
    assert 'Argument 1 to "check" has incompatible type "int"' in done.stdout, done.stdout
    assert "Found 1 error" in done.stdout, done.stdout


def installed() -> bool:
    return (PACKAGE / "bin/tarmac").is_file()


@pytest.mark.skipif(not installed(), reason="runs from the build tree")
def test_the_command_is_the_program_of_the_package() -> None:
    command = Path(sys.executable).parent / "tarmac"
    clean = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run([command, "inspect", MODEL, "--json"], capture_output=True, env=clean)
    assert done.returncode == 0 and b'"sha256"' in done.stdout, done.stderr
    assert subprocess.run([command, "inspect", "nowhere"], env=clean).returncode == 4
    from tarmac._program import find_program

    if "TARMAC_PROGRAM" not in os.environ:
        assert find_program() == PACKAGE / "bin/tarmac"


RUN = (
    "import numpy, tarmac;"
    f"s = tarmac.Session({str(MODEL)!r});"
    "r = s.run({'image': numpy.ones((1, 3, 96, 48), 'f4')})['logits'].tolist();"
    f"o = tarmac.Session({str(MODEL)!r}, target='onnxruntime');"
    "q = o.run({'image': numpy.ones((1, 3, 96, 48), 'f4')})['logits'];"
    "assert abs(q - r).max() < 1e-3;"
)
MAPPED = (
    "import re; maps = open('/proc/self/maps').read();"
    "print(sorted(set(re.findall(r'(/\\S*/lib(?:tbb|openvino|onnxruntime)\\.so\\S*)', maps))))"
)


@pytest.mark.skipif(not installed(), reason="runs from the build tree")
def test_the_process_has_one_onetbb_and_our_engines() -> None:
    mapped = eval(python(RUN + MAPPED))
    assert [Path(path).name.split(".so")[0] for path in mapped] == [
        "libonnxruntime",
        "libopenvino",
        "libtbb",
    ]
    assert all(Path(path).parent == PACKAGE / "lib/tarmac" for path in mapped), mapped


def cached(package: str) -> str:
    """The wheels that ./dev deps unpacked are whole: they can be imported."""
    cache = os.environ.get("TARMAC_CACHE", Path.home() / ".cache/tarmac")
    found = sorted(Path(cache).glob(f"{package}-*/{package}/__init__.py"))
    if not found or sys.version_info[:2] != (3, 11):
        pytest.skip(f"no {package} package for this Python in {cache}")
    path = os.environ.get("PYTHONPATH")
    return str(found[-1].parents[1]) + (f":{path}" if path else "")


def test_openvinos_own_package_may_come_first() -> None:
    before = "import openvino; core = openvino.Core(); assert 'CPU' in core.available_devices;"
    after = (
        f"m = core.compile_model({str(MODEL)!r}, 'CPU');"
        "assert m(numpy.ones((1, 3, 96, 48), 'f4'))[0].shape == (1, 3); print('fine')"
    )
    assert python(before + RUN + after, PYTHONPATH=cached("openvino")).strip() == "fine"
    assert python(RUN + before + after, PYTHONPATH=cached("openvino")).strip() == "fine"


def test_onnxruntimes_own_package_may_come_first() -> None:
    before = f"import onnxruntime; theirs = onnxruntime.InferenceSession({str(MODEL)!r});"
    after = "theirs.run(None, {'image': numpy.ones((1, 3, 96, 48), 'f4')}); print('fine')"
    assert python(before + RUN + after, PYTHONPATH=cached("onnxruntime")).strip() == "fine"
    assert python(RUN + before + after, PYTHONPATH=cached("onnxruntime")).strip() == "fine"


@pytest.mark.parametrize("pictures", [1, 4, 16, 64, 256])
def test_a_process_ends_while_runs_are_under_way(pictures: int) -> None:
    """The run may end before, while, and after the interpreter does."""
    said = python(
        "import numpy, tarmac;"
        f"s = tarmac.Session({str(MODEL)!r});"
        f"f = s.run_async({{'image': numpy.ones(({pictures}, 3, 96, 48), 'f4')}});"
        "f.add_done_callback(lambda done: print(*next(iter(done.result().values())).shape))"
    )
    assert said.split() == [str(pictures), "3"]
