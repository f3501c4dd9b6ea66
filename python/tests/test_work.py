"""check, optimize, verify, quantize, compile, deploy; and how they let Python go on."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from conftest import CONTRACT, EXAMPLE, MODEL, model_of

import tarmac


def test_a_check_names_nodes_reasons_and_remedies(graph: tarmac.Graph) -> None:
    assert tarmac.check(graph, "onnxruntime")
    unknown = tarmac.Graph.from_text(
        '<ir_version: 8, opset_import: ["" : 17, "mine" : 1]>'
        " g (float[2] x) => (float[2] y) { y = mine.Magic(x) }"
    )
    found = tarmac.check(unknown, "openvino")
    assert not found and not found.runs
    (problem,) = found.problems
    assert problem.operator == "mine::Magic" and problem.reason
    with pytest.raises(tarmac.UnsupportedError) as raised:
        tarmac.Session(unknown)
    assert raised.value.exit_code == 3
    with pytest.raises(tarmac.UnavailableError):
        tarmac.check(graph, "tensorrt")


def test_engines_say_whether_they_are_here() -> None:
    known = {target.name: target for target in tarmac.targets()}
    assert known["openvino"].available and known["onnxruntime"].available
    assert not known["tensorrt"].available and known["tensorrt"].reason


def test_optimising_gives_a_new_graph_that_computes_the_same() -> None:
    before = model_of(
        "a = Identity(x) b = Add(a, z) c = Transpose <perm = [1, 0]> (b)"
        " y = Transpose <perm = [1, 0]> (c)",
        "float[2, n] x, float[2, n] z",
        "float[2, n] y",
    )
    after, report = tarmac.optimize(before, verify=True)
    assert len(before.nodes) == 4 and len(after.nodes) == 1
    assert (report.nodes_before, report.nodes_after) == (4, 1)
    assert report.passes["eliminate_no_ops"] >= 1 and any(c.node for c in report.changes)
    assert report.verification is not None and report.verification["passed"]


def test_optimising_takes_its_options(graph: tarmac.Graph) -> None:
    after, _ = tarmac.optimize(graph, fix_shapes={"image": (4, None, None, None)}, opset=17)
    assert after.inputs[0].shape == (4, 3, 96, 48) and after.opset == 17
    with pytest.raises(tarmac.UsageError, match="no pass"):
        tarmac.optimize(graph, skip=["polish"])


def test_a_model_in_16_bits_keeps_what_must_stay(graph: tarmac.Graph, picture: np.ndarray) -> None:
    half, report = tarmac.optimize(
        graph, precision="fp16", keep_io=True, samples={"image": picture}
    )
    assert report.precision is not None and report.precision["nodes_16_bit"] > 0
    assert half.inputs[0].dtype == "float32"
    assert any(weight.dtype == np.float16 for weight in half.weights.values())
    assert tarmac.verify(half, graph, samples={"image": picture}, target="onnxruntime")


def test_a_difference_is_reported_and_can_be_required_not_to_be(graph: tarmac.Graph) -> None:
    worse = model_of("y = Mul(x, x)", "float[4] x", "float[4] y")
    right = model_of("y = Identity(x)", "float[4] x", "float[4] y")
    report = tarmac.verify(worse, right, samples=[{"x": np.arange(4, dtype="f4")}])
    assert not report and report.outputs["y"].max_rel == pytest.approx(2.0)
    with pytest.raises(tarmac.AcceptanceError) as raised:
        report.require()
    assert (raised.value.node, raised.value.exit_code) == ("y", 5)
    assert tarmac.verify(graph, graph, limit=2).require().data == "made up"


def test_pictures_verify_by_the_contract(graph: tarmac.Graph, pictures: Path) -> None:
    report = tarmac.verify(graph, graph, contract=CONTRACT, data=pictures / "test", limit=6)
    assert report.passed and report.outputs["logits"].samples == 6


@pytest.fixture(scope="module")
def quantized(pictures: Path) -> tuple[tarmac.Graph, dict]:
    return tarmac.quantize(MODEL, contract=CONTRACT, data=pictures / "train", samples=32)


def test_a_quantised_model_says_why_and_classifies_pictures(
    quantized: tuple[tarmac.Graph, dict], graph: tarmac.Graph, pictures: Path
) -> None:
    model, report = quantized
    assert model.inspect().operators["QuantizeLinear"] > 10
    assert report["mode"] == "static" and report["calibration"]["samples"] == 32
    found = tarmac.verify(
        model, graph, contract=CONTRACT, data=pictures / "test", limit=20, max_error=0.3
    )
    assert found.passed, found


def test_arrays_calibrate_too_and_the_cache_is_read_back(
    graph: tarmac.Graph, tmp_path: Path
) -> None:
    images = np.random.default_rng(3).random((8, 3, 96, 48), dtype=np.float32)
    options = {"mode": "static", "method": "entropy", "batch": 8, "cache": tmp_path / "seen.cache"}
    first, written = tarmac.quantize(graph, data={"image": images}, **options)
    again, read = tarmac.quantize(
        graph, data=[{"image": image[None]} for image in images], **options
    )
    assert not written["calibration"]["reused"] and read["calibration"]["reused"]
    assert first == again
    with pytest.raises(tarmac.UsageError, match="real data"):
        tarmac.quantize(graph)


def test_bytes_given_to_a_graph_are_not_copied(graph: tarmac.Graph) -> None:
    small, _ = tarmac.quantize(graph, mode="weight-only")
    assert small.inspect().weight_bytes < graph.inspect().weight_bytes / 2
    data = small.to_bytes()
    start = np.frombuffer(data, np.uint8).ctypes.data
    weights = tarmac.Graph.from_bytes(data).weights.values()
    largest = max((weight for weight in weights if weight.dtype == np.int8), key=np.size)
    assert start <= largest.ctypes.data < start + len(data)


def test_a_plan_is_compiled_and_read(graph: tarmac.Graph, tmp_path: Path) -> None:
    sizes = ((1, 3, 96, 48), (2, 3, 96, 48), (4, 3, 96, 48))
    plan = tarmac.compile(
        graph,
        tmp_path / "light.plan",
        target="onnxruntime",
        profiles=[{"image": sizes}],
        ready=[{"image": (3, 3, 96, 48)}],
        cores=2,
        cache=False,
    )
    assert (plan.target, plan.cores, plan.precision) == ("onnxruntime", 2, "fp32")
    assert plan.profiles[0].shapes["image"].opt == sizes[1]
    assert {"image": (3, 3, 96, 48)} in plan.profiles[0].ready
    assert tarmac.inspect_plan(tmp_path / "light.plan").fields["model_sha256"]
    assert tarmac.verify(plan.path, graph)
    with pytest.raises(tarmac.InvalidModelError):
        tarmac.inspect_plan(MODEL)


def test_a_contract_is_deployed(pictures: Path, tmp_path: Path) -> None:
    text = CONTRACT.read_text().replace("targets: [openvino, onnxruntime]", "targets: [openvino]")
    text = text.replace("../../build/demo/data/traffic_light", str(pictures))
    text = text.replace("samples: 300", "samples: 32")
    text = text.replace("latency_p50: 10 ms", "latency_p50: 0.001 us")
    shutil.copytree(EXAMPLE, tmp_path / "light")
    (tmp_path / "light/deploy.yaml").write_text(text)
    report = tarmac.deploy(tmp_path / "light/deploy.yaml", tmp_path / "out")
    assert not report and any("latency_p50" in failure for failure in report.failures)
    assert report.report_html.is_file() and report.report_json.is_file()
    assert tarmac.Session(report.plans[0]).labels == ("red", "yellow", "green")
    with pytest.raises(tarmac.AcceptanceError):
        report.require()


# ---- The interpreter's lock


@contextmanager
def ticking() -> Iterator[list[int]]:
    """Counts in another thread. No thread is ever made to give up the lock, so that the count grows only
    while it is let go of."""
    ticks, stop = [0], threading.Event()

    def tick() -> None:
        while not stop.is_set():
            ticks[0] += 1
            time.sleep(0.001)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    thread = threading.Thread(target=tick)
    thread.start()
    try:
        yield ticks
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        thread.join()


@pytest.mark.parametrize("work", ["run", "open", "optimize", "verify", "quantize"])
def test_other_threads_go_on_meanwhile(
    work: str, graph: tarmac.Graph, session: tarmac.Session, picture: np.ndarray
) -> None:
    batch = np.repeat(picture, 256, axis=0)
    calls: dict[str, Callable[[], object]] = {
        "run": lambda: session.run({"image": batch}),
        "open": lambda: tarmac.Session(graph),
        "optimize": lambda: tarmac.optimize(graph, verify=True),
        "verify": lambda: tarmac.verify(graph, graph, limit=50),
        "quantize": lambda: tarmac.quantize(graph, mode="weight-only"),
    }
    with ticking() as ticks:
        before, begin = ticks[0], time.perf_counter()
        while time.perf_counter() < begin + 0.05:
            pass
        assert ticks[0] - before <= 1, "it would count without the lock being let go of"
        before, begin = ticks[0], time.perf_counter()
        calls[work]()
        seconds, counted = time.perf_counter() - begin, ticks[0] - before
    assert counted >= 0.2 * seconds / 0.001 / 2, f"{counted} ticks in {seconds:.3f} s"


# ---- Ctrl-C


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def test_ctrl_c_stops_work_in_this_process(graph: tarmac.Graph) -> None:
    begin = time.perf_counter()
    with pytest.raises(KeyboardInterrupt), interrupted_after(1):
        tarmac.verify(graph, graph, limit=10_000_000)
    assert time.perf_counter() - begin < 30


def test_ctrl_c_stops_the_child_process(graph: tarmac.Graph) -> None:
    images = np.random.default_rng(3).random((4000, 3, 96, 48), dtype=np.float32)
    with pytest.raises(KeyboardInterrupt), interrupted_after(3):
        tarmac.quantize(graph, data={"image": images}, samples=4000)
    left = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True, text=True
    )
    assert "quantize" not in left.stdout


def test_a_handler_that_returns_stops_nothing(graph: tarmac.Graph) -> None:
    seen = []
    previous = signal.signal(signal.SIGINT, lambda *_: seen.append(True))
    try:
        with interrupted_after(0.2):
            assert tarmac.verify(graph, graph, limit=200)
            time.sleep(0.3)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert seen


# ---- The log


def test_the_librarys_log_is_pythons(
    graph: tarmac.Graph, pictures: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="tarmac"):
        tarmac.verify(graph, graph, contract=CONTRACT, data=pictures / "test", limit=100_000)
    assert any("samples were asked for" in record.message for record in caplog.records)
