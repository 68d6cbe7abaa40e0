"""skorch: NeuralNetClassifier around a module with a two-layer GRU."""

from __future__ import annotations

import numpy as np
from skorch import NeuralNetClassifier
from torch import nn


class Reader(nn.Module):
    def __init__(self, hidden_size=12):
        super().__init__()
        self.gru = nn.GRU(3, hidden_size, num_layers=2, batch_first=True, bidirectional=True, dropout=0.1)
        self.head = nn.Linear(2 * hidden_size, 2)

    def forward(self, X):
        y, _ = self.gru(X)
        return self.head(y.mean(1)).softmax(-1)


def run():
    draws = np.random.default_rng(0)
    X = draws.normal(size=(96, 15, 3)).astype(np.float32)
    y = (X[:, :, 0].sum(1) > 0).astype(np.int64)
    net = NeuralNetClassifier(Reader, max_epochs=4, lr=0.5, batch_size=16, verbose=0, iterator_train__shuffle=True)
    net.fit(X, y)
    history = net.history
    return {
        "train_loss": history[:, "train_loss"],
        "valid_loss": history[:, "valid_loss"],
        "probabilities": net.predict_proba(X),
    }
