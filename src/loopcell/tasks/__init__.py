"""One estimator a task. The names are imported when first asked for: configuration does not wait for torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from loopcell.errors import MissingExtraError

if TYPE_CHECKING:
    from loopcell.tasks.anomaly_detector import AnomalyDetector as AnomalyDetector
    from loopcell.tasks.captioner import Captioner as Captioner
    from loopcell.tasks.chat import Chat as Chat
    from loopcell.tasks.classifier import SequenceClassifier as SequenceClassifier
    from loopcell.tasks.config import (
        Choice as Choice,
        LanguageModelConfig as LanguageModelConfig,
        LanguageModelPlan as LanguageModelPlan,
        TextConfig as TextConfig,
    )
    from loopcell.tasks.forecaster import Forecaster as Forecaster
    from loopcell.tasks.forecasting import Backtest as Backtest, Forecast as Forecast, SeriesState as SeriesState
    from loopcell.tasks.language_model import LanguageModel as LanguageModel
    from loopcell.tasks.language_model_score import Score as Score, score_files as score_files
    from loopcell.tasks.language_model_training import (
        TrainedLanguageModel as TrainedLanguageModel,
        resume_language_model as resume_language_model,
        train_language_model as train_language_model,
    )
    from loopcell.tasks.models import load_model as load_model
    from loopcell.tasks.regressor import SequenceRegressor as SequenceRegressor
    from loopcell.tasks.sampling import sample as sample
    from loopcell.tasks.seq2seq import Seq2Seq as Seq2Seq
    from loopcell.tasks.tagger import SequenceTagger as SequenceTagger
    from loopcell.tasks.word_vectors import WordVectors as WordVectors

_HOMES = {
    "anomaly_detector": ("AnomalyDetector",),
    "captioner": ("Captioner",),
    "chat": ("Chat",),
    "classifier": ("SequenceClassifier",),
    "config": ("Choice", "LanguageModelConfig", "LanguageModelPlan", "TextConfig"),
    "forecaster": ("Forecaster",),
    "forecasting": ("Backtest", "Forecast", "SeriesState"),
    "language_model": ("LanguageModel",),
    "language_model_score": ("Score", "score_files"),
    "language_model_training": (
        "TrainedLanguageModel",
        "resume_language_model",
        "train_language_model",
    ),
    "models": ("load_model",),
    "regressor": ("SequenceRegressor",),
    "sampling": ("sample",),
    "seq2seq": ("Seq2Seq",),
    "tagger": ("SequenceTagger",),
    "word_vectors": ("WordVectors",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)  # noqa: PLE0605 - made from the one table above


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'loopcell.tasks' has no attribute {name!r}")
    try:
        return getattr(import_module(f"loopcell.tasks.{_HOME[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "sklearn":
            raise
        raise MissingExtraError('estimators need scikit-learn: pip install "loopcell[train]"') from error


def __dir__() -> list[str]:
    return list(__all__)
