"""What the tests share: the models and pictures of the traffic light example, and small models as text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import tarmac

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/traffic_light"
MODEL = EXAMPLE / "traffic_light.onnx"
CONTRACT = EXAMPLE / "deploy.yaml"
PICTURES = ROOT / "build/demo/data/traffic_light"


@pytest.fixture(scope="session")
def pictures() -> Path:
    if not PICTURES.is_dir():
        pytest.skip(f"no pictures in {PICTURES}; ./dev demo fetches them")
    return PICTURES


@pytest.fixture(scope="session")
def graph() -> tarmac.Graph:
    return tarmac.Graph.load(MODEL)


@pytest.fixture(scope="session")
def loaded(graph: tarmac.Graph) -> tarmac.Session:
    return tarmac.Session(graph)


@pytest.fixture
def session(loaded: tarmac.Session) -> Iterator[tarmac.Session]:
    with loaded.clone() as clone:
        yield clone


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(1).random((1, 3, 96, 48), dtype=np.float32)


def model_of(body: str, inputs: str, outputs: str) -> tarmac.Graph:
    """A graph from ONNX's textual syntax."""
    return tarmac.Graph.from_text(
        f'<ir_version: 8, opset_import: ["" : 17]> g ({inputs}) => ({outputs}) {{ {body} }}'
    )
