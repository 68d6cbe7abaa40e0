"""A comparison: the same for every cell, written run by run, gone on with, and refused in one sentence."""

import csv
import json
import math

import pytest

import loopcell
from loopcell import cell, cells
from loopcell.comparison import ComparedRun, Comparison, OnProblem, compare
from loopcell.errors import FileFormatError, InputError, TrainingError, UsageError

TINY = {"updates": 3, "hidden_size": 4, "distances": (2, 3), "batch_size": 4}


def tiny(**settings):
    return OnProblem(name="recall", **{**TINY, **settings})


@pytest.fixture(scope="module")
def found():
    return compare(tiny(), ["rnn", "lstm"], seeds=2)


def test_every_cell_is_trained_at_every_distance_with_every_seed(found):
    seen = [(run.distance, run.seed, run.cell) for run in found.runs]
    assert seen == [(d, s, c) for d in (2, 3) for s in (1, 2) for c in ("rnn", "lstm")]
    assert all(run.updates == 3 and run.metric == "accuracy" for run in found.runs)
    assert all(len(run.gradient[when]) == run.shape["steps"] for run in found.runs for when in ("start", "end"))
    assert [cost.cell for cost in found.costs] == ["rnn", "lstm"]
    assert found.baselines == {"no memory": 0.25}


def test_the_same_seed_gives_the_same_scores_and_leaves_the_users_generator_alone(found):
    import torch

    torch.manual_seed(7)
    before = torch.get_rng_state()
    again = compare(tiny(), ["rnn", "lstm"], seeds=2)
    assert [run.score for run in again.runs] == [run.score for run in found.runs]
    assert (torch.get_rng_state() == before).all()


def test_with_the_same_parameters_hidden_sizes_differ():
    found = compare(tiny(hidden_size=16), ["rnn", "lstm", "min_gru"], seeds=1, budget="parameters")
    sizes = {run.cell: (run.hidden_size, run.parameters) for run in found.runs}
    assert sizes["rnn"] == (16, 16 * (5 + 16 + 1))
    assert sizes["lstm"] == (7, 4 * 7 * (5 + 7 + 1))
    assert sizes["min_gru"] == (29, 2 * 29 * 6)


def test_runs_are_kept_and_a_second_call_goes_on(tmp_path, monkeypatch):
    folder = tmp_path / "runs"
    trained = OnProblem.train
    calls = []

    def counted(self, cell, *others):
        calls.append(cell.name)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return trained(self, cell, *others)

    monkeypatch.setattr(OnProblem, "train", counted)
    with pytest.raises(KeyboardInterrupt):
        compare(tiny(), ["rnn", "lstm"], seeds=2, folder=folder)
    assert len(list(folder.glob("*-seed-*.json"))) == 3
    found = compare(tiny(), ["rnn", "lstm"], seeds=2, folder=folder)
    assert len(calls) == 4 + 5
    more = compare(tiny(distances=(2, 3, 4)), ["rnn", "lstm"], seeds=2, folder=folder)
    assert len(calls) == 9 + 4
    assert more.runs[:8] == found.runs


def test_a_cell_whose_equations_changed_is_trained_again(tmp_path):
    def leaky(keep):
        @cell(name="leaky")
        def made(x, h, *, W):
            return keep * h + W.h @ x

        return made

    first = compare(tiny(distances=(2,)), ["rnn", leaky(0.5)], seeds=1, folder=tmp_path / "runs")
    second = compare(tiny(distances=(2,)), ["rnn", leaky(0.9)], seeds=1, folder=tmp_path / "runs")
    assert first.runs[0] == second.runs[0]
    assert first.runs[1] != second.runs[1]


