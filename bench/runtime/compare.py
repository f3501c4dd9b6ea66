"""Sessions and plans beside the bare engines and Python, in turn on the same machine; says which demands are met."""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

import numpy as np

import camera_rig
from models import BENCH, Maker

sys.path.insert(0, str(BENCH))
import fastestdet  # noqa: E402  (bench/quantize, whose folder models.py has put on the path)
from support import measure  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
ENGINES = ["openvino", "onnxruntime"]
CORES = len(os.sched_getaffinity(0))
US, MS, MB = 1e3, 1e6, 1e6  # in nanoseconds and bytes
median = statistics.median


def verdict(met, possible=False):
    """`possible`: what was measured does not tell from what is wanted."""
    return "met" if met else "not decided, within noise" if possible else "NOT MET"


def last_line(error):
    return (str(error).strip().splitlines() or ["failed"])[-1]


class Bench:
    def __init__(self, args):
        self.args, self.build = args, args.build
        self.tarmac, self.program = self.build / "bin/tarmac", self.build / "bench/runtime_bench"
        self.maker = Maker(self.tarmac)
        self.work = self.maker.made
        self.plans = {}

    def models(self, names):
        """Of the names those that --models asks for and whose files can be made."""
        wanted = self.args.models.split(",") if self.args.models else names
        for name in names:
            if name not in wanted:
                continue
            model = self.maker.make(name)
            if model:
                yield model
            else:
                print(f"{name} is left out: TARMAC_BENCH_DATA names no folder with it")

    def ask(self, command, **spec):
        """What runtime_bench says, in a process of its own."""
        done = subprocess.run([self.program, command, json.dumps(spec, default=str)], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"runtime_bench {command}: {last_line(done.stderr)}")
        return json.loads(done.stdout)

    def compile(self, path, output, *options):
        """A plan, and the seconds it took."""
        begin = datetime.datetime.now()
        done = subprocess.run([self.tarmac, "compile", path, "-o", output, "--json", "-q", *map(str, options)], capture_output=True,
                              text=True)
        if done.returncode != 0:
            raise RuntimeError(f"tarmac compile: {last_line(done.stderr)}")
        return json.loads(done.stdout), (datetime.datetime.now() - begin).total_seconds()

    def plan(self, model, engine):
        """Made once a run."""
        if (model.name, engine) not in self.plans:
            path = self.work / f"{model.name}.{engine}.plan"
            self.compile(model.path, path, "--target", engine)
            self.plans[model.name, engine] = path
        return self.plans[model.name, engine]

    # Overhead over the bare engine call.

    def overhead(self):
        shares = {"tiny": 0.5, "fastestdet": 1, "mobilenet_v3": 1, "resnet50": 3, "bev_encoder": 3}  # slow models want longer
        for model in self.models(shares):
            row = {}
            for engine in ENGINES:
                if (model.name, engine) == ("bev_encoder", "onnxruntime"):
                    continue  # more than a second a run
                common = {"model": model.path, "threads": CORES}
                row[engine] = found = self.ask(
                    "overhead", ours={"engine": "tarmac", "target": engine, **common}, bare={"engine": engine, "as_target": True, **common},
                    seconds=self.args.seconds * self.args.repeats * shares[model.name], loads=self.args.repeats)
                print(f"\n{model.name} on {engine}")
                for way, part in found.items():
                    ours, bare, again = (part[side] for side in ("ours", "bare", "bare_again"))
                    part["p50_difference_ns"] = ours["p50_ns"] - bare["p50_ns"]
                    part["p99_ratio"], part["p99_ratio_bare"] = (side["p99_ns"] / bare["p99_ns"] for side in (ours, again))
                    blur = max(part["p99_ratio_bare"], 1 / part["p99_ratio_bare"])
                    part["p50_met"] = verdict(part["paired"]["median_ns"] <= 20e3, part["paired"]["low_ns"] <= 20e3)
                    part["p99_met"] = verdict(part["p99_ratio"] <= 1.05, part["p99_ratio"] <= blur)
                    paired = [part["paired"][key] / US for key in ("median_ns", "low_ns", "high_ns")]
                    print(f"  {way:6} bare p50 {bare['p50_ns'] / US:9.1f} µs; ours {part['p50_difference_ns'] / US:+.1f} µs, by "
                          f"neighbouring runs {paired[0]:+.1f} ({paired[1]:+.1f} to {paired[2]:+.1f}): {part['p50_met']}; p99 of "
                          f"{bare['samples']} runs x {part['p99_ratio']:.3f} (bare again x {part['p99_ratio_bare']:.3f}): {part['p99_met']}")
            yield model.name, row

    # Throughput of the plan that `auto` makes beside the engines' own settings.

    @staticmethod
    def sweep(model):
        """What both engines' own benchmarks let one choose: threads, streams or calls at once, batch."""
        sides = {}
        for batch in model.batches:
            path = model.path if batch == 1 or not model.open_batch else model.open_batch
            common = {"model": path, "batch": batch}
            for hint in ("latency", "throughput"):
                sides[f"openvino -hint {hint} -b {batch}"] = {"engine": "openvino", "hint": hint, **common}
            streams = 1
            while streams <= CORES:
                setup = {"engine": "openvino", "threads": CORES, "streams": streams, **common}
                sides[f"openvino -nstreams {streams} -nthreads {CORES} -b {batch}"] = setup
                sides[f"openvino -nstreams {streams} -nthreads {CORES} -nireq {2 * streams} -b {batch}"] = {
                    **setup, "requests": 2 * streams}
                setup = {"engine": "onnxruntime", "threads": CORES // streams, "streams": streams, **common}
                for spinning in (True, False) if CORES // streams > 1 else (False,):
                    sides[f"onnxruntime {CORES // streams} threads{', spinning' * spinning}, {streams} calls, batch {batch}"] = \
                        {**setup, "spinning": spinning}
                streams *= 2
            sides[f"onnxruntime {CORES} threads, {CORES} calls, batch {batch}"] = {
                "engine": "onnxruntime", "threads": CORES, "streams": CORES, "spinning": False, **common}
        return sides

    def throughput(self):
        for model in self.models(["resnet50", "mobilenet_v3", "vit_tiny", "bev_encoder", "resnet50_int8",
                                  "fastestdet_int8" if self.maker.shared else "mobilenet_v3_int8"]):
            sides = self.sweep(model)
            first = self.ask("throughput", sides=sides, rounds=1, seconds=self.args.seconds / 4, one_by_one=True, unit=model.unit)
            rate = {name: found["samples_per_s"][0] for name, found in first.items() if "samples_per_s" in found}
            finalists = [name for engine in ENGINES
                         for name in sorted((name for name in rate if name.startswith(engine)), key=rate.get, reverse=True)[:3]]
            finalists = [name for name in finalists if rate[name] > 0.7 * max(rate.values())]
            plan = self.work / f"{model.name}.throughput.plan"
            options = ["--batch", ",".join(map(str, model.batches))] if model.open_batch else []
            compiled, seconds = self.compile(model.open_batch or model.path, plan, "--target", "auto", "--objective", "throughput",
                                             "--no-cache", *options)
            found = self.ask("throughput", sides={"tarmac": {"model": plan}, **{name: sides[name] for name in finalists}},
                             rounds=2 * self.args.repeats + 1, seconds=self.args.seconds / 2, unit=model.unit)
            ours, peers = found["tarmac"], {name: found[name] for name in finalists}
            best = max(peers, key=lambda name: median(peers[name]["samples_per_s"]))
            ratio = median(a / b for a, b in zip(ours["samples_per_s"], peers[best]["samples_per_s"]))
            row = {"plan": {"seconds_to_make": seconds, "size_bytes": plan.stat().st_size, "target": compiled.get("target"),
                            "requests": ours["requests"], "batch": ours["batch"]},
                   "samples_per_s": {name: median(side["samples_per_s"]) for name, side in found.items()}, "first_look": rate,
                   "failed": {name: side["error"] for name, side in first.items() if "error" in side},
                   "best_peer": best, "ratio": ratio, "met": ratio >= 0.98}
            print(f"\n{model.name}: of {len(sides)} settings of the engines the best, and the plan (made in {seconds:.0f} s)")
            for name, value in sorted(row["samples_per_s"].items(), key=lambda item: -item[1]):
                words = f" ({compiled.get('target')}, {ours['requests']} at once, batch {ours['batch']:.0f})" if name == "tarmac" else ""
                print(f"  {value:10.2f} samples/s  {name}{words}")
            print(f"  tarmac: {ratio:.3f} x the best (wanted 0.98): {verdict(row['met'])}")
            yield model.name, row

    # Time until a model is ready.

    def load(self):
        for model in self.models(["resnet50", "fastestdet", "bev_encoder"]):
            row = {}
            for engine in ENGINES:
                plan = self.plan(model, engine)
                sides = {"onnx": {"engine": engine, "model": model.path, "as_target": True, "threads": CORES},
                         "plan": {"engine": "tarmac", "model": plan}}
                fresh, again = {name: [] for name in sides}, {name: [] for name in sides}
                for i in range(self.args.repeats):
                    for name in list(sides)[i % 2:] + list(sides)[:i % 2]:
                        found = self.ask("load", setup=sides[name], times=3)
                        fresh[name].append((found["load_ns"][0], found["first_result_ns"][0]))
                        again[name] += list(zip(found["load_ns"][1:], found["first_result_ns"][1:]))
                digest = median(self.ask("digest", file=plan, times=5)["digest_ns"])
                row[engine] = {"digest_ns": digest, "plan_bytes": plan.stat().st_size}
                print(f"\n{model.name} on {engine}; digest of the plan's {plan.stat().st_size / MB:.0f} MB {digest / MS:.1f} ms")
                for where, times in (("fresh process", fresh), ("again", again)):
                    middle = {name: [median(pair[i] for pair in pairs) for i in (0, 1)] for name, pairs in times.items()}
                    allowed = middle["onnx"][0] + digest if model.name == "resnet50" else 0.5 * middle["onnx"][0]
                    part = {"onnx_ns": middle["onnx"][0], "plan_ns": middle["plan"][0], "ratio": middle["plan"][0] / middle["onnx"][0],
                            "onnx_first_result_ns": middle["onnx"][1], "plan_first_result_ns": middle["plan"][1],
                            "allowed_ns": allowed, "met": middle["plan"][0] <= allowed}
                    row[engine][where] = part
                    print(f"  {where:13} ONNX {part['onnx_ns'] / MS:8.1f} ms, plan {part['plan_ns'] / MS:8.1f} ms "
                          f"(x {part['ratio']:.2f}; at most {allowed / MS:.1f} ms); to the first result "
                          f"{middle['onnx'][1] / MS:.1f} and {middle['plan'][1] / MS:.1f} ms: {verdict(part['met'])}")
            yield model.name, row

    # Memory of several contexts.

    def memory(self):
        for model in self.models(["resnet50"]):
            row = {}
            for engine in ENGINES:
                plan = self.plan(model, engine)
                sides = {"bare": {"engine": engine, "model": model.path, "as_target": True, "threads": CORES},
                         "onnx": {"engine": "tarmac", "target": engine, "model": model.path},
                         "plan": {"engine": "tarmac", "model": plan}}
                row[engine] = {}
                print(f"\n{model.name} ({model.path.stat().st_size / MB:.0f} MB) on {engine}: resident after runs in every context")
                for name, setup in sides.items():
                    uses = {count: [self.ask("memory", setup=setup, requests=count, runs=5) for _ in range(3)] for count in (1, 4)}
                    middle = {count: {key: median(use[key] for use in found) for key in found[0]} for count, found in uses.items()}
                    ratio = middle[4]["resident_bytes"] / middle[1]["resident_bytes"]
                    row[engine][name] = {"contexts": middle, "ratio": ratio, "met": ratio <= 1.5}
                    print(f"  {name:5} one {middle[1]['resident_bytes'] / MB:6.0f} MB (peak {middle[1]['peak_bytes'] / MB:.0f}), four "
                          f"{middle[4]['resident_bytes'] / MB:6.0f} MB (peak {middle[4]['peak_bytes'] / MB:.0f}): x {ratio:.2f} "
                          f"(at most 1.5)" + (f": {verdict(ratio <= 1.5)}" if name != "bare" else ""))
            yield model.name, row

    # Six cameras, frame to result.

    def camera_sides(self, network, frames):
        fp32 = self.maker.camera_model(network)
        int8 = self.maker.camera_model(network, quantized=True)
        contracts = []
        for i, lens in enumerate(camera_rig.LENSES):
            contracts.append(self.work / f"camera_{network.name}_{i}.yaml")
            camera_rig.write_contract(contracts[-1], network, fp32[1], lens)
        python = {"model": fp32[camera_rig.CAMERAS], "frames": frames, "lenses": camera_rig.LENSES, "frame_size": camera_rig.FRAME,
                  "size": network.size, "mean": network.mean, "std": network.std}
        sides = {}
        for flow in ("steps", "one_map"):
            for threads in (0, CORES):
                sides[f"python {flow}{', a thread a camera' * bool(threads)}"] = {**python, "flow": flow, "threads": threads}
        for name, models in (("tarmac fp32", fp32), ("tarmac int8", int8)):
            common = {"contracts": contracts, "frames": frames, "workers": CORES}
            ways = {"one run of six": {"lanes": 1, "chunk": camera_rig.CAMERAS, "setup": {
                "model": models[camera_rig.CAMERAS], "threads": CORES}}}
            for chunk in (1, 3):
                if camera_rig.CAMERAS // CORES % chunk == 0:
                    ways[f"{CORES} streams of {chunk}"] = {"lanes": CORES, "chunk": chunk, "setup": {
                        "model": models[chunk], "threads": CORES, "streams": CORES}}
            looks = {way: median(self.camera_run(name, {**common, **spec}, self.args.seconds / 2)["wall_ns"]) for way, spec in ways.items()}
            best = min(looks, key=looks.get)
            print(f"  {name}: " + ", ".join(f"{way} {ns / MS:.1f} ms" for way, ns in looks.items()))
            sides[name] = {**common, **ways[best], "way": best}
        return sides

    def camera_results(self, name):
        return self.work / f"results.{name.replace(' ', '_').replace(',', '')}.bin"

    def camera_run(self, name, spec, seconds):
        spec = {**spec, "seconds": seconds, "results": self.camera_results(name)}
        if not name.startswith("python"):
            return self.ask("cameras", **spec)
        done = subprocess.run([sys.executable, HERE / "camera_flow.py", json.dumps(spec, default=str)], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"camera_flow.py: {last_line(done.stderr)}")
        return json.loads(done.stdout)

    def camera_accuracy(self, network, name, reference):
        """How far a side's results are from the reference's: relative error, and for the detector F1 of what is found."""
        found, wanted = (np.fromfile(self.camera_results(side), np.float32) for side in (name, reference))
        row = {"agreement": 1 - float(np.square(found - wanted).sum() / np.square(wanted).sum())}
        if network.name == "fastestdet":
            matched = count = 0
            for a, b in zip(found.reshape(-1, 1, 85, 22, 22), wanted.reshape(-1, 1, 85, 22, 22)):
                a, b = fastestdet.detections(a), fastestdet.detections(b)
                matched, count = matched + fastestdet.matches(a, b), count + len(a) + len(b)
            row |= {"f1": 2 * matched / max(count, 1), "detections": count / 2}
        return row

    def cameras(self):
        if not self.maker.shared:
            print("cameras are left out: TARMAC_BENCH_DATA names no folder with fastestdet/ and traffic_frames/")
            return
        folder = self.work / "frames"
        if not folder.exists():
            shutil.rmtree(self.work / "partial.frames", ignore_errors=True)
            camera_rig.write_frames(sorted((self.maker.shared / "traffic_frames").glob("*.bmp")), self.work / "partial.frames")
            (self.work / "partial.frames").rename(folder)
        frames = [[folder / f"{moment}_{camera}.nv12" for camera in range(camera_rig.CAMERAS)] for moment in range(camera_rig.MOMENTS)]
        for network in camera_rig.NETWORKS:
            if self.args.models and network.name not in self.args.models.split(","):
                continue
            (height, width), (rows, columns) = camera_rig.FRAME, network.size
            print(f"\nsix cameras, {width} x {height} NV12, to {network.name} at {columns} x {rows}")
            sides = self.camera_sides(network, frames)
            found = {name: {} for name in sides}
            for i in range(self.args.repeats):
                names = list(sides)
                for name in names[i % len(names):] + names[:i % len(names)]:
                    for key, values in self.camera_run(name, sides[name], self.args.seconds).items():
                        found[name].setdefault(key, []).append(median(values))
            row = {}
            for name, times in found.items():
                row[name] = {key: median(values) for key, values in times.items()}
                row[name] |= {"preprocess_share": row[name]["preprocess_ns"] / (row[name]["preprocess_ns"] + row[name]["inference_ns"]),
                              "way": sides[name].get("way", "one run of six"),
                              **self.camera_accuracy(network, name, "python one_map")}
            for ours in ("tarmac fp32", "tarmac int8"):
                for flow in ("steps", "one_map"):
                    peers = [name for name in row if name.startswith(f"python {flow}")]
                    row[ours][f"times_faster_than_{flow}"] = median(
                        min(found[peer]["wall_ns"][i] for peer in peers) / found[ours]["wall_ns"][i] for i in range(self.args.repeats))
            for name, side in row.items():
                accuracy = f", agreement {side['agreement']:.4f}"
                if "f1" in side:
                    accuracy += f", F1 {side['f1']:.3f} of {side['detections']:.0f} detections"
                print(f"  {name:35} {side['wall_ns'] / MS:8.2f} ms: preprocessing {100 * side['preprocess_share']:3.0f} %, inference "
                      f"{100 - 100 * side['preprocess_share']:3.0f} % ({side['way']}){accuracy}")
            for name in ("tarmac fp32", "tarmac int8"):
                times, one_map = (row[name][f"times_faster_than_{flow}"] for flow in ("steps", "one_map"))
                row[name]["met"] = times >= 3
                print(f"  {name}: {times:.2f} x faster than Python step by step (wanted 3): {verdict(times >= 3)}; "
                      f"{one_map:.2f} x faster than with one map")
            yield network.name, row

    # Allocations in the steady state.

    def allocations(self):
        for model in self.models(["tiny", "mobilenet_v3"]):
            row = {}
            print(f"\n{model.name}: allocations a run in the steady state")
            for target in ("null", *ENGINES):
                common = {"model": model.path, "threads": CORES}
                ours = self.ask("allocations", setup={"engine": "tarmac", "target": target, **common}, runs=100)
                bare = None
                if target != "null":
                    bare = self.ask("allocations", setup={"engine": target, "as_target": True, **common}, runs=100)
                row[target] = {}
                for way, found in ours.items():
                    engine = bare[way]["allocations"] if bare else 0
                    extra = found["allocations"] - engine
                    row[target][way] = {"all": found["allocations"], "bytes": found["bytes"], "engine": engine, "ours": extra,
                                        "met": extra < 0.5}
                    print(f"  {target:12} {way:6} {found['allocations']:8.1f} in all, the engine alone {engine:8.1f}: ours {extra:6.1f} "
                          f"(wanted 0): {verdict(extra < 0.5)}")
            yield model.name, row


PARTS = ["overhead", "throughput", "load", "memory", "cameras", "allocations"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=pathlib.Path, help="the release build's folder")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, of " + ", ".join(PARTS))
    parser.add_argument("--models", help="names, separated by commas; all without it")
    parser.add_argument("--repeats", type=int, default=5, help="rounds in which the sides take turns")
    parser.add_argument("--seconds", type=float, default=1.2, help="of one side in one round")
    parser.add_argument("-o", "--output", type=pathlib.Path, help="JSON file for the figures")
    args = parser.parse_args()
    unknown = set(args.only.split(",")) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there is {', '.join(PARTS)}")

    today = datetime.date.today().isoformat()
    old = json.loads(args.output.read_text()) if args.output and args.output.exists() else {}
    peers = {name: importlib.metadata.version(name) for name in ("onnxruntime", "opencv-python-headless")}
    # What is not measured now stays, with its date.
    report = {"benchmark": "runtime", "peers": peers, **{part: old.get(part, {}) for part in PARTS}}
    bench = Bench(args)
    failures = []
    for part in PARTS:
        if part not in args.only.split(","):
            continue
        print(f"\n== {part}")
        try:
            for name, row in getattr(bench, part)():
                report[part][name] = {"date": today, "machine": measure.machine(), **row}
                sys.stdout.flush()
                if args.output:
                    measure.write_result(args.output, report)
        except RuntimeError as error:
            failures.append(f"{part}: {error}")
            print(f"  {error}")
    sys.exit("\n".join(failures) if failures else 0)


if __name__ == "__main__":
    main()
