"""Two trainings in turns: alike at the start, resumable, and without a figure where they part."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from benchmarks.paired_training import PairedTraining, Recipe, Text, chunks
from benchmarks.time_to_loss import restore, save

TEXT = "the quick brown fox jumps over the lazy dog. " * 16
RECIPE = replace(
    Recipe(), hidden_size=8, embedding_size=4, batch_size=4, chunk=16, updates_a_turn=3, turns_between_evaluations=1
)


def training(cell="lstm", **changes):
    recipe = replace(RECIPE, **changes)
    return PairedTraining(cell, recipe, Text(TEXT, recipe))


def test_lanes_are_stretches_of_the_text():
    text = Text("abcdefghij" * 4, replace(RECIPE, batch_size=2, held_out=0.5))
    assert text.size == 10
    assert text.training.T.tolist() == [list(range(10)), list(range(10))]
    pairs = chunks(text.training, 4)
    assert [len(inputs) for inputs, _ in pairs] == [4, 4, 1]
    assert torch.equal(torch.cat([targets for _, targets in pairs]), text.training[1:])


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_both_sides_train_alike(cell, capsys):
    both = training(cell)
    both.compare_start()
    for _ in range(4):
        both.turn()
    ours, theirs = (side.curve for side in both.sides.values())
    assert [point[0] for point in ours] == [3, 6, 9, 12]
    assert [point[2] for point in ours] == pytest.approx([point[2] for point in theirs], abs=2e-3)
    assert ours[-1][2] < ours[0][2]


def test_a_side_that_starts_elsewhere_is_refused():
    both = training()
    with torch.no_grad():
        both.sides["loopcell"].model.recurrent.weight_hh_l0.mul_(1.1)
    with pytest.raises(SystemExit, match="do not start alike"):
        both.compare_start()


def test_a_race_goes_on_where_it_stopped(tmp_path, capsys):
    straight, path = training(), tmp_path / "training.safetensors"
    for _ in range(2):
        straight.turn()
    save(straight, path, {"code": "a"})
    again = training()
    assert not restore(again, path, {"code": "b"})
    assert restore(again, path, {"code": "a"})
    straight.turn()
    again.turn()
    for name, side in straight.sides.items():
        assert again.sides[name].curve[-1][2] == side.curve[-1][2]
        for one, other in zip(again.sides[name].model.parameters(), side.model.parameters(), strict=True):
            assert torch.equal(one, other)


def test_the_figure_is_their_seconds_over_ours(capsys):
    both = training()
    both.sides["loopcell"].curve = [(10, 1.0, 1.6), (20, 2.0, 1.5), (30, 3.0, 1.4)]
    both.sides["torch.nn"].curve = [(10, 2.0, 1.6), (20, 5.0, 1.51), (30, 7.0, 1.41)]
    found = both.row("lstm", 1)
    assert found["reached"] == {"loopcell": (20, 2.0), "torch.nn": (30, 7.0)}
    assert found["ratio"] == 3.5
    assert both.is_over


def test_no_figure_where_the_curves_part_or_the_loss_is_not_reached():
    both = training()
    both.sides["loopcell"].curve = [(10, 1.0, 1.5)]
    both.sides["torch.nn"].curve = [(10, 2.0, 1.6)]
    assert both.row("lstm", 1)["ratio"] is None
    assert "not both reached 1.5" in both.row("lstm", 1)["why"]
    both.sides["torch.nn"].curve = [(10, 2.0, 1.45)]
    assert "differ by up to 0.050" in both.row("lstm", 1)["why"]
