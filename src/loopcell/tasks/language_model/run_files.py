"""The files of a run's folder: written from texts, read back, and held against each other.

The config is written first, so that a run which is killed over its texts can start from the beginning, and the
vocabulary last: a folder that has one is whole.
"""

from __future__ import annotations

import shutil
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from loopcell.data import Vocabulary
from loopcell.data.text import Source, TokenFile, vocabulary_from_json
from loopcell.errors import DataError, FileFormatError, UsageError, quoted
from loopcell.files.tensors import HOSTILE
from loopcell.tasks.core.model_file import described
from loopcell.tasks.language_model.corpus import (
    HeldOutFacts,
    TokenCorpus,
    check_tokens,
    open_token_files,
    write_token_files,
)
from loopcell.tasks.language_model.earlier import job_of_today
from loopcell.tasks.language_model.network import LanguageModelNetwork
from loopcell.tasks.language_model.score import evaluation_lanes
from loopcell.tasks.language_model.settings import LanguageModelSettings
from loopcell.tasks.language_model.step import LanguageModelStep
from loopcell.training.checkpoint import demand_fitting
from loopcell.training.run_folder import RunFolder

TASK = "language-model"


class Texts(NamedTuple):
    """The texts of a run.

    Attributes:
        training: those to train on; each is one document.
        held_out: those to evaluate on; there may be none.
    """

    training: Sequence[Source]
    held_out: Sequence[Source]


def write_run(run: RunFolder, job: Mapping[str, Any], texts: Texts, vocabulary: Vocabulary) -> None:
    """Make a run's folder; on failure nothing is left of it.

    Raises:
        UsageError: the folder is taken.
        DataError: there is too little text.
        FileWriteError: the disk is full.
    """
    RunFolder.create(run.path, dict(job))
    try:
        write_token_files(run.tokens, *texts, vocabulary)
        _demand_predictions(run)
        run.write_json(run.vocabulary, vocabulary.to_json())
    except BaseException:
        shutil.rmtree(run.path, ignore_errors=True)
        raise


def _demand_predictions(run: RunFolder) -> None:
    for what, file in zip(("training", "held-out"), open_token_files(run.tokens), strict=True):
        if file and not evaluation_lanes(file).num_targets:
            raise DataError(f"the {what} text is too short: it takes two tokens of one document")


def read_job(run: RunFolder) -> Mapping[str, Any]:
    """Read what a run was asked for.

    Raises:
        UsageError: it is not a run.
        FileFormatError: its config does not describe one, or one of another task.
    """
    config = run.read_config()
    with described(run):
        if config["task"] != TASK:
            raise FileFormatError(f"{run.path} is the run of another task: {quoted(config['task'])}")
        try:
            return job_of_today(config)
        except UsageError as error:
            raise FileFormatError(f"{run.config} is damaged: {error}") from error


def never_read(run: RunFolder) -> bool:
    """Return whether a run was killed before its texts were read to their end."""
    return not run.vocabulary.exists() and run.never_began()


def open_corpus(run: RunFolder, job: Mapping[str, Any]) -> TokenCorpus:
    """Read a run's text. The token files are read through once; nothing is allocated that is larger than a file.

    Raises:
        DataError: a token file is missing.
        FileFormatError: a file is damaged, or belongs to another run.
    """
    with described(run):
        facts = job["held_out"]
        training, held_out = open_token_files(run.tokens)
        corpus = TokenCorpus(
            vocabulary=vocabulary_from_json(run.read_json(run.vocabulary)),
            training=training,
            held_out=held_out,
            facts=HeldOutFacts.model_validate(facts) if facts else None,
        )
    for file in (training, held_out):
        if file is not None:
            check_tokens(file, corpus.vocabulary)
    return corpus


def fingerprint(files: tuple[TokenFile, TokenFile | None]) -> list[list[int]]:
    """Return what tells the tokens of a run from others."""
    return [
        [len(file), file.checksum, len(file.document_starts), zlib.crc32(file.document_starts.tobytes())]
        for file in files
        if file is not None
    ]


def fingerprint_of_texts(texts: Texts, vocabulary: Vocabulary) -> list[list[int]]:
    """Return the fingerprint of texts that are cut into the tokens of a vocabulary."""
    with tempfile.TemporaryDirectory() as folder:
        write_token_files(Path(folder), *texts, vocabulary)
        return fingerprint(open_token_files(Path(folder)))


def check_checkpoint(run: RunFolder, vocabulary: Vocabulary, settings: LanguageModelSettings) -> None:
    """Hold the last checkpoint against what the rest of the folder asks for, before anything of that size is made.

    Raises:
        FileFormatError: the checkpoint is missing, damaged or of another run, or the sizes make no network.
    """
    try:
        with torch.device("meta"):
            network = LanguageModelNetwork(vocabulary, settings)
            demand_fitting(run.last, LanguageModelStep(network), settings.batch_size)
    except FileFormatError:
        raise
    except HOSTILE as error:
        raise FileFormatError(f"{run.config} is damaged: no model can be made with its sizes") from error
