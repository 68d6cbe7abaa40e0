"""States of a corpus on disk: what is stored, memory that does not grow, and files that are not what they say."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

import loopcell
from loopcell.errors import DataError, FileFormatError, FileWriteError, InputError, MissingExtraError, UsageError
from loopcell.insight import Pattern, StateStore, match, store_states
from tests.insight.stored import Reader, stored

pa = pytest.importorskip("pyarrow")
TEXT = "the cat sat on the mat, and the dog sat on the log.\n"


@pytest.fixture(scope="module")
def model():
    """A language model; not to be changed."""
    made = loopcell.LanguageModel(hidden_size=6, num_layers=2, epochs=1, batch_size=4, chunk=16, random_state=1)
    return made.fit(TEXT * 20)


@pytest.fixture(scope="module")
def store(model, tmp_path_factory):
    """Its states of two texts; not to be changed."""
    return store_states(model, [TEXT * 3, "a cat?\n"], tmp_path_factory.mktemp("states") / "states.arrow")


def test_a_text_is_read_as_one_stream_in_parts_and_the_states_are_those_of_an_inspection(model, tmp_path, monkeypatch):
    monkeypatch.setattr("loopcell.tasks.language_model.inspecting.STEPS", 7)
    monkeypatch.setattr("loopcell.insight.state_store.STEPS", 20)
    text = TEXT * 3
    found = store_states(model, text, tmp_path / "s.arrow", ("f", "c"), dtype="float32")
    seen = model.inspect(text)
    assert len(found.file) == 8  # parts of the file: of 156 steps, 21 each
    assert list(found.columns) == ["layer0.f", "layer0.c", "layer1.f", "layer1.c"]
    assert found.layers == tuple(layer.name for layer in seen.layers)
    for layer in range(2):
        for name in ("f", "c"):
            states = found.rows(f"layer{layer}.{name}", 0, len(found))
            np.testing.assert_allclose(states, seen[name][layer], atol=1e-6)
    np.testing.assert_array_equal(found.rows("layer1.c", 30, 50), found.rows("layer1.c", 0, len(found))[30:50])
    assert "".join(found.texts) == text


def test_each_text_begins_afresh_and_unknown_tokens_are_counted(model, store):
    assert store.sequence.tolist() == [0] * 3 * len(TEXT) + [1] * 7
    assert store.step[-7:].tolist() == list(range(7))
    assert store.unknown == 1  # the question mark
    assert store.tokens[-2] == "�"
    states = store.rows("layer0.h", 3 * len(TEXT), len(store))
    np.testing.assert_allclose(states, model.inspect("a cat?\n")["h"][0], atol=2e-3)
    assert states.dtype == np.float16
    assert "163 steps of layer0.h[6], layer0.c[6]" in repr(store)


def test_sequences_of_a_classifier_are_read_one_by_one(tmp_path):
    texts = ["so good", "not good", "bad", "so bad"] * 6
    made = loopcell.SequenceClassifier(cell="gru", hidden_size=4, bidirectional=True, epochs=1, random_state=1)
    made.fit(texts, ["+", "-", "-", "-"] * 6)
    found = store_states(made, texts[:3], tmp_path / "s.arrow", dtype="float32")
    assert list(found.columns) == ["layer0.h", "layer1.h"]  # forward and backward
    assert [name.rpartition(", ")[2] for name in found.layers] == ["forward", "backward"]
    np.testing.assert_allclose(found.rows("layer1.h", 7, 15), made.inspect("not good")["h"][1], atol=1e-6)
    assert np.bincount(found.sequence).tolist() == [7, 8, 3]


def test_jamo_and_numbers_have_texts_too(tmp_path):
    korean = loopcell.LanguageModel(tokens="jamo", hidden_size=3, num_layers=1, epochs=1, batch_size=2, chunk=8)
    found = store_states(korean.fit("영화 ㅋㅋ 이야\n" * 30), "이 영화\n", tmp_path / "ko.arrow")
    assert found.tokens == ["ㅇ", "ㅣ", " ", "ㅇ", "ㅕ", "ㅇ", "ㅎ", "ㅘ", "\n"]
    assert found.texts == ["", "이", " ", "", "", "영", "", "화", "\n"]
    rows = [np.random.default_rng(at).normal(size=(5, 2)).astype(np.float32) for at in range(8)]
    numbers = loopcell.SequenceRegressor(hidden_size=3, epochs=1).fit(rows, np.arange(8.0))
    found = store_states(numbers, rows[:2], tmp_path / "numbers.arrow")
    assert found.texts == [str(step) for step in range(5)] * 2
    assert found.file.header.separator == " "


def test_memory_does_not_grow_with_the_corpus(tmp_path):
    program = f"""
        import numpy as np
        from tests.insight.stored import Reader
        from loopcell.insight import Pattern, match, store_states, track

        def resident():  # without the pages of mapped files, which the system takes back when it needs them
            lines = open("/proc/self/status").read().splitlines()
            return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))

        states = np.random.default_rng(0).normal(size=(4096, 512)).astype(np.float32)
        text = "x" * 4096
        def store(parts):
            path = {str(tmp_path / "states.arrow")!r}
            corpus = ((text, [dict(c=states)]) for _ in range(parts))
            found = store_states(Reader(), corpus, path, dtype="float32")
            match(found, Pattern.parse("layer0.c[3]>0.5 layer0.c[4]>0.5"))
            track(found, np.arange(len(found)) % 7 == 0, columns=["layer0.c"]) if parts < 4 else None
            return len(found)
        store(2)
        before = resident()
        rows = store(20)
        print(rows * 512 * 4 // 1024, resident() - before)
    """
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True, timeout=120
    )
    stored_kib, grown_kib = map(int, found.stdout.split())
    assert stored_kib > 150_000
    assert grown_kib < stored_kib / 5


def test_states_of_another_model_are_refused(model, store):
    assert len(StateStore.open(store.file.path, model)) == len(store)
    other = loopcell.LanguageModel(hidden_size=6, num_layers=2, epochs=1, batch_size=4, chunk=16, random_state=2)
    with pytest.raises(InputError, match="has the states of another model"):
        StateStore.open(store.file.path, other.fit(TEXT * 20))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not a file of states"),
        (b"hello, this is a text", "not a file of states"),
        (b"ARROW1\0\0" + bytes(100), "was not written to its end"),
        (b"ARROW1\0\0" + bytes(100) + b"ARROW1", "is damaged"),
    ],
)
def test_foreign_files_are_refused(tmp_path, content, sentence):
    path = tmp_path / "states.arrow"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=sentence):
        StateStore.open(path)
    with pytest.raises(FileFormatError, match="there is no file"):
        StateStore.open(tmp_path / "none.arrow")


def test_another_arrow_file_and_a_compressed_one_are_refused(store, tmp_path):
    path = tmp_path / "states.arrow"
    _write(path, pa.record_batch({"a": [1]}))
    with pytest.raises(FileFormatError, match="not a file of states"):
        StateStore.open(path)
    batch = pa.ipc.open_file(pa.memory_map(str(store.file.path))).get_batch(0)
    _write(path, batch, compression="zstd")
    with pytest.raises(FileFormatError, match="is compressed"):
        StateStore.open(path)
    _write(path, batch.drop_columns(["step"]))
    with pytest.raises(FileFormatError, match="columns are not those"):
        StateStore.open(path)
    newer = {b"loopcell": store.file.schema.metadata[b"loopcell"].replace(b'"version": 1', b'"version": 9')}
    _write(path, batch.replace_schema_metadata(newer))
    with pytest.raises(FileFormatError, match="format 9 of states"):
        StateStore.open(path)


@pytest.mark.parametrize(
    ("sequence", "step"),
    [
        ([0, 0, 0], [0, -5, 2]),
        ([0, 0, 0], [-5, -4, -3]),
        ([0, 0, 0], [10**12, 10**12 + 1, 10**12 + 2]),
        ([0, 0, 0], [0, 1, 1]),
        ([-1, 0, 0], [0, 0, 1]),
        ([1, 0, 0], [0, 0, 1]),
        ([0, 1, 1], [0, 1, 2]),
        ([0, 0, 10**18], [0, 1, 2]),
    ],
)
def test_steps_out_of_order_are_refused_on_opening(tmp_path, sequence, step):
    good = stored(tmp_path / "good.arrow", ("abc", [{"c": np.ones((3, 2), np.float32)}]))
    batch = pa.ipc.open_file(pa.memory_map(str(good.file.path))).get_batch(0)
    for name, values in (("sequence", sequence), ("step", step)):
        batch = batch.set_column(batch.schema.get_field_index(name), batch.schema.field(name), pa.array(values))
    path = tmp_path / "bad.arrow"
    _write(path, batch)
    with pytest.raises(FileFormatError, match="is damaged"):
        StateStore.open(path)


def test_the_order_of_steps_goes_on_from_part_to_part(tmp_path, monkeypatch):
    monkeypatch.setattr("loopcell.insight.state_store.STEPS", 2)
    one = [{"c": np.ones((5, 2), np.float32)}]
    parts = [("abcde", one), ("fghij", one)]
    store = stored(tmp_path / "s.arrow", *parts)
    assert (len(store.file), store.step.tolist()) == (2, [0, 1, 2, 3, 4] * 2)
    batch = pa.ipc.open_file(pa.memory_map(str(store.file.path))).get_batch(0)
    with pa.OSFile(str(tmp_path / "twice.arrow"), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
        writer.write_batch(batch)
    with pytest.raises(FileFormatError, match="is damaged"):
        StateStore.open(tmp_path / "twice.arrow")


def _write(path, batch, compression=None):
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)


def test_damaged_files_are_refused_or_read_and_nothing_else(store, tmp_path):
    whole, path, drawn = store.file.path.read_bytes(), tmp_path / "states.arrow", np.random.default_rng(0)
    refused = 0
    for round_ in range(200):
        content = bytearray(whole)
        if round_ % 4 == 0:
            content = content[: drawn.integers(len(content))]
        for place in drawn.integers(0, min(len(content), 6_000), drawn.integers(1, 5)) if len(content) else ():
            content[place] = drawn.integers(256)
        path.write_bytes(content)
        try:
            found = StateStore.open(path)
            match(found, Pattern.parse("layer1.c[0]>0"))
        except (FileFormatError, InputError):  # a column of another name
            refused += 1
    assert refused > 60


def test_what_cannot_be_stored_is_one_sentence(model, tmp_path, monkeypatch):
    path = tmp_path / "s.arrow"
    large = [{"c": np.full((2, 3), 1e6, np.float32)}]
    with pytest.raises(InputError, match=r"layer0.c reaches 1e\+06, and float16 ends at 65,504"):
        stored(path, ("ab", large), dtype="float16")
    assert stored(path, ("ab", large)).rows("layer0.c", 0, 1).tolist() == [[1e6] * 3]
    with pytest.raises(InputError, match="'q'"):
        store_states(model, TEXT, path, ("q",))
    with pytest.raises(DataError, match="empty"):
        store_states(model, "", path)
    with pytest.raises(DataError, match="the corpus is empty"):
        store_states(Reader(), [], path)
    with pytest.raises(InputError, match="nothing to store"):
        stored(path, ("ab", [{}]))
    with pytest.raises(UsageError, match="float16 or float32"):
        store_states(model, TEXT, path, dtype="int8")
    with pytest.raises(FileWriteError, match="folder does not exist"):
        store_states(model, TEXT, tmp_path / "none" / "s.arrow")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install \"loopcell\[data\]\""):
        store_states(model, TEXT, path)


def test_a_model_without_steps_is_one_sentence(tmp_path):
    vectors = [np.full(3, at, np.float32) for at in range(12)]
    captioner = loopcell.Captioner(hidden_size=3, epochs=1).fit(vectors, ["a b"] * 12)
    with pytest.raises(InputError, match="a Captioner reads no steps"):
        store_states(captioner, vectors, tmp_path / "s.arrow")
