"""A WAV through a pipe: the samples that libsndfile reads of the same file, as they come."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, strategies as st

from loopcell.data.features.live_audio import PipedSound
from loopcell.errors import DataError


class Pipe(io.BufferedReader):
    """A source that gives a few bytes at a time and cannot seek."""

    def __init__(self, raw, sizes=(7,)):
        super().__init__(io.BytesIO(raw))
        self._sizes, self._at = sizes, 0

    def read(self, size=-1):
        return super().read(min(size, self._next()))

    def read1(self, size=-1):
        return super().read(min(size, self._next()))

    def _next(self):
        self._at += 1
        return self._sizes[self._at % len(self._sizes)]

    def seekable(self):
        return False


def wav(samples, rate=8000, kind="PCM_16", form="WAV"):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype=kind, format=form)
    return file.getvalue()


DRAWN = np.random.default_rng(0).uniform(-1, 1, (501, 2)).astype(np.float32)


@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
@pytest.mark.parametrize("kind", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_samples_are_those_of_libsndfile(kind, form, channels):
    raw = wav(DRAWN[:, :channels], 44100, kind, form)
    sound = PipedSound(Pipe(raw), "it")
    assert (sound.sample_rate, sound.channels, sound.promised) == (44100, channels, 501)
    found = np.concatenate(list(sound.chunks(64)))
    expected, _ = soundfile.read(io.BytesIO(raw), dtype="float32", always_2d=True)
    np.testing.assert_array_equal(found, expected)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(1, 50))
def test_however_the_bytes_come(sizes, most):
    sound = PipedSound(Pipe(wav(DRAWN), tuple(sizes)), "it")
    chunks = list(sound.chunks(most))
    assert all(1 <= len(chunk) <= most for chunk in chunks)
    assert len(np.concatenate(chunks)) == 501


def endless(raw, size):
    at = raw.index(b"data") + 4
    return raw[:at] + struct.pack("<I", size) + raw[at + 4 :]


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000])
def test_a_recorder_that_does_not_know_the_end(size):
    sound = PipedSound(Pipe(endless(wav(DRAWN), size)), "it")
    assert sound.promised is None
    assert len(np.concatenate(list(sound.chunks(100)))) == 501


def test_what_follows_the_sound_is_no_sound():
    sound = PipedSound(Pipe(wav(DRAWN) + b"LIST\x04\0\0\0abcd"), "it")
    assert len(np.concatenate(list(sound.chunks(100)))) == 501


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "ends before its first bytes"),
        (b"OggS" + b"\0" * 40, "is no WAV: it begins with b'OggS"),
        (wav(DRAWN)[:30], "ends before its sound begins"),
        (wav(DRAWN)[:-1], "ends within a sample"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "samples before it says of what format"),
        (b"RIFF\0\0\0\0WAVEfmt \xff\xff\xff\x7f", "bytes of b'fmt ' before its sound"),
        (b"RIFF\0\0\0\0WAVELIST\xff\xff\xff\x7f", "bytes of b'LIST' before its sound"),
        (b"RIFF\0\0\0\0WAVEfmt \x04\0\0\0\1\0\1\0", "its format has 4 bytes"),
        (wav(DRAWN, kind="ALAW"), "samples of format 6 with 8 bits"),
        (
            wav(DRAWN).replace(struct.pack("<HHI", 1, 2, 8000), struct.pack("<HHI", 1, 0, 8000)),
            "says 8000 Hz and 0 chan",
        ),
        (wav(DRAWN).replace(struct.pack("<HHI", 1, 2, 8000), struct.pack("<HHI", 1, 2, 0)), "says 0 Hz and 2 chan"),
    ],
)
def test_what_is_no_recording_is_refused(raw, reason):
    with pytest.raises(DataError, match=reason):
        list(PipedSound(Pipe(raw), "it").chunks(100))


def test_spoken_digits_through_a_pipe_have_the_features_of_their_files(data_dir, tmp_path):
    """Recordings of people: the samples of libsndfile, and bit for bit the frames of the whole file."""
    import tarfile

    from loopcell.data import LogMel, Mfcc, read_audio

    with tarfile.open(data_dir / "fsdd" / "recordings.tar.gz") as archive:
        members = [member for member in archive if member.name.endswith(".wav")][::300]
        for member in members:
            raw = archive.extractfile(member).read()
            file = tmp_path / "it.wav"
            file.write_bytes(raw)
            sound = PipedSound(Pipe(raw, (97, 1021)), member.name)
            chunks = list(sound.chunks(441))
            np.testing.assert_array_equal(np.concatenate(chunks), read_audio(file).samples)
            for features in (LogMel(8000), Mfcc(8000)):
                stream = features.stream()
                frames = [stream.push(chunk) for chunk in chunks]
                np.testing.assert_array_equal(np.concatenate([*frames, stream.finish()]), features(file))
    assert len(members) == 10
