"""Small sounds and images that would take much memory or time, and settings that would."""

from __future__ import annotations

import struct
import tracemalloc

import numpy as np
import pytest
import soundfile
from PIL import Image

from loopcell.data import LogMel, RawAudio, audio_chunks, read_audio
from loopcell.data.features import audio, images, mel, read_image
from loopcell.data.features.audio import resample
from loopcell.data.features.kinds import features_from_json
from loopcell.errors import DataError, FileFormatError, UsageError


def says(path, rate, samples=65_536):
    """A WAV file that says that it has another sample rate than it was written with."""
    soundfile.write(path, np.sin(np.arange(samples) / 9), 8000, subtype="PCM_16")
    data = bytearray(path.read_bytes())
    data[24:28] = struct.pack("<I", rate)
    path.write_bytes(bytes(data))
    return path


def refused(read):
    """The sentence of the error, and the most memory that it took."""
    tracemalloc.start()
    try:
        with pytest.raises((DataError, UsageError, FileFormatError)) as caught:
            read()
        return str(caught.value), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_sound_that_says_one_hertz_is_refused_before_it_is_read(tmp_path):
    """131 kilobytes, which would be a billion samples."""
    path = says(tmp_path / "a.wav", 1)
    said, peak = refused(lambda: RawAudio(16_000)(path))
    assert said == (
        f"{path} has more than 268,435,456 samples: read it with audio_chunks; "
        "to allow more, set LOOPCELL_LONGEST_SOUND in the environment"
    )
    assert peak < 4 << 20


def test_a_sound_that_says_one_hertz_in_chunks(tmp_path):
    chunks = audio_chunks(says(tmp_path / "a.wav", 1, samples=600), 16_000, sample_rate=16_000)
    tracemalloc.start()
    try:
        assert sum(len(chunk) for chunk in chunks) == 600 * 16_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100 << 20


@pytest.mark.parametrize(("rate", "asked"), [(1, 1 << 20), (2_000_000_000, 8000), (4_000_000_000, 1)])
def test_rates_that_are_too_far_apart(tmp_path, rate, asked):
    path = says(tmp_path / "a.wav", rate, samples=100)
    said, peak = refused(lambda: read_audio(path, sample_rate=asked))
    assert said.startswith((f"{path} says that it has {rate:,} Hz, which is too far from", f"{path} cannot be read"))
    assert peak < 4 << 20


def test_a_sound_of_less_than_a_sample(tmp_path):
    path = says(tmp_path / "a.wav", 48_000, samples=10)
    said, _ = refused(lambda: read_audio(path, sample_rate=8))
    assert said == f"{path} is shorter than one sample at 8 Hz; it says that it has 48,000"


def test_samples_in_memory_are_bounded_too():
    said, peak = refused(lambda: resample(np.zeros((60_000, 1), np.float32), 1, 16_000))
    assert said.startswith("the sound has more than 268,435,456 samples")
    assert peak < 1 << 20
    said, _ = refused(lambda: resample(np.zeros((60, 1), np.float32), 1, 1 << 20))
    assert said.startswith("the sound says that it has 1 Hz, which is too far from 1,048,576 Hz")


def test_the_limit_can_be_raised(tmp_path, monkeypatch):
    path = says(tmp_path / "a.wav", 8000, samples=1000)
    monkeypatch.setenv("LOOPCELL_LONGEST_SOUND", "999")
    assert "has more than 999 samples" in refused(lambda: read_audio(path))[0]
    monkeypatch.setenv("LOOPCELL_LONGEST_SOUND", "1000")
    assert len(read_audio(path).samples) == 1000


def test_chunks_as_long_as_the_sound_are_put_together_once(tmp_path, monkeypatch):
    monkeypatch.setattr(audio, "BLOCK", 10)
    path = says(tmp_path / "a.wav", 8000, samples=20_000)
    joined = []
    real = np.concatenate
    monkeypatch.setattr(audio.np, "concatenate", lambda parts: joined.append(len(parts)) or real(parts))
    (chunk,) = audio_chunks(path, 1 << 40)
    assert len(chunk) == 20_000
    assert joined == [2000]


