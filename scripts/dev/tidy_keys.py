"""Prints `FILE DIGEST` for every source that the release build compiles.

The digest covers the file, every header of ours that it includes (also under an #if), .clang-tidy and the pinned
dependencies. It needs a configured build/release, nothing compiled.
"""

import functools
import hashlib
import json
import os
import re

root = os.getcwd()
INCLUDE = re.compile(rb'^\s*#\s*include\s*["<]([^">]+)[">]', re.MULTILINE)


@functools.cache
def read(path):
    """The digest of a file, and what it includes."""
    with open(path, "rb") as file:
        content = file.read()
    return hashlib.sha256(content).hexdigest(), [name.decode() for name in INCLUDE.findall(content)]


@functools.cache
def find(folder, folders, name):
    """Where the compiler finds an include of a file in `folder`, if that is ours."""
    for place in (folder, *folders):
        path = os.path.normpath(os.path.join(place, name))
        if os.path.isfile(path):
            return path
    return None


def everything(source, folders):
    found, waiting = {source}, [source]
    while waiting:
        path = waiting.pop()
        for name in read(path)[1]:
            header = find(os.path.dirname(path), folders, name)
            if header and header not in found:
                found.add(header)
                waiting.append(header)
    return sorted(found)


def is_ours(path):
    return path.startswith(root + "/") and not path.startswith(root + "/build/")


common = read(os.path.join(root, ".clang-tidy"))[0] + read(os.path.join(root, "cmake/dependencies.lock"))[0]
with open(os.path.join(root, "build/release/compile_commands.json")) as file:
    commands = json.load(file)
for entry in commands:
    words = entry["command"].split()
    folders = tuple(word[2:] for word in words if word.startswith("-I") and is_ours(word[2:]))
    if is_ours(entry["file"]):
        digests = (read(path)[0] for path in everything(entry["file"], folders))
        print(entry["file"], hashlib.sha256((common + "".join(digests)).encode()).hexdigest())
