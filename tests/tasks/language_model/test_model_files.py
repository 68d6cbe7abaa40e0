"""Model files of language models: what is saved comes back, and what is not ours is refused in one sentence."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from loopcell.data import CharVocabulary
from loopcell.errors import FileFormatError
from loopcell.files.tensors import TensorFile, read_tensor_file, write_tensor_file
from loopcell.tasks import LanguageModel
from loopcell.tasks.core.model_file import MODEL
from tests.tasks.language_model.untrained import model_of, network


def logits_of(model, text="the cat"):
    tokens = torch.tensor(model.vocabulary_.encode(text)).unsqueeze(1)
    with torch.no_grad():
        return model.network_(tokens)[0]


def test_a_saved_model_is_the_same_model(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    loaded = LanguageModel.load(tmp_path / "model.safetensors")
    assert torch.equal(logits_of(loaded), logits_of(model))
    assert loaded.get_params() == model.get_params()
    assert loaded.vocabulary_ == model.vocabulary_
    assert not loaded.network_.training
    loaded.save(tmp_path / "again.safetensors")
    again = read_tensor_file(tmp_path / "again.safetensors", MODEL)
    first = read_tensor_file(tmp_path / "model.safetensors", MODEL)
    assert again.facts == first.facts
    assert all(torch.equal(again.tensors[name], first.tensors[name]) for name in first.tensors)


def test_a_loaded_model_can_be_trained_further(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    loaded = LanguageModel.load(tmp_path / "model.safetensors")
    loaded.network_.train()(torch.ones(3, 1, dtype=torch.int64))[0].sum().backward()
    assert all(parameter.grad is not None for parameter in loaded.network_.parameters())


def test_a_model_of_a_cell_of_ones_own_needs_no_source(tmp_path):
    from loopcell import cell, tanh

    @cell
    def mine(x, h, *, A, B):
        return tanh(A.w @ x + B.w @ h)

    settings = {"cell": mine, "hidden_size": 3, "num_layers": 1}
    model = model_of(network(CharVocabulary.build(["ab"]), **settings), **settings)
    model.save(tmp_path / "model.safetensors")
    loaded = LanguageModel.load(tmp_path / "model.safetensors")
    assert loaded.cell.name == "mine"
    assert torch.equal(logits_of(loaded, "abba"), logits_of(model, "abba"))


def tampered(model, path, change):
    model.save(path)
    content = read_tensor_file(path, MODEL)
    facts = json.loads(json.dumps(content.facts))
    tensors = dict(content.tensors)
    change(facts, tensors)
    write_tensor_file(path, MODEL, TensorFile(tensors, facts))
    with pytest.raises(FileFormatError) as caught:
        LanguageModel.load(path)
    sentence = str(caught.value)
    assert sentence.startswith(str(path))
    assert "\n" not in sentence
    return sentence.removeprefix(f"{path} ")


TAMPERING = {
    "another task": (
        lambda facts, tensors: facts.update(task="captions"),
        "holds the model of another task: 'captions'",
    ),
    "sizes far beyond the file": (
        lambda facts, tensors: facts["config"].update(hidden_size=2**20, num_layers=100),
        "is damaged: it says num_layers = 100, and has the tensors of at most 2",
    ),
    "a larger layer than the file's": (
        lambda facts, tensors: facts["config"].update(hidden_size=2**20),
        "is damaged: the tensor recurrent.l0.W.i should be of shape [1048576, 5] and is torch.float32 of shape [8, 5]",
    ),
    "a size that is no number": (
        lambda facts, tensors: facts["config"].update(hidden_size="wide"),
        "is damaged: hidden_size: input should be a valid integer, unable to parse string as an integer, got 'wide'",
    ),
    "an unknown setting": (
        lambda facts, tensors: facts["config"].update(run="rm -rf"),
        "is damaged: its config has 'run', which is none of this task's settings",
    ),
    "no vocabulary": (lambda facts, tensors: facts["learned"].clear(), "is damaged: it has no 'vocabulary'"),
    "a vocabulary of no kind": (
        lambda facts, tensors: facts["learned"]["vocabulary"].update(kind="pickle"),
        "is damaged: the stored vocabulary is of no known kind ('pickle')",
    ),
    "a tensor gone": (
        lambda facts, tensors: tensors.pop("head.bias"),
        "is damaged: it lacks the tensor head.bias",
    ),
    "a tensor too many": (
        lambda facts, tensors: tensors.update(stowaway=torch.zeros(1)),
        "is damaged: it has a tensor that does not belong to it: stowaway",
    ),
    "one weight in double": (
        lambda facts, tensors: tensors.update({"head.bias": tensors["head.bias"].double()}),
        "is damaged: its weights are of several dtypes, torch.float32, torch.float64",
    ),
    "weights of eight bits": (
        lambda facts, tensors: tensors.update({"head.bias": tensors["head.bias"].to(torch.float8_e4m3fn)}),
        "is damaged: the tensor head.bias should be of shape [15] and is torch.float8_e4m3fn of shape [15]",
    ),
    "counts below zero": (
        lambda facts, tensors: tensors["token_counts"].sub_(2),
        "is damaged: its token counts are not those of a text",
    ),
    "counts beyond every text": (
        lambda facts, tensors: tensors["token_counts"].fill_(2**62),
        "is damaged: its token counts are not those of a text",
    ),
    "counts of another dtype": (
        lambda facts, tensors: tensors.update(token_counts=tensors["token_counts"].int()),
        "is damaged: the tensor token_counts should be of shape [15] and is torch.int32 of shape [15]",
    ),
    "whole numbers for weights": (
        lambda facts, tensors: tensors.update({"head.bias": torch.zeros(15, dtype=torch.int64)}),
        "is damaged: the tensor head.bias should be of shape [15] and is torch.int64 of shape [15]",
    ),
}


@pytest.mark.parametrize("name", TAMPERING)
def test_a_tampered_file_is_refused_in_one_sentence(model, tmp_path, name):
    change, sentence = TAMPERING[name]
    assert tampered(model, tmp_path / "model.safetensors", change) == sentence


def test_a_character_that_is_none_is_refused(model, tmp_path):
    """JSON's escapes can write a lone surrogate; a model with one could not be saved again."""
    path = tmp_path / "model.safetensors"
    model.save(path)
    content = read_tensor_file(path, MODEL)
    content.facts["learned"]["vocabulary"]["characters"][-1] = "\ud800"
    header = {"format": "loopcell", "format_version": "1"}
    header |= {name: json.dumps(fact) for name, fact in content.facts.items()}
    save_file(content.tensors, path, header)
    with pytest.raises(FileFormatError) as caught:
        LanguageModel.load(path)
    fault = "the stored vocabulary is not valid: U+D800 is a lone surrogate, not text"
    assert str(caught.value) == f"{path} is damaged: {fault}"


