"""paddle2onnx in a child process: it aborts the whole process where it meets an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def work(job: dict[str, Any]) -> dict[str, Any]:
    """Converts `model` with `params` (paths) at `opset` into the ONNX file `output`."""
    import paddle2onnx

    converted = paddle2onnx.export(
        job["model"],
        job["params"],
        None,
        opset_version=job["opset"],
        auto_upgrade_opset=True,
        enable_onnx_checker=True,
        # The default, polygraphy, installs packages while it runs; Tarmac folds constants itself.
        optimize_tool="None",
    )
    if not converted:
        raise RuntimeError("paddle2onnx gave no model")
    Path(job["output"]).write_bytes(converted)
    return {"bytes": len(converted)}
