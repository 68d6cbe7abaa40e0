"""The benchmark of exports: what it compares is right, and what is not there is said."""

from __future__ import annotations

import json
import shutil

import pytest

from benchmarks.comparison import complaint
from benchmarks.exported import errors, memory
from benchmarks.exported_builds import BOARD, BUILDS, Build, errors_table
from benchmarks.grid import Shape
from benchmarks.peers import exported, torch_nn
from benchmarks.results import RESULTS
from benchmarks.task import make_task
from loopcell import cells
from loopcell.errors import LoopcellError
from tests.docs.pages import ROOT
from tests.export.c.models import GCC, HOUSE

pytestmark = pytest.mark.skipif(not HOUSE, reason="there is no C compiler")


@pytest.mark.parametrize("weights", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_exported_step_is_torchs(cell, weights):
    task = make_task(cell, Shape(6, 1, 4, 21))
    entry = exported.step(task, torch_nn.step_truth(task), weights)
    assert complaint(entry) == ""
    entry.run()


def test_a_compiler_that_is_not_there_is_named():
    (row,) = errors((Build("no-such-compiler", ("-O0",), "plain"),))
    assert row["absent"] == "no-such-compiler is not installed"
    (row,) = errors((Build(HOUSE[0], ("-no-such-flag",), "plain"),))
    assert "-no-such-flag" in row["absent"]


@pytest.mark.skipif(GCC is None, reason="asks GCC")
def test_a_model_that_computes_otherwise_is_no_absent_compiler(monkeypatch):
    monkeypatch.setattr(cells, "names", lambda: ["lstm"])
    with pytest.raises(LoopcellError, match="layer2 is off by"):
        list(errors((Build(GCC, ("-O3", "-ffast-math", "-Dtanhf(x)=(x)", "-Dexpf(x)=(1)"), "plain"),), 0))


@pytest.mark.skipif(
    not all(map(shutil.which, ("arm-none-eabi-gcc", "qemu-system-arm"))), reason="asks an emulated microcontroller"
)
def test_a_board_without_an_operating_system_computes_the_same(monkeypatch):
    monkeypatch.setattr(cells, "names", lambda: ["lstm"])
    flags = ("-O2", "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft")
    board = Build("arm-none-eabi-gcc", flags, "plain", ("sh", "-c", BOARD, "run"), ("qemu-system-arm",), boots=True)
    (row,) = errors((board,), drawn_cells=1)
    assert row["error"] < 1e-6
    assert row["error_of_drawn_cells"] < 1e-6


def test_memory_of_a_small_machine():
    rows = list(memory())
    sizes = {row["weights"]: row["weight_bytes"] for row in rows if row["hidden"] == 128}
    assert sizes["int8"] < sizes["bfloat16"] < sizes["float32"]


def test_the_pages_show_the_errors_that_were_measured():
    parts = json.loads((RESULTS / "exported_errors.json").read_text(encoding="utf-8"))["parts"]
    rows = parts["errors"]["rows"]
    assert len(rows) == len(BUILDS)
    assert not any("absent" in row for row in rows)
    for name in ("export-to-c.md", "export-to-c.ko.md"):
        page = (ROOT / "docs" / "how-to" / name).read_text(encoding="utf-8")
        assert "\n".join(errors_table(rows).splitlines()[1:]) in page, f"{name}: python -m benchmarks.exported"
