"""The BEVFormer as exported, lifted and in INT8, on both engines, timed in turn; and a whole frame: six pictures in, boxes out."""

import argparse
import datetime
import json
import pathlib
import statistics
import subprocess
import sys

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from support import measure  # noqa: E402

TARGETS = ("openvino", "onnxruntime")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("demo", type=pathlib.Path, help="what ./dev demo bevformer left: data and plans")
    parser.add_argument("--rounds", type=int, default=7, help="of all measurements, each in another order")
    parser.add_argument("--seconds", type=float, default=3, help="length of one measurement")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    args = parser.parse_args()
    tarmac, work = args.build / "bin/tarmac", args.build / "bench/bevformer"
    work.mkdir(parents=True, exist_ok=True)
    scenes = args.demo / "data/bevformer/evaluation.npz"
    frame = {name: rows[5:6] for name, rows in np.load(scenes).items() if name in ("images", "projection", "ego_motion")}
    # A frame in the middle of a scene: the state is that of the frames before it, here any numbers of its kind.
    frame["prev_bev"] = np.random.default_rng(0).standard_normal((1, 4096, 96)).astype(np.float32)
    inputs = {}
    for name, value in frame.items():
        np.save(work / f"{name}.npy", value)
        inputs[name] = f"{name}={work / f'{name}.npy'}"
    lifted = work / "lifted.onnx"
    subprocess.run([tarmac, "optimize", args.model, "-o", lifted, "--target", ",".join(TARGETS), "-q"], check=True)

    cases = {}
    for target in TARGETS:
        for name, model in (("exported", args.model), ("lifted", lifted)):
            cases[f"{name} {target}"] = [model, "--target", target, *(w for v in inputs.values() for w in ("--input", v))]
        stateless = [v for name, v in inputs.items() if name != "prev_bev"]
        plan = args.demo / f"bevformer/bevformer.{target}.plan"
        cases[f"int8 {target}"] = [plan, *(w for v in stateless for w in ("--input", v))]
    times = {name: [] for name in cases}
    tails = {name: [] for name in cases}
    for i in range(args.rounds):
        order = list(cases)
        for name in order[i % len(order):] + order[: i % len(order)]:
            command = [tarmac, "bench", *cases[name], "--duration", str(args.seconds), "--json", "-q"]
            found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["results"][0]["latency_ns"]
            times[name].append(found["p50"])
            tails[name].append(found["p99"])
        print(f"round {i + 1} of {args.rounds}", file=sys.stderr)

    def ratio(a, b):
        """Median over the rounds, each against the same round."""
        return statistics.median(x / y for x, y in zip(times[a], times[b]))

    frames = {}
    for target in TARGETS:
        plan = args.demo / f"bevformer/bevformer.{target}.plan"
        output = subprocess.run([args.build / "bench/bevformer_frame", plan, scenes, "10"], check=True, capture_output=True)
        frames[f"int8 {target}"] = json.loads(output.stdout)
    report = {
        "benchmark": "bevformer",
        "date": datetime.date.today().isoformat(),
        "machine": measure.machine(),
        "rounds": args.rounds,
        "latency_ms": {name: {"p50": statistics.median(times[name]) / 1e6, "p99": statistics.median(tails[name]) / 1e6}
                       for name in cases},
        "ratios": {
            "lifted openvino / exported openvino (goal 0.5)": ratio("lifted openvino", "exported openvino"),
            "lifted openvino / exported onnxruntime (goal 0.2)": ratio("lifted openvino", "exported onnxruntime"),
            "lifted onnxruntime / exported onnxruntime": ratio("lifted onnxruntime", "exported onnxruntime"),
            "int8 openvino / lifted openvino (goal 0.65)": ratio("int8 openvino", "lifted openvino"),
            "int8 onnxruntime / lifted onnxruntime": ratio("int8 onnxruntime", "lifted onnxruntime"),
        },
        "whole_frame": frames,
    }
    args.output.write_text(json.dumps(report, indent=1) + "\n")
    for name, value in report["latency_ms"].items():
        print(f"{name:22} p50 {value['p50']:8.2f} ms   p99 {value['p99']:8.2f} ms")
    for name, value in report["ratios"].items():
        print(f"{name}: {value:.3f}")
    for name, value in frames.items():
        whole = value["frame"]
        print(f"whole frame, {name}: p50 {whole['p50_ns'] / 1e6:.2f} ms, p99 {whole['p99_ns'] / 1e6:.2f} ms over {value['frames']} frames")


if __name__ == "__main__":
    main()
