"""A tagger whose steps have any number of labels: learned, scored beside scikit-learn's figures, saved, streamed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import f1_score, log_loss, precision_recall_fscore_support
from typer.testing import CliRunner

from loopcell import SequenceTagger
from loopcell.cli.app import app
from loopcell.errors import DataError, UsageError
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK, words

__all__ = ["one_thread"]

CHORALES = Path(os.environ.get("LOOPCELL_DATA", "")) / "jsb-chorales" / "jsb-chorales-quarter.json"


def seen(count=200, seed=0):
    """Strings over "ab", and the letters that came up to each step: nothing, one or both but the first's own."""
    X, _ = words(count, seed)
    return X, [[tuple(sorted(set(text[: at + 1]))) for at in range(len(text))] for text in X]


def as_rows(y):
    return [np.array([[letter in step for letter in "ab"] for step in steps], int) for steps in y]


@pytest.fixture(scope="module")
def model():
    return SequenceTagger(**QUICK, epochs=20).fit(*seen())


def test_sets_in_the_form_in_which_they_came(model):
    X, y = seen(60, seed=4)
    assert model.score(X, y) > 0.95
    assert model.predict(["aab"]) == [[("a",), ("a",), ("a", "b")]]
    assert list(model.predict_records(["ab"])) == [{"labels": [["a"], ["a", "b"]]}]
    assert model.predict_proba(["ab", ""])[0].shape == (2, 2)

    rows = SequenceTagger(**QUICK, epochs=20).fit(seen()[0], as_rows(seen()[1]))
    assert rows.predict(["aab"])[0].tolist() == [[1, 0], [1, 0], [1, 1]]
    assert rows.classes_.tolist() == [0, 1]
    frames = [pd.DataFrame(one, columns=["has a", "has b"]) for one in as_rows(seen()[1])]
    assert SequenceTagger(**{**QUICK, "epochs": 1}).fit(seen()[0], frames).classes_.tolist() == ["has a", "has b"]


def test_its_figures_are_scikit_learns(model):
    X, y = seen(60, seed=4)
    true, likely = np.concatenate(as_rows(y)), np.concatenate(model.predict_proba(X))
    table = model.evaluate(X, y, training=seen())
    assert table.model["NLL/step"] == pytest.approx(sum(log_loss(true[:, k], likely[:, k]) for k in range(2)))
    assert table.model["micro-F1"] == pytest.approx(f1_score(true, likely > 0.5, average="micro"))
    assert table.model["macro-F1"] == pytest.approx(f1_score(true, likely > 0.5, average="macro"))
    assert table.model["all right"] == pytest.approx((true == (likely > 0.5)).all(1).mean())
    known = np.concatenate(as_rows(seen()[1]))
    shares = np.tile((known.sum(0) + 1) / (len(known) + 2), (len(true), 1))
    found = table.rows["label frequencies"]["NLL/step"]
    assert found == pytest.approx(sum(log_loss(true[:, k], shares[:, k]) for k in range(2)), rel=0.05)  # of a part
    assert table.rows["token by itself"]["NLL/step"] < found
    assert table.verdict().beaten
    assert table.confusion is None
    wanted = precision_recall_fscore_support(true, likely > 0.5)
    for k, letter in enumerate("ab"):
        assert list(table.by_label[letter].values()) == pytest.approx([part[k] for part in wanted])
    assert table.to_json()["by_label"]["a"]["count"] == true[:, 0].sum()


def test_the_loss_is_the_entropy_of_every_label_that_is_known(model):
    X, y = seen(10, seed=4)
    y[0][0] = None
    rows = as_rows([[step or () for step in steps] for steps in y])
    unknown = [np.where(np.arange(len(one))[:, None] == 0, np.nan, one) for one in rows]
    settings = {**QUICK, "epochs": 1, "validation_fraction": 0}
    for labels, lacking in ((y, 2), (unknown, 20)):
        network = SequenceTagger(**settings).fit(X, labels)
        examples = network._examples(*network.parts(X, labels)[0])
        batch = examples.batch(np.arange(10))
        loss = network.network_.loss(batch)
        assert loss.predictions == 2 * sum(map(len, X)) - lacking
        scores, _ = network.network_(batch.inputs, batch.lengths)
        known = batch.targets >= 0
        entropy = torch.nn.functional.binary_cross_entropy
        wanted = entropy(torch.sigmoid(scores)[known], batch.targets[known], reduction="sum").item()
        assert loss.total.item() == pytest.approx(wanted, rel=1e-5)
        weighted = network.network_.loss(batch._replace(weights=torch.full((10,), 2.0)))
        assert weighted.total.item() == pytest.approx(2 * wanted, rel=1e-5)


