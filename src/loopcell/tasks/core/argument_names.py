"""Other names of arguments, and the sentence about one that there is not."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

EARLIER_NAMES = {
    "alarms": "alarm_rate",
    "follow": "adapt_rate",
    "longest": "max_length",
    "shortest": "min_length",
    "together": "multivariate",
}
"""Arguments by the names that models saved before 0.1 have them under."""

# What other libraries call some of the arguments.
OTHER_NAMES = {
    "lr": "learning_rate",
    "learning_rate_init": "learning_rate",
    "seed": "random_state",
    "max_epochs": "epochs",
    "max_iter": "epochs",
    "n_epochs": "epochs",
    "hidden": "hidden_size",
    "units": "hidden_size",
    "hidden_dim": "hidden_size",
    "hidden_layer_sizes": "hidden_size",
    "layers": "num_layers",
    "n_layers": "num_layers",
    "batch": "batch_size",
    "rnn_type": "cell",
    "model": "cell",
    "verbose": "progress",
    "precision_type": "precision",
    "val_fraction": "validation_fraction",
    "validation_split": "validation_fraction",
    "vocab_size": "vocabulary_size",
    "early_stopping": "patience",
    "n_iter_no_change": "patience",
    "alpha": "weight_decay",
    "input_chunk_length": "history",
    "output_chunk_length": "horizon",
    "seq_len": "history",
    "pred_len": "horizon",
    "seg_len": "segment",
    "normalize": "normalise",
    "channels": "multivariate",
}


def unknown_argument(owner: str, name: str, names: Sequence[str]) -> str:
    """Return the sentence about an argument that there is not: the nearest one, or all of them."""
    other = OTHER_NAMES.get(name) or EARLIER_NAMES.get(name)
    near = [other] if other in names else difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
    return f"{owner} has no argument {name!r}: {hint}"
