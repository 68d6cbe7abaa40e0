"""The public data sets themselves: every reader on a file that somebody else made."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from loopcell.data import (
    Batches,
    ImageRows,
    LogMel,
    Standardiser,
    as_sequences,
    fetch,
    pair,
    public_sets,
    read,
    read_audio,
    series_from,
    split_in_time,
)


@pytest.fixture
def sets(data_dir, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("LOOPCELL_DATA", str(data_dir))
    monkeypatch.setenv("LOOPCELL_CACHE", str(tmp_path_factory.getbasetemp() / "fetched"))
    return fetch


@pytest.mark.parametrize("name", public_sets())
def test_every_set_is_here_and_is_the_one_of_the_table(sets, name):
    found = sets(name)
    assert len(found) == len(public_sets()[name].files)
    assert all(path.exists() for path in found.values())


def test_nsmc_with_its_quotes_and_empty_documents(sets):
    files = sets("nsmc")
    text, label = read(files["ratings_train.txt"]).load("document", "label")
    assert (len(text), sorted(Counter(label).values())) == (150_000, [74_827, 75_173])
    other, _ = read(files["ratings_test.txt"]).load("document", "label")
    assert len(other) == 50_000
    assert sum(not document for document in [*text, *other]) == 8
    assert any(document.startswith('"') for document in text)


def test_tables_with_and_without_quotes_and_header(sets):
    chat = read(sets("chatbot-ko")["ChatbotData.csv"])
    assert (chat.columns, len(chat.column("Q"))) == (("Q", "A", "label"), 11_823)
    korean = read(sets("kor-eng")["kor.txt"])
    assert (len(korean.columns), len(korean.column("column_2"))) == (3, 3_798)
    french = read(sets("eng-fra")["fra.txt"])
    assert (len(french.columns), len(french.column("column_2"))) == (2, 142_787)
    kind = read(sets("dna-splice")["splice.data"])
    assert Counter(kind.column("column_1")) == {"N": 1655, "IE": 768, "EI": 767}
    assert {len(sequence) for sequence in kind.column("column_3")} == {60}


def test_a_translation_is_pairs_of_lines(sets):
    files = sets("multi30k")
    for part, rows in (("train", 29_000), ("val", 1_014), ("test_2016_flickr", 1_000)):
        source, target = pair(read(files[f"raw_{part}.de"]), read(files[f"raw_{part}.en"])).load("source", "target")
        assert len(source) == len(target) == rows
        tokenised = pair(read(files[f"tok_{part}.lc.norm.tok.de"]), read(files[f"tok_{part}.lc.norm.tok.en"]))
        assert len(tokenised.column("source")) == rows


def test_surnames_are_a_file_each(sets):
    folder = sets("names")["Korean.txt"].parent
    name, language = read(folder).load("text", "file")
    assert (len(name), len(set(language)), Counter(language)["Korean"]) == (20_050, 18, 94)


def test_digits(sets):
    files = sets("mnist")
    labels = read(files["train-labels-idx1-ubyte"]).column("values")
    assert Counter(int(label) for label in labels)[1] == 6742
    images = read(files["t10k-images-idx3-ubyte"])
    rows = ImageRows(height=28, width=28)
    first = rows(next(iter(images)).get("values"))
    assert (first.shape, first.dtype, float(first.max())) == ((28, 28), np.float32, 1.0)
    assert sum(1 for _ in images) == 10_000


def test_vowels_of_varying_length(sets):
    files = sets("uea-ucr")
    series, label = read(files["JapaneseVowels_TRAIN.ts"]).load("series", "label")
    X = as_sequences(series)
    lengths = [len(x) for x in X]
    assert (len(X), X[0].shape[1], min(lengths), max(lengths), len(set(label))) == (270, 12, 7, 26, 9)
    assert Batches(lengths, batch_size=16).padding_share() < 0.1
    scaled = Standardiser(12).fit(X)
    assert np.isfinite(scaled.scale.numpy()).all()
    test = as_sequences(read(files["JapaneseVowels_TEST.ts"]).column("series"), input_size=12)
    assert (len(test), max(map(len, test))) == (370, 29)
    motions = as_sequences(read(files["BasicMotions_TRAIN.ts"]).column("series"))
    assert {x.shape for x in motions} == {(100, 6)}


def test_series(sets):
    (oil,) = series_from(sets("ett")["ETTh1.csv"], target="OT", time="date", past=["HUFL", "HULL"])
    assert (len(oil), str(oil.step), str(oil.times[-1])) == (17_420, "1 hour", "2018-06-26T19:00:00.000000")
    months = 30 * 24
    train, val, test = split_in_time(len(oil), [12 * months, 4 * months, 4 * months])
    assert (train.stop, val.stop, test.stop) == (8_640, 11_520, 14_400)
    files = sets("series")
    for name, column, steps in (("airline-passengers", "Passengers", 144), ("monthly-sunspots", "Sunspots", 2820)):
        (one,) = series_from(files[f"{name}.csv"], target=column, time="Month")
        assert (len(one), str(one.step)) == (steps, "1 month")
    (gait,) = series_from(sets("daphnet")["S06R02E0.csv"], target="is_anomaly", time="timestamp")
    assert len(gait) == 7_040
    assert gait.step is not None
    assert gait.step.size == pytest.approx(1e6 / 64, rel=1e-4)


def test_spoken_digits(sets):
    folder = sets("fsdd")["recordings"]
    (paths,) = read(folder).load("path")
    assert len(paths) == 3_000
    features = LogMel(sample_rate=8000)
    for path in paths[::300]:
        samples = read_audio(path)
        assert samples.sample_rate == 8000
        frames = features(path)
        assert frames.shape == (max(1, -(-(len(samples.samples) - 200) // 80) + 1), 40)
        assert np.isfinite(frames).all()
