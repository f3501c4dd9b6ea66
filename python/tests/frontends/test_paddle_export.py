"""python -m tarmac.export paddle."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from watch_support import run_watched

from tarmac._program import run_program
from tarmac.export import __main__ as command
from tarmac.export import paddle as exporter
from tarmac.export._worker import WorkerFailure, run_worker
from tarmac.export.source import ExportError, TensorSpec

HERE = Path(__file__).resolve().parent
MODELS = HERE / "paddle_models.py"
IMAGE = ("--input", "image:float32:batch,3,height,width")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Nothing may be left in the folder where a user works."""
    monkeypatch.chdir(tmp_path)
    before = set(os.listdir(HERE))
    yield
    assert set(os.listdir(HERE)) - before <= {"__pycache__"}


def names_and_axes(path: Path) -> dict[str, list[Any]]:
    found = run_program("inspect", [path])
    return {entry["name"]: entry["shape"] for entry in [*found["inputs"], *found["outputs"]]}


def export(factory: str, *inputs: str, **options: Any) -> Any:
    specs = [TensorSpec.parse(text) for text in inputs]
    return exporter.export(f"{MODELS}:{factory}", Path("out.onnx"), inputs=specs, **options)


@pytest.mark.parametrize(("factory", "size"), [("resnet", "64,64"), ("mobilenet", "height,width")])
def test_a_network_leaves_with_a_dynamic_batch_and_equal_results(factory: str, size: str) -> None:
    report = export(factory, f"image:float32:batch,3,{size}", outputs=["logits"])
    assert report.opset == 17
    assert report.errors[0].max_rel < 1e-4
    assert report.errors[0].samples == 2  # two batch sizes
    assert report.nodes_after < report.nodes_before
    dims = [int(d) if d.isdecimal() else d for d in size.split(",")]
    assert names_and_axes(report.output) == {
        "image": ["batch", 3, *dims],
        "logits": ["batch", 1000],
    }
    assert os.listdir() == ["out.onnx"]


def test_the_keys_of_a_dictionary_name_the_outputs() -> None:
    report = export("detector", IMAGE[1], opset=13)
    assert report.opset == 13
    axes = names_and_axes(report.output)
    assert set(axes) == {"image", "scores", "boxes"}
    assert axes["boxes"][0] == axes["scores"][0] == "batch"
    assert {error.output: error.samples for error in report.errors} == {"boxes": 2, "scores": 2}
    # Batch and picture sizes that the comparison did not try.
    np.save("x.npy", np.ones((3, 3, 40, 72), np.float32))
    run = ["out.onnx", "--target", "onnxruntime", "--input", "image=x.npy", "--output-dir", "o"]
    run_program("run", run)
    assert np.load("o/scores.npy").shape == (3, 180, 5)


def test_what_lies_above_the_converters_opsets_is_made_by_tarmac() -> None:
    report = export("detector", IMAGE[1], opset=24)
    assert report.opset == 24
    assert any("wrote opset 21" in note and "Tarmac made 24" in note for note in report.notes)


def test_a_sequence_keeps_batch_and_time() -> None:
    report = export("lstm", "frames:float32:batch,time,16", outputs=["scores", "state"])
    axes = names_and_axes(report.output)
    assert axes["scores"] == ["batch", "time", 5]
    assert axes["state"] == [1, "batch", 32]
    assert max(error.max_rel for error in report.errors) < 1e-4


def test_a_transformer_keeps_batch_and_tokens() -> None:
    report = export("transformer", "tokens:float32:batch,tokens,64")
    assert names_and_axes(report.output)["output"] == ["batch", "tokens", 64]
    assert report.errors[0].max_rel < 1e-4


def test_a_state_that_the_converter_cuts_is_refused() -> None:
    # paddle2onnx 2.1 gives the state of a stacked LSTM's last layer only.
    with pytest.raises(
        ExportError, match=r"shape \[1, 1, 32\], in the source \[2, 1, 32\]"
    ) as refused:
        export("stacked_lstm", "frames:float32:batch,time,16")
    assert refused.value.code == 5
    assert os.listdir() == []


