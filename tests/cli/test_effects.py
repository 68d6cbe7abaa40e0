"""`loopcell stream` and `loopcell export` with audio effects, and `--data` of an export."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from loopcell import LSTM, AudioEffect
from loopcell.importing import to_nam, to_rtneural

RATE = 44_100
SOUND = np.random.default_rng(0).normal(0, 0.2, 400).astype(np.float32)


@pytest.fixture
def amp(tmp_path):
    torch.manual_seed(0)
    layers = [LSTM(1, 4, batch_first=True), nn.Linear(4, 1)]
    to_nam(layers, tmp_path / "amp.nam", sample_rate=RATE)
    to_rtneural(layers, tmp_path / "amp.json")
    AudioEffect(layers, RATE).save(tmp_path / "amp.safetensors")
    soundfile.write(tmp_path / "in.wav", np.stack([SOUND, -SOUND], 1), RATE, subtype="FLOAT")
    return tmp_path


def test_a_wav_of_a_wav(loopcell, amp):
    expected = AudioEffect.load(amp / "amp.nam").process(np.stack([SOUND, -SOUND], 1))
    for name, more in (("amp.nam", ()), ("amp.json", ("--sample-rate", RATE)), ("amp.safetensors", ())):
        out = amp / f"{name}.wav"
        result = loopcell("stream", amp / name, amp / "in.wav", "-o", out, *more)
        assert result.exit_code == 0, result.output
        assert "400 samples (0.009 s) in 2 channels, peak " in result.stderr
        assert np.allclose(soundfile.read(out, dtype="float32")[0], expected, atol=1e-6)


def test_a_sound_goes_on_in_the_next_file(loopcell, amp):
    for name, part in (("a", SOUND[:150]), ("b", SOUND[150:])):
        soundfile.write(amp / f"{name}.wav", part, RATE, subtype="FLOAT")
        words = ("stream", amp / "amp.nam", amp / f"{name}.wav", "-o", amp / f"{name}-out.wav", "--state", amp / "s")
        assert loopcell(*words).exit_code == 0
    found = np.concatenate([soundfile.read(amp / f"{name}-out.wav", dtype="float32")[0] for name in "ab"])
    assert np.allclose(found, AudioEffect.load(amp / "amp.nam").process(SOUND), atol=1e-7)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("amp.json", "in.wav", "-o", "o.wav"), "--sample-rate 44100 say"),
        (("amp.nam", "in.wav", "-o", "o.wav", "--sample-rate", "48000"), "is of 44,100 Hz, and sample_rate=48000"),
        (("amp.nam", "in.wav", "-o", "o.csv"), "an effect writes WAV files"),
        (("amp.nam", "in.wav", "-o", "in.wav"), "is the sound that is read"),
        (("amp.nam", "in.wav"), "loopcell stream MODEL input.wav -o output.wav"),
        (("amp.nam", "-o", "o.wav"), "makes a file of a file, and reads or writes no pipe"),
        (("amp.nam", "in.wav", "-o", "o.wav", "--state", "none/s"), "its folder does not exist"),
        (("amp.nam", "in.wav", "-o", "o.wav", "--on-error", "skip"), "are for rows"),
        (("amp.nam", "none.wav", "-o", "o.wav"), "none.wav"),
    ],
)
def test_what_makes_no_sense_is_said(loopcell, amp, words, sentence):
    named = [amp / word if word.endswith((".json", ".nam", ".wav", ".csv")) else word for word in words]
    result = loopcell("stream", *named)
    assert result.exit_code in (1, 2)
    assert sentence in result.stderr
    assert not (amp / "o.wav").exists()


@pytest.mark.parametrize("name", ["amp.nam", "amp.json", "amp.safetensors"])
def test_verbs_of_rows_say_what_runs_an_effect(loopcell, amp, name):
    for verb in ("predict", "eval"):
        result = loopcell(verb, amp / name, amp / "in.wav")
        assert result.exit_code == 2
        assert f"if it is an audio effect, loopcell stream {amp / name} input.wav" in result.stderr


def test_an_effect_leaves_python(loopcell, amp):
    words = ("export", amp / "amp.nam", "--to", "c", "--data", amp / "in.wav", "-o", amp / "c", "--drift", 0)
    result = loopcell(*words)
    assert result.exit_code == 0, result.output
    report = json.loads((amp / "c" / "report.json").read_text(encoding="utf-8"))
    assert set(report["own_errors"]) == {"own offline", "own streamed"}
    assert (amp / "c" / "effect_wav.c").exists()
    refused = loopcell("export", amp / "amp.nam", "--to", "onnx", "--which", "0", "-o", amp / "a.onnx")
    assert "this is an audio effect" in refused.stderr
