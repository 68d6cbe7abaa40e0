"""Models of sound in C: frames out of samples in pieces of any size, and the program that reads WAV files."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

from loopcell import SequenceClassifier, SequenceTagger
from loopcell.backends.c.toolchain.target import target
from loopcell.data import LogMel, Mfcc, RawAudio
from loopcell.export import to_c

QUICK = {"hidden_size": 4, "epochs": 2, "random_state": 0, "progress": False}
RATE = 8000


def sounds(count=20):
    drawn = np.random.default_rng(0)
    return [(drawn.normal(0, 0.1, 1300 + 10 * one) * 32768).astype(np.int16) for one in range(count)]


def write(path, samples, rate=RATE):
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(path, samples, rate, subtype="FLOAT" if samples.dtype == np.float32 else "PCM_16")


def program(model, folder):
    to_c(model, folder, name="sound")
    compiler = " ".join(target().command)
    done = subprocess.run(
        ["make", "-s", "sound_wav", f"CC={compiler}", "CFLAGS=-O1 -fsanitize=address,undefined -Werror"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "sound_wav"


def said(program, path):
    done = subprocess.run([program, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return np.array([[float(word) for word in line.split()[1:]] for line in done.stdout.splitlines()])


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A classifier of sounds, and its program."""
    model = SequenceClassifier(features=LogMel(RATE), **QUICK).fit(sounds(), ["a", "b"] * 10)
    return model, program(model, tmp_path_factory.mktemp("classifier") / "out")


@pytest.mark.parametrize("features", [LogMel(RATE), Mfcc(RATE, window=0.02, hop=0.02), RawAudio(RATE)])
def test_a_classifier_says_of_a_wav_file_what_it_says_in_python(features, tmp_path):
    X = sounds() if not isinstance(features, RawAudio) else [one[:60] for one in sounds()]
    model = SequenceClassifier(features=features, **QUICK).fit(X, ["a", "b"] * 10)
    runs = program(model, tmp_path / "out")
    for samples in (X[0], X[7], X[7].astype(np.float32) / 32768):
        write(tmp_path / "one.wav", samples)
        found = said(runs, tmp_path / "one.wav")
        assert len(found) == len(features(samples))
        assert np.allclose(found[-1], model.predict_proba([samples])[0], atol=1e-4)


def test_channels_are_mixed_and_every_frame_has_an_answer(tmp_path):
    X = sounds()
    features = LogMel(RATE)
    usual = np.median(features(X[0]).mean(1))
    labels = [["loud" if frame.mean() > usual else "soft" for frame in features(one)] for one in X]
    model = SequenceTagger(features=features, **QUICK).fit(X, labels)
    runs = program(model, tmp_path / "out")
    both = np.stack([X[1], np.roll(X[1], 3)], axis=1)
    write(tmp_path / "stereo.wav", both)
    assert np.allclose(said(runs, tmp_path / "stereo.wav"), model.predict_proba([both])[0], atol=1e-4)


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_sound_whose_size_nobody_knew_goes_to_the_end_of_the_file(size, classifier, tmp_path):
    model, runs = classifier
    samples = sounds()[4]
    write(tmp_path / "one.wav", np.stack([samples] * 8, axis=1))
    content = bytearray((tmp_path / "one.wav").read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 4] = size.to_bytes(4, "little")
    (tmp_path / "one.wav").write_bytes(content)
    found = said(runs, tmp_path / "one.wav")
    assert len(found) == len(LogMel(RATE)(samples))
    assert np.allclose(found[-1], model.predict_proba([samples])[0], atol=1e-4)


def test_what_is_no_sound_of_the_model_is_refused(classifier, tmp_path):
    _, runs = classifier
    write(tmp_path / "other.wav", sounds(1)[0], rate=16000)
    (tmp_path / "text.wav").write_text("no sound at all", encoding="utf-8")
    write(tmp_path / "cut.wav", sounds(1)[0])
    (tmp_path / "cut.wav").write_bytes((tmp_path / "cut.wav").read_bytes()[:1000])
    write(tmp_path / "nine.wav", np.zeros((500, 9), np.int16))
    (tmp_path / "silent.wav").write_bytes((tmp_path / "cut.wav").read_bytes()[:36])
    for name, why in (
        ("nine.wav", "more than 8 channels"), ("silent.wav", "no sound in it"),
        ("other.wav", "the model reads 8000 Hz"), ("text.wav", "no WAV"), ("cut.wav", "cut off"), ("none.wav", "usage"),
    ):  # fmt: skip
        done = subprocess.run([runs, tmp_path / name], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert why in done.stderr
