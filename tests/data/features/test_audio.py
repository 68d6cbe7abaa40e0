"""Sound files: whole, in chunks, at another rate; and files that are cut off, damaged or no sound at all."""

from __future__ import annotations

import gzip
import sys

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings, strategies as st

from loopcell.data import Audio, LogMel, RawAudio, audio_chunks, read_audio
from loopcell.data.features import audio as audio_module, audio_rate
from loopcell.errors import DataError, MissingExtraError, UsageError

TMP = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)


def tone(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
    return np.stack([wave * (at + 1) / channels for at in range(channels)], axis=1).astype(np.float32)


@pytest.fixture
def write(tmp_path):
    def write(samples, rate=8000, name="a.wav", subtype=None):
        soundfile.write(tmp_path / name, samples, rate, subtype=subtype)
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    ("name", "subtype", "exact"), [("a.wav", "FLOAT", 0), ("a.wav", "PCM_16", 4e-5), ("a.flac", None, 4e-5)]
)
@pytest.mark.parametrize("channels", [1, 2])
def test_what_was_written_is_read(write, name, subtype, exact, channels):
    samples = tone(0.7, 44100, channels)
    path = write(samples, 44100, name, subtype)
    found = read_audio(path)
    assert (found.sample_rate, found.samples.dtype, found.samples.shape) == (44100, np.float32, samples.shape)
    np.testing.assert_allclose(found.samples, samples, atol=exact)
    assert audio_rate(path) == 44100


@TMP
@given(length=st.integers(1, 300), steps=st.integers(1, 320), block=st.integers(1, 200))
def test_chunks_are_the_whole(write, length, steps, block):
    samples = np.random.default_rng(length).uniform(-1, 1, (length, 2)).astype(np.float32)
    path = write(samples, subtype="FLOAT")
    before, audio_module.BLOCK = audio_module.BLOCK, block
    try:
        chunks = list(audio_chunks(path, steps))
    finally:
        audio_module.BLOCK = before
    assert [len(chunk) for chunk in chunks[:-1]] == [steps] * (len(chunks) - 1)
    assert 1 <= len(chunks[-1]) <= steps
    np.testing.assert_array_equal(np.concatenate(chunks), samples)


def test_another_rate_is_the_same_sound(write):
    path = write(tone(1, 44100), 44100, subtype="FLOAT")
    found = read_audio(path, sample_rate=8000)
    assert found.sample_rate == 8000
    assert found.samples.shape == (8000, 1)
    np.testing.assert_allclose(found.samples[500:-500], tone(1, 8000)[500:-500], atol=1e-3)
    np.testing.assert_allclose(
        np.concatenate(list(audio_chunks(path, 999, sample_rate=8000))), found.samples, atol=1e-6
    )


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.999])
def test_a_sound_that_is_cut_off_is_never_taken_for_whole(write, name, kept):
    path = write(np.random.default_rng(0).uniform(-1, 1, 8000), name=name)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(DataError, match=rf"{name} (is truncated: it promises|cannot be read as sound)"):
        read_audio(path)


def test_a_cut_off_wav_says_how_much_is_missing(write):
    path = write(np.zeros(1000))
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(DataError, match=r"a\.wav is truncated: it promises 2,000 bytes of sound and has 1,500$"):
        read_audio(path)
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(DataError, match=r"a\.wav is truncated: it ends before its sound begins$"):
        read_audio(path)


def test_a_wav_from_a_pipe_has_no_size_and_is_read(write):
    path = write(tone(0.1, 8000))
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    assert read_audio(path).samples.shape == (800, 1)


def test_samples_that_are_not_finite(write):
    samples = np.zeros(2000, np.float32)
    samples[1600] = np.nan
    with pytest.raises(DataError, match=r"a\.wav: sample 1601 \(at 0\.200 s\) is not a finite number"):
        read_audio(write(samples, subtype="FLOAT"))


def test_what_is_no_sound(write, tmp_path):
    for name, data, reason in [
        ("b.wav", b"hello" * 100, "cannot be read as sound"),
        ("c.flac", b"fLaC" + bytes(100), "cannot be read as sound"),
        ("d.wav", b"", "is empty"),
        ("e.wav", gzip.compress(b"RIFF", mtime=0), "is sound inside gzip: decompress it first"),
    ]:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=rf"{name} {reason}"):
            read_audio(tmp_path / name)
    with pytest.raises(DataError, match="has no samples"):
        read_audio(write(np.zeros(0)))
    with pytest.raises(DataError, match="there is no file"):
        read_audio(tmp_path / "none.wav")


def test_a_sound_too_long_for_memory_is_read_in_chunks(write, monkeypatch):
    monkeypatch.setenv("LOOPCELL_LONGEST_SOUND", "70000")
    path = write(np.zeros(150_000))
    with pytest.raises(DataError, match="has more than 70,000 samples: read it with audio_chunks"):
        read_audio(path)
    assert sum(map(len, audio_chunks(path, 1000))) == 150_000
    with pytest.raises(UsageError, match="at least 1 step"):
        next(audio_chunks(path, 0))


def test_raw_samples_as_features(write):
    samples = tone(0.1, 8000, 2)
    path = write(samples, subtype="FLOAT")
    np.testing.assert_array_equal(RawAudio(sample_rate=8000, channels=2)(path), samples)
    np.testing.assert_allclose(RawAudio(sample_rate=8000)(path), samples.mean(axis=1, keepdims=True))
    assert RawAudio(sample_rate=16000)(path).shape == (1600, 1)
    assert RawAudio(sample_rate=4000)(Audio(samples, 8000)).shape == (400, 1)
    whole = np.array([0, 16384, -32768], np.int16)
    assert RawAudio(sample_rate=8000)(whole).ravel().tolist() == [0, 0.5, -1]
    with pytest.raises(DataError, match=r"a\.wav has 2 channels, not 3"):
        RawAudio(sample_rate=8000, channels=3)(path)


@pytest.mark.parametrize(
    "bad", [np.zeros(0, np.float32), np.zeros((2, 2, 2), np.float32), np.array(["a"]), [1, 2], "none.wav"]
)
def test_examples_that_are_no_sound(bad):
    with pytest.raises(DataError, match=r"^(X\[3\] is not a sound|X\[3\] has texts|there is no file none\.wav)"):
        LogMel(sample_rate=8000)(bad, "X[3]")
    with pytest.raises(DataError, match=r"^X\[3\] has no value \(NaN\) at step 2$"):
        LogMel(sample_rate=8000)(np.array([0, np.nan], np.float32), "X[3]")


def test_libraries_of_sound_are_an_extra(write, monkeypatch):
    path = write(tone(0.1, 8000))
    monkeypatch.setitem(sys.modules, "soxr", None)
    with pytest.raises(
        MissingExtraError, match=r'a\.wav has 8000 Hz, not 4000: resampling needs soxr: pip install "loop'
    ):
        read_audio(path, sample_rate=4000)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(MissingExtraError, match=r'sound files need soundfile: pip install "loopcell\[audio\]"'):
        read_audio(path)
