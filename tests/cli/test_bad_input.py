"""Every mistake gets one clear sentence and an exit code: 2 for usage, 1 for failures; no traceback without --debug."""

from __future__ import annotations

import json
import pickle
import shutil

import pytest
import torch
from safetensors.torch import save_file

from loopcell.files.tensors import FileKind, TensorFile, read_tensor_file, write_tensor_file
from loopcell.tasks.core.model_file import MODEL
from tests.cli.conftest import SMALL


def refusal(result):
    """The sentence on stderr; a traceback or more than one line is not one."""
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    return lines[0].removeprefix("error: ")


TEXTS = {
    "empty": (b"", "{path} is empty"),
    "not UTF-8": (
        b"caf\xe9 au lait\n" * 50,
        "{path} is not UTF-8 text: byte 0xe9 at offset 3; to model raw bytes use --tokens byte",
    ),
    "too short": (b"ab", "the training text is too short: it takes two tokens of one document"),
    "too short to hold out": (b"abcde", "the held-out text is too short: it takes two tokens of one document"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_that_cannot_be_trained_on(loopcell, tmp_path, name):
    content, sentence = TEXTS[name]
    path = tmp_path / "text"
    path.write_bytes(content)
    result = loopcell("train", "lm", path, *SMALL, "--run", tmp_path / "run")
    assert refusal(result) == sentence.format(path=path)
    assert result.exit_code == 1
    assert not (tmp_path / "run").exists()


def test_a_missing_text_and_a_folder(loopcell, tmp_path):
    result = loopcell("train", "lm", tmp_path / "no.txt")
    assert (refusal(result), result.exit_code) == (f"there is no file {tmp_path / 'no.txt'}", 1)
    result = loopcell("train", "lm", tmp_path)
    assert (refusal(result), result.exit_code) == (f"{tmp_path} is a folder; name the files in it", 1)


USAGE = {
    ("--hidden", "0"): "--hidden: input should be greater than or equal to 1, got 0",
    ("--dropout", "1"): "--dropout: input should be less than 1, got 1.0",
    ("--lr", "0"): "--lr: input should be greater than 0, got 0.0",
    ("--lr", "nan"): "--lr: input should be a finite number, got nan",
    ("--epochs", "0"): "--epochs: input should be greater than 0, got 0",
    ("--clip", "-1"): "--clip: input should be greater than or equal to 0, got -1.0",
    ("--chunk", "64", "--bptt", "48"): "of k1 and k2 one has to be a multiple of the other, got 64 and 48",
    ("--val-fraction", "1"): "--val-fraction: input should be less than 1, got 1.0",
    ("--tokens", "bite"): "unknown kind of tokens 'bite': did you mean byte?",
    ("--tokens", "bpe", "--vocab-size", "9"): "a bpe vocabulary has at least the 256 bytes, got a size of 9",
    ("--cell", "lst"): "no cell is named 'lst'; did you mean 'lstm'?",
    ("--cell", "no.py:x"): "there is no Python file no.py to take a cell from",
    ("--schedule", "cosin"): "--schedule: input should be 'constant', 'linear' or 'cosine', got 'cosin'",
    ("--precision", "8"): ("--precision: input should be '32-true', '64-true', 'bf16-mixed' or 'bf16-true', got '8'"),
    ("--device", "tpu"): "--device: a device is auto, cpu, cuda, cuda:N or mps, got 'tpu'",
    ("--time-limit", "soon"): "'soon' is not a length of time; write 50m, 1h30m or 90s",
    ("--size", "proj"): "'proj' is not a size; write NAME=NUMBER, such as proj=128",
    ("--cell", "lstm_projected"): "cell `lstm_projected` needs one more size: --size proj=..., such as --size proj=128",
    ("--size", "bogus=3"): "--size bogus=3: cell `lstm` has no such size; it has none",
    ("--size", "hidden=3"): "--size hidden=3: cell `lstm` has no such size; it has none",
    ("--cell", "lstm_projected", "--size", "bogus=3"): (
        "--size bogus=3: cell `lstm_projected` has no such size; its sizes are proj"
    ),
    (
        "--seed",
        "-1",
    ): "--seed: a random state is a whole number below 4294901760, a numpy.random.RandomState or None, got -1",
    ("--tied", "--embedding", "3"): "a tied head needs an output as long as the embedding, got 12 and 3",
}


@pytest.mark.parametrize("flags", USAGE, ids=" ".join)
def test_usage(loopcell, text, tmp_path, flags):
    result = loopcell("train", "lm", text, *SMALL, "--run", tmp_path / "run", *flags)
    assert refusal(result) == USAGE[flags]
    assert result.exit_code == 2
    assert not (tmp_path / "run").exists()


BROKEN_FILES = {
    "from loopcell import cell\n@cell\ndef c(x, h, *, W)\n    return h\n": "is not Python in line 3: expected ':'",
    "x = 1\0": "is not Python in line 1: source code string cannot contain null bytes",
    "\nimport no_such_module\n": "failed in line 2: ModuleNotFoundError: No module named 'no_such_module'",
    "def f():\n    raise OSError('two\\nlines')\nf()\n": "failed in line 2: OSError: two",
}


@pytest.mark.parametrize("program", BROKEN_FILES)
def test_a_file_of_ones_own_that_is_broken(loopcell, text, tmp_path, monkeypatch, program):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "syn.py").write_text(program, encoding="utf-8")
    for command in (("train", "lm", text, "--cell"), ("explain",)):
        for path in ("syn.py", tmp_path / "syn.py"):
            result = loopcell(*command, f"{path}:c")
            assert (refusal(result), result.exit_code) == (f"{path} {BROKEN_FILES[program]}", 2)


def test_what_a_file_of_ones_own_imports_may_be_broken_too(loopcell, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken_helper.py").write_text("x = (\n", encoding="utf-8")
    (tmp_path / "mine.py").write_text("import broken_helper\n", encoding="utf-8")
    result = loopcell("explain", f"{tmp_path / 'mine.py'}:c")
    assert refusal(result) == f"{tmp_path / 'broken_helper.py'} is not Python in line 1: '(' was never closed"
    assert result.exit_code == 2


def test_equations_that_cannot_be_keep_their_own_sentence(loopcell, tmp_path):
    program = "from loopcell import cell\n@cell\ndef c(x, h, *, W):\n    return W.a @ x if h else h\n"
    (tmp_path / "own.py").write_text(program, encoding="utf-8")
    result = loopcell("explain", f"{tmp_path / 'own.py'}:c")
    assert result.exit_code == 1
    assert "failed in line" not in refusal(result)


@pytest.mark.parametrize("flags", [("--hidden", "0"), ("--input", "-3")])
def test_sizes_of_the_list_of_cells(loopcell, flags):
    result = loopcell("cells", *flags)
    assert result.exit_code == 2
    assert flags[0] in result.output
    assert "Traceback" not in result.output


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there(loopcell, text):
    result = loopcell("train", "lm", text, "--device", "cuda")
    assert (refusal(result), result.exit_code) == ("device cuda: no CUDA device is available here; use cpu", 2)


@pytest.mark.parametrize("arguments", [(), ("train", "lm"), ("train", "lm", "f", "--hiden", "3"), ("sing",)])
def test_what_the_command_line_cannot_read(loopcell, arguments):
    result = loopcell(*arguments)
    assert result.exit_code == 2
    assert "Usage: " in result.output
    assert "Traceback" not in result.output


def test_a_run_folder_that_is_taken(loopcell, text, run):
    result = loopcell("train", "lm", text, "--run", run)
    assert refusal(result) == f"{run} already exists and is not empty; resume that run or name another folder"
    assert result.exit_code == 2


def test_resuming_what_is_not_a_run(loopcell, tmp_path):
    result = loopcell("resume", tmp_path)
    assert refusal(result) == f"{tmp_path} is not the folder of a run: it has no config.json"
    assert result.exit_code == 2


def test_a_prime_with_unknown_characters(loopcell, run):
    result = loopcell("sample", run, "--prime", "the 고양이")
    assert refusal(result) == (
        "the prime has characters that training never saw: '고' (U+ACE0), '양' (U+C591), '이' (U+C774)"
    )
    assert result.exit_code == 2
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--temperature", "-1"), "--temperature: input should be greater than or equal to 0, got -1.0"),
        (("--top-k", "0"), "--top-k: input should be greater than 0, got 0"),
        (("--top-p", "1.5"), "--top-p: input should be less than or equal to 1, got 1.5"),
    ],
)
def test_sampling_flags(loopcell, run, flags, sentence):
    result = loopcell("sample", run, *flags)
    assert (refusal(result), result.exit_code) == (sentence, 2)


class Hostile:
    """What a pickle could do."""

    def __reduce__(self):
        return (print, ("the pickle was loaded",))


def model_files(run, tmp_path):
    """Model files that are not models, by name, and what is said about them."""
    whole = (run / "model.safetensors").read_bytes()
    content = read_tensor_file(run / "model.safetensors", MODEL)
    newer = tmp_path / "newer"
    write_tensor_file(newer, FileKind("loopcell", 7, "model"), content)
    wide = tmp_path / "wide"
    facts = content.facts | {"config": content.facts["config"] | {"hidden_size": 2**20, "num_layers": 1}}
    write_tensor_file(wide, MODEL, TensorFile(content.tensors, facts))
    for name, data in (
        ("truncated", whole[:-10]),
        ("foreign", b"PK\x03\x04 a zip file of something else entirely"),
        ("pickle", pickle.dumps(Hostile())),
        ("checkpoint", (run / "checkpoints" / "last.safetensors").read_bytes()),
    ):
        (tmp_path / name).write_bytes(data)
    return {
        "missing": "there is no loopcell model {path}",
        "truncated": "{path} is not a loopcell model, or not a whole one",
        "foreign": "{path} is not a loopcell model, or not a whole one",
        "pickle": "{path} is not a loopcell model, or not a whole one",
        "checkpoint": "{path} is not a loopcell model: its format is 'loopcell-checkpoint', not 'loopcell'",
        "newer": "{path} has format version 7, and this loopcell reads versions up to 2; upgrade loopcell",
        "wide": (
            "{path} is damaged: the tensor embedding.weight should be of shape [15, 1048576] and is torch.float32 "
            "of shape [15, 12]"
        ),
    }


def test_model_files_that_are_not_models(loopcell, run, text, tmp_path, capfd):
    for name, sentence in model_files(run, tmp_path).items():
        path = tmp_path / name
        for command in (("sample", path), ("eval", path, text)):
            result = loopcell(*command)
            assert refusal(result) == sentence.format(path=path), name
            assert result.exit_code == 1
    assert "the pickle was loaded" not in capfd.readouterr().out


def test_eval_of_a_text_that_is_not_text(loopcell, run, tmp_path):
    path = tmp_path / "t"
    path.write_bytes(b"\xff\xfe")
    result = loopcell("eval", run, path)
    assert refusal(result).startswith(f"{path} is not UTF-8 text: byte 0xff at offset 0; ")
    assert result.exit_code == 1


def test_a_loss_that_becomes_nan_keeps_the_last_good_model(loopcell, text, tmp_path):
    flags = ("--lr", "1e30", "--warmup", "0", "--clip", "0", "--save-every", "1", "--max-steps", "50")
    result = loopcell("train", "lm", text, *SMALL, "--run", tmp_path / "run", *flags)
    assert result.exit_code == 1
    assert refusal(result).startswith("at update ")
    assert "is not finite" in refusal(result)  # the cause is named
    assert refusal(result).endswith("; try a lower learning rate or stronger clipping; the last checkpoint stays")
    assert loopcell("sample", tmp_path / "run", "--length", "3").exit_code == 0


def test_a_disk_that_fills_up_keeps_the_last_good_checkpoint(loopcell, text, tmp_path, file_size_limit):
    """The first checkpoint has no optimizer state yet and is smaller; the second does not fit."""
    folder = tmp_path / "run"
    flags = [*SMALL, "--max-steps", "30", "--save-every", "10", "--run", folder]
    assert loopcell("train", "lm", text, *flags[:-1], tmp_path / "probe").exit_code == 0
    model = (tmp_path / "probe" / "model.safetensors").stat().st_size
    full = (tmp_path / "probe" / "checkpoints" / "last.safetensors").stat().st_size
    file_size_limit((model + full) // 2 + 10_000)
    result = loopcell("train", "lm", text, *flags)
    file_size_limit(None)
    path = folder / "checkpoints" / "last.safetensors"
    assert refusal(result).startswith(f"cannot write {path}: the file would be larger than the system allows")
    assert result.exit_code == 1
    assert loopcell("resume", folder).exit_code == 0
    probe = tmp_path / "probe" / "model.safetensors"
    assert (folder / "model.safetensors").read_bytes() == probe.read_bytes()


def test_debug_shows_where_an_error_came_from(loopcell, run):
    result = loopcell("sample", run, "--prime", "고", "--debug")
    assert type(result.exception).__name__ == "UsageError"
    assert result.exception.__traceback__ is not None


def test_what_nobody_expected_is_still_one_line(loopcell, run, monkeypatch):
    from loopcell.tasks import LanguageModel

    def broken(path):
        raise AssertionError("two\nlines")

    monkeypatch.setattr(LanguageModel, "load", broken)
    result = loopcell("sample", run)
    assert refusal(result) == "AssertionError: two (this was not expected; --debug shows where it came from)"
    assert result.exit_code == 1


def test_a_damaged_run_is_refused(loopcell, run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    path = folder / "checkpoints" / "last.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    result = loopcell("resume", folder)
    assert (refusal(result), result.exit_code) == (f"{path} is not a checkpoint, or not a whole one", 1)


def test_nothing_of_a_file_reaches_the_terminal_as_control_characters(loopcell, tmp_path):
    path = tmp_path / "m.safetensors"
    header = {"format": "loopcell", "format_version": "1", "task": json.dumps("\x1b]0;owned\x07\x1b[31m" * 1000)}
    save_file({}, path, header)
    result = loopcell("predict", path, path)
    assert result.exit_code != 0
    assert "\\x1b]0;owned\\x07" in result.stderr
    assert result.stderr.rstrip("\n").isprintable()
    assert len(result.stderr) < 2_200
