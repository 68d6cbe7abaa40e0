"""sb3-contrib: RecurrentPPO, whose policy keeps LSTM states across steps and resets them where episodes begin."""

from __future__ import annotations

import torch
from sb3_contrib import RecurrentPPO


def run():
    model = RecurrentPPO(
        "MlpLstmPolicy",
        "CartPole-v1",
        n_steps=32,
        batch_size=32,
        n_epochs=2,
        seed=0,
        device="cpu",
        policy_kwargs={"lstm_hidden_size": 16, "n_lstm_layers": 2},
    )
    losses = []
    for _ in range(3):
        model.learn(32, reset_num_timesteps=False)
        told = model.logger.name_to_value
        losses += [told[f"train/{name}"] for name in ("loss", "value_loss", "policy_gradient_loss", "entropy_loss")]
    weights = torch.cat([weight.reshape(-1) for weight in model.policy.parameters()])
    return {"losses": losses, "rewards": model.rollout_buffer.values, "weights": weights}
