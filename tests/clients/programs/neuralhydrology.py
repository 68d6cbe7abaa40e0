"""NeuralHydrology: CudaLSTM and GRU models of rainfall and runoff, built from its configuration and trained."""

from __future__ import annotations

import torch
from neuralhydrology.modelzoo import get_model
from neuralhydrology.utils.config import Config

FORCINGS = ["rain", "temperature", "radiation"]


def config(model):
    return Config({
        "model": model,
        "head": "regression",
        "hidden_size": 16,
        "initial_forget_bias": 3,
        "output_dropout": 0.2,
        "dynamic_inputs": FORCINGS,
        "static_attributes": ["area", "slope"],
        "target_variables": ["runoff"],
        "output_activation": "linear",
        "seq_length": 30,
        "predict_last_n": 1,
        "use_frequencies": [],
    })  # fmt: skip


def run():
    numbers = {}
    data = {"x_d": {name: torch.rand(12, 30, 1) for name in FORCINGS}, "x_s": torch.randn(12, 2)}
    runoff = data["x_d"]["rain"].cumsum(1) / 15
    for name in ("cudalstm", "gru"):
        torch.manual_seed(0)
        net = get_model(config(name))
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
        losses = []
        for _ in range(8):
            loss = (net(data)["y_hat"] - runoff).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1)
            optimizer.step()
            losses.append(loss.item())
        numbers[f"{name} losses"] = losses
        numbers[f"{name} runoff"] = net.eval()(data)["y_hat"]
    return numbers
