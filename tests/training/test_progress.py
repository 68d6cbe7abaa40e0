from __future__ import annotations

import io

from rich.console import Console

from loopcell.training.progress import ProgressDisplay
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
