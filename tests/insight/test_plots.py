"""Pictures: what is drawn is what was measured; no pyplot, no window; without matplotlib one sentence."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest
import torch

import loopcell
from loopcell.errors import InputError, MissingExtraError, UsageError
from loopcell.insight import Attribution, MemoryLength, attribute, plots

pytest.importorskip("matplotlib")


@pytest.fixture
def memory():
    effect = np.array([1.0, 0.5, 0.01])
    return MemoryLength(np.arange(3), effect, 0.9 * effect, 1.1 * effect, 0.1)


def test_memory_is_drawn_with_its_band_and_horizon(memory):
    ax = memory.plot()
    effect, share, horizon = ax.lines
    np.testing.assert_array_equal(effect.get_ydata(), memory.effect)
    assert share.get_ydata()[0] == pytest.approx(0.1)
    assert horizon.get_xdata()[0] == memory.horizon == 1
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(1.1)
    assert ax.get_xlabel() == "steps back"


def test_attribution_is_drawn_over_tokens():
    net, x = loopcell.GRU(3, 4), torch.randn(5, 2, 3)
    found = attribute(net, x, lambda y: y[-1, :, 0])
    ax = found.plot(labels=list("so \nx"), row=1)
    np.testing.assert_allclose([bar.get_height() for bar in ax.patches], found.by_step[:, 1].numpy(), rtol=1e-6)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["s", "o", " ", "⏎", "x"]
    first = Attribution(found.values.transpose(0, 1), found.answer, found.base, batch_axis=0).plot(row=1)
    assert [bar.get_height() for bar in first.patches] == [bar.get_height() for bar in ax.patches]
    with pytest.raises(InputError, match="5 steps were attributed, and there are 2 labels"):
        found.plot(labels=["a", "b"])
    with pytest.raises(InputError, match="there are 2 rows, and 7 is asked for"):
        found.plot(row=7)


def test_given_axes_are_drawn_on_and_pyplot_is_left_alone(memory):
    from matplotlib.figure import Figure

    before = "matplotlib.pyplot" in sys.modules
    ax = Figure().subplots()
    assert memory.plot(ax) is ax
    assert ("matplotlib.pyplot" in sys.modules) == before


def test_a_picture_is_saved_by_its_ending_and_the_same_one_is_the_same_file(memory, tmp_path):
    for name in ("a.svg", "b.svg", "c.png"):
        plots.save_figure(memory.plot().figure, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match=r"a\.doc: a picture is saved as \.png, \.svg, \.pdf"):
        plots.save_figure(memory.plot().figure, tmp_path / "a.doc")


def test_without_matplotlib_the_extra_is_named(memory, monkeypatch):
    monkeypatch.setattr(
        plots, "find_spec", lambda name: None if name == "matplotlib" else importlib.util.find_spec(name)
    )
    with pytest.raises(MissingExtraError, match=r'pictures need matplotlib: pip install "loopcell\[pictures\]"'):
        memory.plot()


def test_a_time_is_not_cut_and_a_long_token_is():
    assert plots.brief("2024-01-21 20:00+09:00") == "2024-01-21 20:00+09:00"
    assert plots.brief("x" * 30) == "x" * 11 + "…"
