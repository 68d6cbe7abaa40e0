"""torchrl: LSTMModule and GRUModule, step by step in a rollout and over whole sequences with resets inside."""

from __future__ import annotations

import torch
from tensordict import TensorDict
from tensordict.nn import TensorDictModule, TensorDictSequential
from torchrl.modules import GRUModule, LSTMModule, set_recurrent_mode


def batch(keys, sizes):
    first = torch.zeros(5, 9, 1, dtype=torch.bool)
    first[:, 0] = True
    first[2, 4] = first[3, 6] = True
    states = {key: torch.zeros(5, 9, layers, 8) for key, layers in zip(keys, sizes, strict=True)}
    return TensorDict({"observation": torch.randn(5, 9, 3), "is_init": first, **states}, batch_size=[5, 9])


def trained(module, keys, sizes):
    head = TensorDictModule(torch.nn.Linear(8, 1), in_keys=["embed"], out_keys=["value"])
    policy = TensorDictSequential(module, head)
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
    data = batch(keys, sizes)
    target = data["observation"].cumsum(1).sum(-1, keepdim=True)
    losses = []
    with set_recurrent_mode(True):
        for _ in range(5):
            loss = (policy(data.clone())["value"] - target).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    step = {key: torch.zeros(5, layers, 8) for key, layers in zip(keys, sizes, strict=True)}
    with torch.no_grad():
        outputs = []
        for t in range(9):
            one = TensorDict({"observation": data["observation"][:, t], "is_init": data["is_init"][:, t], **step}, [5])
            answer = policy(one)
            step = {key: answer["next", key] for key in keys}
            outputs.append(answer["value"])
    return losses, torch.cat(outputs)


def run():
    keys = ["h", "c"]
    after = [("next", key) for key in keys]
    lstm = LSTMModule(
        input_size=3, hidden_size=8, num_layers=2, in_keys=["observation", *keys], out_keys=["embed", *after]
    )
    gru = GRUModule(input_size=3, hidden_size=8, in_keys=["observation", "h"], out_keys=["embed", ("next", "h")])
    lstm_losses, lstm_steps = trained(lstm, keys, [2, 2])
    gru_losses, gru_steps = trained(gru, ["h"], [1])
    return {"LSTM": lstm_losses, "LSTM by steps": lstm_steps, "GRU": gru_losses, "GRU by steps": gru_steps}
