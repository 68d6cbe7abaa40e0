"""captum: attributions of an LSTM's answer to its inputs, to its weights' layer and by noise."""

from __future__ import annotations

import torch
from captum.attr import DeepLift, FeatureAblation, IntegratedGradients, LayerConductance, NoiseTunnel, Saliency
from torch import nn


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 9, num_layers=2, batch_first=True)
        self.head = nn.Linear(9, 3)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


def run():
    net, x = Reader().eval(), torch.randn(5, 7, 4)
    with torch.no_grad():
        net(x)  # a prediction comes before its explanation
    return {
        "integrated gradients": IntegratedGradients(net).attribute(x, target=1, n_steps=20),
        "saliency": Saliency(net).attribute(x, target=2),
        "smooth gradients": NoiseTunnel(Saliency(net)).attribute(x, target=2, nt_samples=4),
        "ablation": FeatureAblation(net).attribute(x, target=0),
        "layer conductance": LayerConductance(net, net.head).attribute(x, target=1, n_steps=10),
        "deep lift": DeepLift(net).attribute(x, target=1),
    }
