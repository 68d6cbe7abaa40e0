"""SpeechBrain: its RNN, LSTM and GRU over rows of different lengths, and CRDNN above convolutions.

It imports torchaudio to read sound files, and no release of that fits every release of PyTorch; no sound is read here,
so an empty module takes its place.
"""

from __future__ import annotations

import importlib.machinery
import sys
import types

import torch

stand_in = types.ModuleType("torchaudio")
stand_in.__version__ = "2.1.0"
stand_in.__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
stand_in.list_audio_backends = lambda: ["none"]
sys.modules["torchaudio"] = stand_in

from speechbrain.lobes.models.CRDNN import CRDNN  # noqa: E402 - it needs the stand-in
from speechbrain.nnet.RNN import GRU, LSTM, RNN  # noqa: E402


def trained(net, x, lengths):
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    losses = []
    for _ in range(6):
        answer = net(x) if lengths is None else net(x, lengths=lengths)
        y = answer[0] if isinstance(answer, tuple) else answer
        loss = (y[..., 0] - x.mean(-1)[:, : y.shape[1]]).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def run():
    x, lengths = torch.randn(5, 12, 8), torch.tensor([1.0, 0.75, 0.5, 1.0, 0.25])
    shape = {"hidden_size": 10, "input_shape": x.shape, "bidirectional": True}
    nets = {"RNN": RNN(**shape), "LSTM": LSTM(num_layers=2, dropout=0.1, **shape), "GRU": GRU(num_layers=2, **shape)}
    numbers = {name: trained(net, x, lengths) for name, net in nets.items()}
    stacked = CRDNN(
        input_shape=[5, 12, 8],
        cnn_blocks=1,
        cnn_channels=[4],
        rnn_layers=2,
        rnn_neurons=8,
        rnn_class=LSTM,
        dnn_blocks=1,
        dnn_neurons=6,
        time_pooling=False,
    )
    numbers["CRDNN"] = trained(stacked, x, None)
    return numbers
