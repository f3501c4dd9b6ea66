"""from_other_tools.py PROGRAM ROOT: runs every `tarmac …` line of docs/from_other_tools.md in a folder with the models of
examples/basics; each must end with exit code 0."""

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def prepare(folder: Path, root: Path) -> None:
    data, basics = root / "build/demo/data", root / "examples/basics"
    for model in basics.glob("*.onnx"):
        shutil.copy(model, folder)
    pictures = {
        "train": sorted((data / "traffic_light/train").rglob("*.jpg"))[:8],
        "test": sorted((data / "traffic_light/test").rglob("*.jpg"))[:4],
    }
    for name, files in pictures.items():
        (folder / name).mkdir()
        for file in files:
            shutil.copy(file, folder / name)
    shutil.copy(pictures["test"][0], folder / "picture.jpg")
    contract = (basics / "02_detector.yaml").read_text()
    contract = contract.replace("../../build/demo/data/traffic_light/", "")
    contract = contract.replace("max: [8, ", "max: [2, ")  # less to prove
    (folder / "detector.yaml").write_text(contract)
    (folder / "features").mkdir()
    for file in sorted((data / "basics/bev").glob("*.npy"))[:8]:
        (folder / "features" / file.name).symlink_to(file)


def main() -> int:
    program, root = sys.argv[1], Path(sys.argv[2]).resolve()
    page = (root / "docs/from_other_tools.md").read_text()
    # What stands there as another tool's never begins with tarmac; `tarmac quantize` alone names a command.
    lines = [
        line.replace("\\|", "|")
        for line in re.findall(r"`(tarmac [a-z]+ [^`\n]+)`", page)
        if "COMMAND" not in line
    ]
    if len(lines) < 30:
        print(f"only {len(lines)} lines found; has the page changed its form?")
        return 1
    failed = 0
    missing = [
        folder
        for folder in ("traffic_light", "basics")
        if not (root / "build/demo/data" / folder).is_dir()
    ]
    if missing:
        print(f"there is no build/demo/data/{missing[0]}; ./dev test makes it")
        return 77  # what ctest takes for skipped
    with tempfile.TemporaryDirectory(prefix="tarmac-lines-") as scratch:
        prepare(Path(scratch), root)
        for line in lines:
            begin = time.monotonic()
            done = subprocess.run(
                [program, *shlex.split(line)[1:], "-q"],
                cwd=scratch,
                text=True,
                check=False,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            print(f"{time.monotonic() - begin:6.1f} s  exit {done.returncode}  {line}", flush=True)
            if done.returncode != 0:
                failed += 1
                print(done.stdout)
    print(f"{len(lines) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