@pytest.mark.parametrize("suffix", ["", ".json", ".pdiparams"])
def test_a_saved_program_is_read(suffix: str) -> None:
    import paddle

    layer = __import__("paddle_models").lstm()
    layer.eval()
    spec = [paddle.static.InputSpec([None, None, 16], "float32", name="frames")]
    paddle.jit.save(layer, "saved/lstm", input_spec=spec)
    inputs = [TensorSpec("frames", "float32", ("batch", "time", 16))] if suffix else []
    report = exporter.export(f"saved/lstm{suffix}", Path("out.onnx"), inputs=inputs)
    assert max(error.max_rel for error in report.errors) < 1e-4
    axes = names_and_axes(report.output)
    assert axes["frames"] == ["batch", "time" if suffix else "frames_1", 16]
    assert axes["fetch_name_0"][0] == "batch"


OLD_PROGRAM = """
import paddle
paddle.enable_static()
with paddle.pir_utils.OldIrGuard():
    main, start = paddle.static.Program(), paddle.static.Program()
    with paddle.static.program_guard(main, start):
        image = paddle.static.data("image", [None, 3, 32, 32], "float32")
        net = paddle.nn.Sequential(
            paddle.nn.Conv2D(3, 8, 3, padding=1), paddle.nn.BatchNorm2D(8), paddle.nn.ReLU(),
            paddle.nn.AdaptiveAvgPool2D(1), paddle.nn.Flatten(), paddle.nn.Linear(8, 4))
        net.eval()
        logits = net(image)
        executor = paddle.static.Executor(paddle.CPUPlace())
        executor.run(start)
        paddle.static.save_inference_model("model", [image], [logits], executor, program=main)
"""


def test_a_pdmodel_of_paddle_2_is_read() -> None:
    subprocess.run([sys.executable, "-c", OLD_PROGRAM], check=True, capture_output=True)
    assert Path("model.pdmodel").is_file()
    before = {name: Path(name).read_bytes() for name in os.listdir()}
    report = exporter.export("model", Path("out.onnx"), outputs=["logits"])
    assert report.errors[0].max_rel < 1e-4
    assert names_and_axes(report.output) == {"image": ["batch", 3, 32, 32], "logits": ["batch", 4]}
    assert {name: Path(name).read_bytes() for name in before} == before
    assert set(os.listdir()) == {*before, "out.onnx"}


