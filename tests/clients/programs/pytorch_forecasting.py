"""pytorch-forecasting: RecurrentNetwork, DeepAR, temporal fusion transformer; their layers derive from torch.nn's."""

from __future__ import annotations

import logging
import warnings

import lightning.pytorch as pl
import numpy as np
import pandas as pd
import torch
from pytorch_forecasting import DeepAR, GroupNormalizer, RecurrentNetwork, TemporalFusionTransformer, TimeSeriesDataSet


def table():
    draws = np.random.default_rng(0)
    steps = np.arange(40)
    rows = [
        pd.DataFrame(
            {"step": steps, "name": name, "value": np.sin(steps / 5 + shift) + 2 + 0.1 * draws.normal(size=40)}
        )
        for name, shift in (("a", 0.0), ("b", 1.0), ("c", 2.0))
    ]
    return pd.concat(rows, ignore_index=True)


def trained(model, data):
    trainer = pl.Trainer(
        max_epochs=1,
        limit_train_batches=6,
        accelerator="cpu",
        gradient_clip_val=0.1,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    trainer.fit(model, data.to_dataloader(train=True, batch_size=8, num_workers=0))
    x, _ = next(iter(data.to_dataloader(train=False, batch_size=16, num_workers=0)))
    model.eval()
    with torch.no_grad():
        torch.manual_seed(1)
        prediction = model(x)["prediction"]
    return torch.cat([prediction.reshape(-1), *(weight.reshape(-1) for weight in model.parameters())])


def run():
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    torch.use_deterministic_algorithms(mode=False)  # its attention has no deterministic form
    data = TimeSeriesDataSet(
        table(),
        time_idx="step",
        target="value",
        group_ids=["name"],
        min_encoder_length=4,  # encoders of different lengths: packed sequences
        max_encoder_length=12,
        max_prediction_length=4,
        time_varying_unknown_reals=["value"],
        target_normalizer=GroupNormalizer(groups=["name"]),
        randomize_length=True,
    )
    found = {}
    for name, kind, more in (
        ("RecurrentNetwork LSTM", RecurrentNetwork, {"cell_type": "LSTM", "rnn_layers": 2, "dropout": 0.1}),
        ("RecurrentNetwork GRU", RecurrentNetwork, {"cell_type": "GRU"}),
        ("DeepAR LSTM", DeepAR, {"cell_type": "LSTM", "rnn_layers": 2}),
        ("DeepAR GRU", DeepAR, {"cell_type": "GRU"}),
        ("TemporalFusionTransformer", TemporalFusionTransformer, {"lstm_layers": 2, "attention_head_size": 1}),
    ):
        pl.seed_everything(0)
        found[name] = trained(kind.from_dataset(data, hidden_size=8, **more), data)
    return found
