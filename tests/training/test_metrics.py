from __future__ import annotations

import csv
import re
import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from loopcell.errors import FileWriteError, MissingExtraError
from loopcell.training.metrics import COLUMNS, MetricsLog
from loopcell.training.report import Report
from loopcell.training.run_folder import RunFolder


def report(update, **values):
    defaults = {"train_loss": update / 10, "validation_loss": None}
    return Report(
        update, 100, 0, 32 * update, 0.5, gradient_norm=1.5, learning_rate=0.1, seconds=2.0, **(defaults | values)
    )


def read(run):
    with run.metrics.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_rows_and_curves(tmp_path):
    run = RunFolder.create(tmp_path / "run")
    with MetricsLog(run) as log:
        log.observe(report(1))
        log.observe(report(2, train_loss=None))
        log.observe(report(3, validation_loss=0.25))
    rows = read(run)
    assert list(rows[0]) == list(COLUMNS)
    assert [(row["update"], row["train_loss"], row["validation_loss"]) for row in rows] == [
        ("1", "0.1", ""),
        ("3", "0.3", "0.25"),
    ]
    board = EventAccumulator(str(run.tensorboard)).Reload()
    assert [(e.step, round(e.value, 6)) for e in board.Scalars("train_loss")] == [(1, 0.1), (3, 0.3)]
    assert [(e.step, e.value) for e in board.Scalars("validation_loss")] == [(3, 0.25)]


def test_resuming_drops_what_came_after_the_checkpoint(tmp_path):
    run = RunFolder.create(tmp_path / "run")
    with MetricsLog(run) as log:
        for update in (1, 2, 3, 4):
            log.observe(report(update))
    with run.metrics.open("a", encoding="utf-8") as file:
        file.write("5,0,1")  # cut short by a kill
    with MetricsLog(run, resumed_at=2) as log:
        log.observe(report(3, train_loss=9.0))
    assert [(row["update"], row["train_loss"]) for row in read(run)] == [("1", "0.1"), ("2", "0.2"), ("3", "9.0")]
    board = EventAccumulator(str(run.tensorboard)).Reload()
    assert [event.step for event in board.Scalars("train_loss")] == [1, 2, 3]


def test_a_full_disk_is_said(tmp_path, file_size_limit):
    run = RunFolder.create(tmp_path / "run")
    with MetricsLog(run) as log:
        log.observe(report(1))
        log._board.flush()  # TensorBoard writes in a thread of its own: it must not meet the limit
        file_size_limit(run.metrics.stat().st_size)
        with pytest.raises(FileWriteError) as caught:
            log.observe(report(2))
        file_size_limit(None)
    assert str(caught.value) == "cannot write the metrics: File too large"
    with MetricsLog(run, resumed_at=1):
        assert [row["update"] for row in read(run)] == ["1"]


def test_a_missing_tensorboard_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtraError) as caught:
        MetricsLog(RunFolder.create(tmp_path / "run"))
    assert str(caught.value) == 'the curves need TensorBoard: pip install "loopcell[train]"'


@pytest.mark.parametrize(
    "garbage",
    [b"garbage\n", b"\0" * 40 + b"\n", b"\xff\xfe,1,2,3,4,5,6,7\n", b"1,0\n", b"9" * 5000 + b",0,0,0,0,0,,0\n", b"\n"],
    ids=["words", "zeros of a crash", "not UTF-8", "cut", "a huge number", "empty"],
)
def test_a_damaged_row_is_left_out_with_a_warning(tmp_path, garbage):
    run = RunFolder.create(tmp_path / "run")
    with MetricsLog(run) as log:
        for update in (1, 2):
            log.observe(report(update))
    first, *rows = run.metrics.read_bytes().splitlines(keepends=True)
    run.metrics.write_bytes(b"".join([first, rows[0], garbage, rows[1]]))
    sentence = f"{run.metrics} had 1 damaged row, left out of the curve"
    with pytest.warns(UserWarning, match=f"^{re.escape(sentence)}$"), MetricsLog(run, resumed_at=2):
        pass
    assert run.metrics.read_bytes() == b"".join([first, *rows])


def test_every_row_that_is_written_is_read_again(tmp_path):
    run = RunFolder.create(tmp_path / "run")
    values = [float("nan"), float("inf"), -1e-300, 123456789.125]
    with MetricsLog(run) as log:
        for update, value in enumerate(values, start=1):
            log.observe(report(update, train_loss=value, validation_loss=value))
    before = run.metrics.read_bytes()
    with MetricsLog(run, resumed_at=9):
        assert run.metrics.read_bytes() == before
