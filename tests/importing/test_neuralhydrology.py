"""NeuralHydrology's models beside numbers that its own modules gave."""

import copy
import json
from pathlib import Path

import pytest
import torch

from loopcell.errors import FileFormatError, InputError, UsageError
from loopcell.importing import from_neuralhydrology

RECORDED = json.loads((Path(__file__).parent / "recorded" / "neuralhydrology.json").read_text())
"""A CudaLSTM, and an EmbCudaLSTM with both embeddings: state dict, inputs, and the output of neuralhydrology 1.13.0."""


def state_of(recorded):
    return {name: torch.tensor(values).reshape(shape) for name, (values, shape) in recorded["state"].items()}


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded["config"]["model"])
def test_a_model_gives_neuralhydrologys_own_numbers(recorded, tmp_path):
    torch.save(state_of(recorded), tmp_path / "model_epoch030.pt")
    imported = from_neuralhydrology(tmp_path / "model_epoch030.pt", config=recorded["config"])
    x, static = torch.tensor(recorded["dynamic"]), torch.tensor(recorded["static"])
    y, _ = imported.model(x, static)
    assert torch.allclose(y, torch.tensor(recorded["output"]), atol=1e-6)
    assert set(imported.read) == set(recorded["state"])
    assert imported.facts["dynamic_inputs"] == ["a", "b", "c"]
    first, state = imported.model(x[:, :2], static)
    second, _ = imported.model(x[:, 2:], static, state)
    assert torch.allclose(torch.cat([first, second], 1), y, atol=1e-6)
    assert imported.model.dropout.p == 0.4


def changed(config=None, **tensors):
    recorded = copy.deepcopy(RECORDED[0])
    return state_of(recorded) | tensors, recorded["config"] | (config or {})


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        ({"stray.weight": torch.zeros(2)}, "the state dict has `stray.weight`, of which the importer makes nothing"),
        ({"head.net.3.weight": torch.zeros(1, 1)}, "which are not weights and biases of layers in order"),
        ({"head.fc1.weight": torch.zeros(1, 1)}, "the head of the state dict has `fc1.weight`"),
        ({"head.net.0.weight": torch.zeros(1, 5)}, "is not one linear layer of 4 inputs"),
        ({"lstm.bias_hh_l0": torch.zeros(3)}, r"`bias_hh_l0` of `lstm` of the state dict is \[3\], not \[16\]"),
    ],
)
def test_tensors_that_are_off_are_named(tensors, sentence):
    state, config = changed(**tensors)
    with pytest.raises(FileFormatError, match=sentence):
        from_neuralhydrology(state, config=config)


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ({"model": "ealstm"}, "has model='ealstm'; read is cudalstm and embcudalstm"),
        ({"head": "gmm"}, "has head='gmm'; read is regression"),
        ({"autoregressive_inputs": ["q"]}, r"has autoregressive_inputs=\['q'\], which is not read"),
        ({"output_activation": "cube"}, "has output_activation='cube'; read are `linear`"),
        ({"statics_embedding": {"type": "fc"}}, "has no embedding, and the configuration says statics_embedding="),
    ],
)
def test_configurations_that_are_not_read(entries, sentence):
    state, config = changed(entries)
    with pytest.raises(UsageError, match=sentence):
        from_neuralhydrology(state, config=config)


def test_copies_that_are_none_and_settings_of_embeddings():
    recorded = RECORDED[1]
    state = state_of(recorded) | {"lstm.bias_hh_l0": torch.zeros(16)}
    with pytest.raises(FileFormatError, match=r"has `lstm.bias_hh_l0`, which is no copy of `cudalstm.lstm.bias_hh_l0`"):
        from_neuralhydrology(state, config=recorded["config"])
    for entry, error, sentence in (
        ({"type": "rnn"}, FileFormatError, "only fully connected embeddings are read"),
        ({"type": "fc", "activation": "gelu"}, UsageError, "has activation='gelu'; NeuralHydrology's are `tanh`"),
        ({"type": "fc", "norm": 1}, FileFormatError, "has `norm`, of which the importer makes nothing"),
    ):
        with pytest.raises(error, match=sentence):
            from_neuralhydrology(state_of(recorded), config=recorded["config"] | {"statics_embedding": entry})
    with pytest.raises(InputError, match=r"config is what yaml.safe_load makes"):
        from_neuralhydrology(state_of(recorded), config="config.yml")
