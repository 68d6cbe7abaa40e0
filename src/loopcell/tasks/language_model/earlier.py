"""Model files and runs from before a language model was an estimator, in the form of today."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from loopcell.tasks.core.estimator.stored import NOT_KEPT
from loopcell.tasks.language_model.settings import LanguageModelSettings
from loopcell.training.config import TrainingConfig, configure


def facts_of_today(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the facts of a model file with the vocabulary among what was learned; any exception for no facts."""
    if "learned" in facts:
        return facts
    vocabulary = facts["vocabulary"]
    config = {**facts["config"], "tokens": vocabulary["kind"]}
    return {"config": config, "cell": facts["cell"], "learned": {"vocabulary": vocabulary}}


def job_of_today(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a run's config with settings in place of a plan; any exception where it has neither."""
    if "plan" not in config:
        return {**config, "source": _source_of_today(config["source"])}
    plan = config["plan"]
    text, training = plan["text"], TrainingConfig.model_validate(plan["training"])
    settings = configure(LanguageModelSettings, {**plan["model"], **_of_text(text), **_of_training(training)})
    return {
        "task": config["task"],
        "config": TypeAdapter(LanguageModelSettings).dump_python(settings, mode="json", exclude=set(NOT_KEPT)),
        "cell": config["cell"],
        "seed": training.seed,
        "held_out": config["held_out"],
        "hardware": {"device": training.hardware.device, "devices": training.hardware.devices},
        "source": _source_of_today({"files": text["files"], "held_out": text["held_out_files"]}),
    }


def _source_of_today(source: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return which files a run learns from, of lists of paths as runs had them before other estimators' form."""
    if source is None or "files" not in source:
        return source
    held_out = source["held_out"]
    return {"data": {"files": source["files"]}, "held_out": {"files": held_out} if held_out else None}


def _of_text(text: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "tokens": text["tokens"],
        "vocabulary_size": text["vocabulary_size"],
        "validation_fraction": text["held_out_fraction"],
    }


def _of_training(training: TrainingConfig) -> dict[str, Any]:
    truncation = training.truncation
    return {
        "chunk": truncation.k1,
        "bptt": truncation.k2,
        "accumulate": truncation.accumulate,
        **training.optimization.model_dump(),
        **training.length.model_dump(),
        **training.intervals.model_dump(),
        "batch_size": training.batch_size,
        "precision": training.hardware.precision,
    }