def test_nothing_is_installed_or_downloaded(tmp_path_factory: pytest.TempPathFactory) -> None:
    arguments = ["paddle", f"{MODELS}:detector", *IMAGE, "-o", "out.onnx", "--json"]
    done, asked = run_watched(arguments, tmp_path_factory.mktemp("watched"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "ok"
    assert "_worker" in asked  # the converter's start is among what was seen
    assert not re.search(r"\bpip\b", asked)
    assert "socket." not in asked
    assert os.listdir() == ["out.onnx"]


REACHES = {
    "pip": "import subprocess, sys\nsubprocess.run([sys.executable, '-m', 'pip', 'install', 'x'])",
    "pip in a shell": "import os\nos.system('pip install x')",
    "network": "import socket\nsocket.create_connection(('192.0.2.1', 80), 1)",
    "name": "import urllib.request\nurllib.request.urlopen('http://example.invalid/x')",
}


@pytest.mark.parametrize("what", REACHES)
def test_a_converter_that_reaches_out_is_stopped(what: str, tmp_path: Path) -> None:
    code = "\n".join("    " + line for line in REACHES[what].splitlines())
    (tmp_path / "reaching.py").write_text(f"def work(job):\n{code}\n    return {{'done': 1}}\n")
    with pytest.raises(WorkerFailure, match="Refused: the converter tried to"):
        run_worker("reaching", {}, tmp_path)


def refuse(capfd: pytest.CaptureFixture[str], code: int, *arguments: object) -> str:
    capfd.readouterr()
    before = sorted(os.listdir())
    assert command.main(["paddle", *map(str, arguments)]) == code
    out, err = capfd.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1, err
    assert sorted(os.listdir()) == before
    return err


def test_mistakes_get_one_line_and_a_remedy(capfd: pytest.CaptureFixture[str]) -> None:
    out = ("-o", "out.onnx")
    assert "neither nothing.json nor nothing.pdmodel" in refuse(capfd, 4, "nothing", *out)
    assert "there is no file" in refuse(capfd, 4, "nothing.py:net", *IMAGE, *out)
    assert "no_such" in refuse(capfd, 4, f"{MODELS}:no_such", *IMAGE, *out)
    assert "weights.pdparams is not here" in refuse(capfd, 4, f"{MODELS}:broken", *IMAGE, *out)
    assert "paddle.nn.Layer" in refuse(capfd, 4, f"{MODELS}:number", *IMAGE, *out)
    assert "--input" in refuse(capfd, 2, f"{MODELS}:detector", *out)
    twice = refuse(capfd, 2, f"{MODELS}:detector", *IMAGE, *IMAGE, *out)
    assert "same name" in twice
    channels = ("--input", "image:float32:batch,4,32,32")
    assert "input_channels" in refuse(capfd, 4, f"{MODELS}:detector", *channels, *out)
    assert "too old" in refuse(capfd, 2, f"{MODELS}:detector", *IMAGE, *out, "--opset", 11)
    both = ("--data", "x.npz", "--sizes", "batch=2")
    assert "leave it or --data out" in refuse(capfd, 2, f"{MODELS}:detector", *IMAGE, *both, *out)
    names = ("--output-name", "one")
    assert "--output-name" in refuse(capfd, 2, f"{MODELS}:detector", *IMAGE, *names, *out)
    Path("cut.json").write_text("no program")
    assert "no cut.pdiparams" in refuse(capfd, 4, "cut", *out)
    Path("cut.pdiparams").write_text("")
    assert "Paddle cannot read cut.json" in refuse(capfd, 4, "cut", *out)
    assert "folder" in refuse(capfd, 4, f"{MODELS}:detector", *IMAGE, "-o", "none/out.onnx")


def test_an_operator_without_onnx_form_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    x = ("--input", "x:float32:4,4")
    said = refuse(capfd, 3, f"{MODELS}:Decomposition", *x, "-o", "out.onnx")
    assert "svd" in said


def test_data_that_is_no_number_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    x = ("--input", "x:float32:batch,8")
    np.save("nan.npy", np.full((3, 8), np.nan, np.float32))
    said = refuse(capfd, 4, f"{MODELS}:Twice", *x, "-o", "out.onnx", "--data", "nan.npy")
    assert "nothing could be compared" in said
    np.save("narrow.npy", np.ones((3, 7), np.float32))
    said = refuse(capfd, 4, f"{MODELS}:Twice", *x, "-o", "out.onnx", "--data", "narrow.npy")
    assert "[3, 7]" in said


def test_a_layer_that_runs_on_its_own_data_only_is_described_by_it() -> None:
    # Two tokens of 64 need a second axis of 128, which made-up inputs do not have.
    np.savez("x.npz", x=np.random.default_rng(0).uniform(-1, 1, (6, 128)).astype(np.float32))
    report = export("Halves", "x:float32:batch,width", data=Path("x.npz"))
    assert report.errors[0].samples == 6
    assert names_and_axes(report.output)["x"] == ["batch", "width"]


def test_a_failed_export_leaves_the_old_file(capfd: pytest.CaptureFixture[str]) -> None:
    Path("out.onnx").write_text("old")
    refuse(capfd, 3, f"{MODELS}:Decomposition", "--input", "x:float32:4,4", "-o", "out.onnx")
    assert Path("out.onnx").read_text() == "old"


def test_a_name_that_stands_inside_is_not_given_twice() -> None:
    with pytest.raises(ExportError, match="another value is") as refused:
        export("Twice", "x:float32:batch,8", outputs=["x", "y"])
    assert refused.value.code == 2


def test_other_python_says_what_to_install(tmp_path: Path) -> None:
    """In a Python without Paddle, and no environment made."""
    code = (
        "import sys; sys.modules['paddle'] = None\n"
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda n, *a: None if n == 'paddle' else find(n, *a)\n"
        "from tarmac.export.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "paddle", "model", "-o", "out.onnx"],
        env={**os.environ, "TARMAC_CACHE": str(tmp_path), "PYTHONPATH": str(HERE.parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "./dev frontend paddle" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_checker_takes_the_file() -> None:
    report = export("detector", IMAGE[1])
    onnx.checker.check_model(onnx.load(report.output), full_check=True)
