"""stanza: the highway LSTM of its taggers and parsers over packed words, above its character model."""

from __future__ import annotations

import torch
from stanza.models.common.char_model import CharacterModel
from stanza.models.common.hlstm import HighwayLSTM
from stanza.models.common.packed_lstm import PackedLSTM
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

SETTINGS = {"char_emb_dim": 6, "char_hidden_dim": 7, "char_num_layers": 1, "char_rec_dropout": 0, "dropout": 0.2}
SENTENCES = [9, 6, 6, 2]  # words of each, longest first, as stanza sorts them
LETTERS = [5, 4, 4, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]  # of each word, likewise


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.characters = CharacterModel(SETTINGS, {"char": list(range(30))}, bidirectional=True)
        self.highway = HighwayLSTM(
            14, 8, num_layers=2, batch_first=True, dropout=0.1, bidirectional=True, highway_func=torch.tanh
        )
        self.start = nn.Parameter(torch.zeros(4, 1, 8))
        self.top = PackedLSTM(16, 5, 2, batch_first=True, dropout=0.3, pad=True)
        self.head = nn.Linear(5, 4)

    def forward(self, letters):
        words = self.characters(letters, None, list(range(len(LETTERS))), SENTENCES, LETTERS)
        start = self.start.expand(4, len(SENTENCES), 8).contiguous()
        read, _ = self.highway(words, SENTENCES, hx=(start, start))
        padded, lengths = pad_packed_sequence(read, batch_first=True)
        y, _ = self.top(pack_padded_sequence(padded, lengths, batch_first=True), lengths)
        return self.head(y)


def run():
    net = Tagger()
    letters = torch.randint(30, (len(LETTERS), max(LETTERS)))
    tags = torch.randint(4, (len(SENTENCES), max(SENTENCES)))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    losses = []
    for _ in range(12):
        loss = nn.functional.cross_entropy(net(letters).transpose(1, 2), tags)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses, "start": net.start, "scores": net.eval()(letters)}
