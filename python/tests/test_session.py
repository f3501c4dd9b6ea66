from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import numpy as np
import pytest
from conftest import CONTRACT, MODEL, model_of

import tarmac


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> tarmac.PlanInfo:
    path = tmp_path_factory.mktemp("plan") / "light.plan"
    return tarmac.compile(MODEL, path, target="openvino", contract=CONTRACT, cache=False)


def test_a_session_says_what_it_takes(session: tarmac.Session) -> None:
    assert session.inputs[0].shape == ("batch", 3, 96, 48)
    assert session.outputs[0].name == "logits"
    assert session.target == "openvino" and session.engine_version.startswith("OpenVINO")
    assert session.plan is None and session.profiles == () and not session.carries_state


def test_both_engines_agree(session: tarmac.Session, picture: np.ndarray) -> None:
    other = tarmac.Session(MODEL, target="onnxruntime")
    np.testing.assert_allclose(
        session.run({"image": picture})["logits"],
        other.run({"image": picture})["logits"],
        rtol=1e-3,
        atol=1e-4,
    )


def test_errors_name_what_is_wrong(session: tarmac.Session, picture: np.ndarray) -> None:
    with pytest.raises(tarmac.InvalidInputError, match=r"float64.*expects float32") as raised:
        session.run({"image": picture.astype("f8")})
    assert (raised.value.code, raised.value.exit_code, raised.value.node) == (
        "invalid_input",
        4,
        "image",
    )
    with pytest.raises(tarmac.NotFoundError, match="image"):
        session.run({"picture": picture})
    with pytest.raises(tarmac.NotFoundError, match="logits"):
        session.run({"image": picture}, outputs=["scores"])
    with pytest.raises(tarmac.InvalidInputError, match="was not given a value"):
        session.clone().run()
    with pytest.raises(tarmac.UsageError, match="no target"):
        tarmac.Session(MODEL, target="abacus")
    with pytest.raises(ValueError):  # as Python's own code would say it
        session.run({"image": picture[:, :2]})


def test_outputs_can_be_chosen() -> None:
    graph = model_of("y = Neg(x) z = Abs(x)", "float[2] x", "float[2] y, float[2] z")
    session = tarmac.Session(graph)
    assert list(session.run({"x": [1, -2]}, outputs=["z"])) == ["z"]
    assert set(session.run()) == {"y", "z"}


def test_a_run_after_its_deadline_is_refused(session: tarmac.Session, picture: np.ndarray) -> None:
    with pytest.raises(TimeoutError) as raised:
        session.run({"image": picture}, deadline_s=0)
    assert isinstance(raised.value, tarmac.DeadlineError)
    assert session.run(deadline_s=60)


def test_state_is_carried_until_the_scene_ends() -> None:
    graph = model_of("t = Add(x, s)", "float[1] x, float[1] s", "float[1] t")
    session = tarmac.Session(graph, state=[tarmac.StateSpec("t", "s")])
    assert [tensor.name for tensor in session.inputs] == ["x"] and session.carries_state
    sums = [session.run({"x": [1.0]})["t"] for _ in range(3)]
    session.reset_scene()
    sums.append(session.run()["t"])
    assert [float(total[0]) for total in sums] == [1, 2, 3, 1]


def test_items_are_batched_and_come_back_in_order(
    session: tarmac.Session, picture: np.ndarray
) -> None:
    items = [{"image": picture * scale} for scale in np.linspace(0, 1, 20, dtype=np.float32)]
    session.run(items[0])  # its outputs are bound meanwhile
    batched = session.run_batch(items, batch=8)
    for item, result in zip(items, batched, strict=True):
        np.testing.assert_allclose(
            result["logits"], session.run(item)["logits"], rtol=1e-3, atol=1e-4
        )


def test_a_future_brings_the_result(session: tarmac.Session, picture: np.ndarray) -> None:
    expected = session.run({"image": picture})["logits"]
    told = []
    future = session.run_async({"image": picture}, callback=told.append)
    np.testing.assert_array_equal(future.result(timeout=60)["logits"], expected)
    assert told == [future] and future.done()


def test_a_future_brings_the_error(session: tarmac.Session, picture: np.ndarray) -> None:
    future = session.run_async({"image": picture}, deadline_s=0)
    assert isinstance(future.exception(timeout=60), tarmac.DeadlineError)


def test_asyncio_awaits_runs_of_several_contexts(
    session: tarmac.Session, picture: np.ndarray
) -> None:
    async def run_all() -> list[dict[str, np.ndarray]]:
        contexts = [session.clone() for _ in range(4)]
        return await asyncio.gather(
            *(asyncio.wrap_future(context.run_async({"image": picture})) for context in contexts)
        )

    async def run_one() -> dict[str, np.ndarray]:
        return await session.run_async({"image": picture})

    expected = asyncio.run(run_one())["logits"]
    for result in asyncio.run(run_all()):
        np.testing.assert_array_equal(result["logits"], expected)


def test_a_callback_may_begin_the_next_run(session: tarmac.Session, picture: np.ndarray) -> None:
    done, results = threading.Event(), []

    def next_run(future: tarmac.RunFuture) -> None:
        results.append(future.result())
        if len(results) == 5:
            done.set()
        else:
            session.run_async(callback=next_run)

    session.run_async({"image": picture}, callback=next_run)
    assert done.wait(60)


