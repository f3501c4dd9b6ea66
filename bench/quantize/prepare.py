"""Makes what the cases need below BENCH_MADE: the detector, and variants of real pictures that Python packages carry."""

import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def write_detector(path):
    """3 -> 64 -> 128 -> 6 channels at 416 x 416, the first convolution with stride 2; random weights."""
    rng = np.random.default_rng(0)
    steps = [(3, 64, 3, 2), (64, 128, 3, 1), (128, 6, 1, 1)]
    nodes, stored, value = [], [], "image"
    for i, (inputs, outputs, size, stride) in enumerate(steps):
        weights = rng.normal(0, (2 / (inputs * size * size)) ** 0.5, (outputs, inputs, size, size))
        for name, array in ((f"w{i}", weights), (f"b{i}", rng.normal(0, 0.1, outputs))):
            stored.append(numpy_helper.from_array(array.astype(np.float32), name))
        last = i == len(steps) - 1
        nodes.append(helper.make_node("Conv", [value, f"w{i}", f"b{i}"], ["output" if last else f"conv{i}"], f"conv{i}",
                                      kernel_shape=[size] * 2, strides=[stride] * 2, pads=[size // 2] * 4))
        if not last:
            nodes.append(helper.make_node("Relu", [f"conv{i}"], [f"relu{i}"], f"relu{i}"))
            value = f"relu{i}"
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 416, 416])
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 6, 208, 208])
    model = helper.make_model(helper.make_graph(nodes, "detector", [image], [output], stored),
                              opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def write_variants(sources, folder):
    """Crops, mirrored and exposed in several ways, of a few real pictures."""
    rng = np.random.default_rng(0)
    for source in sources:
        picture = cv2.imread(str(source))
        for i in range(12):
            height, width = (int(side * rng.uniform(0.5, 1)) for side in picture.shape[:2])
            top, left = rng.integers(picture.shape[0] - height + 1), rng.integers(picture.shape[1] - width + 1)
            part = picture[top:top + height, left:left + width].astype(np.float32) * rng.uniform(0.7, 1.3)
            part = part[:, ::-1] if i % 2 else part
            cv2.imwrite(str(folder / f"{source.stem}_{i:02}.png"), np.clip(part, 0, 255).astype(np.uint8))


def street_pictures(folder):
    """Two photographs out of a package that is only unpacked, for its needs are large."""
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "-d", folder,
                    "ultralytics==8.4.190"], check=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        for name in ("bus", "zidane"):
            (folder / f"{name}.jpg").write_bytes(wheel.read(f"ultralytics/assets/{name}.jpg"))
    return [folder / "bus.jpg", folder / "zidane.jpg"]


def package_pictures(folder):
    """Photographs of streets, people and buildings out of two packages."""
    import sklearn.datasets
    images = pathlib.Path(sklearn.datasets.__file__).parent / "images"
    return [*sorted(images.glob("*.jpg")), *street_pictures(folder)]


def main():
    made = pathlib.Path(os.environ["BENCH_MADE"])
    made.mkdir(parents=True, exist_ok=True)
    write_detector(made / "detector.onnx")
    if not (made / "real").exists():  # renamed when complete: an interrupted run begins again
        with tempfile.TemporaryDirectory(dir=made) as folder:
            partial = pathlib.Path(folder) / "real"
            partial.mkdir()
            write_variants(package_pictures(pathlib.Path(folder)), partial)
            partial.rename(made / "real")


if __name__ == "__main__":
    main()
