"""NAM's files beside numbers that NAM's own module gave."""

import copy
import json
from pathlib import Path

import pytest
import torch
from torch import nn

import loopcell
from loopcell.errors import FileFormatError, InputError
from loopcell.importing import from_nam, from_torch, to_nam

RECORDED = json.loads((Path(__file__).parent / "recorded" / "nam.json").read_text())
"""A model of two layers, samples, and what `nam.models.recurrent.LSTM` of neural-amp-modeler 0.13.0 makes of them.

The states at which it starts are not zero: they are those after a stretch of silence.
"""


def changed(**entries):
    model = copy.deepcopy(RECORDED["model"]) | entries
    return {name: value for name, value in model.items() if value is not None}


def test_a_model_gives_nams_own_numbers():
    imported = from_nam(RECORDED["model"])
    x = torch.tensor(RECORDED["input"])[None, :, None]
    y, states = imported.model(x)
    assert torch.allclose(y.flatten(), torch.tensor(RECORDED["output"]), atol=1e-6)
    assert imported.facts == {"sample_rate": 48000.0, "metadata": {"name": "recorded"}}
    assert (imported.network.cell.name, imported.network.num_layers) == ("lstm", 2)
    assert imported.model.initial_state(3)["lstm"].h.abs().min() > 0
    first, between = imported.model(x[:, :5])
    second, after = imported.model(x[:, 5:], between)
    assert torch.allclose(torch.cat([first, second], 1), y, atol=1e-6)
    assert torch.allclose(after["lstm"].c, states["lstm"].c, atol=1e-6)


def test_there_and_back_is_the_same_file(tmp_path):
    imported = from_nam(RECORDED["model"])
    to_nam(imported.model, tmp_path / "amp.nam", **imported.facts)
    written = json.loads((tmp_path / "amp.nam").read_text())
    assert written["config"] == RECORDED["model"]["config"]
    assert (written["sample_rate"], written["metadata"]) == (48000.0, {"name": "recorded"})
    assert written["weights"] == pytest.approx(RECORDED["model"]["weights"], rel=1e-6)
    assert written.keys() == RECORDED["model"].keys()
    assert from_nam(tmp_path / "amp.nam").network.num_layers == 2


@pytest.mark.parametrize("kind", [loopcell.LSTM, nn.LSTM])
def test_a_network_of_ones_own(kind, tmp_path):
    torch.manual_seed(0)
    net, head = kind(1, 6, 2, batch_first=True), nn.Linear(6, 1)
    own = net if kind is loopcell.LSTM else from_torch(net.state_dict(), batch_first=True).network
    state = loopcell.State(h=torch.randn(2, 1, 6), c=torch.randn(2, 1, 6))
    to_nam([own, head], tmp_path / "own.nam", state=state)
    x = torch.randn(2, 9, 1)
    expected = head(net(x, (state.h.expand(-1, 2, -1).contiguous(), state.c.expand(-1, 2, -1).contiguous()))[0])
    assert torch.allclose(from_nam(tmp_path / "own.nam").model(x)[0], expected, atol=1e-6)
    assert "sample_rate" not in json.loads((tmp_path / "own.nam").read_text())


def test_a_network_without_biases_gets_zeros(tmp_path):
    net, head = loopcell.LSTM(1, 3, bias=False, batch_first=True), nn.Linear(3, 1)
    to_nam([net, head], tmp_path / "own.nam")
    x = torch.randn(1, 5, 1)
    assert torch.allclose(from_nam(tmp_path / "own.nam").model(x)[0], head(net(x)[0]), atol=1e-6)


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ({"architecture": "WaveNet"}, "is of the architecture 'WaveNet'; only LSTM is a recurrent network"),
        ({"version": "1.0.0"}, "is of version '1.0.0' of the format; 0.5 to 0.7 are read"),
        ({"surprise": 1}, "the model has `surprise`, of which the importer makes nothing"),
        ({"config": {"input_size": 1, "hidden_size": 3, "num_layers": 2, "skip": 1}}, "config of the model has `skip`"),
        (
            {"config": {"input_size": 1, "hidden_size": 4, "num_layers": 2}},
            "has 160 weights, and its config asks for 261",
        ),
        (
            {"config": {"input_size": 1, "hidden_size": 1 << 40, "num_layers": 2}},
            "is not a whole number from 1 to 16,384",
        ),
        ({"config": [1]}, r"config of the model is \[1\], which is no object"),
        ({"config": {}}, "config of the model has no 'input_size'; it has nothing"),
        ({"weights": None}, "the model has no 'weights'"),
        ({"weights": "many"}, "has 0 weights"),
        ({"weights": [None] * 160}, "is not a list of numbers"),
        ({"weights": [1e300] * 160}, "holds a number that is too large for float32"),
    ],
)
def test_what_is_off_is_named(entries, sentence):
    assert len(RECORDED["model"]["weights"]) == 160
    with pytest.raises(FileFormatError, match=sentence):
        from_nam(changed(**entries))


def test_torn_and_hostile_files(tmp_path):
    whole = json.dumps(RECORDED["model"])
    for text in ("", whole[:100], "[" * 100_000, '{"weights": [NaN]}', "[1]", whole[:-1], "\udcff"):
        (tmp_path / "torn.nam").write_text(text, encoding="utf-8", errors="surrogateescape")
        with pytest.raises(FileFormatError, match="is not a NAM file, or not a whole one"):
            from_nam(tmp_path / "torn.nam")
    with pytest.raises(FileFormatError, match="cannot be read"):
        from_nam(tmp_path / "none.nam")


def test_what_cannot_be_written(tmp_path):
    lstm, head = loopcell.LSTM(1, 3), nn.Linear(3, 1)
    for model, sentence in (
        ([loopcell.GRU(1, 3), head], "NAM has an LSTM, and the network is a GRU"),
        ([loopcell.Recurrent("lstm_peephole", 1, 3), head], "the network's cell is `lstm_peephole`"),
        ([loopcell.LSTM(1, 3, bidirectional=True), nn.Linear(6, 1)], "reads in both directions"),
        ([lstm], r"NAM has an LSTM and a linear head, \[net, head\]; the model is LSTM"),
        ([lstm, nn.Linear(3, 2)], r"NAM's head is Linear\(3, 1\) with a bias; got 3 to 2"),
        (3, "a model to write is a chain, a network or a list of layers, not int"),
    ):
        with pytest.raises(InputError, match=sentence):
            to_nam(model, tmp_path / "no.nam")
    with pytest.raises(InputError, match=r"state must have h and c of \[1, 1, 3\]"):
        to_nam([lstm, head], tmp_path / "no.nam", state=loopcell.State(h=torch.zeros(1, 1, 3)))
    with pytest.raises(InputError, match="holds what JSON has not"):
        to_nam([lstm, head], tmp_path / "no.nam", metadata={"gear": head})
    assert not (tmp_path / "no.nam").exists()
