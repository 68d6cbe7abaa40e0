"""The flags that all estimators share, and those of their data."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from loopcell.cli.flags import Flag
from loopcell.cli.values import parse_names, parse_numbers, parse_sizes, parse_time

# Names, field, kind, help, and how what is typed is read.
_ROWS: tuple[tuple[Any, ...], ...] = (
    ("--target", "target", str, "The column to forecast, or several: a,b,c.", parse_names),
    ("--time", "time", str, "The column with the times."),
    ("--series", "series", str, "The column that tells several series apart."),
    ("--known", "known", str, "Covariates whose future is known: a,b.", parse_names),
    ("--past", "past", str, "Covariates known up to now only: a,b.", parse_names),
    ("--calendar", "calendar", str, "Cycles of the times as covariates: day,week,year.", parse_names),
    ("--regular/--no-regular", "regular", bool, "Whether a gap in the times is an error; else rows are steps."),
    ("--zone", "zone", str, "Whose clock times without an offset are of: Europe/Berlin."),
    ("--horizon", "horizon", int, "How many steps ahead."),
    ("--history", "history", int, "Steps read before a forecast counts."),
    ("--lags", "lags", int, "Last values that are seen at each step, else --history."),
    ("--multivariate", "multivariate", bool, "Read all targets at once, rather than each on its own."),
    ("--roll-out", "roll_out", bool, "Learn one step, and go on from each forecast."),
    ("--alarm-rate", "alarm_rate", float, "Share of a quiet period that may lie above the threshold."),
    ("--label", "label", str, "The column that says which steps are anomalous, for scores."),
    ("--head", "head", str, "mean, quantiles, student-t or negative-binomial."),
    ("--quantiles", "quantiles", str, "Levels: 0.1,0.5,0.9.", parse_numbers),
    ("--adapt-rate", "adapt_rate", float, "How fast quantiles follow the values that come; 0 for not at all."),
    ("--paths", "paths", int, "Futures that are drawn in a roll-out."),
    ("--season", "season", int, "Steps of a season, for the baseline."),
    ("--hidden", "hidden_size", int, "Length of the hidden state."),
    ("--layers", "num_layers", int, "Cells on top of each other."),
    ("--bidirectional/--no-bidirectional", "bidirectional", bool, "Read both ways."),
    ("--dropout", "dropout", float, "Before, between and after the layers."),
    ("--token-dropout", "token_dropout", float, "Of whole tokens."),
    ("--size", "sizes", list[str], "A size that the cell names: proj=128.", parse_sizes),
    ("--chrono", "chrono", int, "Steps of the longest dependence: gates begin with time scales up to it."),
    ("--embedding", "embedding_size", int, "Length of a token's vector."),
    ("--tokens", "tokens", str, "What a step of a text is: char, byte, jamo, bpe or word."),
    ("--ngrams", "ngrams", int, "Tokens that a step reads at once, with those before it."),
    ("--vocab-size", "vocabulary_size", int, "The most tokens in the vocabulary."),
    ("--target-tokens", "target_tokens", str, "The same of a target text, else as --tokens."),
    ("--target-vocab-size", "target_vocabulary_size", int, "The same of the targets, else as --vocab-size."),
    ("--channels", "channels", int, "Of the first layer that reads an image."),
    ("--attention", "attention", str, "none (the context vector alone), dot, general or additive."),
    ("--tied/--no-tied", "tied", bool, "The decoder's embedding is its head's matrix too."),
    ("--label-smoothing", "label_smoothing", float, "The share of a target that all tokens have, in training."),
    ("--teacher-forcing", "teacher_forcing", float, "At the end of training: the share of true tokens read."),
    ("--beam", "beam", int, "Beginnings that go on while writing; 1 is the greedy way."),
    ("--length-penalty", "length_penalty", float, "0 favours short answers, 1 compares means."),
    ("--ngram-block", "ngram_block", int, "Nothing of so many tokens comes twice in an answer."),
    ("--min-length", "min_length", int, "The fewest tokens of an answer."),
    ("--max-length", "max_length", int, "The most tokens of an answer."),
    ("--pooling", "pooling", str, "What is read of all steps: auto (by their number), last, mean, max or attention."),
    ("--crf", "crf", bool, "A CRF on top, which knows which label follows which."),
    ("--class-weight", "class_weight", str, "balanced: rare classes count as much as frequent ones."),
    ("--calibrate/--no-calibrate", "calibrate", bool, "Fit probabilities to the held-out part."),
    ("--epochs", "epochs", int, "Passes over the data."),
    ("--time-limit", "time_limit", str, "For the whole command: 50m, 1h30m.", parse_time),
    ("--patience", "patience", int, "Stop after so many passes without gain."),
    ("--val-fraction", "validation_fraction", float, "Without --val: hold out so much of the data."),
    ("--batch-size", "batch_size", int, "Sequences of an update."),
    ("--lr", "learning_rate", float, "The largest learning rate of AdamW."),
    ("--schedule", "schedule", str, "constant, linear or cosine."),
    ("--warmup", "warmup", int, "Updates until the full rate."),
    ("--weight-decay", "weight_decay", float, "Decay of the matrices."),
    ("--clip", "clip", float, "Largest norm of the gradient; 0 for any."),
    ("--device", "device", str, "auto, cpu, cuda, cuda:N or mps."),
    ("--precision", "precision", str, "32-true, 64-true, bf16-mixed or bf16-true."),
    ("--seed", "random_state", int, "Of everything that is drawn; else a fresh one."),
)

# What a flag does at an estimator where another one has a setting of the same name.
_HELP: dict[tuple[str, str], str] = {
    ("ChatSettings", "history"): "Turns of a conversation that are read, the newest last.",
    ("RegressorSettings", "calibrate"): "Draw to the mean what few held-out examples do not tell from chance.",
}

WRITING = ("beam", "length_penalty", "ngram_block", "min_length", "max_length")


def flags_of(settings: type[Any]) -> tuple[Flag, ...]:
    """The flags of an estimator: a row of the table for each of its settings that has one."""
    names = {field.name for field in fields(settings)}
    flags = (Flag(row[0], settings, *row[1:]) for row in _ROWS if row[1] in names)
    return tuple(flag._replace(help=_HELP.get((settings.__name__, flag.field), flag.help)) for flag in flags)


def writing_flags(settings: type[Any], *others: str) -> tuple[Flag, ...]:
    """Those of them that say how a trained model writes, and others that can be changed later."""
    chosen = (flag for flag in flags_of(settings) if flag.field in (*WRITING, *others))
    return tuple(flag._replace(otherwise="the model's own") for flag in chosen)
