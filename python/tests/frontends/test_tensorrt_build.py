"""python -m tarmac.export to-tensorrt: real engines by TensorRT-RTX, which needs no GPU for that."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tarmac._program import run_program
from tarmac.export import __main__ as command
from tarmac.export.source import ExportError
from tarmac.export.to_tensorrt import EngineReport, build, parse_profile, parse_size

ROOT = Path(__file__).resolve().parents[3]
BEV_HEAD = ROOT / "examples/basics/bev_head.onnx"
DETECTOR = ROOT / "examples/basics/detector.onnx"
TRAFFIC_LIGHT = ROOT / "examples/traffic_light/traffic_light.onnx"
FASTESTDET = ROOT.parent / "shared/data/fastestdet/FastestDet.onnx"
CASES = os.environ["TARMAC_CASES"]
BEV_PROFILE = "features:1x256x100x100,1x256x200x200,1x256x400x400"


def precision_share(report: EngineReport, name: str) -> float:
    return report.compute_precisions.get(name, 0) / sum(report.compute_precisions.values())


def failure_of(*arguments: object) -> tuple[int, str]:
    with pytest.raises(ExportError) as caught:
        command.convert("to-tensorrt", [str(word) for word in arguments])
    return caught.value.code, str(caught.value)


@pytest.mark.parametrize(
    ("model", "profile"),
    [
        (BEV_HEAD, BEV_PROFILE),
        (DETECTOR, "image:1x3x416x416,8x3x416x416,8x3x416x416"),
        (TRAFFIC_LIGHT, "image:1x3x96x48,4x3x96x48,8x3x96x48"),
        (FASTESTDET, ""),
    ],
    ids=lambda value: value.stem if isinstance(value, Path) else "",
)
def test_models_become_engines(model: Path, profile: str, tmp_path: Path) -> None:
    if not model.is_file():
        pytest.skip(f"{model.name} is not here")
    output = tmp_path / "model.engine"
    report = build(model, output, profiles=[parse_profile(profile)] if profile else [])
    assert output.stat().st_size == report.bytes > 10_000
    assert report.library.startswith("TensorRT-RTX 1.7")
    assert precision_share(report, "FLOAT") == 1
    assert not list(tmp_path.glob(".*"))


def test_half_precision_comes_from_the_graph(tmp_path: Path) -> None:
    half = tmp_path / "half.onnx"
    run_program("optimize", [BEV_HEAD, "-o", half, "--precision", "fp16"])
    report = build(half, tmp_path / "half.engine", profiles=[parse_profile(BEV_PROFILE)])
    assert precision_share(report, "HALF") >= 0.95


def for_tensorrt(model: Path, folder: Path, *options: str | Path) -> Path:
    out = folder / "for_tensorrt.onnx"
    run_program("optimize", [model, "-o", out, "--target", "tensorrt", *options])
    return out


@pytest.mark.parametrize(
    ("lifted", "options"),
    [(False, []), (False, ["--opset", "20"]), (True, [])],
    ids=["opset 17", "opset 20", "lifted, with fallback bodies"],
)
def test_the_bevformer_becomes_an_engine(lifted: bool, options: list[str], tmp_path: Path) -> None:
    model = ROOT / "examples/bevformer/bevformer.onnx"
    if lifted:
        model = tmp_path / "lifted.onnx"
        run_program("optimize", [ROOT / "examples/bevformer/bevformer.onnx", "-o", model])
        operators = run_program("inspect", [model])["operators"]
        assert operators["tarmac::MultiScaleDeformableAttention"] == 6
    ready = for_tensorrt(model, tmp_path, *options)
    assert run_program("inspect", [ready])["operators"]["GridSample"] >= 6
    profile = ";".join(
        f"{name}:{','.join([shape] * 3)}"
        for name, shape in {
            "images": "1x6x3x128x352",
            "projection": "1x6x4x4",
            "ego_motion": "1x3x3",
            "prev_bev": "1x4096x96",
        }.items()
    )
    report = build(ready, tmp_path / "bev.engine", profiles=[parse_profile(profile)])
    assert report.bytes > 10_000_000
    assert report.compute_precisions == {"FLOAT": 68}


@pytest.mark.parametrize(
    ("model", "name", "shape", "profile"),
    [
        (BEV_HEAD, "features", (4, 256, 100, 100), BEV_PROFILE),
        (TRAFFIC_LIGHT, "image", (8, 3, 96, 48), "image:1x3x96x48,4x3x96x48,8x3x96x48"),
    ],
    ids=["bev_head", "traffic_light"],
)
def test_int8_comes_from_the_graph(
    model: Path, name: str, shape: tuple[int, ...], profile: str, tmp_path: Path
) -> None:
    """Ranges of made-up data: what is looked at is the engine's types."""
    data, int8 = tmp_path / "data.npz", tmp_path / "int8.onnx"
    np.savez(data, **{name: np.random.default_rng(0).uniform(-1, 1, shape).astype("f4")})
    words: list[str | Path] = [model, "-o", int8, "--mode", "static", "--activations", "signed"]
    run_program("quantize", [*words, "--data", data, "--allow-slower"])
    ready = for_tensorrt(int8, tmp_path)
    report = build(ready, tmp_path / "int8.engine", profiles=[parse_profile(profile)])
    assert precision_share(report, "INT8") >= 0.95, report.compute_precisions