def test_a_session_may_go_before_its_run_has_ended(picture: np.ndarray) -> None:
    for _ in range(5):
        batch = np.repeat(picture, 64, axis=0)
        future = tarmac.Session(MODEL).run_async({"image": batch})
        del batch
        assert future.result(timeout=60)["logits"].shape == (64, 3)


def test_a_busy_session_says_so(session: tarmac.Session, picture: np.ndarray) -> None:
    future = session.run_async({"image": np.repeat(picture, 256, axis=0)})
    with pytest.raises(tarmac.UsageError, match="clone"):
        session.run({"image": picture})
    assert future.result(timeout=60)["logits"].shape == (256, 3)
    assert session.run({"image": picture})["logits"].shape == (1, 3)


def test_threads_may_share_a_session(session: tarmac.Session, picture: np.ndarray) -> None:
    inputs = [picture * scale for scale in (0.25, 0.5, 0.75, 1)]
    expected = [session.run({"image": image})["logits"].copy() for image in inputs]
    wrong: list[int] = []

    def run(index: int) -> None:
        for _ in range(50):
            if not np.array_equal(session.run({"image": inputs[index]})["logits"], expected[index]):
                wrong.append(index)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_closed_session_says_so(loaded: tarmac.Session, picture: np.ndarray) -> None:
    with loaded.clone() as session:
        session.run({"image": picture})
    with pytest.raises(tarmac.UsageError, match="closed"):
        session.run()


def test_a_plan_admits_the_sizes_of_its_profile(plan: tarmac.PlanInfo, picture: np.ndarray) -> None:
    session = tarmac.Session(plan.path)
    shapes = session.profiles[0].shapes["image"]
    assert (shapes.min[0], shapes.max[0]) == (1, 8)
    assert session.labels == ("red", "yellow", "green")
    assert session.run({"image": np.repeat(picture, 5, axis=0)})["logits"].shape == (5, 3)
    with pytest.raises(tarmac.OutOfRangeError, match="8"):
        session.run({"image": np.repeat(picture, 9, axis=0)})
    assert session.metrics()["cold_shapes"] == 1  # 5 is admitted, but not made ready
    strict = tarmac.Session(plan.path, strict=True)
    with pytest.raises(tarmac.OutOfRangeError):
        strict.run({"image": np.repeat(picture, 5, axis=0)})


def test_a_plan_preprocesses_pictures(plan: tarmac.PlanInfo, pictures: Path) -> None:
    session = tarmac.Session(plan.path)
    path = sorted((pictures / "test/red").iterdir())[0]
    from_file = session.preprocess("image", path)
    assert from_file.shape == (1, 3, 96, 48) and from_file.dtype == np.float32
    assert session.labels[int(session.run({"image": from_file})["logits"].argmax())] == "red"


def test_a_plan_preprocesses_frames_in_place(plan: tarmac.PlanInfo) -> None:
    session = tarmac.Session(plan.path)
    wide = np.random.default_rng(2).integers(0, 255, (120, 80, 3), np.uint8)
    frame = wide[:, :60]  # rows are further apart than they are long
    expected = session.preprocess("image", np.ascontiguousarray(frame))
    np.testing.assert_array_equal(session.preprocess("image", frame), expected)
    batch = np.zeros((2, 3, 96, 48), np.float32)
    session.preprocess_into("image", frame, batch, 1)
    assert not batch[0].any()
    np.testing.assert_array_equal(batch[1:], expected)
    with pytest.raises(tarmac.InvalidInputError, match="height, width, 3"):
        session.preprocess("image", frame[..., 0])
    with pytest.raises(tarmac.UsageError, match="format"):
        session.preprocess("image", frame, format="cmyk")


def test_counts_and_times_are_kept(picture: np.ndarray, tmp_path: Path) -> None:
    session = tarmac.Session(MODEL, profile=True, trace=True)
    for _ in range(3):
        session.run({"image": picture})
    assert session.metrics()["runs"] == 3
    assert 'tarmac_runs_total{model="light"} 3' in session.metrics_text("light")
    times = session.node_times()
    assert sum(time.time_ns for time in times) > 0 and any(t.op_type == "Conv" for t in times)
    session.write_trace(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert sum(event.get("name") == "run" for event in events) == 3
    with pytest.raises(tarmac.UsageError):
        tarmac.Session(MODEL).node_times()


def test_a_batcher_puts_requests_together(loaded: tarmac.Session, picture: np.ndarray) -> None:
    expected = loaded.clone().run({"image": picture})["logits"]
    before = loaded.metrics()
    with tarmac.Batcher(loaded, max_batch=8, max_wait_s=0.05) as batcher:
        futures = [batcher.submit({"image": picture}) for _ in range(16)]
        for future in futures:
            np.testing.assert_allclose(
                future.result(timeout=60)["logits"], expected, rtol=1e-3, atol=1e-4
            )
        wrong = batcher.submit({"image": picture.astype("f8")})
        assert isinstance(wrong.exception(timeout=60), tarmac.InvalidInputError)
    after = loaded.metrics()
    assert after["batched_items"] - before["batched_items"] >= 16
    assert after["batches"] - before["batches"] <= 8
