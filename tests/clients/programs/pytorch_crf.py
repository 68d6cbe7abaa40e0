"""pytorch-crf: a bidirectional LSTM over packed sequences, a CRF above it."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torchcrf import CRF


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.lstm = nn.LSTM(8, 10, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(20, 4)
        self.crf = CRF(4, batch_first=True)

    def scores(self, words, lengths):
        packed = pack_padded_sequence(self.embedding(words), lengths, batch_first=True, enforce_sorted=False)
        y, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return self.head(y)


def run():
    words = torch.randint(20, (24, 11))
    tags = words % 4
    lengths = torch.randint(1, 12, (24,))
    lengths[0] = 11
    mask = torch.arange(11) < lengths[:, None]
    tagger = Tagger()
    optimizer = torch.optim.Adam(tagger.parameters(), lr=0.02)
    losses = []
    for _ in range(15):
        loss = -tagger.crf(tagger.scores(words, lengths), tags, mask=mask, reduction="mean")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    decoded = tagger.crf.decode(tagger.scores(words, lengths), mask=mask)
    return {"losses": losses, "tags": [float(tag) for row in decoded for tag in row]}
