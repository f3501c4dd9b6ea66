"""tarmac optimize against onnxsim and onnxslim: wall time, peak memory, node count, and how fast the result runs."""

import argparse
import datetime
import importlib.metadata
import json
import pathlib
import statistics
import subprocess
import sys

import onnx

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from support import measure  # noqa: E402

MEMORY_BASE_BYTES = 60e6
MEMORY_PER_FILE_BYTE = 1.3


def node_count(path):
    """All nodes, those of nested graphs and functions included."""
    def count(nodes):
        return sum(1 + sum(count(graph.node) for attribute in node.attribute for graph in [attribute.g, *attribute.graphs])
                   for node in nodes)
    model = onnx.load(path, load_external_data=False)
    return count(model.graph.node) + sum(count(function.node) for function in model.functions)


def latency_ratio(tarmac, original, result, target, rounds, seconds):
    """Median of p50(result) / p50(original), the two timed in turn."""
    def p50(model):
        output = subprocess.run([tarmac, "bench", model, "--target", target, "--duration", str(seconds), "--json", "-q"],
                                check=True, capture_output=True).stdout
        return json.loads(output)["results"][0]["latency_ns"]["p50"]
    ratios, originals, results = [], [], []
    for i in range(rounds):
        pair = [original, result] if i % 2 == 0 else [result, original]
        times = {model: p50(model) for model in pair}
        originals.append(times[original])
        results.append(times[result])
        ratios.append(times[result] / times[original])
    return {"original_p50_ns": statistics.median(originals), "result_p50_ns": statistics.median(results),
            "ratio": statistics.median(ratios), "ratios": ratios}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tarmac", type=pathlib.Path)
    parser.add_argument("models", type=pathlib.Path, nargs="+")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for the results of the tools")
    parser.add_argument("--runs", type=int, default=5, help="runs of each tool")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of latency measurements on each engine; 0: none")
    parser.add_argument("--seconds", type=float, default=2, help="length of one latency measurement")
    parser.add_argument("-o", "--output", type=pathlib.Path, help="JSON file for the figures")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    tools = pathlib.Path(sys.executable).parent

    report = {"benchmark": "optimize", "date": datetime.date.today().isoformat(), "machine": measure.machine(),
              "peers": {name: importlib.metadata.version(name) for name in ("onnxsim", "onnxslim")}, "runs": args.runs,
              "models": {}}
    if args.output and args.output.exists():  # the figures of models that are not measured now stay, with their date
        report["models"] = json.loads(args.output.read_text())["models"]
    # A peer's process also starts Python and imports its packages: said beside, not subtracted.
    report["import_seconds"] = {
        name: measure.median([measure.run([sys.executable, "-c", f"import {name}"]) for _ in range(3)], "seconds")
        for name in ("onnxsim", "onnxslim")}
    for model in args.models:
        name = model.stem
        outputs = {tool: args.work / f"{name}.{tool}.onnx" for tool in ("tarmac", "onnxsim", "onnxslim")}
        commands = {"tarmac": [args.tarmac, "optimize", model, "-o", outputs["tarmac"]],
                    "onnxsim": [tools / "onnxsim", model, outputs["onnxsim"]],
                    "onnxslim": [tools / "onnxslim", model, outputs["onnxslim"]]}
        timings = measure.interleaved(commands, args.runs)
        row = {"date": report["date"], "file_bytes": model.stat().st_size, "nodes": {"original": node_count(model)}}
        for tool, output in outputs.items():
            row["nodes"][tool] = node_count(output)
            row[tool] = {"seconds": measure.median(timings[tool], "seconds"),
                         "seconds_max": max(timing["seconds"] for timing in timings[tool]),
                         "peak_bytes": measure.median(timings[tool], "peak_bytes")}
        row["times_faster"] = min(row["onnxsim"]["seconds"], row["onnxslim"]["seconds"]) / row["tarmac"]["seconds"]
        row["peak_limit_bytes"] = MEMORY_BASE_BYTES + MEMORY_PER_FILE_BYTE * row["file_bytes"]
        if args.rounds > 0:
            row["latency"] = {target: latency_ratio(args.tarmac, model, outputs["tarmac"], target, args.rounds, args.seconds)
                              for target in ("onnxruntime", "openvino")}
        report["models"][name] = row
        print(f"\n{name} ({row['file_bytes'] / 1e6:.1f} MB, {row['nodes']['original']} nodes)")
        for tool in outputs:
            print(f"  {tool:9} {row[tool]['seconds']:8.2f} s  {row[tool]['peak_bytes'] / 1e6:8.1f} MB  {row['nodes'][tool]:5} nodes")
        print(f"  times faster than the faster peer: {row['times_faster']:.1f} (wanted 3)")
        print(f"  peak memory: {row['tarmac']['peak_bytes'] / 1e6:.1f} MB of at most {row['peak_limit_bytes'] / 1e6:.1f} MB")
        for target, latency in row.get("latency", {}).items():
            print(f"  {target}: {latency['result_p50_ns'] / 1e6:.2f} ms after, {latency['original_p50_ns'] / 1e6:.2f} ms before, "
                  f"ratio {latency['ratio']:.3f} (wanted at most 1.02)")
        sys.stdout.flush()
    if args.output:
        measure.write_result(args.output, report)


if __name__ == "__main__":
    main()
