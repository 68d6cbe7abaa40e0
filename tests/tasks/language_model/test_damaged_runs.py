"""What a run folder's files say is held against each other before anything is allocated or trained."""

from __future__ import annotations

import json
import struct
import zlib

import numpy as np
import pytest
import torch

from loopcell import LanguageModel
from loopcell.data import CharVocabulary
from loopcell.data.text import TokenFile
from loopcell.data.text.tokens import HEADER_BYTES, write_tokens
from loopcell.errors import FileFormatError
from loopcell.files.tensors import TensorFile, read_tensor_file, write_tensor_file
from loopcell.tasks.language_model.corpus import count_tokens
from loopcell.training.checkpoint import CHECKPOINT
from tests.tasks.language_model.runs import resume_language_model, train_language_model

QUICK = {"batch_size": 4, "chunk": 16, "updates": 4, "evaluate_every": 2, "device": "cpu", "random_state": 1}


@pytest.fixture
def run(text, tmp_path):
    """A small run that is complete."""
    model = LanguageModel(cell="gru", hidden_size=12, num_layers=1, **QUICK)
    return train_language_model(model, [text], folder=tmp_path / "run").run


def refusal(run):
    with pytest.raises(FileFormatError) as caught:
        resume_language_model(run.path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def hostile_tokens(path, ids, vocab_size):
    """A token file whose checks are right and whose ids are not."""
    file = write_tokens(path, [np.zeros(len(ids), dtype=np.int64)], vocab_size)
    raw, stored = bytearray(path.read_bytes()), np.array(ids, dtype=file.tokens.dtype)
    raw[HEADER_BYTES : HEADER_BYTES + stored.nbytes] = stored.tobytes()
    fields = raw[:52]
    struct.pack_into("<I", fields, 40, zlib.crc32(stored.tobytes()))
    raw[:56] = fields + struct.pack("<I", zlib.crc32(fields))
    path.write_bytes(raw)
    assert TokenFile.open(path).tokens.tolist() == ids


@pytest.mark.parametrize("name", ["train", "held_out"])
def test_an_id_that_asks_for_gigabytes(run, name):
    """The file is of the size that the vocabulary has, and its checks are right; one id is not."""
    path = run.tokens / f"{name}.tokens"
    size = TokenFile.open(path).vocab_size
    hostile_tokens(path, [0, 1, 200], size)
    assert refusal(run) == f"{path} has token ids outside of its vocabulary of {size}"


@pytest.mark.parametrize("name", ["train", "held_out"])
def test_a_token_file_of_a_larger_vocabulary(run, name):
    path = run.tokens / f"{name}.tokens"
    size = TokenFile.open(path).vocab_size
    hostile_tokens(path, [2**31], 2**32)
    assert refusal(run) == (
        f"{path} has the tokens of a vocabulary of 4294967296, and the vocabulary beside it has {size}"
    )


def test_another_vocabulary(run):
    other = CharVocabulary.build(["the mat"])
    run.write_json(run.vocabulary, other.to_json())
    path = run.tokens / "train.tokens"
    size = TokenFile.open(path).vocab_size
    assert refusal(run) == (
        f"{path} has the tokens of a vocabulary of {size}, and the vocabulary beside it has {len(other)}"
    )


def test_counting_bounds_the_ids_itself(tmp_path):
    hostile_tokens(tmp_path / "t", [1, 2**31, 3], 70_000)
    with pytest.raises(FileFormatError) as caught:
        count_tokens(TokenFile.open(tmp_path / "t"))
    assert str(caught.value) == f"{tmp_path / 't'} has token ids outside of its vocabulary of 70000"


def test_tokens_that_are_not_those_that_were_written(run):
    path = run.tokens / "train.tokens"
    raw = bytearray(path.read_bytes())
    raw[HEADER_BYTES] = raw[HEADER_BYTES] % 14 + 1
    path.write_bytes(raw)
    assert refusal(run) == f"{path} is damaged: its tokens are not those that were written"


def changed(run, name, value):
    config = json.loads(run.config.read_text(encoding="utf-8"))
    config["config"][name] = value
    run.write_json(run.config, config)


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        (
            "hidden_size",
            200_000,
            "weights/model.embedding.weight is of shape [15, 12] where the run's config asks for [15, 200000]",
        ),
        (
            "embedding_size",
            2**20,
            "weights/model.embedding.weight is of shape [15, 12] where the run's config asks for [15, 1048576]",
        ),
        (
            "batch_size",
            10**12,
            "process/carried/0/0 is of shape [1, 1, 4, 12] where the run's config asks for [1, 1, 1000000000000, 12]",
        ),
    ],
)
def test_sizes_that_the_checkpoint_does_not_have_are_never_allocated(run, name, value, fault):
    """Each of these would ask for far more memory than there is."""
    changed(run, name, value)
    assert refusal(run) == f"{run.last} does not belong to this run, or is damaged: {fault}"


def test_layers_that_the_checkpoint_does_not_have(run):
    changed(run, "num_layers", 30)
    start = f"{run.last} does not belong to this run, or is damaged: weights/model.recurrent.l1."
    assert refusal(run).startswith(start)


@pytest.mark.parametrize(
    ("name", "value"),
    [("batch_size", 10**30), ("sizes", {"slots": 3}), ("batch_size", 2**62)],
)
def test_sizes_that_make_no_model(run, name, value):
    changed(run, name, value)
    assert refusal(run) == f"{run.config} is damaged: no model can be made with its sizes"


def test_a_checkpoint_without_a_carried_state(run):
    content = read_tensor_file(run.last, CHECKPOINT)
    tensors = {name: tensor for name, tensor in content.tensors.items() if "carried" not in name}
    write_tensor_file(run.last, CHECKPOINT, TensorFile(tensors, content.facts))
    assert refusal(run).startswith(f"{run.last} does not belong to this run, or is damaged: process/carried/0/0 is not")


@pytest.mark.parametrize("left", ["nothing more", "empty folders", "a model and a curve without rows"])
def test_a_run_that_was_killed_before_its_first_checkpoint_starts_from_the_beginning(run, left):
    whole = run.model.read_bytes()
    weights = read_tensor_file(run.last, CHECKPOINT).tensors
    header = run.metrics.read_bytes().splitlines(keepends=True)[0]
    for path in run.path.rglob("*"):
        if path.is_file() and path.parent != run.tokens and path not in (run.config, run.vocabulary):
            path.unlink()
    if left == "nothing more":
        run.checkpoints.rmdir()
        run.tensorboard.rmdir()
    if left == "a model and a curve without rows":
        run.metrics.write_bytes(header)
        run.model.write_bytes(b"half a mod")
    result = resume_language_model(run.path)
    assert (result.outcome.reason, result.outcome.position.update) == ("complete", 4)
    assert run.model.read_bytes() == whole
    again = read_tensor_file(run.last, CHECKPOINT).tensors
    assert all(torch.equal(again[name], value) for name, value in weights.items())


def test_a_run_that_lost_its_checkpoint_does_not_start_again_by_itself(run):
    before = run.model.read_bytes()
    run.last.unlink()
    assert refusal(run) == f"there is no checkpoint {run.last}"
    assert run.model.read_bytes() == before
