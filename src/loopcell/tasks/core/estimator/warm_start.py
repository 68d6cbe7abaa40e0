"""Going on from the weights that there are: `warm_start`, as scikit-learn has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from torch import nn

from loopcell.errors import UsageError, quoted
from loopcell.tasks.core.settings import TrainingSettings

# Arguments that may be others when training goes on: those of training itself, and those that no tensor goes by.
MAY_CHANGE = frozenset({field.name for field in fields(TrainingSettings)}) | {
    *("dropout", "token_dropout", "chrono", "class_weight", "calibrate", "augment"),
    *("label_smoothing", "teacher_forcing", "beam", "length_penalty", "ngram_block", "min_length", "max_length"),
    *("chunk", "bptt", "accumulate", "updates", "log_every", "save_every", "evaluate_every"),
    *("adapt_rate", "paths", "season", "alarm_rate", "smooth", "time", "series", "label", "zone", "regular"),
    *("loss", "split"),
}


def network_made_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of an estimator's config and cell the network and its vocabularies go by."""
    kept = {name: value for name, value in facts["config"].items() if name not in MAY_CHANGE}
    return {**kept, "cell": facts.get("cell", {}).get("graph")}


def demand_same_network(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to go on with another network than there is; UsageError names the first argument that differs."""
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) == now.get(name):
            continue
        what = "another cell" if name == "cell" else f"{name}={quoted(before.get(name))}, not {quoted(now.get(name))}"
        raise UsageError(
            f"warm_start goes on from weights that were trained with {what}: leave {name} as it was, or begin anew "
            "with warm_start=False"
        )


def go_on_from(before: nn.Module, network: nn.Module) -> None:
    """Give a network the weights of the one before.

    Raises:
        UsageError: they do not fit, such as those of another encoder of the user's.
    """
    try:
        network.load_state_dict(before.state_dict())
    except RuntimeError as error:
        raise UsageError(
            "warm_start goes on from the weights of another network, which do not fit this one: begin anew with "
            "warm_start=False"
        ) from error