@pytest.mark.parametrize(
    "change",
    [
        lambda cell: cell["graph"]["nodes"].append({"op": "eval", "args": []}),
        lambda cell: cell["graph"].pop("results"),
        lambda cell: cell.clear(),
    ],
    ids=["unknown op", "no results", "empty"],
)
def test_tampered_equations_are_refused(model, tmp_path, change):
    sentence = tampered(model, tmp_path / "model.safetensors", lambda facts, tensors: change(facts["cell"]))
    assert sentence.startswith("is damaged: ")


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_a_model_of_another_dtype_stays_one(model, tmp_path, dtype):
    model.network_.to(dtype)
    model.save(tmp_path / "model.safetensors")
    loaded = LanguageModel.load(tmp_path / "model.safetensors")
    assert {parameter.dtype for parameter in loaded.network_.parameters()} == {dtype}
    assert torch.equal(logits_of(loaded), logits_of(model))


@pytest.mark.parametrize(
    "error",
    [RecursionError("too deep"), SyntaxError("invalid syntax"), OverflowError("too large"), AttributeError("no x")],
    ids=lambda error: type(error).__name__,
)
def test_whatever_building_from_a_file_raises_is_one_sentence(model, tmp_path, monkeypatch, error):
    path = tmp_path / "model.safetensors"
    model.save(path)

    def broken(*_, **__):
        raise error

    monkeypatch.setattr("loopcell.tasks.language_model.network.recurrent_layers", broken)
    with pytest.raises(FileFormatError) as caught:
        LanguageModel.load(path)
    assert str(caught.value) == f"{path} is damaged: {error}"
