"""Timing of whole processes, and what machine it was."""

import json
import os
import platform
import statistics
import subprocess
import sys


# A process counts the memory of the one that started it, until it starts its own program: hence a small one between.
LAUNCHER = """
import json, os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
output = process.stdout.read()
_, status, usage = os.wait4(process.pid, 0)
seconds = time.perf_counter() - start
json.dump({"exit": os.waitstatus_to_exitcode(status), "seconds": seconds, "peak_bytes": usage.ru_maxrss * 1024,
           "output": output.decode(errors="replace")}, sys.stdout)
"""


def run(command):
    """Wall seconds, peak memory (bytes) and output of a process; raises with its messages when it fails."""
    command = [str(word) for word in command]
    launched = subprocess.run([sys.executable, "-I", "-S", "-c", LAUNCHER, *command], check=True, capture_output=True)
    result = json.loads(launched.stdout)
    if result["exit"] != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {result['exit']}:\n{result['output']}")
    return {key: result[key] for key in ("seconds", "peak_bytes", "output")}


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
