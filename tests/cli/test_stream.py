"""`loopcell stream`: frames of a sound, from a file of any length or a pipe; lines as `predict - --stream` has them."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from loopcell import SequenceTagger, load_model
from loopcell.cli import app
from loopcell.data import LogMel
from tests.cli.conftest import one_thread

__all__ = ["one_thread"]

RATE = 8000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tagger of sounds, one of rows, and recordings."""
    folder, drawn = tmp_path_factory.mktemp("stream"), np.random.default_rng(0)
    quick = {"hidden_size": 4, "epochs": 1, "random_state": 1, "device": "cpu", "progress": False}
    features = LogMel(RATE)
    X = [drawn.normal(0, 0.1, 3000).astype(np.float32) for _ in range(10)]
    labels = [["on", "off"] * (len(features(x)) // 2) + ["on"] * (len(features(x)) % 2) for x in X]
    SequenceTagger(**quick, features=features).fit(X, labels).save(folder / "sounds.safetensors")
    rows = [drawn.normal(size=(10, 2)) for _ in range(10)]
    SequenceTagger(**quick).fit(rows, [["a", "b"] * 5] * 10).save(folder / "rows.safetensors")
    soundfile.write(folder / "it.wav", np.concatenate(X[:6])[:15010], RATE, subtype="FLOAT")
    soundfile.write(folder / "fast.wav", np.stack([np.concatenate(X)] * 2, 1), 44100)
    return folder


def call(*words, given=b""):
    return CliRunner().invoke(app, [str(word) for word in ("stream", *words)], input=given)


def test_a_file_has_the_answers_of_the_whole(folder, tmp_path):
    model = load_model(folder / "sounds.safetensors")
    expected = model.predict_proba([str(folder / "it.wav")])[0]
    result = call(folder / "sounds.safetensors", folder / "it.wav")
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(rows) == len(expected)
    assert [row["seconds"] for row in rows[:3]] == [0.0, 0.01, 0.02]
    found = [[row["probabilities"][label] for label in ("off", "on")] for row in rows]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert result.stderr == f"note: 15,010 samples (1.876 s), {len(rows)} frames answered\n"
    table = call(folder / "sounds.safetensors", folder / "it.wav", "-o", tmp_path / "it.csv")
    assert table.exit_code == 0
    read = list(csv.DictReader(io.StringIO((tmp_path / "it.csv").read_text())))
    assert [row["label"] for row in read] == [row["label"] for row in rows]
    assert list(read[0]) == ["seconds", "label", "p_off", "p_on"]


@pytest.mark.parametrize("name", ["it.wav", "fast.wav"])
def test_a_pipe_has_the_answers_of_the_file(folder, name):
    model, raw = folder / "sounds.safetensors", (folder / name).read_bytes()
    file, pipe = call(model, folder / name, "--format", "csv"), call(model, "--format", "csv", given=raw)
    assert pipe.exit_code == 0, pipe.output
    assert pipe.stdout == file.stdout
    assert ("is resampled to the model's 8,000" in pipe.stderr) == (name == "fast.wav")


def test_a_sound_that_goes_on_in_another_file(folder, tmp_path):
    model, state = folder / "sounds.safetensors", tmp_path / "s.state"
    samples, _ = soundfile.read(folder / "it.wav", dtype="float32")
    whole = call(model, folder / "it.wav").stdout.splitlines()
    parts = []
    for number, part in enumerate((samples[:777], samples[777:9000], samples[9000:])):
        soundfile.write(tmp_path / f"{number}.wav", part, RATE, subtype="FLOAT")
        result = call(model, tmp_path / f"{number}.wav", "--state", state)
        assert result.exit_code == 0, result.output
        parts += result.stdout.splitlines()
    assert parts == whole[: len(parts)]
    assert len(parts) == len(whole) - 1  # the last one is not whole yet, and waits
    assert "the state after 15,010 is in" in result.stderr
    refused = call(model, folder / "fast.wav", "--state", state)
    assert refused.exit_code == 2
    assert "a state goes on at the model's rate alone" in refused.stderr


def test_a_pipe_that_ends_early_is_told(folder):
    raw = (folder / "it.wav").read_bytes()
    result = call(folder / "sounds.safetensors", given=raw[: len(raw) // 2 // 4 * 4])
    assert result.exit_code == 0, result.output
    assert "note: standard input promised 15,010 samples and had 7," in result.stderr


def test_lines_are_those_of_predict(folder):
    given = b"x1,x2\n0.1,0.2\n0.3,-1\n"
    lines = call(folder / "rows.safetensors", given=given)
    words = ["predict", str(folder / "rows.safetensors"), "-", "--stream"]
    assert lines.exit_code == 0, lines.output
    assert lines.stdout == CliRunner().invoke(app, words, input=given).stdout
    assert lines.stdout.count("\n") == 2


@pytest.mark.parametrize(
    ("words", "given", "reason"),
    [
        (("sounds.safetensors", "it.wav", "-o", "out.wav"), b"", "answers a sound with labels or numbers"),
        (("sounds.safetensors", "it.wav", "--on-error", "skip"), b"", "--on-error is for lines"),
        (("rows.safetensors", "it.wav"), b"", "of rows reads lines: loopcell stream MODEL <"),
        (("sounds.safetensors",), b"x1,x2\n1,2\n3,4\n", "standard input is no WAV"),
        (("sounds.safetensors", "none.wav"), b"", "none.wav"),
    ],
)
def test_what_makes_no_sense_is_said(folder, tmp_path, words, given, reason):
    named = [folder / word if word.endswith((".safetensors", "it.wav")) else word for word in words]
    result = call(*named, given=given)
    assert result.exit_code in (1, 2)
    assert reason in result.stderr
    assert not (tmp_path / "out.csv").exists()


def test_predict_names_the_verb_for_sounds(folder):
    words = ["predict", str(folder / "sounds.safetensors"), "-", "--stream"]
    result = CliRunner().invoke(app, words, input=b"1\n")
    assert result.exit_code == 2
    assert "this model reads sound, not lines: loopcell stream MODEL FILE.wav" in result.stderr
