"""The driving world of examples/bevformer looks the same drawn by torch as by numpy."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "examples/bevformer"))

from render import frame_tensors, label_frame, render_batch, render_frame
from world import make_scene, pack


def test_torch_draws_and_labels_what_numpy_does() -> None:
    height, width = 64, 176
    scenes = [make_scene(seed, 4) for seed in (0, 1, 2, 3)]  # with each weather
    packed = {name: torch.from_numpy(value) for name, value in pack(scenes).items()}
    index, frame = torch.arange(4), torch.tensor([0, 1, 2, 3])
    images, visible = render_batch(packed, index, frame, height, width)
    projection, ego_motion, labels = frame_tensors(packed, index, frame, visible, height, width)
    for number, scene in enumerate(scenes):
        expected, seen, _ = render_frame(scene, number, height, width)
        found = images[number].numpy()
        assert found.dtype == np.uint8
        assert np.abs(found.astype(float) - expected).mean() < 0.1
        np.testing.assert_allclose(visible[number, :, 0], seen[:, 0], atol=3)
        wanted = label_frame(scene, number, seen, height * width)
        np.testing.assert_allclose(labels[number], wanted, atol=1e-6)
        np.testing.assert_array_equal(projection[number], scene.projection)
        np.testing.assert_array_equal(ego_motion[number], scene.ego_motion[number])
