"""A model in an engine, the same way for everybody: OpenVINO (ONNX or its own .xml) and ONNX Runtime, float parts in float32."""

import numpy as np
import onnxruntime
import openvino


class OpenVino:
    def __init__(self, path, shape):
        core = openvino.Core()
        model = core.read_model(str(path))
        model.reshape(openvino.PartialShape(shape))
        compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"})
        self.request = compiled.create_infer_request()

    def predict(self, sample):
        self.request.infer({0: sample})
        return self.request.get_output_tensor(0).data

    def prepare(self, sample):
        self.request.set_input_tensor(openvino.Tensor(np.ascontiguousarray(sample)))
        return self.request.infer


class OnnxRuntime:
    def __init__(self, path, shape):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def predict(self, sample):
        return self.session.run(None, {self.input: sample})[0]

    def prepare(self, sample):
        binding = self.session.io_binding()
        binding.bind_cpu_input(self.input, sample)
        for output in self.session.get_outputs():
            binding.bind_output(output.name)
        return lambda: self.session.run_with_iobinding(binding)


ENGINES = {"openvino": OpenVino, "onnxruntime": OnnxRuntime}