def test_frames_in_blocks_are_the_frames(monkeypatch):
    """Frames overlap: all at once, as float64 and complex numbers, they are a hundred times the sound."""
    sound = np.random.default_rng(0).normal(size=16_000 * 60).astype(np.float32)
    features = LogMel(16_000)
    tracemalloc.start()
    try:
        found = features(sound)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 << 20
    monkeypatch.setattr(mel, "BLOCK_VALUES", 1 << 30)
    np.testing.assert_allclose(features(sound), found, atol=1e-5)


def test_more_frames_than_memory_should_give(monkeypatch):
    monkeypatch.setenv("LOOPCELL_LONGEST_SOUND", "100000")
    said, _ = refused(lambda: LogMel(8000, hop=1 / 8000)(np.zeros(8000, np.float32)))
    assert said.startswith("the sound in bands has more than 100,000 samples")


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "log-mel", "sample_rate": 1 << 20, "bands": 1 << 18, "window": 1.0, "hop": 0.5},
        {"kind": "log-mel", "sample_rate": 10**300, "bands": 40, "window": 1e-297, "hop": 1e-297},
        {"kind": "log-mel", "sample_rate": 10**5000, "bands": 40, "window": 0.025, "hop": 0.01},
        {"kind": "raw-audio", "sample_rate": 8000, "channels": 10**9},
        {"kind": "image-rows", "height": 10**9, "width": 10**9, "colour": False},
        {"kind": "image-pixels", "height": 1 << 20, "width": 1 << 20, "colour": True},
    ],
)
def test_settings_of_a_hostile_model(settings):
    said, peak = refused(lambda: features_from_json(settings))
    assert said.startswith(f"the stored {settings['kind']} features are not valid: ")
    assert len(said) < 400
    assert peak < 4 << 20


def png_that_says(path, height, width):
    import zlib

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"x") + chunk(b"IEND", b""))
    return path


def test_an_image_that_says_it_is_giant(tmp_path):
    cure = "to allow more, set LOOPCELL_LARGEST_IMAGE in the environment"
    path = png_that_says(tmp_path / "a.png", 1 << 30, 1 << 30)
    said, _ = refused(lambda: read_image(path))
    assert said == f"{path} has more pixels than the 67,108,864 that are unpacked; {cure}"
    path = png_that_says(tmp_path / "b.png", 10_000, 10_000)
    said, _ = refused(lambda: read_image(path))
    assert said == f"{path} has 10,000 x 10,000 pixels; at most 67,108,864 are unpacked; {cure}"


def test_an_image_that_is_drawn_again_and_again(tmp_path, monkeypatch):
    """Each scan of a JPEG goes over all of its pixels, and a scan takes a few bytes."""
    path = tmp_path / "a.jpg"
    Image.fromarray(np.zeros((512, 512), np.uint8)).save(path, progressive=True)
    assert read_image(path).shape == (512, 512)
    data = path.read_bytes()
    at = data.rindex(images.START_OF_SCAN)
    path.write_bytes(data[:-2] + data[at:-2] * 5000 + data[-2:])
    said, _ = refused(lambda: read_image(path))
    assert said.startswith(f"{path} draws its 512 x 512 pixels 5,")


def test_what_pillow_and_libsndfile_do_not_foresee_is_an_error_of_ours(tmp_path, monkeypatch):
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.png")
    monkeypatch.setattr(images, "_upright", lambda image: {}["orientation"])
    assert refused(lambda: read_image(tmp_path / "a.png"))[0] == (
        f"{tmp_path / 'a.png'} cannot be read as an image (KeyError: 'orientation')"
    )
    monkeypatch.setattr(images, "_upright", lambda image: bytes(1 << 62))
    assert refused(lambda: read_image(tmp_path / "a.png"))[0].endswith(
        "a.png cannot be read as an image: it needs more memory than there is"
    )
    monkeypatch.setattr(audio, "_blocks", lambda *asked: 1 / 0)
    path = says(tmp_path / "a.wav", 8000)
    assert (
        refused(lambda: read_audio(path))[0] == f"{path} cannot be read as sound (ZeroDivisionError: division by zero)"
    )
