"""train vectors, and what takes its result: predict, eval, train classify --vectors."""

from __future__ import annotations

import json

import numpy as np
import pytest

from loopcell import SequenceClassifier, WordVectors
from tests.cli.conftest import one_thread
from tests.tasks.word_vectors.texts import ANIMALS, sentences

__all__ = ["one_thread"]

SMALL = ["--vector-size", 8, "--min-count", 1, "--subsampling", 0, "--lr", 0.1, "--epochs", 2, "--seed", 1]


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(sentences(300)) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def learned(loopcell, text, tmp_path):
    result = loopcell("train", "vectors", text, *SMALL, "--val", text, "--run", tmp_path / "run")
    assert result.exit_code == 0, result.output
    return tmp_path / "run", result.output


def test_vectors_from_a_text(learned):
    folder, output = learned
    assert "complete: 16 words, learned from 3,000 in" in output
    assert "\nmodel " in output
    assert "\nthe more frequent " in output
    model = WordVectors.load(folder / "model.safetensors")
    assert model.vectors_.shape == (16, 8)
    assert json.loads((folder / "score.json").read_text())["rows"]["model"] == pytest.approx(
        model.evaluate(sentences(300)).model
    )


def test_predict_gives_the_nearest_words_of_every_row(loopcell, learned, tmp_path):
    (tmp_path / "words.txt").write_text("cat\nunicorn\n", encoding="utf-8")
    result = loopcell("predict", learned[0], tmp_path / "words.txt")
    assert result.exit_code == 0, result.output
    one, none = map(json.loads, result.stdout.splitlines())
    assert next(iter(one["nearest"])) == "cat"
    assert none["nearest"] == {}
    assert "1 token was never seen in training and count as unknown, first in" in result.stderr


def test_eval_tells_neighbours_from_noise(loopcell, learned, text):
    result = loopcell("eval", learned[0], text)
    assert result.exit_code == 0, result.output
    assert "told from noise" in result.output


@pytest.mark.parametrize("foreign", [False, True])
def test_a_classifier_with_ready_vectors_also_after_resume(foreign, loopcell, learned, tmp_path):
    vectors = learned[0]
    if foreign:
        vectors = tmp_path / "v.bin"
        WordVectors.load(learned[0] / "model.safetensors").save_word2vec(vectors)
    rows = "".join(f"{text}\t{any(word in text for word in ANIMALS)}\n" for text in sentences(60, seed=3))
    (tmp_path / "t.tsv").write_text("text\tlabel\n" + rows, encoding="utf-8")
    result = loopcell(
        "train", "classify", tmp_path / "t.tsv", "--vectors", vectors, "--frozen", "--hidden", 8,
        "--epochs", 4, "--device", "cpu", "--run", tmp_path / "c", "--time-limit", "0.001s",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    result = loopcell("resume", tmp_path / "c", "--time-limit", "10m")
    assert result.exit_code == 0, result.output
    model = SequenceClassifier.load(tmp_path / "c" / "model.safetensors")
    weight = model.network_.reader.first.embedding.weight[1:].detach().numpy()
    assert np.allclose(weight, WordVectors.load(learned[0] / "model.safetensors").vectors_)


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--char-ngrams", "x"], 2, "'x' is not a range of lengths; write 3-6"),
        (["--char-ngrams", "6-3"], 2, "--char-ngrams: n-grams are of 1 to 32 letters"),
        (["--context", "0"], 2, "--context: input should be greater than or equal to 1, got 0"),
        (["--min-count", "9999"], 1, "16 different words 0 are there at least 9999 times"),
    ],
)
def test_bad_input_is_one_sentence(arguments, code, sentence, loopcell, text, tmp_path):
    result = loopcell("train", "vectors", text, *arguments, "--run", tmp_path / "bad")
    assert result.exit_code == code
    assert sentence in result.stderr
    assert not (tmp_path / "bad").exists()


def test_a_taken_folder_and_a_run_that_does_not_go_on(loopcell, learned, text):
    result = loopcell("train", "vectors", text, "--run", learned[0])
    assert result.exit_code == 2
    assert "already exists and is not empty" in result.stderr
    result = loopcell("resume", learned[0])
    assert result.exit_code == 2
    assert "is not the folder of a run" in result.stderr
