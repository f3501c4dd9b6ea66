"""Runs one case with PyTorch and says how long each run took.

    torch_peer.py CASE THREADS

CASE is OPERATOR/SIZE; the module torch_OPERATOR.py beside this file has a function `case(size)` that returns a callable.
One line on standard input: one run, answered by its nanoseconds.
"""
import importlib
import os
import sys
import time

threads = sys.argv[2]
os.environ["OMP_NUM_THREADS"] = threads
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # the others run while this one waits
os.environ["KMP_BLOCKTIME"] = "0"

import torch  # noqa: E402  after the environment


def main() -> None:
    operator, size = sys.argv[1].split("/", 1)
    torch.set_num_threads(int(threads))
    torch.set_grad_enabled(False)
    run = importlib.import_module("torch_" + operator).case(size)
    for _ in sys.stdin:
        begin = time.perf_counter_ns()
        run()
        print(time.perf_counter_ns() - begin, flush=True)


main()
