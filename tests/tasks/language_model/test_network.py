"""The network, and the shape of what it says."""

from __future__ import annotations

import pytest
import torch

from loopcell.data import CharVocabulary
from loopcell.errors import UsageError
from loopcell.tasks import LanguageModel
from tests.tasks.language_model.untrained import model_of, network


def logits_of(made, text="the cat"):
    tokens = torch.tensor(made.vocabulary.encode(text)).unsqueeze(1)
    with torch.no_grad():
        return made(tokens)[0]


def test_it_is_embedding_lstm_and_head(model):
    """The same numbers from torch.nn's parts."""
    made = model.network_
    lstm = torch.nn.LSTM(5, 8, 2)
    names = [(f"l{layer}", layer) for layer in (0, 1)]
    with torch.no_grad():
        for name, layer in names:
            weight = dict(made.recurrent.get_submodule(name).named_parameters())
            getattr(lstm, f"weight_ih_l{layer}").copy_(torch.cat([weight[f"W.{gate}"] for gate in "ifgo"]))
            getattr(lstm, f"weight_hh_l{layer}").copy_(torch.cat([weight[f"U.{gate}"] for gate in "ifgo"]))
            getattr(lstm, f"bias_ih_l{layer}").copy_(torch.cat([weight[f"b.{gate}"] for gate in "ifgo"]))
            getattr(lstm, f"bias_hh_l{layer}").zero_()
        tokens = torch.tensor(made.vocabulary.encode("the cat")).unsqueeze(1)
        expected = made.head(lstm(made.embedding(tokens))[0])
    torch.testing.assert_close(logits_of(made), expected, rtol=0, atol=1e-6)


def test_a_tied_head_shares_the_embedding(tmp_path):
    settings = {"cell": "gru", "hidden_size": 4, "num_layers": 1, "tied": True}
    made = network(CharVocabulary.build(["abc"]), **settings).eval()
    assert "head.weight" not in made.state_dict()
    model_of(made, **settings).save(tmp_path / "model.safetensors")
    loaded = LanguageModel.load(tmp_path / "model.safetensors").network_
    assert torch.equal(logits_of(loaded, "abc"), logits_of(made, "abc"))
    made(torch.ones(2, 1, dtype=torch.int64))[0].sum().backward()
    assert made.embedding.weight.grad.abs().sum() > 0


def test_a_tied_head_of_another_length_is_refused():
    with pytest.raises(UsageError) as caught:
        network(CharVocabulary.build(["abc"]), cell="gru", hidden_size=4, embedding_size=3, tied=True)
    assert str(caught.value) == "a tied head needs an output as long as the embedding, got 4 and 3"
