"""loopcell: a recurrent cell is its equations.

The public names, imported when first asked for, so that `loopcell --help` does not wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from loopcell.files.when_loaded import when_loaded

if TYPE_CHECKING:
    from loopcell import (
        cells as cells,
        comparison as comparison,
        data as data,
        equations as equations,
        errors as errors,
        export as export,
        importing as importing,
        insight as insight,
        tasks as tasks,
        testing as testing,
        training as training,
    )
    from loopcell.equations import (
        Cell as Cell,
        bernoulli as bernoulli,
        cell as cell,
        exp as exp,
        layer_norm as layer_norm,
        log as log,
        maximum as maximum,
        mean as mean,
        minimum as minimum,
        relu as relu,
        sigmoid as sigmoid,
        sized as sized,
        softplus as softplus,
        sqrt as sqrt,
        tanh as tanh,
        total as total,
        where as where,
    )
    from loopcell.insight import explain as explain
    from loopcell.layers import (
        GRU as GRU,
        LSTM as LSTM,
        RNN as RNN,
        Drift as Drift,
        NetworkStream as NetworkStream,
        Recording as Recording,
        Recurrent as Recurrent,
        State as State,
        Stepper as Stepper,
        StreamPool as StreamPool,
        StreamState as StreamState,
        chrono_ as chrono_,
        forget_bias_ as forget_bias_,
        orthogonal_ as orthogonal_,
    )
    from loopcell.runtime import Plan as Plan, backend as backend
    from loopcell.tasks import (
        AnomalyDetector as AnomalyDetector,
        AudioEffect as AudioEffect,
        Backtest as Backtest,
        Captioner as Captioner,
        Chat as Chat,
        Forecast as Forecast,
        Forecaster as Forecaster,
        LanguageModel as LanguageModel,
        ScoreTable as ScoreTable,
        Seq2Seq as Seq2Seq,
        SequenceClassifier as SequenceClassifier,
        SequenceRegressor as SequenceRegressor,
        SequenceTagger as SequenceTagger,
        SeriesState as SeriesState,
        WordVectors as WordVectors,
        load_model as load_model,
    )

__version__ = "0.1.0"
"""The version of the package."""

_HOMES = {
    "equations": (
        "Cell", "bernoulli", "cell", "exp", "layer_norm", "log", "maximum", "mean", "minimum", "relu",
        "sigmoid", "sized", "softplus", "sqrt", "tanh", "total", "where",
    ),
    "insight": ("explain",),
    "layers": (
        "Drift", "GRU", "LSTM", "NetworkStream", "RNN", "Recording", "Recurrent", "State", "Stepper", "StreamPool",
        "StreamState", "chrono_", "forget_bias_", "orthogonal_",
    ),
    "runtime": ("Plan", "backend"),
    "tasks": (
        "AnomalyDetector", "AudioEffect", "Backtest", "Captioner", "Chat", "Forecast", "Forecaster", "LanguageModel",
        "ScoreTable", "Seq2Seq", "SequenceClassifier", "SequenceRegressor", "SequenceTagger", "SeriesState",
        "WordVectors", "load_model",
    ),
}  # fmt: skip
_HOME = {name: room for room, names in _HOMES.items() for name in names}
_ROOMS = (
    "cells", "comparison", "data", "equations", "errors", "export", "importing", "insight", "tasks", "testing",
    "training",
)  # fmt: skip

__all__ = sorted([*_HOME, *_ROOMS, "__version__"])  # noqa: PLE0605 - made from the one table above


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"loopcell.{name}")
    if name in _HOME:
        return getattr(import_module(f"loopcell.{_HOME[name]}"), name)
    raise AttributeError(f"module 'loopcell' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)


def _read_states(serialization: ModuleType) -> None:
    """Let torch.load, which makes only what it knows, read a State that torch.save wrote."""

    def rebuilt(tensors: dict[str, Any]) -> Any:
        return __getattr__("State")(**tensors)

    serialization.add_safe_globals([(rebuilt, "loopcell.layers.state._rebuild")])


when_loaded("torch.serialization", _read_states)
