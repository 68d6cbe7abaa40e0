"""What a training finds when it looks at its layers: when it looks, what is kept, and that nothing else changes."""

import csv
import math

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from loopcell.training.metrics import COLUMNS, MetricsLog
from loopcell.training.rows import RowFile, as_line
from loopcell.training.watched import LayerLook, Measure
from loopcell.training.watcher import Watcher
from tests.training.toy import Diary, ToyChunks, config, make_step, make_trainer, same, weights

FOUND = (
    Measure("gru, layer 0", "saturated", "z", 0.25),
    Measure("gru, layer 0", "saturated", "r", 0.75),
    Measure("gru, layer 0", "dead", "h", 0.5),
    Measure("gru, layer 0", "gradient", "h", 1.0, 0),
    Measure("gru, layer 0", "gradient", "h", 0.125, 1),
    Measure("gru, layer 0", "slope", "h", -2.0),
    Measure("gru, layer 1", "slope", "h", -0.5),
)


def watched(path, *, every=1, updates=12, **work):
    """A run of the toy that is looked at; what it looked at, its diary and its trainer."""
    seen, diary = [], Diary()

    def watch(chunk, state):
        torch.rand(3)  # whoever measures may draw
        seen.append((chunk[0].clone(), state.abs().max().item()))
        return FOUND

    settings = config(length={"updates": updates}, intervals={"watch": every, "evaluate_every": 2, "log_every": 5})
    work |= {"watch": watch, "observers": [diary], "validation": ToyChunks(16, 2, 8)}
    trainer = make_trainer(path, settings, step=make_step(dropout=0.3), **work)
    with MetricsLog(trainer._run) as log:
        trainer._work.observers.append(log)
        trainer.fit()
    return seen, diary, trainer


def read(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("every", "expected"),
    [(0, []), (1, [0, 2, 4, 6, 8, 10, 12]), (4, [0, 4, 8, 12]), (5, [0, 6, 12]), (100, [0, 12])],
)
def test_it_looks_before_the_first_update_then_at_evaluations_and_at_the_end(tmp_path, every, expected):
    _, diary, _ = watched(tmp_path / "run", every=every)
    assert [look.update for report in diary.reports for look in report.looks] == expected


def test_it_is_always_the_first_batch_of_the_first_pass_from_a_fresh_state(tmp_path):
    seen, _, trainer = watched(tmp_path / "run", updates=20)
    assert trainer.position.epoch == 2
    first = ToyChunks(64, 4, 8).chunk(0)[0]
    assert all(torch.equal(tokens, first) and state == 0.0 for tokens, state in seen)


def test_what_is_learned_is_the_same_to_the_last_bit(tmp_path):
    *_, looked = watched(tmp_path / "looked")
    *_, left = watched(tmp_path / "left", every=0)
    assert same(weights(looked), weights(left))


class DrawnChunks(ToyChunks):
    """Chunks of which each is drawn when it is read, as segments of a series are."""

    def chunk(self, index):
        tokens, targets = super().chunk(index)
        return tokens.roll(int(torch.randint(4, ())), 1), targets


def test_a_batch_that_is_drawn_changes_nothing_either_and_is_the_same_after_a_resumption(tmp_path):
    seen, _, looked = watched(tmp_path / "looked", chunks=DrawnChunks(64, 4, 8))
    *_, left = watched(tmp_path / "left", every=0, chunks=DrawnChunks(64, 4, 8))
    assert same(weights(looked), weights(left))
    torch.manual_seed(5)
    later, *_ = watched(tmp_path / "later", chunks=DrawnChunks(64, 4, 8))
    assert all(torch.equal(tokens, seen[0][0]) for tokens, _ in (*seen, *later))


