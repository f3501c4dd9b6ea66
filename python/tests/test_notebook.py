from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ROOT

NOTEBOOK = ROOT / "examples/python/tarmac_tour.ipynb"


def test_the_notebook_runs_from_its_first_cell_to_its_last(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells), "commit it as it was run"
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(NOTEBOOK.parent)}}
    )
    client.execute()  # raises where a cell does
    said = "".join(
        output.get("text", "") for cell in cells for output in cell.outputs if "text" in output
    )
    assert "proven: True" in said and "out_of_range" in said and "passed: True" in said
    assert sum("image/png" in output.get("data", {}) for c in cells for output in c.outputs) == 2
