from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from loopcell.training import progress
from loopcell.training.progress import Heartbeat, ProgressDisplay, working
from loopcell.training.report import Report


def show(terminal):
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=100)
    with ProgressDisplay(console, total=2) as display:
        display.observe(Report(1, 2, 0, 100, 1.25, None, 1.0, 0.1, 0.5))
        display.observe(Report(2, 2, 1, 200, 1.0, 1.1, 1.0, 0.1, 1.0, validation_loss=0.75, best=True))
    return output.getvalue()


def test_without_a_terminal_there_are_only_the_evaluations():
    assert show(terminal=False) == "update 2  epoch 1  1 s  held-out loss 0.7500  (best)\n"


def test_a_terminal_gets_a_bar():
    shown = show(terminal=True)
    assert "2/2" in shown
    assert "loss 1.000  200/s" in shown


def test_without_a_terminal_a_line_comes_every_ten_seconds(monkeypatch):
    monkeypatch.setattr(Heartbeat.__init__, "__defaults__", (0.1,))
    output = io.StringIO()
    with ProgressDisplay(Console(file=output, force_terminal=False, width=100), total=9) as display:
        time.sleep(0.15)  # the first update takes long
        display.observe(Report(1, 9, 0, 100, 1.25, None, 1.0, 0.1, 0.5))
        time.sleep(0.15)
    lines = output.getvalue().splitlines()
    assert lines[0].startswith("the first update: 0 s")
    assert lines[-1] == "update 1 of 9  epoch 0  0 s  loss 1.2500  4 s left"
    assert 2 <= len(lines) <= 4
    assert progress.SILENCE == 10


def report(update, seconds, total=100):
    return Report(update, total, 0, 100 * update, 1.25, None, 1.0, 0.1, seconds)


@pytest.mark.parametrize(
    ("limit", "place"),
    [
        (None, "update 10 of 100  epoch 0  7 s  loss 1.2500  180 s left"),  # 90 updates of 2 seconds
        (50.0, "update 10  epoch 0  7 s  loss 1.2500  30 s left"),  # the clock comes first
        (500.0, "update 10 of 100  epoch 0  7 s  loss 1.2500  180 s left"),
        (15.0, "update 10  epoch 0  7 s  loss 1.2500  0 s left"),  # the last update may pass the limit
    ],
)
def test_a_line_says_how_much_is_left_by_updates_or_by_the_clock(limit, place):
    console = Console(file=io.StringIO(), force_terminal=False, width=100)
    display = ProgressDisplay(console, total=100, time_limit=limit)
    display.observe(report(10, 20.0))
    assert display._line(7.2) == place


def test_a_bar_of_a_run_with_a_time_limit_goes_by_the_clock():
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    display = ProgressDisplay(console, total=100_000, time_limit=50.0)
    display.observe(report(10, 20.0, total=100_000))
    (task,) = display._bar.tasks
    assert task.completed == pytest.approx(0.4)
    assert task.fields["place"] == "10"


def test_lines_that_come_anyway_count():
    output = io.StringIO()
    beat = Heartbeat(Console(file=output, force_terminal=False), lambda _: "still there", silence=0.3)
    with beat:
        for _ in range(8):
            time.sleep(0.05)
            beat.printed()
    assert output.getvalue() == ""


def test_work_without_a_bar(monkeypatch):
    monkeypatch.setattr(Heartbeat.__init__, "__defaults__", (0.05,))
    output = io.StringIO()
    with working(Console(file=output, force_terminal=False), "reading the data"):
        time.sleep(0.12)
    assert output.getvalue().startswith("reading the data: 0 s\n")
    with working(None, "reading the data"):
        pass
