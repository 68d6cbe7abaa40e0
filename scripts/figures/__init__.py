"""The figures of the concept pages: each a run of the library, and a drawing of what it gave.

`python scripts/draw_figures.py NAME` makes one. A new figure is a `Figure` in the module of its page, a place in
`FIGURES`, and its words in `words.toml`.
"""

from __future__ import annotations

from figures import bptt, company, gru, lstm, sequences, topologies, vanishing
from figures.figure import Figure

__all__ = ["FIGURES", "Figure"]

FIGURES: dict[str, Figure] = {
    figure.name: figure
    for figure in (
        sequences.ORDER,
        sequences.ANY_LENGTH,
        bptt.ERROR,
        bptt.COST,
        vanishing.LINEAR,
        vanishing.BY_CELL,
        vanishing.CLIPPING,
        lstm.GATES,
        lstm.FORGET_BIAS,
        gru.CONVENTION,
        gru.LEAK,
        topologies.ONE_TO_ONE,
        topologies.MANY_TO_ONE,
        topologies.ALIGNED,
        topologies.ONE_TO_MANY,
        topologies.ATTENTION,
        topologies.OVER_TIME,
        company.WORD_VECTORS,
        company.IN_CONTEXT,
    )
}
"""Every figure by its name, in reading order."""
