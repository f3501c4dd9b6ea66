"""Four streams: sessions on one compiled model, its weights once in memory, that run at the same time, the
cores divided among them (TensorRT: execution contexts, a CUDA stream each). The plain form runs as many
pictures one after another, all cores each. Then: reading the next picture during a run (execute_async)."""

from concurrent.futures import ThreadPoolExecutor

from shared import CLASSIFIER, CLASSIFIER_CONTRACT, OUT, PICTURES, median_times

import tarmac

STREAMS, ROUNDS = 4, 10
pictures = sorted(PICTURES.rglob("*.jpg"))[:20]


def compare(target: str, plan: str) -> None:
    one = tarmac.Session(plan, streams=1)
    wide = tarmac.Session(plan, streams=STREAMS)
    sessions = [wide, *(wide.clone() for _ in range(STREAMS - 1))]
    items = [{"image": wide.preprocess("image", picture)} for picture in pictures] * ROUNDS

    def run_all(session: tarmac.Session, first: int, step: int) -> None:
        for item in items[first::step]:
            session.run(item)

    def read_then_run() -> None:
        for picture in pictures:
            one.run({"image": wide.preprocess("image", picture)})

    def read_while_running() -> None:
        following = wide.preprocess("image", pictures[0])
        for picture in [*pictures[1:], None]:
            run = one.run_async({"image": following})
            if picture is not None:
                following = wide.preprocess("image", picture)
            run.result()

    with ThreadPoolExecutor(STREAMS) as pool:
        alone, together = median_times(
            lambda: run_all(one, 0, 1),
            lambda: list(pool.map(run_all, sessions, range(STREAMS), [STREAMS] * STREAMS)),
        )
    print(
        f"{target}: one stream {len(items) / alone:.0f} pictures/s, {STREAMS} streams "
        f"{len(items) / together:.0f}, gain: {alone / together:.2f}x"
    )
    waiting, overlapped = median_times(read_then_run, read_while_running)
    print(
        f"{target}: reading, then running {1e3 * waiting:.1f} ms, at once {1e3 * overlapped:.1f} ms, "
        f"gain: {waiting / overlapped:.2f}x"
    )


for engine in ("openvino", "onnxruntime"):
    path = str(OUT / f"streams.{engine}.plan")
    tarmac.compile(CLASSIFIER, path, target=engine, contract=CLASSIFIER_CONTRACT, cache=False)
    compare(engine, path)
