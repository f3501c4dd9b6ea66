"""The models that are measured, and how they come about. What is made lies below BENCH_MADE and is made once."""

import dataclasses
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BENCH = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(BENCH / "quantize"))
import prepare as pictures  # noqa: E402

IMAGENET = "mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]"


@dataclasses.dataclass
class Model:
    name: str
    path: pathlib.Path  # batch 1
    open_batch: pathlib.Path | None = None  # the same with an open batch, where it has one
    unit: int = 1  # first size of the first input for one sample
    batches: tuple = (1,)


def write_tiny(path):
    weights = np.random.default_rng(0).normal(0, 0.25, (16, 16)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["input", "weights"], ["product"], "product"),
             helper.make_node("Relu", ["product"], ["output"], "relu")]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 16]) for name in ("input", "output")]
    graph = helper.make_graph(nodes, "tiny", values[:1], values[1:], [numpy_helper.from_array(weights, "weights")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def set_batch(source, target, batch, picture=None):
    """The same model with another first size, a number or a name, of its inputs, its outputs and ShuffleNet's reshapes; and with
    another height and width where its only input is a picture."""
    model = onnx.load(source)
    graph = model.graph
    for value in [*graph.input, *graph.output]:
        first = value.type.tensor_type.shape.dim[0]
        first.Clear()
        if isinstance(batch, int):
            first.dim_value = batch
        else:
            first.dim_param = batch
    for dim, size in zip(graph.input[0].type.tensor_type.shape.dim[2:], picture or ()):
        dim.dim_value = size
    del graph.value_info[:]
    stored = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Reshape" and node.input[1] in stored:
            shape = numpy_helper.to_array(stored[node.input[1]]).copy()
            if len(shape) == 3 and shape[1] == 2:  # [channels, 2, pixels]: the batch multiplies the first
                shape[0] = -1
                stored[node.input[1]].CopyFrom(numpy_helper.from_array(shape, node.input[1]))
    onnx.checker.check_model(model)
    onnx.save(model, target)


class Maker:
    def __init__(self, tarmac):
        self.tarmac = tarmac
        self.made = pathlib.Path(os.environ["BENCH_MADE"])
        self.models = pathlib.Path(os.environ["BENCH_MODELS"])
        self.made.mkdir(parents=True, exist_ok=True)
        shared = os.environ.get("TARMAC_BENCH_DATA")
        self.shared = pathlib.Path(shared) if shared else None

    def once(self, name, write):
        """The file `name`, which `write` fills; renamed when complete, so that an interrupted run begins again."""
        path = self.made / name
        if not path.exists():
            partial = path.with_name("partial." + path.name)
            write(partial)
            partial.rename(path)
        return path

    def tiny(self):
        return Model("tiny", self.once("tiny.onnx", write_tiny))

    def open_batch(self, name, path):
        return self.once(f"{name}.batch.onnx", lambda out: set_batch(path, out, "batch"))

    def resnet50(self):
        path = self.models / "resnet50.onnx"
        return Model("resnet50", path, self.open_batch("resnet50", path), batches=(1, 4, 8))

    def mobilenet_v3(self):
        path = self.models / "mobilenet_v3.onnx"
        return Model("mobilenet_v3", path, self.open_batch("mobilenet_v3", path), batches=(1, 4, 8))

    def vit_tiny(self):
        path = self.made / "vit_tiny.batch.onnx"
        return Model("vit_tiny", self.once("vit_tiny.onnx", lambda out: set_batch(path, out, 1)), path, batches=(1, 4))

    def bev_encoder(self):
        return Model("bev_encoder", self.models / "bevformer_tiny_encoder.onnx", unit=6)

    def fastestdet(self):
        if not self.shared:
            return None
        path = self.shared / "fastestdet/FastestDet.onnx"
        return Model("fastestdet", path, self.open_batch("fastestdet", path), batches=(1, 4, 8))

    def street_pictures(self):
        """A folder of variants of two street photographs."""
        folder = self.made / "street"
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=self.made) as work:
                partial = pathlib.Path(work) / "street"
                partial.mkdir()
                pictures.write_variants(pictures.street_pictures(pathlib.Path(work)), partial)
                partial.rename(folder)
        return folder

    def quantized(self, model, input_name, size, color, normalize):
        def write(out):
            contract = self.made / f"{model.name}.yaml"
            contract.write_text("\n".join([
                "version: 1", f"name: {model.name}", f"model: {model.path}", "inputs:", f"  {input_name}:",
                f"    shape: [1, 3, {size}, {size}]", "    dtype: float32", "    layout: NCHW", "    preprocess:",
                f"      - decode: {{color: {color}}}", f"      - resize: {{size: [{size}, {size}]}}",
                f"      - normalize: {{scale: 1/255{', ' + normalize if normalize else ''}}}",
                "data:", f"  calibration: {{folder: {self.street_pictures()}}}", ""]))
            subprocess.run([self.tarmac, "quantize", model.path, "-o", out, "--mode", "static", "--contract", contract,
                            "--target", "openvino", "-q"], check=True, stdout=subprocess.DEVNULL)
        name = f"{model.name}_int8"
        path = self.once(f"{name}.onnx", write)
        return Model(name, path, self.open_batch(name, path), batches=model.batches)

    def resnet50_int8(self):
        return self.quantized(self.resnet50(), "image", 224, "RGB", IMAGENET)

    def mobilenet_v3_int8(self):
        return self.quantized(self.mobilenet_v3(), "image", 224, "RGB", IMAGENET)

    def fastestdet_int8(self):
        model = self.fastestdet()
        return model and self.quantized(model, "input.1", 352, "BGR", "")

    def camera_model(self, network, quantized=False):
        """Files of the network at its size by batch: 1, 3 and 6 cameras."""
        model = self.make(network.name + "_int8" * quantized)
        return {batch: self.once(f"{model.name}.{batch}x{network.size[0]}x{network.size[1]}.onnx",
                                 lambda out, batch=batch: set_batch(model.path, out, batch, network.size)) for batch in (1, 3, 6)}

    def make(self, name):
        """None where what it is made of is not there."""
        return getattr(self, name)()
