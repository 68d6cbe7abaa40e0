"""The benchmark of GPUs, dry: that it runs without one, keeps its time, and says what is absent."""

import os
import subprocess
import sys

import pytest
import torch

from benchmarks.gpu import __main__ as program, by_hand, correctness, figures, shown
from benchmarks.gpu.compiled import DEVICES, Resources, complaints
from benchmarks.gpu.session import Absent, Row, Session, attempt, beside
from benchmarks.gpu.table import markdown
from benchmarks.gpu_resources import FILE
from benchmarks.results import rows_of

CPU = torch.device("cpu")


@pytest.fixture
def session(monkeypatch):
    monkeypatch.setattr(correctness, "REGISTERED", {"gru": correctness.REGISTERED["gru"]})
    monkeypatch.setattr(correctness, "OTHERS", {})
    monkeypatch.setattr(correctness, "HALF", ("gru",))
    monkeypatch.setattr(correctness, "SIZES", (5, 17))
    monkeypatch.setattr(figures, "OWN_CELLS", ("lstm_peephole",))
    monkeypatch.setattr(by_hand, "CELLS", ("gru",))
    monkeypatch.setattr(by_hand, "_estimators", dict)  # their own tests train them, and this machine has one device
    return Session(CPU, 300)


PROCESSES = {"two_processes", "compiled_loops"}


@pytest.mark.parametrize("name", [name for name in program.JOBS if name not in PROCESSES])
def test_every_job_runs_without_a_gpu(name, session):
    rows = list(program.rows_of(name, program.JOBS[name].job, session))
    assert not [row for row in rows if row.holds is False]
    assert rows or name == "estimators"
    if name in ("registered", "sizes", "half", "drawn", "checkpoints"):  # what is true on the CPU too
        assert all(row.holds for row in rows if row.bar)


def test_what_fails_is_a_row_and_time_that_is_over_another(session):
    def broken(_):
        yield Row("figure", "first")
        raise RuntimeError("out of memory")

    first, failed = program.rows_of("broken", broken, session)
    assert (first.case, failed.holds, failed.note) == ("first", False, "failed: RuntimeError: out of memory")
    (late,) = program.rows_of("late", broken, Session(CPU, 0))
    assert late.note == "not run: no time was left"


def test_a_run_prints_and_writes_nothing_when_it_is_dry(tmp_path, capsys):
    program.main(["--dry", "--only", "checkpoints", "--out", str(tmp_path)])
    assert "bit for bit" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_what_to_do():
    with pytest.raises(SystemExit, match="--dry"):
        program.main([])


def test_a_peer_that_is_absent_has_a_row(session):
    missing = attempt(lambda: __import__("a_peer_that_nobody_has"))
    assert isinstance(missing, Absent)
    rows = list(beside(session, "f", "case", lambda: None, {"other": lambda: None, "peer": missing}, {"peer": 2}, "c"))
    assert rows[0].ratio > 0
    assert rows[1].theirs is None
    assert "absent: ModuleNotFoundError" in rows[1].note
    page = markdown("Card", rows)
    assert page.count("\n| case |") == 3  # the head, and a line a peer
    assert "## f" in page


def test_spills_and_too_much_shared_memory_are_wrong():
    hopper = DEVICES[1]
    assert not list(complaints("k", Resources(255, 0, hopper.shared, 1, 1.0), hopper))
    wrong = list(complaints("k", Resources(255, 8, hopper.shared + 1, 1, 1.0), hopper))
    assert "8 bytes of stack" in wrong[0]
    assert "shared memory" in wrong[1]


COMPILED = {"scan": "forward", "lstm": "resident"}
"""A few of all, since each takes seconds: benchmarks.gpu_resources has the rest."""


@pytest.mark.parametrize("cell", COMPILED)
def test_kernels_are_compiled_for_gpus_without_spills(cell):
    pytest.importorskip("triton")
    words = [sys.executable, "-m", "benchmarks.gpu_resources", "--check", "--cells", cell, "--kernels", COMPILED[cell]]
    environment = {**os.environ, "TRITON_INTERPRET": "0"}  # in this process it is 1: the interpreter's
    words += ["--dtypes", "bf16", "--devices", "90"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("sm_90") >= 3


@pytest.mark.parametrize("page", shown.HEADS)
def test_the_documentation_has_the_table_of_resources(page):
    text = (shown.DOCS / page).read_text(encoding="utf-8")
    found = shown.table(page, rows_of(FILE))
    there = f"<!-- figures: gpu resources -->\n\n{found}\n\n<!-- figures: end -->" in text
    assert there, "the page is old: python -m benchmarks.gpu.shown"
