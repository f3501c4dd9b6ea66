"""20 pictures, one at a time and 8 at a time, on both engines; the results are the same. The plan makes
batches of 1, 4 and 8 ready: the last 4 of 20 run as they are, instead of being filled up to 8. What a batch
gains depends on the machine: where one picture keeps all cores busy, as on small CPUs, nearly nothing."""

from pathlib import Path

import numpy as np
from shared import CLASSIFIER, CLASSIFIER_CONTRACT, OUT, PICTURES, median_times

import tarmac

BATCH = 8


def compare(model: str, contract: str, size: tuple[int, int], target: str) -> None:
    one, four, eight = ((batch, 3, *size) for batch in (1, 4, BATCH))
    plan = tarmac.compile(
        model,
        OUT / f"batches.{target}.plan",
        target=target,
        contract=contract,
        profiles=[{"image": (one, eight, eight)}],
        ready=[{"image": one}, {"image": four}],
        cache=False,
    )
    with tarmac.Session(plan.path) as session:
        pictures = sorted(PICTURES.rglob("*.jpg"))[:20]
        items = [{"image": session.preprocess("image", picture)} for picture in pictures]
        name = session.outputs[0].name
        single = np.concatenate([session.run(item)[name] for item in items])
        batched = np.concatenate([result[name] for result in session.run_batch(items, BATCH)])
        error = np.abs(single - batched).max() / np.ptp(single)
        plain, together = median_times(
            lambda: [session.run(item) for item in items],
            lambda: session.run_batch(items, BATCH),
        )
    print(
        f"{Path(model).stem} on {target}: {len(items)} pictures: {1e3 * plain:.1f} ms one by one, "
        f"{1e3 * together:.1f} ms at batch {BATCH}, gain: {plain / together:.2f}x"
    )
    print(
        "  the same results" if error < 1e-5 else f"  results differ by {error:.1e} of their range"
    )


for engine in ("openvino", "onnxruntime"):
    compare(CLASSIFIER, CLASSIFIER_CONTRACT, (96, 48), engine)
    compare("detector.onnx", "02_detector.yaml", (416, 416), engine)
