"""How fast models run in one engine, in turn in one process: latency.py CASE ENGINE ROUNDS SECONDS NAME=MODEL…; JSON on stdout.

p50 is the median over the rounds of each round's median, best the fastest single run, which other load on the machine touches least.
ratio is the median of the rounds' ratios to the first model, best_ratio that of the fastest runs.
"""

import json
import statistics
import sys
import time

from cases import all_cases
from engines import ENGINES


def measure_round(call, seconds):
    times, end = [], time.perf_counter_ns() + int(seconds * 1e9)
    while not times or time.perf_counter_ns() < end:
        start = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - start)
    return statistics.median(times), min(times)


def main():
    case, engine = all_cases()[sys.argv[1]], ENGINES[sys.argv[2]]
    rounds, seconds = int(sys.argv[3]), float(sys.argv[4])
    sample = case.sample(case.calibration_files(1)[0])
    models = dict(word.split("=", 1) for word in sys.argv[5:])
    loaded = {name: engine(path, list(sample.shape)) for name, path in models.items()}
    calls = {name: model.prepare(sample) for name, model in loaded.items()}
    for call in calls.values():
        measure_round(call, 0.3)  # uncounted
    found = {name: [] for name in models}
    for i in range(rounds):
        names = list(models)[i % len(models):] + list(models)[:i % len(models)]
        for name in names:
            found[name].append(measure_round(calls[name], seconds))
    first, result = found[next(iter(models))], {}
    for name, values in found.items():
        best = min(fastest for _, fastest in values)
        result[name] = {"p50_ns": statistics.median(median for median, _ in values), "best_ns": best,
                        "ratio": statistics.median(v[0] / f[0] for v, f in zip(values, first)),
                        "best_ratio": best / min(fastest for _, fastest in first)}
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
