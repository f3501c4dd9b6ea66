"""Six cameras of a vehicle: their lenses, frames made of real pictures of a road, and contracts for both networks."""

import dataclasses

import cv2
import numpy as np

CAMERAS, MOMENTS = 6, 4
FRAME = (900, 1600)
LENSES = [{"intrinsics": [1266.0 + 3 * i, 1266.0 + 2 * i, 816.3 - i, 491.5 + i], "distortion": [-0.28, 0.09, 0.0007, -0.0004, -0.012]}
          for i in range(CAMERAS)]


@dataclasses.dataclass
class Network:
    name: str
    input: str
    size: tuple
    mean: tuple
    std: tuple


NETWORKS = [Network("fastestdet", "input.1", (352, 352), (0, 0, 0), (1, 1, 1)),
            Network("resnet50", "image", (256, 704), (0.406, 0.456, 0.485), (0.225, 0.224, 0.229))]


def nv12_of(picture):
    planes = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
    height, width = picture.shape[:2]
    luma, chroma = planes[:height], planes[height:].reshape(2, height // 2, width // 2)
    return np.vstack([luma, chroma.transpose(1, 2, 0).reshape(height // 2, width)])


def write_frames(sources, folder):
    """Windows that move over the pictures, one after the other, as a driving camera sees them; every second camera mirrored."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    pictures = [cv2.imread(str(source)) for source in sources]
    for moment in range(MOMENTS):
        for camera in range(CAMERAS):
            picture = pictures[(camera + moment) % len(pictures)]
            height, width = picture.shape[0] * 9 // 10, picture.shape[1]
            top = (picture.shape[0] - height) * moment // MOMENTS
            part = picture[top:top + height, :width]
            part = part[:, ::-1] if camera % 2 else part
            frame = cv2.resize(part, FRAME[::-1], interpolation=cv2.INTER_CUBIC).astype(np.float32)
            frame += rng.normal(0, 2, FRAME)[..., None]  # a sensor's noise
            nv12_of(np.clip(frame, 0, 255).astype(np.uint8)).tofile(folder / f"{moment}_{camera}.nv12")


def write_contract(path, network, model, lens):
    text = lambda values: "[" + ", ".join(map(str, values)) + "]"  # noqa: E731
    path.write_text("\n".join([
        "version: 1", f"name: {network.name}", f"model: {model}", "inputs:", f"  {network.input}:",
        f"    shape: {text([1, 3, *network.size])}", "    dtype: float32", "    layout: NCHW", "    geometry: fused", "    preprocess:",
        f"      - decode: {{color: BGR, format: nv12, size: {text(FRAME)}}}",
        f"      - undistort: {{model: radial_tangential, size: {text(FRAME)}, intrinsics: {text(lens['intrinsics'])}, "
        f"distortion: {text(lens['distortion'])}}}",
        f"      - resize: {{size: {text(network.size)}}}",
        f"      - normalize: {{scale: 1/255, mean: {text(network.mean)}, std: {text(network.std)}}}", ""]))
