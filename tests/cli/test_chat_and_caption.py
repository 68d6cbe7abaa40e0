"""train chat, chat, train caption."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from loopcell import Captioner, Chat
from loopcell.cli import app
from tests.cli.conftest import one_thread

__all__ = ["one_thread"]

SMALL = ["--cell", "gru", "--hidden", 24, "--embedding", 12, "--lr", 0.02, "--warmup", 5]
SMALL += ["--device", "cpu", "--seed", "1"]


def call(*arguments, typed=None):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=typed)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chat")
    table = folder / "talk.csv"
    table.write_text("Q,A\n" + "hi,hello\nbye,so long\nwho,me\n" * 20, encoding="utf-8")
    flags = ["--input", "Q", "--target", "A", "--tokens", "word", "--epochs", 10, "--turns", 2]
    result = call("train", "chat", table, *flags, *SMALL, "--run", folder / "run")
    assert result.exit_code == 0, result.output
    assert "distinct-2" in result.stdout
    return folder / "run"


def test_a_line_is_answered_and_an_empty_one_begins_anew(trained):
    result = call("chat", trained, "--turns", 1, typed="hi\nbye\n\nwho\n")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == ["hello", "so long", "me"]
    model = Chat.load(trained / "model.safetensors")
    turns = ["hi"]
    turns += [model.reply(turns)[0].text, "who"]
    expected = [turns[1], model.reply(turns)[0].text, model.reply("bye")[0].text]
    assert call("chat", trained, typed="hi\nwho\n\nbye\n").stdout.splitlines() == expected


def test_what_is_typed_in_another_encoding_is_refused_with_its_line(trained):
    result = call("chat", trained, typed=b"hi\n\xb0\xa1\n")
    assert result.exit_code == 1
    assert result.stdout == "hello\n"
    assert "error: standard input is not utf-8 text: byte 0xb0 in line 2" in result.stderr
    assert call("chat", trained, "--encoding", "cp949", typed=b"hi\n\xb0\xa1\n").exit_code == 0


def test_several_candidates_and_draws(trained):
    lines = call("chat", trained, "--candidates", 3, "--turns", 1, typed="hi\n").stdout.splitlines()
    found = Chat.load(trained / "model.safetensors").reply("hi", 3)
    assert lines == [f"{one.log_probability:8.2f}  {one.text}" for one in found]
    hot = ("chat", trained, "--temperature", 5, "--seed")
    drawn = [call(*hot, seed, typed="hi\nbye\nwho\n").stdout for seed in (1, 2)]
    assert drawn[0] != drawn[1]
    assert drawn[0] == call(*hot, 1, typed="hi\nbye\nwho\n").stdout


def test_an_answer_with_line_breaks_is_one_line(tmp_path):
    settings = {"cell": "gru", "hidden_size": 24, "embedding_size": 12, "learning_rate": 0.02, "warmup": 5}
    model = Chat(**settings, epochs=40, device="cpu", random_state=1)
    model.set_params(validation_fraction=0.0, batch_size=4).fit(["hi", "bye"] * 6, ["a\nb", "c\r\nd\u2028e"] * 6)
    assert model.reply("hi")[0].text == "a\nb"
    model.save(tmp_path / "m.safetensors")
    result = call("chat", tmp_path / "m.safetensors", typed="hi\n\nbye\n")
    assert result.stdout.split("\n") == ["a b", "c d e", ""]
    result = call("chat", tmp_path / "m.safetensors", "--candidates", 2, typed="hi\n")
    assert len(result.stdout.splitlines()) == 2


def test_help_says_what_flags_do_to_a_chat():
    """Of a trained model nothing changes that is not typed, and a history is one of turns."""
    for verb, history in ((("chat",), "[default: the model's own]"), (("train", "chat"), "[default: 1]")):
        words = " ".join(call(*verb, "--help").stdout.split())
        assert f"How many turns of a conversation the encoder reads, the newest last. {history}" in words
        assert "forecast" not in words
    words = " ".join(call("chat", "--help").stdout.split())
    assert "below 1 is safer, above 1 wilder" in words
    assert "[default: 1.0]" not in words
    assert "[default: answers are not drawn, but the best of beam search]" in words
    words = " ".join(call("translate", "--help").stdout.split())
    assert words.count("[default: the model's own]") == 5


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--temperature", -1], "--temperature: input should be greater than or equal to 0"),
        (["--turns", 0], "--turns: input should be greater than 0, got 0"),
        (["--beam", 0], "--beam: input should be greater than or equal to 1, got 0"),
    ],
)
def test_bad_requests_are_one_sentence(trained, flags, complaint):
    result = call("chat", trained, *flags, typed="hi\n")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {complaint}")


def test_captions_of_vectors_and_images_in_an_archive(tmp_path):
    drawn = np.random.default_rng(0)
    places = drawn.integers(0, 3, 60)
    images = drawn.random((60, 6, 9)).astype(np.float32) * 0.2
    for image, place in zip(images, places, strict=True):
        image[:, 3 * place : 3 * place + 3] += 0.8
    words = np.array(["left", "middle", "right"])[places]
    np.savez(tmp_path / "images.npz", values=images, target=words)
    np.savez(tmp_path / "vectors.npz", values=images.mean(1), target=words)
    for name in ("images", "vectors"):
        run = tmp_path / name
        flags = ["--channels", 4, "--batch-size", 4] if name == "images" else ["--batch-size", 4]
        result = call("train", "caption", tmp_path / f"{name}.npz", *flags, *SMALL, "--epochs", 12, "--run", run)
        assert result.exit_code == 0, result.output
        lines = call("predict", run, tmp_path / f"{name}.npz", "--input", "values").stdout.splitlines()
        given = [json.loads(line)["text"] for line in lines]
        assert sum(a == b for a, b in zip(given, words.tolist(), strict=True)) > 50
        assert call("eval", run, tmp_path / f"{name}.npz").exit_code == 0
        assert isinstance(Captioner.load(run / "model.safetensors"), Captioner)


def test_captions_of_files_that_a_table_names(tmp_path, monkeypatch):
    image = pytest.importorskip("PIL.Image")
    monkeypatch.chdir(tmp_path)
    rows = "file,caption\n"
    for number in range(20):
        image.fromarray(np.full((8, 8), 250 * (number % 2), dtype=np.uint8)).save(f"{number}.png")
        rows += f"{number}.png,{'white' if number % 2 else 'black'}\n"
    (tmp_path / "captions.csv").write_text(rows, encoding="utf-8")
    columns = ["--input", "file", "--target", "caption"]
    result = call("train", "caption", "captions.csv", *columns, *SMALL, "--epochs", 2, "--run", "run")
    assert result.exit_code == 0, result.output
    assert call("predict", "run", "captions.csv", "--input", "file").stdout.count("\n") == 20
