from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from conftest import MODEL, model_of

import tarmac


def test_a_graph_says_what_it_holds(graph: tarmac.Graph) -> None:
    assert [(t.name, t.dtype, t.shape) for t in graph.inputs] == [
        ("image", "float32", ("batch", 3, 96, 48))
    ]
    assert graph.outputs[0].type == "float32[batch, 3]"
    assert graph.opset == 13
    assert graph.nodes[0].op_type == "Conv"
    assert graph.nodes[0].attributes["strides"] == [2, 2]
    assert "image: float32[batch, 3, 96, 48]" in repr(graph)


def test_figures_follow_the_size_of_the_batch(graph: tarmac.Graph) -> None:
    one, eight = graph.inspect(), graph.inspect({"batch": 8})
    assert one.flops is not None and eight.flops == 8 * one.flops
    assert one.parameters == sum(w.size for w in graph.weights.values())
    assert sum(one.operators.values()) == one.nodes == len(graph.nodes)


def test_what_is_written_reads_back_the_same(graph: tarmac.Graph, tmp_path: Path) -> None:
    graph.save(tmp_path / "copy.onnx")
    assert tarmac.Graph.load(tmp_path / "copy.onnx") == graph
    assert tarmac.Graph.from_bytes(graph.to_bytes()) == graph
    assert tarmac.Graph.from_bytes(MODEL.read_bytes()) == graph


def test_weights_are_read_only_views_that_keep_the_graph_alive() -> None:
    weights = tarmac.Graph.load(MODEL).weights
    gc.collect()
    first = next(iter(weights.values()))
    assert not first.flags.writeable and not first.flags.owndata
    assert np.isfinite(first).all()


def test_nested_graphs_are_nodes_of_their_own() -> None:
    graph = model_of(
        "y = If <then_branch = g1 () => (float[2] a) { a = Neg(x) },"
        " else_branch = g2 () => (float[2] b) { b = Abs(x) }> (c)",
        "bool c, float[2] x",
        "float[2] y",
    )
    branches = graph.nodes[0].attributes
    assert [node.op_type for node in branches["then_branch"]] == ["Neg"]
    assert [node.op_type for node in branches["else_branch"]] == ["Abs"]


def test_a_protobuf_object_becomes_a_graph(graph: tarmac.Graph) -> None:
    class Proto:
        def SerializeToString(self) -> bytes:
            return graph.to_bytes()

    assert tarmac.Graph.from_onnx(Proto()) == graph


def test_a_damaged_model_is_refused() -> None:
    with pytest.raises(tarmac.InvalidModelError):
        tarmac.Graph.from_bytes(MODEL.read_bytes()[:1000])


def test_a_missing_file_is_named() -> None:
    with pytest.raises(tarmac.NotFoundError, match=r"nowhere\.onnx") as raised:
        tarmac.Graph.load("nowhere.onnx")
    assert raised.value.context == "nowhere.onnx"
