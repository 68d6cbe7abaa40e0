"""Prepare a training: make a run folder with token files of texts, or find a run again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import torch

from loopcell.data import Vocabulary
from loopcell.data.text import vocabulary_class
from loopcell.errors import LoopcellError, TrainingError, UsageError
from loopcell.tasks.core.own_functions import demand_same_functions
from loopcell.tasks.language_model.corpus import held_out_facts, split
from loopcell.tasks.language_model.network import LanguageModelNetwork
from loopcell.tasks.language_model.run_files import (
    Texts,
    check_checkpoint,
    fingerprint,
    fingerprint_of_texts,
    never_read,
    open_corpus,
    read_job,
    write_run,
)
from loopcell.tasks.language_model.settings import LanguageModelSettings
from loopcell.tasks.language_model.texts import as_sources
from loopcell.training.resumption import demand_same_job
from loopcell.training.run_folder import RunFolder
from loopcell.training.run_lock import only_process

if TYPE_CHECKING:
    from lightning_fabric import Fabric

FoundT = TypeVar("FoundT")


class Request(NamedTuple):
    """The arguments of a `fit`, and what a run folder keeps of them.

    Attributes:
        X: the texts, as the user gave them; None for those of a run that goes on.
        validation: texts to evaluate on; None for the end of X.
        settings: the estimator's, checked.
        job: the facts by which a run knows its job again.
        others: what else a run's config keeps: the hardware, where the texts came from, and which functions were given.
        vocabulary: that of the network which training goes on from; None makes one of the texts.
    """

    X: Any
    validation: Any
    settings: LanguageModelSettings
    job: Mapping[str, Any]
    others: Mapping[str, Any]
    vocabulary: Vocabulary | None = None

    @contextmanager
    def texts(self) -> Iterator[Texts]:
        """Find the texts to train on and those held out; what is in memory is in a file until the block ends."""
        with tempfile.TemporaryDirectory() as folder:
            sources = as_sources(self.X, "X", Path(folder))
            given = self.validation is not None
            held_out = as_sources(self.validation, "validation", Path(folder)) if given else []
            yield Texts(*split(sources, held_out, self.settings.validation_fraction))


class Prepared(NamedTuple):
    """A run folder whose text is ready to be trained on.

    Attributes:
        run: the folder.
        resumed: training goes on from its last checkpoint.
    """

    run: RunFolder
    resumed: bool


def in_first_process(fabric: Fabric, prepare: Callable[[], FoundT]) -> FoundT:
    """Call a function in the first process, while the others wait, and return in all of them what it returned.

    Raises:
        LoopcellError: what the function raised; in the other processes a TrainingError.
    """
    found, failure = None, None
    if fabric.is_global_zero:
        try:
            found = prepare()
        except LoopcellError as error:
            failure = error
    found = fabric.broadcast(found)
    if found is None:
        raise failure or TrainingError("the first process could not prepare the run")
    return found


def prepare(run: RunFolder, request: Request, stack: ExitStack) -> Prepared:
    """Read the texts and make a new run folder, which this process holds until the stack is closed.

    Raises:
        DataError: a text cannot be read, is empty or too short.
        UsageError: the folder is taken, or the sizes do not fit the cell.
    """
    settings = request.settings
    with request.texts() as texts:
        vocabulary = request.vocabulary or _vocabulary(texts, settings)
        facts = held_out_facts(texts.held_out, vocabulary) if texts.held_out else None
        with torch.device("meta"):
            LanguageModelNetwork(vocabulary, settings)  # sizes that do not fit the cell show here
        stack.enter_context(only_process(run))
        held_out = {"held_out": facts.model_dump() if facts else None}
        write_run(run, {**request.job, **held_out, **request.others}, texts, vocabulary)
    return Prepared(run, resumed=False)


def _vocabulary(texts: Texts, settings: LanguageModelSettings) -> Vocabulary:
    """Make the vocabulary of the training texts alone: what is held out stays unseen."""
    return vocabulary_class(settings.tokens).build_from_sources(texts.training, settings.vocabulary_size)


def prepare_again(run: RunFolder, request: Request, stack: ExitStack) -> Prepared:
    """Find a run again, which this process holds until the stack is closed; one whose texts were not read begins anew.

    Raises:
        UsageError: the folder is not a run, another process trains there, or the job is another one.
        FileFormatError: a file of it is damaged.
    """
    before = read_job(run)
    stack.enter_context(only_process(run))
    if never_read(run):
        if request.X is None:
            raise UsageError(f"{run.path} was cut off before its texts were read; give them again to fit")
        run.clear()
        return prepare(run, request, stack)
    _demand_same(run, request, before)
    longer = {**before, "config": request.job["config"]}
    if run.read_config() != longer:
        run.write_json(run.config, longer)
    if run.never_began():
        run.make_folders()
        return Prepared(run, resumed=False)
    return Prepared(run, resumed=True)


def _demand_same(run: RunFolder, request: Request, before: Mapping[str, Any]) -> None:
    """Refuse another job, and a folder whose files are not those of one run."""
    demand_same_functions(run.path, before.get("functions"), request.others["functions"])
    corpus = open_corpus(run, before)
    now = dict(request.job)
    if request.X is not None:
        with request.texts() as texts:
            now["fingerprint"] = fingerprint_of_texts(texts, corpus.vocabulary)
        before = {**before, "fingerprint": fingerprint((corpus.training, corpus.held_out))}
    demand_same_job(run.path, before, now)
    if not run.never_began():
        check_checkpoint(run, corpus.vocabulary, request.settings)
