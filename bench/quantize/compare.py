"""tarmac quantize against NNCF and ONNX Runtime's quantiser: calibration, latency, accuracy, and the search for mixed precision."""

import argparse
import datetime
import importlib.metadata
import json
import pathlib
import statistics
import subprocess
import sys

from cases import ROOT, all_cases

sys.path.insert(0, str(ROOT / "bench"))
from support import measure  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
PARTS = ["calibration", "latency", "accuracy", "search"]
MEGABYTE = 1e6


def child(script, *arguments):
    """What a script of this folder prints, or its last line as {"error": …}."""
    done = subprocess.run([sys.executable, HERE / script, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode == 0:
        return json.loads(done.stdout)
    print(done.stderr, file=sys.stderr)
    return {"error": done.stderr.strip().splitlines()[-1]}


class Bench:
    def __init__(self, args):
        self.args, self.work = args, args.work
        self.work.mkdir(parents=True, exist_ok=True)
        self.made = {}  # (case, tool, target): file, figures
        known = all_cases()
        self.cases = [known[name] for name in args.cases.split(",")] if args.cases else list(known.values())

    def ours(self, case, target, samples, options=(), label="", judged=False):
        """Quantises, whole process measured; returns the file and the figures."""
        output = self.work / f"{case.name}.tarmac-{target}{label}.onnx"
        contract = self.work / f"{case.name}.{samples}.yaml"
        contract.write_text(case.contract(samples, judged))
        command = [self.args.tarmac, "quantize", case.model, "-o", output, "--mode", "static", "--data", case.calibration,
                   "--contract", contract, "--samples", samples, "--target", target, *options, *self.args.tarmac_options.split()]
        try:
            done = measure.run(command)
            return output, {key: done[key] for key in ("seconds", "peak_bytes")}
        except (RuntimeError, subprocess.CalledProcessError) as failed:
            print(failed, file=sys.stderr)
            return output, {"error": str(failed).strip().splitlines()[-1]}

    def peer(self, tool, case, samples, *options):
        output = self.work / f"{case.name}.{tool}.{'xml' if tool.startswith('nncf') else 'onnx'}"
        return output, child("peers.py", tool, case.name, output, "--samples", samples, *options)

    def quantized(self, case, tool, target="openvino"):
        """The case's model as `tool` quantises it with all its defaults; made once a run."""
        key = (case.name, tool, target)
        if key not in self.made:
            samples = len(case.calibration_files(case.samples))
            self.made[key] = self.ours(case, target, samples) if tool == "tarmac" else self.peer(tool, case, samples)
        output, result = self.made[key]
        return None if "error" in result else output

    def bare(self, case):
        done = measure.run([self.args.tarmac, "bench", case.model, "--target", "openvino", "--duration", "3", "--json", "-q"])
        seconds = json.loads(done["output"])["results"][0]["latency_ns"]["p50"] * 1e-9
        return {"seconds_per_sample": seconds, "peak_bytes": done["peak_bytes"]}

    def calibration(self, case):
        """Time of one more sample (so that loading and writing do not count), and peak memory; medians of interleaved runs."""
        few, some, many = 4, self.args.peer_samples, self.args.samples
        runs = {"tarmac": (lambda n: self.ours(case, "openvino", n, ("--method", "entropy"), f"-{n}")[1], some, many),
                "ort-entropy": (lambda n: self.peer("ort-entropy", case, n)[1], few, some),
                "nncf": (lambda n: self.peer("nncf", case, n)[1], some, 5 * some)}
        bare, pairs, row = [], {tool: [] for tool in runs}, {}
        for _ in range(self.args.repeats):
            bare.append(self.bare(case))
            for tool, (run, low, high) in runs.items():
                pairs[tool].append((run(low), run(high)))
        row["bare"] = {key: measure.median(bare, key) for key in ("seconds_per_sample", "peak_bytes")}
        for tool, (_, low, high) in runs.items():
            failed = [result["error"] for pair in pairs[tool] for result in pair if "error" in result]
            if failed:
                row[tool] = {"error": failed[0]}
                continue
            row[tool] = {"seconds_per_sample": statistics.median((b["seconds"] - a["seconds"]) / (high - low) for a, b in pairs[tool])}
            for n, results in zip((low, high), zip(*pairs[tool])):
                row[tool].update({f"{key}_{n}": measure.median(results, key) for key in ("seconds", "peak_bytes")})
        ours = row["tarmac"]
        if "error" not in ours:
            ours["times_bare"] = ours["seconds_per_sample"] / row["bare"]["seconds_per_sample"]
            ours["bytes_above_bare"] = max(ours[f"peak_bytes_{some}"], ours[f"peak_bytes_{many}"]) - row["bare"]["peak_bytes"]
            if "error" not in row["ort-entropy"]:
                ours["times_faster_than_ort"] = row["ort-entropy"]["seconds_per_sample"] / ours["seconds_per_sample"]
        print(f"\n{case.name}: entropy calibration; bare inference {row['bare']['seconds_per_sample'] * 1e3:.2f} ms, "
              f"{row['bare']['peak_bytes'] / MEGABYTE:.0f} MB")
        for tool, (_, low, high) in runs.items():
            found = row[tool]
            print(f"  {tool:12} " + (found["error"] if "error" in found else
                  f"{found['seconds_per_sample'] * 1e3:9.2f} ms a sample, {found[f'peak_bytes_{low}'] / MEGABYTE:.0f} MB at {low}, "
                  f"{found[f'peak_bytes_{high}'] / MEGABYTE:.0f} MB at {high} samples"))
        if "times_bare" in ours:
            print(f"  tarmac: {ours['times_bare']:.2f} x bare inference (wanted at most 1.5), {ours['bytes_above_bare'] / MEGABYTE:.0f} MB "
                  f"above it (at most 150), {ours.get('times_faster_than_ort', float('nan')):.1f} x faster than ONNX Runtime (at least 10)")
        return row

    def latency(self, case):
        row = {}
        for target, tools in (("openvino", ["tarmac", "nncf"]), ("onnxruntime", ["tarmac", "ort-minmax"])):
            models = {"fp32": case.model, **{tool: self.quantized(case, tool, target) for tool in tools}}
            words = [f"{name}={path}" for name, path in models.items() if path]
            found = child("latency.py", case.name, target, self.args.rounds, self.args.seconds, *words)
            row[target] = dict.fromkeys(models, found) if "error" in found else found
            row[target].update({name: {"error": self.made[(case.name, name, target)][1]["error"]}
                                for name, path in models.items() if path is None})
            print(f"\n{case.name} on {target}")
            for name, found in row[target].items():
                print(f"  {name:12} " + (found["error"] if "error" in found else
                                         f"p50 {found['p50_ns'] / 1e6:8.3f} ms, best {found['best_ns'] / 1e6:8.3f} ms, "
                                         f"{1 / found['ratio']:.2f} x faster than FP32 (best {1 / found['best_ratio']:.2f})"))
            peer, ours = row[target].get(tools[1], {}), row[target].get("tarmac", {})
            if "p50_ns" in peer and "p50_ns" in ours:
                ours["times_peer"], ours["best_times_peer"] = ours["ratio"] / peer["ratio"], ours["best_ns"] / peer["best_ns"]
                print(f"  tarmac takes {ours['times_peer']:.3f} x (best {ours['best_times_peer']:.3f} x) the time of {tools[1]}"
                      + " (wanted at most 1.03)" * (target == "openvino"))
        return row

    def accuracy(self, case):
        if not case.metric:
            return None
        tools = ["tarmac", "nncf", "nncf-mixed", "ort-minmax"]
        paths = {"float": case.model, **{tool: self.quantized(case, tool) for tool in tools}}
        paths = {name: path for name, path in paths.items() if path}
        found = child("evaluate.py", case.name, "openvino", *paths.values())
        if "error" in found:
            return found
        row = dict(zip(paths, found))
        print(f"\n{case.name}: {case.metric} on {row['float']['samples']} pictures, float {row['float']['metric']:.3f}")
        for tool in list(row)[1:]:
            row[tool]["drop"] = row["float"]["metric"] - row[tool]["metric"]
            more = "".join(f", {key} {row[tool][key]:.1f}" for key in ("worst", "f1") if key in row[tool])
            print(f"  {tool:12} {row[tool]['metric']:8.3f}, drop {row[tool]['drop']:.3f} points{more}")
        return row

    def search(self, case):
        if case.metric not in ("top1", "miou"):
            return None
        drop, samples = self.args.max_drop, len(case.calibration_files(case.samples))
        theirs, peer = self.peer("nncf-accuracy", case, samples, "--max-drop", drop)
        output, ours = self.ours(case, "openvino", samples, ("--max-drop", f"{drop}%"), "-search", True)
        made = {name: path for name, path, result in (("nncf", theirs, peer), ("tarmac", output, ours)) if "error" not in result}
        row = {"max_drop": drop, "nncf": peer, "tarmac": ours}
        scores = child("evaluate.py", case.name, "openvino", case.model, *made.values())
        times = child("latency.py", case.name, "openvino", self.args.rounds, self.args.seconds, f"fp32={case.model}",
                      *(f"{name}={path}" for name, path in made.items()))
        print(f"\n{case.name}: mixed precision, at most {drop} points lost")
        for (name, _), score in zip(made.items(), scores[1:]):
            row[name].update(drop=scores[0]["metric"] - score["metric"], **times[name])
            print(f"  {name:12} {row[name]['seconds']:8.1f} s, drop {row[name]['drop']:.3f}, {1 / row[name]['ratio']:.2f} x faster than FP32")
        for name in {"nncf", "tarmac"} - set(made):
            print(f"  {name:12} {row[name]['error']}")
        if len(made) == 2:
            row["times_faster"] = peer["seconds"] / ours["seconds"]
            print(f"  the search is {row['times_faster']:.1f} x faster (wanted 5)")
        return row


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tarmac", type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for quantised models")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, of " + ", ".join(PARTS))
    parser.add_argument("--cases", help="names, separated by commas; all without it")
    parser.add_argument("--samples", type=int, default=500, help="of our calibration, the larger number")
    parser.add_argument("--peer-samples", type=int, default=20, help="of the peers' calibration")
    parser.add_argument("--repeats", type=int, default=3, help="of calibration, the tools in turn")
    parser.add_argument("--rounds", type=int, default=25, help="of latency, the models in turn")
    parser.add_argument("--seconds", type=float, default=0.2, help="of one model in one round")
    parser.add_argument("--max-drop", type=float, default=2, help="points, for the search")
    parser.add_argument("--tarmac-options", default="", help="further words for tarmac quantize")
    parser.add_argument("-o", "--output", type=pathlib.Path, help="JSON file for the figures")
    args = parser.parse_args()

    report = {"benchmark": "quantize", "date": datetime.date.today().isoformat(), "machine": measure.machine(),
              "peers": {name: importlib.metadata.version(name) for name in ("nncf", "openvino", "onnxruntime")}}
    old = json.loads(args.output.read_text()) if args.output and args.output.exists() else {}
    bench = Bench(args)
    if "fastestdet" not in {case.name for case in all_cases().values()}:
        print("fastestdet is left out: TARMAC_BENCH_DATA names no folder with fastestdet/ and traffic_frames/")
    for part in PARTS:
        report[part] = old.get(part, {})  # what is not measured now stays, with its date
        for case in bench.cases if part in args.only.split(",") else []:
            if part == "calibration" and case.name not in ("resnet50", "detector") and not args.cases:
                continue
            row = getattr(bench, part)(case)
            if row:
                report[part][case.name] = {"date": report["date"], **row}
            sys.stdout.flush()
            if args.output:
                measure.write_result(args.output, report)


if __name__ == "__main__":
    main()
