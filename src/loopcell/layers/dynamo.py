"""torch.compile over the replacements of torch.nn's modules.

torch.compile breaks its graph at torch.nn.RNN, LSTM and GRU and whatever derives from them, since it would unroll their
loops (`torch._dynamo.config.allow_rnn`). Ours derive from them, so that `isinstance` holds, and are one operator: the
refusal is lifted for ours, and for them alone. torch.compile is loaded at its first use, so the change waits for that.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from torch import nn

from loopcell.files.when_loaded import when_loaded

_BUILDER = "torch._dynamo.variables.builder"
"""The module in which torch.compile looks at an nn.Module for the first time."""


def allow(kind: type[nn.Module]) -> None:
    """Let torch.compile trace modules of a class that derives from torch.nn.RNN, LSTM or GRU."""

    def lift(builder: ModuleType) -> None:
        # Where a version of torch has no such method or setting there is nothing to lift, and torch says what it does.
        variables, config = getattr(builder, "VariableBuilder", None), getattr(builder, "config", None)
        wrap: Any = getattr(variables, "wrap_module", None)
        if variables is None or wrap is None or config is None or not hasattr(config, "allow_rnn"):
            return

        def wrap_module(self: Any, value: nn.Module) -> Any:
            if not isinstance(value, kind):
                return wrap(self, value)
            with config.patch(allow_rnn=True):
                return wrap(self, value)

        variables.wrap_module = wrap_module

    when_loaded(_BUILDER, lift)
