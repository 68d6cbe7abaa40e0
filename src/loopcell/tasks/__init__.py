"""One estimator a task. The names are imported when first asked for: configuration does not wait for torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from loopcell.errors import MissingExtraError

if TYPE_CHECKING:
    from loopcell.insight.attention_map import AttentionMap as AttentionMap
    from loopcell.tasks.audio.effect import AudioEffect as AudioEffect
    from loopcell.tasks.audio.stream import EffectStream as EffectStream
    from loopcell.tasks.audio.wav_files import Processed as Processed
    from loopcell.tasks.core.config import SamplingConfig as SamplingConfig
    from loopcell.tasks.core.inputs.ready_vectors import ReadyVectors as ReadyVectors
    from loopcell.tasks.core.learning_curve import plot_history as plot_history
    from loopcell.tasks.core.models import load_model as load_model, open_run as open_run
    from loopcell.tasks.core.run_record import RunRecord as RunRecord
    from loopcell.tasks.core.score_table import ScoreTable as ScoreTable
    from loopcell.tasks.core.streaming.stream import Stream as Stream
    from loopcell.tasks.core.verdict import Verdict as Verdict
    from loopcell.tasks.forecasting.anomaly_detector import AnomalyDetector as AnomalyDetector
    from loopcell.tasks.forecasting.anomaly_stream import Detection as Detection
    from loopcell.tasks.forecasting.explaining import Explanation as Explanation
    from loopcell.tasks.forecasting.forecaster import Forecaster as Forecaster
    from loopcell.tasks.forecasting.reconciliation import reconcile as reconcile
    from loopcell.tasks.forecasting.results import Backtest as Backtest, Forecast as Forecast
    from loopcell.tasks.forecasting.state import SeriesState as SeriesState
    from loopcell.tasks.language_model.estimator import LanguageModel as LanguageModel
    from loopcell.tasks.language_model.stream import NextToken as NextToken
    from loopcell.tasks.seq2seq.candidates import Candidate as Candidate
    from loopcell.tasks.seq2seq.captioner import Captioner as Captioner
    from loopcell.tasks.seq2seq.chat import Chat as Chat
    from loopcell.tasks.seq2seq.translator import Seq2Seq as Seq2Seq
    from loopcell.tasks.sequences.classifier import SequenceClassifier as SequenceClassifier
    from loopcell.tasks.sequences.regressor import SequenceRegressor as SequenceRegressor
    from loopcell.tasks.sequences.running import RunningNumber as RunningNumber, TaggedStep as TaggedStep
    from loopcell.tasks.sequences.sound_stream import SoundStream as SoundStream
    from loopcell.tasks.sequences.tagger import SequenceTagger as SequenceTagger
    from loopcell.tasks.word_vectors.estimator import WordVectors as WordVectors

_HOMES = {
    "audio.effect": ("AudioEffect",),
    "audio.stream": ("EffectStream",),
    "audio.wav_files": ("Processed",),
    "core.config": ("SamplingConfig",),
    "core.inputs.ready_vectors": ("ReadyVectors",),
    "core.learning_curve": ("plot_history",),
    "core.models": ("load_model", "open_run"),
    "core.run_record": ("RunRecord",),
    "core.score_table": ("ScoreTable",),
    "core.streaming.stream": ("Stream",),
    "core.verdict": ("Verdict",),
    "forecasting.anomaly_detector": ("AnomalyDetector",),
    "forecasting.anomaly_stream": ("Detection",),
    "forecasting.forecaster": ("Forecaster",),
    "forecasting.explaining": ("Explanation",),
    "forecasting.reconciliation": ("reconcile",),
    "forecasting.results": ("Backtest", "Forecast"),
    "forecasting.state": ("SeriesState",),
    "language_model.estimator": ("LanguageModel",),
    "language_model.stream": ("NextToken",),
    "seq2seq.captioner": ("Captioner",),
    "seq2seq.chat": ("Chat",),
    "seq2seq.candidates": ("Candidate",),
    "seq2seq.translator": ("AttentionMap", "Seq2Seq"),
    "sequences.classifier": ("SequenceClassifier",),
    "sequences.regressor": ("SequenceRegressor",),
    "sequences.running": ("RunningNumber", "TaggedStep"),
    "sequences.sound_stream": ("SoundStream",),
    "sequences.tagger": ("SequenceTagger",),
    "word_vectors.estimator": ("WordVectors",),
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
