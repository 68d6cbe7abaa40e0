import numpy as np
import pytest
import torch

import loopcell
from loopcell.errors import InputError
from loopcell.insight import memory_length


class Delay(torch.nn.Module):
    """The input k steps back, and a little of everything."""

    def __init__(self, k):
        super().__init__()
        self.k = k

    def forward(self, x):
        return x[len(x) - 1 - self.k] + 1e-3 * x.sum(0)


@pytest.mark.parametrize("k", [0, 5, 20, 80])
@pytest.mark.parametrize("change", ["shuffle", "zero"])
def test_the_horizon_of_a_delay_is_the_delay(k, change):
    x = torch.randn(100, 32, 2, generator=torch.Generator().manual_seed(0))
    found = memory_length(Delay(k), x, lags=range(100), change=change)
    assert found.horizon == k
    assert found.lags[found.effect.argmax()] == k
    assert (found.low <= found.effect).all()
    assert (found.effect <= found.high).all()


def test_an_untrained_vanilla_network_forgets_and_the_usual_lags_reach_the_start():
    torch.manual_seed(0)
    net = loopcell.RNN(4, 16)
    found = memory_length(net, torch.randn(200, 16, 4))
    assert found.lags[0] == 0
    assert found.lags[-1] == 199
    assert found.horizon < 10
    assert (np.diff(found.lags) > 0).all()


def test_by_default_no_lag_slips_through():
    found = memory_length(lambda x: x[199 - 126], torch.randn(200, 40, 3))
    assert (found.horizon, found.skipped) == (126, 0)
    some = memory_length(lambda x: x[199 - 126], torch.randn(200, 40, 3), lags=[0, 100, 199])
    assert (some.horizon, some.skipped) == (0, 197)
    assert "3 lags, 197 skipped" in some.plot().get_legend_handles_labels()[1][-1]


def test_tokens_repeats_and_batch_first():
    embedding, net = torch.nn.Embedding(9, 4), loopcell.GRU(4, 8, batch_first=True)
    tokens = torch.randint(9, (6, 12))
    found = memory_length(lambda ids: net(embedding(ids))[0], tokens, change="repeat", batch_axis=0)
    assert found.effect.shape == (12,)
    first = memory_length(lambda x: x[0], torch.randn(6, 20, 3), change="repeat")
    assert first.horizon == 5  # nothing stands before the first step: it becomes zero


def test_what_does_not_fit_is_one_sentence():
    net, x = loopcell.GRU(3, 4), torch.randn(5, 1, 3)
    with pytest.raises(InputError, match="at least two rows"):
        memory_length(net, x)
    with pytest.raises(InputError, match="between 0 and 4"):
        memory_length(net, x, lags=[5], change="zero")
    with pytest.raises(InputError, match="whole numbers"):
        memory_length(net, x, lags=[1.5], change="zero")
    for share in (float("nan"), -1.0, 1.0):
        with pytest.raises(InputError, match="share is a part"):
            memory_length(net, x, change="zero", share=share)
    with pytest.raises(InputError, match="a change is"):
        memory_length(net, x, change="melt")


def test_a_network_in_training_is_measured_without_its_dropout_and_left_in_training():
    net = loopcell.RNN(3, 8, num_layers=2, dropout=0.5)
    found = memory_length(net, torch.randn(60, 8, 3))
    assert found.effect[-1] < 1e-3  # with dropout no output would be the same twice
    assert net.training


def test_an_output_that_is_not_finite_has_no_horizon():
    x = torch.randn(5, 4, 3)
    with pytest.raises(InputError, match="not finite"):
        memory_length(loopcell.RNN(3, 8), x * torch.nan)
    with pytest.raises(InputError, match="one number a row"):
        memory_length(loopcell.RNN(3, 8), x, distance=lambda a, b: (a - b).sum())
    with pytest.raises(InputError, match="inputs \\[T, B, I\\]"):
        memory_length(loopcell.RNN(3, 8), x[:0])
