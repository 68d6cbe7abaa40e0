"""Pyro: a deep Markov model whose guide reads the sequence with a GRU and an RNN, trained by stochastic variational
inference.
"""

from __future__ import annotations

import pyro
import pyro.distributions as dist
import torch
from pyro.infer import SVI, Trace_ELBO
from pyro.optim import Adam
from torch import nn


class Markov(nn.Module):
    def __init__(self, observed=3, hidden=4, read=8):
        super().__init__()
        self.hidden = hidden
        self.transition = nn.Linear(hidden, 2 * hidden)
        self.emission = nn.Linear(hidden, observed)
        self.gru = nn.GRU(observed, read, batch_first=True)
        self.rnn = nn.RNN(read, read, nonlinearity="relu", batch_first=True, bidirectional=True)
        self.posterior = nn.Linear(2 * read + hidden, 2 * hidden)

    def model(self, x):
        pyro.module("markov", self)
        z = torch.zeros(len(x), self.hidden)
        with pyro.plate("sequences", len(x)):
            for t in range(x.shape[1]):
                mean, scale = self.transition(z).chunk(2, -1)
                z = pyro.sample(f"z_{t}", dist.Normal(mean, scale.exp().clamp(max=5)).to_event(1))
                pyro.sample(f"x_{t}", dist.Normal(self.emission(z), 0.5).to_event(1), obs=x[:, t])

    def guide(self, x):
        pyro.module("markov", self)
        read, _ = self.rnn(self.gru(x)[0])
        z = torch.zeros(len(x), self.hidden)
        with pyro.plate("sequences", len(x)):
            for t in range(x.shape[1]):
                mean, scale = self.posterior(torch.cat([read[:, t], z], -1)).chunk(2, -1)
                z = pyro.sample(f"z_{t}", dist.Normal(mean, scale.exp().clamp(max=5)).to_event(1))


def run():
    pyro.clear_param_store()
    pyro.set_rng_seed(0)
    net, x = Markov(), torch.randn(10, 6, 3).cumsum(1)
    svi = SVI(net.model, net.guide, Adam({"lr": 0.01}), Trace_ELBO())
    return {"losses": [svi.step(x) for _ in range(12)], "draws afterwards": torch.rand(3)}