def test_int4_weights_come_from_the_graph(tmp_path: Path) -> None:
    """And attention that TensorRT has no kernel for is taken apart."""
    int4 = tmp_path / "int4.onnx"
    words: list[str | Path] = [ROOT / "examples/basics/transformer_block.onnx", "-o", int4]
    words += ["--mode", "weight-only", "--bits", "4", "--symmetric", "--allow-slower"]
    run_program("quantize", words)
    ready = for_tensorrt(int4, tmp_path)
    report = build(
        ready,
        tmp_path / "int4.engine",
        profiles=[parse_profile("tokens:1x64x96,1x128x96,4x512x96")],
    )
    assert report.compute_precisions["FLOAT, weights INT4"] == 6
    assert {layer["type"] for layer in report.layers} >= {"ATTENTION_INPUT", "DEQUANTIZE"}


@pytest.mark.parametrize("half", [False, True], ids=["float32", "float16"])
def test_resnet_50_becomes_an_engine(half: bool, tmp_path: Path) -> None:
    model = tmp_path / "resnet50.onnx"
    writer = ROOT / "python/tests/frontends/write_resnet50.py"
    subprocess.run([os.environ["TARMAC_CASE_PYTHON"], "-B", writer, model], check=True)
    ready = for_tensorrt(model, tmp_path, *(["--precision", "fp16"] if half else []))
    shape = "1x3x224x224"
    report = build(
        ready,
        tmp_path / "resnet50.engine",
        profiles=[parse_profile(f"image:{shape},{shape},8x3x224x224")],
        capabilities=["8.6"],
    )
    assert sum(report.compute_precisions.values()) == 54
    assert precision_share(report, "HALF" if half else "FLOAT") >= 0.95


def test_several_profiles_and_capabilities_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "bev.engine"
    words: list[Any] = [BEV_HEAD, "-o", output, "--json", "--capability", "8.6,12.0"]
    words += [
        "--profile",
        BEV_PROFILE,
        "--profile",
        BEV_PROFILE.replace(":1x", ":2x").replace(",1x", ",2x"),
    ]
    words += ["--workspace", "2GiB", "--level", "1", "--no-tf32"]
    assert command.convert("to-tensorrt", [str(word) for word in words]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["capabilities"] == ["8.6", "12.0"]
    assert len(answer["profiles"]) == 2
    assert answer["profiles"][1]["features"][0] == [2, 256, 100, 100]
    assert [layer["type"] for layer in answer["layers"]].count("CONVOLUTION") == 3


def test_wrong_profiles_are_named(tmp_path: Path) -> None:
    output = tmp_path / "x.engine"
    for profile, said in (
        ("", "no profile; add --profile 'features:MIN,BEST,MAX'"),
        (BEV_PROFILE.replace("features", "image"), "no input 'image'; there are features"),
        ("features:1x3x9x9,1x3x9x9,1x3x9x9", "[1, 3, 9, 9] does not fit"),
        ("features:1x256x9,1x256x9,1x256x9", "[1, 256, 9] does not fit"),
        ("features:2x256x9x9,1x256x9x9,4x256x9x9", "axis 0 of 'features' is 2, 1, 4"),
        ("features:1x256x9x9", "is no range"),
    ):
        code, message = failure_of(
            BEV_HEAD, "-o", output, *(["--profile", profile] if profile else [])
        )
        assert code == 2, message
        assert said in message
    assert not output.exists()


def test_what_cannot_be_built_is_said(tmp_path: Path) -> None:
    output = tmp_path / "x.engine"
    words = [BEV_HEAD, "-o", output, "--profile", BEV_PROFILE]
    code, message = failure_of(*words, "--capability", "9.0")
    assert code == 3
    assert "does not build for compute capability 9.0; it has 7.5, 8.0, 8.6, 8.9" in message
    code, message = failure_of(*words, "--memory-limit", "100MiB")
    assert code == 3
    assert "raise --memory-limit" in message
    code, message = failure_of(*words, "--time-limit", "0.01")
    assert code == 3
    assert "took longer than 0.01 s" in message
    code, message = failure_of(tmp_path / "none.onnx", "-o", output)
    assert code == 4
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    code, message = failure_of(broken, "-o", output)
    assert code == 3
    assert "parser refuses" in message
    assert not output.exists()


def test_a_refusal_has_the_remedy_of_the_check(tmp_path: Path) -> None:
    model = tmp_path / "mod.onnx"
    model.write_bytes((Path(CASES) / "node/test_scatternd_add/model.onnx").read_bytes())
    code, message = failure_of(model, "-o", tmp_path / "x.engine")
    assert code == 3
    assert "ScatterND has no reduction" in message
    assert "make the indices unique" in message


@pytest.mark.parametrize(("text", "size"), [("4GiB", 4 << 30), ("512M", 512 << 20), ("1000", 1000)])
def test_sizes(text: str, size: int) -> None:
    assert parse_size("--workspace", text) == size
    with pytest.raises(ExportError, match="is no size"):
        parse_size("--workspace", text + "x")
