"""Timing of whole processes, and what machine it was."""

import json
import os
import platform
import statistics
import subprocess
import time


def run(command, **options):
    """Wall seconds and peak memory (bytes) of a process and its children; raises with its messages when it fails."""
    start = time.perf_counter()
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{output.decode(errors='replace')}")
    return {"seconds": seconds, "peak_bytes": usage.ru_maxrss * 1024}


def interleaved(commands, runs):
    """Runs each command once, uncounted, then `runs` times in turn, each round in another order."""
    for command in commands.values():
        run(command)
    results = {name: [] for name in commands}
    for i in range(runs):
        names = list(commands)
        names = names[i % len(names):] + names[:i % len(names)]
        for name in names:
            results[name].append(run(commands[name]))
    return results


def median(results, key):
    return statistics.median(result[key] for result in results)


def machine():
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    return {"cpu": cpu, "cores": len(os.sched_getaffinity(0)), "system": platform.platform(), "load": os.getloadavg()[0]}


def write_result(path, result):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
