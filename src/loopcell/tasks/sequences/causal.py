"""Models of sequences that answer after each step: what stands against that, in one sentence each."""

from __future__ import annotations

from typing import Any

from loopcell.errors import UsageError


def demand_no_look_ahead(model: Any, name: str) -> None:
    """Refuse a model whose answer to a step depends on those that follow it.

    Args:
        model: a tagger, classifier or regressor, fitted.
        name: of its kind, as a sentence has it.

    Raises:
        UsageError: it reads both ways, has a CRF, or makes one step of several.
    """
    how = "has a CRF" if getattr(model, "crf", False) else "reads both ways" if model.bidirectional else ""
    if how:
        raise UsageError(f"this {name} {how}: its answers depend on steps that have not come; fit one that does not")
    stride = getattr(model, "downsample_", 1)
    if stride > 1:
        raise UsageError(
            f"this {name} makes one step of {stride} by convolutions, which see steps that have not come: fit one with "
            "downsample=1"
        )


def demand_single_tokens(model: Any, name: str) -> None:
    """Refuse a model that reads several tokens at once, of which a step has the last alone; UsageError."""
    if model.ngrams > 1:
        raise UsageError(
            f"this {name} reads {model.ngrams} tokens at once, and a step does not know those before it: fit one with "
            "ngrams=1"
        )


def demand_one_state(model: Any, name: str) -> None:
    """Refuse an ensemble where one state is asked for; UsageError."""
    if model.ensemble > 1:
        raise UsageError(
            f"this {name} is an ensemble of {model.ensemble} networks, which have no common state: read on with "
            f"{name}.stream(), or fit one with ensemble=1"
        )
