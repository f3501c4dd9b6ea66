"""Prints `FILE DIGEST` for every source that the release build compiled.

The digest covers the file, every header of ours that it includes, .clang-tidy and the pinned dependencies.
"""

import hashlib
import os
import subprocess

root = os.getcwd()
build = os.path.join(root, "build/release")
digests = {}


def digest(path):
    if path not in digests:
        with open(path, "rb") as file:
            digests[path] = hashlib.sha256(file.read()).hexdigest()
    return digests[path]


common = digest(os.path.join(root, ".clang-tidy")) + digest(os.path.join(root, "cmake/dependencies.lock"))
listing = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True, check=True).stdout
for block in listing.split("\n\n"):
    lines = [line.strip() for line in block.strip().splitlines()[1:]]
    files = [os.path.normpath(os.path.join(build, line)) for line in lines]
    ours = [f for f in files if f.startswith(root + "/") and not f.startswith(root + "/build/")]
    sources = [f for f in ours if f.endswith(".cpp")]
    if sources and all(map(os.path.exists, ours)):
        print(sources[0], hashlib.sha256((common + "".join(map(digest, sorted(ours)))).encode()).hexdigest())
