"""A language model trained on files in a run folder, and going on with one: what the command line does."""

from __future__ import annotations

import csv
import errno
import json

import pytest
import torch

from loopcell import LanguageModel
from loopcell.data.text import TokenFile
from loopcell.errors import DataError, FileFormatError, FileWriteError, InputError, UsageError
from loopcell.tasks.language_model import corpus
from tests.tasks.language_model.runs import resume_language_model, train_language_model

QUICK = {
    "cell": "gru",
    "hidden_size": 12,
    "num_layers": 1,
    "batch_size": 4,
    "chunk": 16,
    "updates": 20,
    "evaluate_every": 10,
    "device": "cpu",
    "random_state": 1,
}


def train(folder, *files, held_out=(), **settings):
    return train_language_model(LanguageModel(**QUICK | settings), files, held_out, folder)


def bits(table, name="model"):
    return table.rows[name]["bits/char"]


def test_a_run_folder_has_everything(text, tmp_path):
    result = train(tmp_path / "run", text)
    found = sorted(str(path.relative_to(tmp_path / "run")) for path in (tmp_path / "run").rglob("*") if path.is_file())
    assert [name for name in found if "tensorboard" not in name] == [
        ".lock",
        "checkpoints/best.safetensors",
        "checkpoints/last.safetensors",
        "config.json",
        "machine.json",
        "metrics.csv",
        "model.safetensors",
        "score.json",
        "tokens/held_out.tokens",
        "tokens/train.tokens",
        "vocabulary.json",
        "watched.csv",
    ]
    assert sum("tensorboard" in name for name in found) == 1
    config = json.loads(result.run.config.read_text(encoding="utf-8"))
    kept = {name: value for name, value in QUICK.items() if name not in ("cell", "device", "random_state")}
    assert config["config"].items() >= kept.items()
    assert config["hardware"] == {"device": "cpu", "devices": 1}
    assert config["source"]["data"]["files"] == [str(text)]
    assert config["source"]["held_out"] is None
    with result.run.metrics.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["update"] for row in rows if row["validation_loss"]] == ["10", "20"]


def test_it_learns_and_the_score_is_that_of_the_file(text, tmp_path):
    """A text of one sentence: much better than counting characters; and the held-out part is the text's end."""
    result = train(tmp_path / "run", text, updates=150)
    assert bits(result.score) < 0.8 * bits(result.score, "unigram")
    end = tmp_path / "end.txt"
    end.write_bytes(text.read_bytes()[int(text.stat().st_size * 0.9) :])
    again = LanguageModel.load(result.run.model).evaluate(end)
    assert again.data == result.score.data
    for name, row in result.score.rows.items():
        assert again.rows[name] == pytest.approx(row, abs=1e-6)


def test_the_vocabulary_knows_nothing_of_what_is_held_out(tmp_path):
    path = tmp_path / "t"
    path.write_text("ab" * 450 + "xy" * 50, encoding="utf-8")
    result = train(tmp_path / "run", path)
    assert json.loads(result.run.vocabulary.read_text(encoding="utf-8"))["characters"] == ["a", "b"]
    assert result.score.data == "100 characters, 100 tokens, 100 of them never seen in training"


def test_the_model_file_is_the_best_and_not_the_last(text, tmp_path):
    """A learning rate that ruins the model after its first evaluation."""
    bad = {"learning_rate": 3.0, "warmup": 20, "schedule": "constant", "clip": 0.0}
    result = train(tmp_path / "run", text, updates=40, evaluate_every=5, **bad)
    position = result.outcome.position
    assert position.best_update < position.update
    end = tmp_path / "end.txt"
    end.write_bytes(text.read_bytes()[int(text.stat().st_size * 0.9) :])
    for model in (result.model, LanguageModel.load(result.run.model)):
        assert model.evaluate(end).model["nats/char"] == pytest.approx(position.best_loss, abs=1e-6)


def test_the_same_seed_gives_the_same_model(text, tmp_path):
    models = [
        train(tmp_path / name, text, random_state=seed, updates=5).run.model.read_bytes()
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    ]
    assert models[0] == models[1]
    assert models[0] != models[2]


