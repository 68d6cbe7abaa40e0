"""Putting loopcell's classes in the place of torch.nn's, and counting whose were called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch

import loopcell

KINDS = ("RNN", "LSTM", "GRU")
TORCHS = {kind: getattr(torch.nn, kind) for kind in KINDS}
OURS = {kind: getattr(loopcell, kind) for kind in KINDS}


@contextmanager
def ours() -> Iterator[None]:
    """Put ours in the place of `torch.nn.RNN`, `LSTM` and `GRU`: the one change that a user makes."""
    for kind in KINDS:
        setattr(torch.nn, kind, OURS[kind])
    try:
        yield
    finally:
        for kind in KINDS:
            setattr(torch.nn, kind, TORCHS[kind])


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Count the calls of recurrent modules by whose they are: {"loopcell.LSTM": 3}; subclasses count as theirs."""
    calls: Counter[str] = Counter()

    def note(module: torch.nn.Module, _inputs: object, _output: object) -> None:
        for owner, kinds in (("loopcell", OURS), ("torch", TORCHS)):  # ours may derive from torch's
            for kind, made in kinds.items():
                if isinstance(module, made):
                    calls[f"{owner}.{kind}"] += 1
                    return

    handle = torch.nn.modules.module.register_module_forward_hook(note)
    try:
        yield calls
    finally:
        handle.remove()


def placed(whose: str) -> object:
    """Return the context in which a program runs: with "torch" nothing changes, with "loopcell" ours are put in."""
    return {"torch": nullcontext, "loopcell": ours}[whose]()