def test_the_columns_and_the_table_and_the_curves(tmp_path):
    *_, trainer = watched(tmp_path / "run", every=5)
    rows = {row["update"]: row for row in read(trainer._run.metrics)}
    columns = ("saturated_gates", "dead_units", "gradient_slope")
    assert [rows["6"][column] for column in columns] == ["0.5", "0.5", "-0.5"]
    assert [rows["4"][column] for column in columns] == ["", "", ""]
    table = read(trainer._run.watched)
    assert [row["update"] for row in table[:: len(FOUND)]] == ["0", "6", "12"]
    assert table[4] == {
        "update": "0", "layer": "gru, layer 0", "kind": "gradient", "name": "h", "back": "1", "value": "0.125"
    }  # fmt: skip
    board = EventAccumulator(str(trainer._run.tensorboard)).Reload()
    assert [(event.step, event.value) for event in board.Scalars("gradient/gru.layer_0/h/1_back")] == [
        (0, 0.125), (6, 0.125), (12, 0.125)
    ]  # fmt: skip
    assert [event.value for event in board.Scalars("saturated/gru.layer_0/r")] == [0.75] * 3


def test_a_run_that_goes_on_drops_the_looks_after_its_checkpoint(tmp_path):
    *_, trainer = watched(tmp_path / "run", every=2)
    with MetricsLog(trainer._run, resumed_at=6):
        pass
    assert [row["update"] for row in read(trainer._run.watched)][:: len(FOUND)] == ["0", "2", "4", "6"]


def test_the_share_of_clipped_updates_since_the_last_row(tmp_path):
    """By the norms before clipping, each against the limit."""
    diary = Diary()
    settings = config(length={"updates": 12}, intervals={"log_every": 4}, optimization={"clip": 0.25})
    trainer = make_trainer(tmp_path / "run", settings, observers=[diary])
    trainer.fit()
    norms = [report.gradient_norm for report in diary.reports]
    rates = [report.clip_rate for report in diary.reports if report.clip_rate is not None]
    assert rates == [sum(norm > 0.25 for norm in norms[at : at + 4]) / 4 for at in (0, 4, 8)]
    assert 0 < sum(rates) < 3


def test_a_summary_leaves_out_what_is_not_there():
    assert LayerLook(3, ()).summary() == {"saturated_gates": None, "dead_units": None, "gradient_slope": None}
    assert LayerLook(3, (Measure("a", "dead", "h", math.nan),)).summary()["dead_units"] is None


OLD = "update,epoch,predictions,train_loss,gradient_norm,learning_rate,validation_loss,seconds\n"


def test_rows_of_an_earlier_version_get_empty_cells(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(OLD + "1,0,32,2.5,0.5,0.1,,1.25\n2,0,64,2.25,0.5,0.1,2.5,2.5\n3,0,96,2.0,0.5,0.1,,3.5\n")
    file = RowFile(path, COLUMNS, r"[-+.\deainf]*", 2)
    file.write([[3, 0, 96, 2.0, 0.5, 0.1, None, 3.0, 0.5, None, None, None]])
    file.close()
    rows = read(path)
    assert tuple(rows[0]) == COLUMNS
    assert [(row["update"], row["train_loss"], row["validation_loss"], row["clip_rate"]) for row in rows] == [
        ("1", "2.5", "", ""),
        ("2", "2.25", "2.5", ""),
        ("3", "2.0", "", "0.5"),
    ]


def test_a_damaged_row_of_an_earlier_version_is_left_out(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(OLD + "1,0,32,2.5,0.5,0.1,,1.25\ngarbage\n")
    with pytest.warns(UserWarning, match="1 damaged row, left out"):
        RowFile(path, COLUMNS, r"[-+.\deainf]*", 2).close()
    assert [row["update"] for row in read(path)] == ["1"]


def test_a_cell_with_a_comma_is_quoted():
    assert as_line(["a, b", 1, ""]) == '"a, b",1,\n'


def test_nothing_is_kept_where_nobody_watches(tmp_path):
    settings = config(length={"updates": 2})
    trainer = make_trainer(tmp_path / "run", settings)
    watcher = Watcher(trainer._work, 1, trainer._fabric)
    watcher.begin(trainer.position)
    watcher.after(trainer.position, ending=True)
    assert watcher.taken() == ()
    with MetricsLog(trainer._run):
        pass
    assert not trainer._run.watched.exists()