def test_saved_loaded_and_streamed_it_gives_the_same(model, tmp_path):
    model.save(tmp_path / "m.safetensors")
    again = SequenceTagger.load(tmp_path / "m.safetensors")
    X, y = seen(20, seed=4)
    assert again.predict(X) == model.predict(X)
    assert again.evaluate(X, y).rows == model.evaluate(X, y).rows
    labels, state = [], None
    for character in "abba":
        given, state = again.predict_next(character, state)
        labels += given
    assert labels == model.predict(["abba"])[0]
    assert model.inspect("abba").predictions[0][0].probability <= 1


def test_what_is_refused(model):
    X, y = seen(12)
    with pytest.raises(UsageError, match="a CRF gives one label a step, and here a step has several"):
        SequenceTagger(**QUICK, crf=True).fit(X, y)
    with pytest.raises(DataError, match=r"y\[0\] has labels for 1 steps, and the sequence has 2"):
        model.score(["ab"], [[("a",)]])
    with pytest.raises(DataError, match=r"y\[0\] has 3 columns, and training had 2 labels"):
        model.score(["ab"], [np.zeros((2, 3))])
    with pytest.raises(DataError, match="y has no label that is known"):
        model.score(["ab"], [[None, None]])
    with pytest.raises(DataError, match=r"y\[11\], step 1: the label 'new' is not among those"):
        model.fit(X, y, validation=(X, [*y[:-1], [("new",)] * len(X[-1])]))


@pytest.mark.skipif(not CHORALES.exists(), reason="the chorales are not here")
def test_the_next_chord_of_a_chorale():
    pieces = json.loads(CHORALES.read_text())["train"][:30]
    rolls = [np.zeros((len(piece), 88), np.float32) for piece in pieces]
    for roll, piece in zip(rolls, pieces, strict=True):
        for step, chord in enumerate(piece):
            roll[step, [int(note) - 21 for note in chord if note > 0]] = 1
    X, y = [roll[:-1] for roll in rolls], [roll[1:] for roll in rolls]
    model = SequenceTagger(**{**QUICK, "hidden_size": 64, "learning_rate": 5e-3, "batch_size": 8}, epochs=12).fit(X, y)
    table = model.evaluate(X[:5], y[:5], training=(X[5:], y[5:]))
    assert table.model["NLL/step"] < table.rows["label frequencies"]["NLL/step"] - 0.5
    assert model.predict(X[:1])[0].shape == (len(X[0]), 88)


def test_several_columns_of_a_long_table_are_the_labels_of_its_steps(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawn = np.random.default_rng(0)
    table = pd.DataFrame({"unit": np.repeat(np.arange(20), 8), "x": drawn.normal(size=160)})
    table["up"], table["far"] = (table.x > 0).astype(int), (table.x.abs() > 1).astype(int)
    table["word"] = np.where(table.up, "up", "down")
    table.to_csv("t.csv", index=False)
    typed = "train tag t.csv --by unit --input x --hidden 4 --epochs 1 --seed 1 --target"
    result = CliRunner().invoke(app, [*typed.split(), "up,far", "--run", "run"])
    assert result.exit_code == 0, result.output
    model = SequenceTagger.load("run")
    assert model.classes_.tolist() == ["up", "far"]
    arrays = [table[["up", "far"]].to_numpy()[at : at + 8] for at in range(0, 160, 8)]
    alone = SequenceTagger(hidden_size=4, epochs=1, random_state=1)
    alone.fit([table[["x"]].to_numpy()[at : at + 8] for at in range(0, 160, 8)], arrays)
    X = [table[["x"]].to_numpy()[:8]]
    np.testing.assert_allclose(model.predict_proba(X)[0], alone.predict_proba(X)[0], atol=1e-6)
    result = CliRunner().invoke(app, ["predict", "run", "t.csv"])
    said = [json.loads(line)["labels"] for line in result.stdout.splitlines()]
    assert said[0] == [
        [name for name, one in zip(("up", "far"), row, strict=True) if one] for row in model.predict(X)[0]
    ]
    assert CliRunner().invoke(app, ["eval", "run", "t.csv"]).stdout.startswith("20 sequences, 160 steps:")
    for named, sentence in (
        ("up,word", "column 'word': 'up' is not a number"),
        ("up,up", "the column 'up' is named twice"),
        ("up,gone", "has no column 'gone'"),
    ):
        result = CliRunner().invoke(app, [*typed.split(), named])
        assert result.exit_code
        assert sentence in result.output, result.output
    result = CliRunner().invoke(app, [*typed.replace("tag", "classify").split(), "up,far"])
    assert "up, far are several targets, which only the steps of a tagger have" in result.output