def test_the_folder_of_something_else_is_refused(tmp_path):
    folder = tmp_path / "runs"
    compare(tiny(distances=(2,)), ["rnn", "gru"], seeds=1, folder=folder)
    with pytest.raises(UsageError, match=r"its settings is updates 3, not 4; name a new folder"):
        compare(tiny(updates=4), ["rnn", "gru"], seeds=1, folder=folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("x")
    with pytest.raises(UsageError, match="is there and is no comparison"):
        compare(tiny(), ["rnn", "gru"], seeds=1, folder=tmp_path / "other")
    (folder / "rnn-seed-1-distance-2.json").write_text("{}")
    with pytest.raises(FileFormatError, match="is damaged: equations: field required; remove it, and"):
        compare(tiny(distances=(2,)), ["rnn", "gru"], seeds=1, folder=folder)
    (folder / "rnn-seed-1-distance-2.json").write_text("no JSON")
    with pytest.raises(FileFormatError, match="it is no JSON"):
        compare(tiny(distances=(2,)), ["rnn", "gru"], seeds=1, folder=folder)


def test_of_a_comparison_that_cannot_begin_nothing_is_left(tmp_path):
    with pytest.raises(UsageError, match="seeds"):
        compare(tiny(), ["rnn", "gru"], seeds=0, folder=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_loss_that_is_no_number_is_said(monkeypatch):
    @cell
    def exploding(x, h, *, W):
        return 1e30 * h + 1e30 * (W.h @ x)

    found = compare(tiny(distances=(8,), long_memory=False), [exploding, "rnn"], seeds=1)
    run = found.runs[0]
    assert math.isnan(run.score)
    assert found.scores()[0].diverged == 1
    assert "1 of 1 diverged" in found.table()
    assert run.note == "the loss was no number any more at update 1"
    assert run.solved is False
    assert found.farthest("exploding") == [0]
    found.html()


def test_a_training_that_fails_names_its_cell_and_seed(monkeypatch):
    def failing(self, cell, *others):
        raise TrainingError("the loss is not finite")

    monkeypatch.setattr(OnProblem, "train", failing)
    with pytest.raises(TrainingError, match=r"^rnn, seed 4: the loss is not finite$"):
        compare(tiny(), ["rnn", "gru"], seeds=[4])


REFUSED = [
    ({"cells": ["rnn"]}, "a comparison takes two cells or more, such as rnn,gru,lstm; got rnn"),
    ({"cells": "rnn"}, "two cells or more"),
    ({"cells": []}, "got none"),
    ({"cells": ["rnn", "lstn"]}, "no cell is named 'lstn'; did you mean 'lstm'?"),
    ({"cells": ["rnn", "RNN"]}, "two cells are named rnn"),
    ({"seeds": 0}, "seeds is how many, at least 1, or the seeds themselves; got 0"),
    ({"seeds": []}, "seeds is how many"),
    ({"seeds": [1, -1]}, "seeds is how many"),
    ({"budget": "time"}, "a budget is 'units' or 'parameters', not 'time'"),
    ({"job": "recal"}, "no problem is named 'recal'; did you mean 'recall'?"),
    ({"job": "xyz"}, "no problem is named 'xyz'; there are adding, copying, recall"),
]


@pytest.mark.parametrize(("arguments", "sentence"), REFUSED, ids=[sentence[:40] for _, sentence in REFUSED])
def test_what_makes_no_sense_is_one_sentence(arguments, sentence):
    with pytest.raises(UsageError) as error:
        compare(arguments.pop("job", tiny()), arguments.pop("cells", ["rnn", "gru"]), **arguments)
    assert sentence in str(error.value)


def test_settings_out_of_their_bounds_are_refused():
    with pytest.raises(UsageError, match="hidden_size: input should be greater than or equal to 1, got 0"):
        tiny(hidden_size=0)
    with pytest.raises(UsageError, match="distances of adding are 4 steps or more"):
        OnProblem(name="adding", distances=(3, 10))
    with pytest.raises(UsageError, match="distances of recall are 1 steps or more"):
        tiny(distances=())


# -- what comes of it -------------------------------------------------------------------------------------------------


def made(scores):
    """A comparison of given scores: by cell and distance, one a seed."""
    runs = [
        ComparedRun(name, seed, distance, "accuracy", score, score >= 0.95, 10, 1.0, 8, 100, "", {}, {})
        for (name, distance), each in scores.items()
        for seed, score in enumerate(each, 1)
    ]
    chosen = [cells.get(name) for name in dict.fromkeys(name for name, _ in scores)]
    return Comparison("recall", "", "units", chosen, runs, [], solved=0.95)


def test_the_farthest_distance_is_the_one_up_to_which_all_are_solved():
    found = made({("rnn", 5): (1, 1), ("rnn", 10): (0.5, 1), ("rnn", 20): (1, 0.3), ("gru", 5): (1, 0.2)})
    assert found.farthest("rnn") == [5, 10]
    assert found.farthest("gru") == [5, 0]
    with pytest.raises(InputError, match="no cell 'lstm' was compared; there is rnn, gru"):
        found.farthest("lstm")


def test_scores_are_means_between_the_least_and_the_largest():
    (score,) = made({("rnn", 5): (0.5, 1.0, 0.9)}).scores()
    assert (score.mean, score.low, score.high, score.seeds, score.solved) == (pytest.approx(0.8), 0.5, 1.0, 3, 1)
    found = made({("rnn", 5): (math.nan, 0.5), ("gru", 5): (math.nan, math.nan)})
    rnn, gru = found.scores()
    assert (rnn.mean, rnn.low, rnn.high, rnn.seeds, rnn.diverged) == (0.5, 0.5, 0.5, 2, 1)
    assert (math.isnan(gru.mean), gru.seeds, gru.diverged) == (True, 2, 2)
    assert "0.500 (0.500 to 0.500), 1 of 2 diverged" in found.table()
    assert found.table().splitlines()[-1].split()[1:5] == ["2", "of", "2", "diverged"]


def test_json_has_null_for_what_is_no_number(tmp_path):
    made({("rnn", 5): (math.nan, 0.5)}).save(tmp_path / "found.json")

    def refuse(name):
        raise AssertionError(name)

    content = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert [run["score"] for run in content["runs"]] == [None, 0.5]
    assert content["scores"][0]["diverged"] == 1


def test_the_table_has_a_line_for_each_cell(found):
    lines = found.table().splitlines()
    assert lines[0].startswith("recall, the same hidden size; accuracy, by distance in steps")
    assert [line.split()[0] for line in lines[2:]] == ["rnn", "lstm"]
    assert lines[1].split()[-1] == "reaches"
    assert repr(found) == "Comparison(recall: rnn, lstm; 8 runs)"


def test_it_is_saved_as_page_json_and_table(found, tmp_path):
    for ending in ("html", "json", "csv"):
        found.save(tmp_path / f"found.{ending}")
    content = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert content["cells"]["rnn"] == cells.get("rnn").text()
    assert len(content["runs"]) == 8
    with (tmp_path / "found.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["score"]) for row in rows] == [run.score for run in found.runs]
    assert (tmp_path / "found.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(InputError, match=r"a comparison is saved as .html, .json, .csv"):
        found.save(tmp_path / "found.txt")
    assert "<iframe srcdoc=" in found._repr_html_()


def test_the_room_is_there_after_the_first_import():
    assert loopcell.comparison.compare is compare
