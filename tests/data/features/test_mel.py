"""Filter banks against the equations written out by hand and against librosa's, and a stream against the whole."""

from __future__ import annotations

import json
import math
import tracemalloc
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from loopcell.data import LogMel, Mfcc, RawAudio
from loopcell.data.features import FEATURES, features_from_json, features_to_json
from loopcell.data.features.mel import WaitingSamples, filter_bank, hertz, mel
from loopcell.errors import FileFormatError, UsageError

RATE = 8000
LIBROSA = json.loads(Path(__file__).with_name("from_librosa.json").read_text(encoding="utf-8"))


def by_hand(samples: np.ndarray, rate: int, width: int, hop: int, bands: int) -> np.ndarray:
    """HTK Book 5.4 and 5.6, in loops: Hann window, sums of sines and cosines, triangles, logarithm."""
    size = 1
    while size < width:
        size *= 2
    mels = [2595 * math.log10(1 + f / 700) for f in (0, rate / 2)]
    corners = [700 * (10 ** ((mels[0] + (mels[1] - mels[0]) * k / (bands + 1)) / 2595) - 1) for k in range(bands + 2)]
    frames = []
    start = 0
    while True:
        frame = [samples[start + n] if start + n < len(samples) else 0.0 for n in range(width)]
        frame = [value * (0.5 - 0.5 * math.cos(2 * math.pi * n / width)) for n, value in enumerate(frame)]
        power = []
        for k in range(size // 2 + 1):
            real = sum(value * math.cos(2 * math.pi * k * n / size) for n, value in enumerate(frame))
            imaginary = sum(value * math.sin(2 * math.pi * k * n / size) for n, value in enumerate(frame))
            power.append(real**2 + imaginary**2)
        frequencies = [k * rate / size for k in range(size // 2 + 1)]
        energies = [
            sum(p * np.interp(f, corners[band : band + 3], [0, 1, 0]) for p, f in zip(power, frequencies, strict=True))
            for band in range(bands)
        ]
        frames.append([math.log(max(energy, 1e-10)) for energy in energies])
        if start + width >= len(samples):
            return np.array(frames)
        start += hop


@pytest.mark.parametrize("length", [1, 39, 40, 41, 100, 130])
def test_log_mel_is_the_book(length):
    samples = np.random.default_rng(length).normal(size=length).astype(np.float32)
    features = LogMel(sample_rate=RATE, bands=6, window=0.005, hop=0.002)
    assert (features.width, features.step, features.input_size) == (40, 16, 6)
    expected = by_hand(samples.astype(float), RATE, 40, 16, 6)
    found = features(samples)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_mfcc_is_the_cosine_transform_of_log_mel():
    samples = np.random.default_rng(0).normal(size=400).astype(np.float32)
    log_mel = LogMel(sample_rate=RATE, bands=8, window=0.01)(samples)
    found = Mfcc(sample_rate=RATE, bands=8, window=0.01, coefficients=5)(samples)
    for k in range(5):
        scale = math.sqrt((1 if k == 0 else 2) / 8)
        expected = sum(log_mel[:, j] * math.cos(math.pi * k / 8 * (j + 0.5)) for j in range(8)) * scale
        np.testing.assert_allclose(found[:, k], expected, atol=1e-5)
    whole = Mfcc(sample_rate=RATE, bands=8, window=0.01, coefficients=8)(samples)
    np.testing.assert_allclose((whole**2).sum(axis=1), (log_mel**2).sum(axis=1), rtol=1e-5)  # it is a rotation


@pytest.mark.parametrize("case", LIBROSA["cases"], ids=lambda case: f"{case['rate']} Hz")
def test_bands_are_those_of_librosa(case):
    """What librosa computes with `htk=True` and a peak of 1."""
    rate, bands = case["rate"], case["bands"]
    bank = filter_bank(rate, case["size"], bands)
    for row, (first, *weights) in zip(bank, case["triangles"], strict=True):
        np.testing.assert_allclose(row, np.pad(weights, (first, len(row) - first - len(weights))), atol=1e-6)
    samples = np.random.default_rng(rate).normal(size=LIBROSA["samples"])
    asked = {"sample_rate": rate, "bands": bands, "window": case["window"], "hop": case["hop"]}
    log_mel, mfcc = np.array(case["log_mel"]), np.array(case["mfcc"])
    np.testing.assert_allclose(LogMel(**asked)(samples)[: len(log_mel)], log_mel, atol=1e-4)
    coefficients = Mfcc(**asked, coefficients=mfcc.shape[1])(samples)
    np.testing.assert_allclose(coefficients[: len(mfcc)], mfcc, atol=3e-4)


@pytest.mark.parametrize("case", LIBROSA["cases"], ids=lambda case: f"{case['rate']} Hz")
def test_slaneys_bands_are_those_of_librosa(case):
    """What librosa computes where nothing is said."""
    rate, bands, slaney = case["rate"], case["bands"], case["slaney"]
    bank = filter_bank(rate, case["size"], bands, "slaney")
    for row, (first, *weights) in zip(bank, slaney["triangles"], strict=True):
        np.testing.assert_allclose(row, np.pad(weights, (first, len(row) - first - len(weights))), rtol=1e-5)
    samples = np.random.default_rng(rate).normal(size=LIBROSA["samples"])
    asked = {"sample_rate": rate, "bands": bands, "window": case["window"], "hop": case["hop"], "mel_scale": "slaney"}
    log_mel = np.array(slaney["log_mel"])
    np.testing.assert_allclose(LogMel(**asked)(samples)[: len(log_mel)], log_mel, atol=1e-4)


def test_stored_features_from_before_slaneys_scale_are_read():
    stored = features_to_json(LogMel(sample_rate=RATE, bands=20))
    assert stored.pop("mel_scale") == "htk"
    assert features_from_json(stored) == LogMel(sample_rate=RATE, bands=20)
    slaney = LogMel(sample_rate=RATE, bands=20, mel_scale="slaney")
    assert features_from_json(features_to_json(slaney)) == slaney
    with pytest.raises(UsageError, match="mel_scale is htk or slaney, not 'bark'"):
        LogMel(sample_rate=RATE, mel_scale="bark")


def test_slaneys_mel_scale():
    assert mel([0, 500, 1000, 6400], "slaney") == pytest.approx([0, 7.5, 15, 42])  # linear, then 27 for a factor of 6.4
    assert hertz(mel([12.3, 999, 3456.7], "slaney"), "slaney") == pytest.approx([12.3, 999, 3456.7])


def test_the_mel_scale():
    assert mel(1000) == pytest.approx(1000, abs=0.1)  # where the scale is anchored
    assert hertz(mel(3456.7)) == pytest.approx(3456.7)


def test_a_tone_is_loudest_in_its_band_and_silence_is_finite():
    features = LogMel(sample_rate=RATE, bands=40)
    centres = hertz(np.linspace(0, mel(RATE / 2), 42))[1:-1]
    for band in (10, 20, 35):
        tone = np.sin(2 * math.pi * centres[band] * np.arange(RATE) / RATE).astype(np.float32)
        assert (features(tone)[5:-5].argmax(axis=1) == band).all()
    assert np.isfinite(features(np.zeros(500, np.float32))).all()


@settings(max_examples=60)
@given(
    length=st.integers(0, 400),
    cuts=st.lists(st.integers(0, 400), max_size=6),
    window=st.sampled_from([0.005, 0.01]),
    hop=st.sampled_from([0.001, 0.003, 0.005]),
    kind=st.sampled_from([LogMel, Mfcc]),
)
def test_a_stream_gives_what_the_whole_gives(length, cuts, window, hop, kind):
    samples = np.random.default_rng(length).normal(size=length).astype(np.float32)
    features = kind(sample_rate=RATE, bands=13, window=window, hop=hop)
    stream = features.stream()
    edges = [0, *sorted(min(cut, length) for cut in cuts), length]
    parts = [stream.push(samples[start:stop]) for start, stop in pairwise(edges)]
    pushed = np.concatenate(parts)
    whole_frames = max(0, (length - features.width) // features.step + 1)
    assert len(pushed) == whole_frames  # nothing is held back that is certain
    streamed = np.concatenate([pushed, stream.finish()])
    assert streamed.shape == (0 if not length else max(1, -(-(length - features.width) // features.step) + 1), 13)
    if length:
        np.testing.assert_array_equal(streamed, features(samples))  # bit for bit
    assert len(stream.finish()) == 0


@pytest.mark.parametrize(
    ("settings_", "reason"),
    [
        ({"sample_rate": 0}, "sample_rate is at least 1"),
        ({"sample_rate": RATE, "bands": 0}, "bands is at least 1"),
        (
            {"sample_rate": RATE, "bands": 200},
            "200 bands are too many for a spectrum of 129 frequencies: band 1 has none",
        ),
        ({"sample_rate": RATE, "bands": 10**12}, "bands is at most 2,147,483,647"),
        ({"sample_rate": RATE, "bands": 300}, "300 bands are too many for frames of 200 samples"),
        ({"sample_rate": 1 << 20, "bands": 200_000, "window": 1.0}, "are more than 4,194,304 weights; take fewer"),
        ({"sample_rate": 10**400}, "sample_rate is at most 2,147,483,647, got far more"),
        ({"sample_rate": RATE, "window": 0.0001, "hop": 0.0001}, "a frame has 2 samples to"),
        ({"sample_rate": 10**9}, "a frame has 2 samples to"),
        ({"sample_rate": RATE, "hop": 1e-5}, "a frame has 2 samples to"),
        ({"sample_rate": RATE, "window": float("inf")}, "0 < hop <= window <= 10 seconds"),
        ({"sample_rate": RATE, "hop": float("nan")}, "0 < hop <= window <= 10 seconds"),
        ({"sample_rate": RATE, "hop": 0.1}, "0 < hop <= window <= 10 seconds"),
        ({"sample_rate": RATE, "hop": 0}, "0 < hop <= window <= 10 seconds"),
        ({"sample_rate": RATE, "coefficients": 41}, "there are 1 to 40 coefficients"),
    ],
)
def test_settings_that_make_no_features(settings_, reason):
    with pytest.raises(UsageError, match=reason):
        Mfcc(**settings_)


@given(rate=st.integers(1, 50_000), log2_size=st.integers(1, 10), bands=st.integers(1, 200))
def test_bands_are_refused_where_a_filter_would_have_no_weight(rate, log2_size, bands):
    corners = hertz(np.linspace(0, mel(rate / 2), bands + 2))
    frequencies = np.arange(2**log2_size // 2 + 1) * rate / 2**log2_size
    edges = zip(corners, corners[2:], strict=False)
    inside = [((low < frequencies) & (frequencies < high)).any() for low, high in edges]
    if all(inside):
        assert (filter_bank(rate, 2**log2_size, bands).sum(axis=1) > 0).all()
    else:
        with pytest.raises(UsageError, match=f"band {inside.index(False) + 1} has none"):
            filter_bank(rate, 2**log2_size, bands)


@pytest.mark.parametrize(("bands", "complaint"), [(1_000, "more than 4,194,304 weights"), (7, None)])
def test_a_stored_setting_takes_no_memory_of_its_size(bands, complaint):
    """1 kB of a model file took 12 GB: the filters of a thousand bands of half a million frequencies."""
    stored = {**features_to_json(LogMel(sample_rate=100_000)), "window": 10.0, "bands": bands}
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError, match=complaint) if complaint else nullcontext():
            features_from_json(stored)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


def test_an_image_of_a_model_file_is_not_larger_than_images_are():
    with pytest.raises(FileFormatError, match="100,000 x 100,000 pixels are more than 67,108,864"):
        features_from_json({"kind": "image-pixels", "height": 10**5, "width": 10**5, "colour": False})


def test_features_are_stored_as_json_and_read_with_distrust():
    images = {"height": 3, "width": 4, "colour": True}
    made = [kind(**(images if name.startswith("image") else {"sample_rate": RATE})) for name, kind in FEATURES.items()]
    for features in made:
        assert features_from_json(features_to_json(features)) == features
    for hostile in (
        None,
        {"kind": "pickle"},
        {"kind": ["raw-audio"]},
        {"kind": "raw-audio"},
        {"kind": "raw-audio", "sample_rate": "8000", "channels": 1},
        {"kind": "raw-audio", "sample_rate": True, "channels": 1},
        {"kind": "raw-audio", "sample_rate": -1, "channels": 1},
        {"kind": "raw-audio", "sample_rate": 8000, "channels": 1, "more": 1},
        {**features_to_json(LogMel(sample_rate=RATE)), "window": float("inf")},
        {**features_to_json(LogMel(sample_rate=RATE)), "window": float("nan")},
        {**features_to_json(LogMel(sample_rate=RATE)), "bands": 10**9},
    ):
        with pytest.raises(FileFormatError, match=r"the stored .*features are"):
            features_from_json(hostile)


@pytest.mark.parametrize("kind", [LogMel, Mfcc])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_a_frame_hangs_on_nothing_but_itself_at_44100(kind, channels):
    """However a sound is cut, and wherever its stream is put down and taken up."""
    features = kind(sample_rate=44100)
    samples = np.random.default_rng(0).normal(0, 0.1, (30000, channels)).astype(np.float32)
    whole = features(samples)
    for size in (1, 441, 1000, 4096):
        stream, parts = features.stream(), []
        for start in range(0, len(samples) if size > 1 else 3000, size):
            parts.append(stream.push(samples[start : start + size]))
            again = features.stream()
            again.waiting = stream.waiting
            stream = again
        found = np.concatenate(parts)
        np.testing.assert_array_equal(found, whole[: len(found)])
        if size > 1:
            np.testing.assert_array_equal(stream.finish(), whole[len(found) :])


@pytest.mark.parametrize(
    "waiting",
    [
        (np.zeros(400, np.float32), 0),
        (np.zeros(10, np.float64), 0),
        (np.zeros((2, 2), np.float32), 0),
        (np.zeros(10, np.float32), 11),
        (np.zeros(10, np.float32), -1),
        (np.full(3, np.nan, np.float32), 0),
    ],
)
def test_what_does_not_wait_is_refused(waiting):
    with pytest.raises(ValueError, match="not samples that wait"):
        LogMel(sample_rate=16000).stream().waiting = WaitingSamples(*waiting)


def test_raw_samples_come_as_they_are():
    features, samples = RawAudio(8000), np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    stream = features.stream()
    parts = [stream.push(samples[:7]), stream.push(samples[7:7]), stream.push(samples[7:]), stream.finish()]
    np.testing.assert_array_equal(np.concatenate(parts), features(samples))
    with pytest.raises(ValueError, match="no sample waits"):
        stream.waiting = WaitingSamples(samples[:, 0], 0)
