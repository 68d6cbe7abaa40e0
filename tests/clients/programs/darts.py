"""darts: RNNModel and BlockRNNModel, trained on a generated series, and their forecasts."""

from __future__ import annotations

import logging
import warnings

import numpy as np
from darts import TimeSeries
from darts.models import BlockRNNModel, RNNModel

QUIET = {
    "accelerator": "cpu",
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "logger": False,
    "enable_checkpointing": False,
}


def run():
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    draws = np.random.default_rng(0)
    values = np.sin(np.arange(80) / 4) + 0.1 * draws.normal(size=80)
    series = TimeSeries.from_values(values.astype(np.float32))
    shared = {"input_chunk_length": 12, "n_epochs": 2, "batch_size": 16, "random_state": 0, "pl_trainer_kwargs": QUIET}
    models = {
        "RNNModel LSTM": RNNModel(
            model="LSTM", hidden_dim=8, n_rnn_layers=2, dropout=0.1, training_length=15, **shared
        ),
        "RNNModel GRU": RNNModel(model="GRU", hidden_dim=8, training_length=15, **shared),
        "BlockRNNModel RNN": BlockRNNModel(model="RNN", output_chunk_length=4, hidden_dim=8, **shared),
        "BlockRNNModel LSTM": BlockRNNModel(
            model="LSTM", output_chunk_length=4, hidden_dim=8, n_rnn_layers=2, **shared
        ),
    }
    return {name: model.fit(series).predict(8).values() for name, model in models.items()}
