"""Steps on narrow weights are measured beside the floor, once they are right."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import loopcell
from benchmarks import narrow_steps
from benchmarks.measure import QUICK


@pytest.fixture(autouse=True)
def _kernels():
    with loopcell.backend("auto"):
        yield


def test_a_row_has_times_ratios_and_errors():
    row = narrow_steps.measured("gru", 16, QUICK)
    assert {"fp32", "bf16", "int8", "floor"} <= set(row)
    assert all(row[name] > 0 for name in ("fp32", "bf16", "int8", "floor", "fp32_over_floor", "fp32_over_int8"))
    assert 0 < row["bf16_weight_error"] <= 1 / 256
    assert 0 < row["int8_weight_error"] <= 1 / 254 * (1 + 1e-6)
    assert 0 < row["int8_drift"] < 0.1
    assert row["error"] < narrow_steps.TOLERANCE


def test_what_is_wrong_is_not_timed(monkeypatch):
    class Other(nn.LSTM):
        def load_state_dict(self, state_dict, *args, **options):
            super().load_state_dict({name: 2 * weight for name, weight in state_dict.items()}, *args, **options)

    monkeypatch.setitem(narrow_steps.CELLS, "lstm", (narrow_steps.CELLS["lstm"][0], Other))
    with pytest.raises(SystemExit, match=r"steps are 0\.\d+ from torch\.nn"):
        narrow_steps.measured("lstm", 8, QUICK)


def test_the_table_is_printed_and_a_quick_one_not_kept(monkeypatch, capsys, tmp_path):
    threads = torch.get_num_threads()
    monkeypatch.setattr(narrow_steps, "SIZES", (8,))
    monkeypatch.setattr(narrow_steps, "RESULTS", tmp_path)
    try:
        narrow_steps.main(["--quick"])
    finally:
        torch.set_num_threads(threads)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["us", "lstm", "gru"]
    assert not list(tmp_path.iterdir())