def test_files_are_documents_and_other_files_can_be_held_out(text, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("the dog sat on the cat.\n", encoding="utf-8")
    result = train(tmp_path / "run", text, other, held_out=(other,))
    tokens = TokenFile.open(result.run.tokens / "train.tokens")
    assert tokens.document_starts.tolist() == [0, text.stat().st_size]
    assert result.score.data == "24 characters, 24 tokens"


def test_without_anything_held_out_the_last_model_counts(text, tmp_path):
    result = train(tmp_path / "run", text, validation_fraction=0.0)
    assert result.score is None
    network, last = LanguageModel.load(result.run.model).network_, result.run.last
    from safetensors.torch import load_file

    assert torch.equal(network.head.bias, load_file(last)["weights/model.head.bias"])


def test_a_run_that_is_complete_can_be_asked_again(text, tmp_path):
    result = train(tmp_path / "run", text)
    again = resume_language_model(tmp_path / "run")
    assert again.outcome == result.outcome
    assert again.score == result.score


def test_a_time_limit_can_be_raised_when_a_run_is_resumed(text, tmp_path):
    result = train(tmp_path / "run", text, updates=10_000, time_limit=0.5)
    assert result.outcome.reason == "time limit"
    more = resume_language_model(tmp_path / "run", {"time_limit": result.outcome.position.seconds + 2})
    assert more.outcome.reason == "time limit"
    assert more.outcome.position.update > result.outcome.position.update


@pytest.mark.parametrize(
    ("content", "settings", "kind", "sentence"),
    [
        (b"", {}, DataError, "{path} is empty"),
        (b"a", {}, DataError, "1 bytes are too few to hold out a fraction of 0.1"),
        (
            b"a",
            {"validation_fraction": 0.0},
            DataError,
            "the training text is too short: it takes two tokens of one document",
        ),
        (
            b"abc\xff" * 9,
            {},
            DataError,
            "{path} is not UTF-8 text: byte 0xff at offset 3; to model raw bytes use --tokens byte",
        ),
        (
            b"abc" * 90 + b"\xff",
            {},
            DataError,
            "{path} is not UTF-8 text: byte 0xff at offset 270; to model raw bytes use --tokens byte",
        ),
        (b"abc" * 9, {"tokens": "bite"}, UsageError, "unknown kind of tokens 'bite': did you mean byte?"),
    ],
)
def test_a_text_that_cannot_be_used(tmp_path, content, settings, kind, sentence):
    path = tmp_path / "t"
    path.write_bytes(content)
    with pytest.raises(kind) as caught:
        train(tmp_path / "run", path, **settings)
    assert str(caught.value) == sentence.format(path=path)


def test_a_text_that_cannot_be_used_leaves_no_folder(tmp_path):
    path = tmp_path / "t"
    path.write_bytes(b"abc\xff" * 9)
    with pytest.raises(DataError):
        train(tmp_path / "run", path)
    assert not (tmp_path / "run").exists()


def test_any_bytes_can_be_trained_on_as_bytes(tmp_path):
    path = tmp_path / "t"
    path.write_bytes(bytes(range(256)) * 8)
    assert "bits/byte" in train(tmp_path / "run", path, tokens="byte").score.model


def test_a_cell_that_needs_a_size_says_so_before_anything_is_written(text, tmp_path):
    with pytest.raises(InputError, match="cell `lstm_projected` needs the size 'proj'"):
        train(tmp_path / "run", text, cell="lstm_projected")
    assert not (tmp_path / "run").exists()


def test_a_disk_that_is_full_from_the_start_leaves_no_folder(text, tmp_path, monkeypatch):
    def full(*_, **__):
        error = FileWriteError("cannot write train.tokens: the disk is full")
        error.errno = errno.ENOSPC
        raise error

    monkeypatch.setattr(corpus, "tokenize", full)
    with pytest.raises(FileWriteError):
        train(tmp_path / "run", text)
    assert not (tmp_path / "run").exists()


def test_resuming_what_is_not_a_run(tmp_path):
    with pytest.raises(UsageError) as caught:
        resume_language_model(tmp_path)
    assert str(caught.value) == f"{tmp_path} is not the folder of a run: it has no config.json"


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("config.json", "{", "{run}/config.json is damaged: it is not JSON"),
        ("config.json", "[]", "{run}/config.json is damaged: it is not a JSON object"),
        ("config.json", "{}", "{run}/config.json is damaged: it does not describe a run"),
        ("config.json", '{"task": "x"}', "there is no task 'x' in this loopcell; a newer one may have it"),
        ("vocabulary.json", "{}", "the stored vocabulary is of no known kind ('None')"),
        ("vocabulary.json", None, "the run is damaged: there is no {run}/vocabulary.json"),
        ("tokens/train.tokens", "", "{run}/tokens/train.tokens is not a loopcell token file"),
        (
            "checkpoints/last.safetensors",
            "x",
            "{run}/checkpoints/last.safetensors is not a checkpoint, or not a whole one",
        ),
        ("checkpoints/last.safetensors", None, "there is no checkpoint {run}/checkpoints/last.safetensors"),
    ],
)
def test_a_damaged_run(text, tmp_path, file, content, sentence):
    run = tmp_path / "run"
    train(run, text, updates=1)
    if content is None:
        (run / file).unlink()
    else:
        (run / file).write_text(content, encoding="utf-8")
    with pytest.raises(FileFormatError) as caught:
        resume_language_model(run)
    assert str(caught.value) == sentence.format(run=run)


def test_a_new_run_finds_a_free_name(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [str(train(None, text, updates=1).run.path) for _ in range(2)]
    assert names == ["runs/text-gru", "runs/text-gru-2"]
