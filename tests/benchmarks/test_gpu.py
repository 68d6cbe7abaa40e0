"""The benchmark of GPUs, dry: that it runs without one, keeps its time, and says what is absent."""

import os
import subprocess
import sys

import pytest
import torch

from benchmarks.gpu import __main__ as program, bounds, by_hand, correctness, figures, shown
from benchmarks.gpu.compiled import DEVICES, Resources, complaints
from benchmarks.gpu.session import Absent, Row, Session, attempt, beside
from benchmarks.gpu.table import markdown
from benchmarks.gpu_resources import FILE, complaints_of, rows as rows_of_file
from benchmarks.results import read

CPU = torch.device("cpu")


@pytest.fixture
def session(monkeypatch):
    monkeypatch.setattr(correctness, "REGISTERED", {"gru": correctness.REGISTERED["gru"]})
    monkeypatch.setattr(correctness, "OTHERS", {})
    monkeypatch.setattr(correctness, "HALF", ("gru",))
    monkeypatch.setattr(correctness, "SIZES", (5, 17))
    monkeypatch.setattr(figures, "OWN_CELLS", ("lstm_peephole",))
    monkeypatch.setattr(by_hand, "CELLS", ("gru",))
    monkeypatch.setattr(bounds, "CELLS", bounds.CELLS[:1])
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


def test_a_kind_that_is_faster_than_the_chosen_one_names_the_bound():
    rows = list(bounds.rows(SlowSession(), "case", "resident", {"resident": 2.0, "streamed": 1.0, "stepped": 4.0}))
    faster, slower = rows
    assert (faster.peer, faster.holds) == ("streamed", False)
    assert faster.note == "chosen: resident; wrong: _MOST_FORWARD, _MOST_REVERSE"
    assert (slower.peer, slower.holds, slower.note) == ("stepped", True, "chosen: resident")


class SlowSession:
    """One in which a call is the seconds that it takes."""

    dry = False

    def alternate(self, calls, rounds):
        return {name: [seconds] * rounds for name, seconds in calls.items()}


def test_spills_and_too_much_shared_memory_are_wrong():
    hopper = DEVICES[1]
    assert not list(complaints("k", Resources(255, 0, hopper.shared, 1, 1.0), hopper))
    wrong = list(complaints("k", Resources(255, 8, hopper.shared + 1, 1, 1.0), hopper))
    assert "8 bytes of stack" in wrong[0]
    assert "shared memory" in wrong[1]


def resources(*words):
    environment = {**os.environ, "TRITON_INTERPRET": "0"}  # in this process it is 1: the interpreter's
    words = [sys.executable, "-m", "benchmarks.gpu_resources", *words]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


COMPILED = (
    ("scan", "forward", "bf16", "90", 4),
    ("lstm", "reverse", "bf16", "90", 5),
    ("lstm", "resident", "fp32", "80", 3),
    ("gru_keeps_before", "reverse, streamed", "bf16", "100", 1),
    ("lstm_layer_norm", "reverse, persistent", "fp32", "90", 1),
    ("lstm_layer_norm", "forward_and_save, resident", "bf16", "90", 1),
)
"""Cell, words of the kernels, dtype, device, and how many kernels at least: of all those that take most registers."""


@pytest.mark.parametrize(("cell", "kernels", "dtype", "device", "least"), COMPILED)
def test_kernels_are_compiled_for_gpus_without_spills(cell, kernels, dtype, device, least):
    pytest.importorskip("triton")
    words = ["--check", "--cells", cell, "--kernels", kernels, "--dtypes", dtype, "--devices", device]
    assert resources(*words).count(f"sm_{device}") >= least


def test_no_kernel_of_the_table_spills_or_is_older_than_the_generator():
    pytest.importorskip("triton")
    found = resources("--missing")  # fails where a row is wrong
    rows = rows_of_file()
    assert not [words for row in rows for words in complaints_of(row)]
    counted = [int(words.split()[2]) for words in found.splitlines()]
    # Each row is of a kernel that is chosen today, and each of these has one.
    assert sum(counted) == len(rows), "the table is old: python -m benchmarks.gpu_resources"
    assert counted == [int(words.split()[4]) for words in found.splitlines()]


@pytest.mark.parametrize("page", shown.HEADS)
def test_the_documentation_has_the_table_of_resources(page):
    text = (shown.DOCS / page).read_text(encoding="utf-8")
    found = shown.table(page, read(FILE)["rows"])
    there = f"<!-- figures: gpu resources -->\n\n{found}\n\n<!-- figures: end -->" in text
    assert there, "the page is old: python -m benchmarks.gpu.shown"
