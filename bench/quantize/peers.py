"""One quantiser of a peer on one case, as a process of its own: peers.py TOOL CASE OUT [--samples N]; JSON on stdout.

`seconds` is the quantiser's own call, model read and packages imported before; its reading and preprocessing of pictures is inside.
"""

import argparse
import json
import logging
import pathlib
import resource
import sys
import time

from cases import all_cases


def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def nncf_quantize(case, output, samples, preset):
    import nncf
    import openvino
    nncf.set_log_level(logging.ERROR)
    model = openvino.Core().read_model(str(case.model))
    dataset = nncf.Dataset(case.calibration_files(samples), case.sample)
    options = {} if preset is None else {"preset": nncf.QuantizationPreset(preset)}
    start = time.perf_counter()
    quantized = nncf.quantize(model, dataset, subset_size=samples, **options)
    seconds = time.perf_counter() - start
    openvino.save_model(quantized, str(output), compress_to_fp16=False)
    return {"seconds": seconds}


def nncf_accuracy_control(case, output, samples, max_drop):
    """NNCF's search for what must stay in float: the metric may fall by `max_drop` points."""
    import nncf
    import openvino
    nncf.set_log_level(logging.ERROR)
    model = openvino.Core().read_model(str(case.model))
    model.reshape(openvino.PartialShape([1, 3, *case.size]))
    calls = []

    def validate(compiled, files):
        request = compiled.create_infer_request()

        def predict(sample):
            request.infer({0: sample})
            return request.get_output_tensor(0).data
        calls.append(list(files))
        return case.score(predict, calls[-1])["metric"] / 100, None
    calibration = nncf.Dataset(case.calibration_files(samples), case.sample)
    validation = nncf.Dataset(case.evaluation_files())
    start = time.perf_counter()
    quantized = nncf.quantize_with_accuracy_control(model, calibration, validation, validation_fn=validate,
                                                    max_drop=max_drop / 100, subset_size=samples)
    seconds = time.perf_counter() - start
    openvino.save_model(quantized, str(output), compress_to_fp16=False)
    return {"seconds": seconds, "evaluations": len(calls), "evaluated_pictures": sum(map(len, calls))}


def ort_quantize(case, output, samples, method):
    import onnx
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self.samples = ({case.input: case.sample(path)} for path in case.calibration_files(samples))

        def get_next(self):
            return next(self.samples, None)
    logging.disable(logging.WARNING)
    prepared = output.with_suffix(".prepared.onnx")
    quantization.quant_pre_process(str(case.model), str(prepared), skip_symbolic_shape=True)
    opset = next(o.version for o in onnx.load(prepared).opset_import if o.domain in ("", "ai.onnx"))
    start = time.perf_counter()
    quantization.quantize_static(str(prepared), str(output), Reader(), calibrate_method=method,
                                 per_channel=opset >= 13,  # below, Q/DQ has no axis
                                 activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8)
    return {"seconds": time.perf_counter() - start}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", choices=["nncf", "nncf-mixed", "nncf-accuracy", "ort-entropy", "ort-minmax"])
    parser.add_argument("case")
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--max-drop", type=float, default=1, help="points of the metric, for nncf-accuracy")
    args = parser.parse_args()
    case = all_cases()[args.case]
    printed, sys.stdout = sys.stdout, sys.stderr  # the tools print as well
    if args.tool in ("nncf", "nncf-mixed"):
        result = nncf_quantize(case, args.output, args.samples, "mixed" if args.tool == "nncf-mixed" else None)
    elif args.tool == "nncf-accuracy":
        result = nncf_accuracy_control(case, args.output, args.samples, args.max_drop)
    else:
        from onnxruntime.quantization import CalibrationMethod
        result = ort_quantize(case, args.output, args.samples,
                              CalibrationMethod.Entropy if args.tool == "ort-entropy" else CalibrationMethod.MinMax)
    json.dump({**result, "samples": len(case.calibration_files(args.samples)), "peak_bytes": peak_bytes()}, printed)


if __name__ == "__main__":
    main()
