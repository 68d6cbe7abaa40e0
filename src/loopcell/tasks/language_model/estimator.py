"""LanguageModel: the next token from all that came before it, learned from texts of any length."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from loopcell import cells
from loopcell.data import Vocabulary
from loopcell.data.text import Lanes, TokenFile, vocabulary_class, vocabulary_from_json
from loopcell.equations import Cell
from loopcell.errors import FileFormatError, UsageError
from loopcell.export.step_model import StepCheck, StepModel
from loopcell.tasks.core.estimator import Estimator, Naive
from loopcell.tasks.core.estimator.ending import notes_of
from loopcell.tasks.core.estimator.engine import FitOptions, train_work
from loopcell.tasks.core.model_file import described
from loopcell.tasks.core.own_functions import as_list, own_functions
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.core.settings import checked
from loopcell.tasks.language_model.corpus import TokenCorpus, count_tokens
from loopcell.tasks.language_model.earlier import facts_of_today
from loopcell.tasks.language_model.inspected import InspectedModel
from loopcell.tasks.language_model.network import LanguageModelNetwork
from loopcell.tasks.language_model.preparation import (
    Prepared,
    Request,
    in_first_process,
    prepare,
    prepare_again,
)
from loopcell.tasks.language_model.run_files import TASK, open_corpus, read_job
from loopcell.tasks.language_model.sampling import next_probabilities
from loopcell.tasks.language_model.score import (
    Score,
    baseline_score,
    bits_per_unit,
    evaluation_lanes,
    score_sources,
)
from loopcell.tasks.language_model.settings import LanguageModelSettings
from loopcell.tasks.language_model.step import LanguageModelStep
from loopcell.tasks.language_model.step_model import language_model_step, texts_check
from loopcell.tasks.language_model.stream import StreamedModel
from loopcell.tasks.language_model.texts import as_sources, listed
from loopcell.tasks.language_model.writing import WritingModel
from loopcell.training.config import TrainingConfig, in_time
from loopcell.training.hardware import start_fabric
from loopcell.training.loop import Work
from loopcell.training.randomness import seed_everything
from loopcell.training.run_folder import RunFolder

if TYPE_CHECKING:
    from lightning_fabric import Fabric

MOST_TOKENS = 2**53  # counted in training; also what a float64 can tell apart


class LanguageModel(LanguageModelSettings, WritingModel, InspectedModel, Estimator, StreamedModel):
    """A recurrent language model: it predicts the next token of a text, and writes.

    Its arguments are those of `LanguageModelSettings` in `loopcell.tasks.language_model.settings`, all of them keywords
    with defaults.

    X is a text, the `pathlib.Path` of one, or a list of these, each of which is a document: the state is zero where one
    begins. Texts are read block by block and kept as token ids on disk, so files may be larger than memory. Training
    reads them in lanes side by side, chunk after chunk, and the state goes on from one chunk to the next.

    Attributes:
        vocabulary_: what a token is: `vocabulary_.encode(text)`, `vocabulary_.decode(ids)`.
        network_: the trained network, in evaluation mode: `logits, state = network_(tokens, state)`.
        outcome_: how training ended: the reason, the updates made, the lowest loss on the held-out text.
        held_out_: the score of the held-out text beside the baselines; None when nothing was held out.
        pace_: the numbers that it was trained with: batch size, passes, patience, learning rate, warm-up.
        notes_: sentences about the text and the run that the user should know.
    """

    task: ClassVar[str] = TASK
    scoring_share: ClassVar[float] = 0.05
    network_: LanguageModelNetwork
    vocabulary_: Vocabulary
    held_out_: ScoreTable | None

    # --- training --------------------------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: object = None,
        *,
        validation: Any = None,
        run: str | PathLike[str] | None = None,
        resume: bool = False,
    ) -> Self:
        """Learn from texts.

        Args:
            X: a text, a `pathlib.Path`, or a list of these. None where a run goes on, whose folder has the text.
            y: nothing; scikit-learn's pipelines pass it.
            validation: texts, as X, to choose the best weights by; None holds out `validation_fraction` of X, its end.
            run: a new folder for checkpoints, curves, token files and the model, from which training can go on; None
                for none.
            resume: go on with the run of that folder, with the same texts.

        Raises:
            InputError: X is no text, or the name of a file in place of its path.
            DataError: a text is empty, too short or not UTF-8; the sentence says which.
            UsageError: an argument of the constructor is out of its bounds, or the folder is taken.
            TrainingError: the loss is not finite.
            KeyboardInterrupt: it was interrupted. The estimator has by then what training came to, and can be used.
        """
        settings, self.notes_ = checked(self), []
        if resume and run is None:
            raise UsageError("resume=True goes on with a run: give its folder, run=...")
        seed, before = self._seed(settings, run if resume else None), self._before(settings)
        config = settings.training_config(seed)
        vocabulary_class(settings.tokens)
        with self._fitting(seed, before), ExitStack() as stack:
            fabric = start_fabric(config.hardware)

            def prepared() -> Prepared:
                folder = RunFolder(Path(run or stack.enter_context(tempfile.TemporaryDirectory())))
                request = self._request(X, validation, settings, seed, None if before is None else self.vocabulary_)
                with self._working("reading the texts"):
                    return (prepare_again if resume else prepare)(folder, request, stack)

            self._learn(in_first_process(fabric, prepared), config, fabric, before, keep=run is not None)
        return self._ended(run if fabric.is_global_zero else None)

    def _seed(self, settings: LanguageModelSettings, resumed: str | PathLike[str] | None) -> int:
        """Return the seed of a new run, or that of the run which goes on, where none is asked for."""
        if resumed is None or settings.random_state is not None:
            return settings.seed()
        return int(read_job(RunFolder(Path(resumed)))["seed"])

    def _request(
        self, X: Any, validation: Any, settings: LanguageModelSettings, seed: int, vocabulary: Vocabulary | None
    ) -> Request:
        hardware = {"device": settings.device, "devices": settings.devices}
        job = {"task": self.task, **self._equations_and_config(), "seed": seed}
        others = {"hardware": hardware, "source": self._context.source, "functions": own_functions(self)}
        return Request(X, validation, settings, job, others, vocabulary)

    def _learn(
        self, prepared: Prepared, config: TrainingConfig, fabric: Fabric, before: nn.Module | None, *, keep: bool
    ) -> None:
        """Train on the texts of a run folder, from the start or from the last checkpoint."""
        settings, job = checked(self), read_job(prepared.run)
        self.random_state_ = int(job["seed"])  # that of the first process, where it was drawn
        config = config.model_copy(update={"seed": self.random_state_})
        corpus = open_corpus(prepared.run, job)
        self.vocabulary_ = corpus.vocabulary
        seed_everything(config.seed)
        self._make_network(settings, before)
        self.network_.token_counts += torch.from_numpy(count_tokens(corpus.training)).to(self.network_.device)
        config = in_time(config, self._seconds_elsewhere())
        work = Work(
            step=LanguageModelStep(self.network_),
            chunks=_training_lanes(corpus.training, config, fabric),
            validation=None
            if corpus.held_out is None
            else evaluation_lanes(corpus.held_out, fabric.global_rank, fabric.world_size),
        )
        if len(work.chunks) <= config.truncation.chunks_per_update:
            self._note([_one_update(len(corpus.training))])
        run = prepared.run if keep else None
        options = FitOptions(config, run, self.save, settings.progress, prepared.resumed)
        options = options._replace(optimizer=settings.optimizer, callbacks=as_list(settings.callbacks))
        self.outcome_ = train_work(self.network_, work, options, fabric)
        self._tell_how_it_ended(corpus, settings)

    def _tell_how_it_ended(self, corpus: TokenCorpus, settings: LanguageModelSettings) -> None:
        self.pace_, self.history_ = settings.pace(len(corpus.training)), self.outcome_.history
        score = self._held_out_score(corpus)
        self.held_out_ = None if score is None else score.table()
        naive = None if score is None else Naive("saying how frequent each token is", score.unigram_nats_per_token)
        self._note(notes_of(self.outcome_, settings, self.pace_, naive))

    def _held_out_score(self, corpus: TokenCorpus) -> Score | None:
        best = self.outcome_.position.best_loss
        if best is None or corpus.held_out is None or corpus.facts is None:
            return None
        return baseline_score(self.network_, corpus.held_out, corpus.facts, best)

    # --- runs of files ---------------------------------------------------------------------------------------------

    @property
    def run_suffix(self) -> str:
        """The end of the name of a new run's folder: the cell's name."""
        return cells.get(self.cell).name

    @classmethod
    def from_run(cls, run: RunFolder) -> tuple[Self, Mapping[str, Any] | None]:
        """Return the model of a run's folder, without weights, and which files it learns from.

        Raises:
            FileFormatError: the folder's config describes no model.
        """
        job = read_job(run)
        with described(run):
            try:
                cell = Cell.from_json(json.dumps(job["cell"]))
                model = cls(**job["config"], **job["hardware"], cell=cell, random_state=job["seed"])
                checked(model)
            except UsageError as error:
                raise FileFormatError(f"{run.config} is damaged: {error}") from error
        return model, job["source"]

    def score_held_out(self, *data: Any, validation: Any = None) -> ScoreTable | None:
        """Return the score of the held-out text, `held_out_`."""
        return self.held_out_

    # --- scores ----------------------------------------------------------------------------------------------------

    def score(self, X: Any, y: object = None) -> float:
        """Return minus the bits per character of some texts, or per byte of a file that is not text.

        Greater is better. It is per character whatever the tokens are, so models of different tokens can be compared.

        Args:
            X: a text, a `pathlib.Path`, or a list of these; each is read from a fresh state.
            y: nothing; scikit-learn's tools pass it.

        Raises:
            DataError: a text is empty, is not UTF-8, or has fewer than two tokens.
        """
        network = self._fitted_network()
        with tempfile.TemporaryDirectory() as folder:
            return -bits_per_unit(network, as_sources(X, "X", Path(folder)))

    def evaluate(self, X: Any) -> ScoreTable:
        """Return nats and bits per character and perplexity per token, beside a unigram model and the compressor LZMA.

        Args:
            X: a text, a `pathlib.Path`, or a list of these; each is read from a fresh state.

        Raises:
            DataError: a text is empty, is not UTF-8, or has fewer than two tokens.
        """
        network = self._fitted_network()
        with tempfile.TemporaryDirectory() as folder:
            return score_sources(network, as_sources(X, "X", Path(folder))).table()

    def predict_proba(self, X: str | Sequence[str]) -> npt.NDArray[np.float64]:
        """Return how probable each token is after each text, [N, V]; `vocabulary_.decode([i])` is the text of token i.

        Args:
            X: a text, or a list of texts; after an empty one a token is as probable as training saw it.

        Raises:
            InputError: an entry is not a string, or the model's weights are not finite.
        """
        network = self._fitted_network()
        return np.stack([next_probabilities(network, text).numpy() for text in listed(X, "X").values()])

    def step_model(self) -> StepModel:
        """Return the model's step: the probability of each next token; see `StoredEstimator.step_model`."""
        return language_model_step(self._fitted_network())

    def step_check(self, data: Any) -> StepCheck:
        """Return some texts as steps, with the model's own answers; see `loopcell.export.verify`."""
        return texts_check(self._fitted_network(), self.stream, list(listed(data, "X").values()))

    # --- what the base asks for ------------------------------------------------------------------------------------

    def _fitted_network(self) -> LanguageModelNetwork:
        self._fitted()
        return self.network_

    def _network(self, settings: LanguageModelSettings) -> LanguageModelNetwork:
        return LanguageModelNetwork(self.vocabulary_, settings)

    def _learned(self) -> dict[str, Any]:
        return {"vocabulary": self.vocabulary_.to_json()}

    def _restore(self, learned: Mapping[str, Any]) -> None:
        self.vocabulary_ = vocabulary_from_json(learned["vocabulary"])

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """Return an estimator without weights of what `facts` gave; any exception when it was not given by it."""
        return super().from_facts(facts_of_today(facts))

    @classmethod
    def _loaded(cls, path: Path, others: Mapping[str, Any]) -> Self:
        model = super()._loaded(path, others)
        counts = model.network_.token_counts
        if int(counts.min()) < 0 or float(counts.double().sum()) > MOST_TOKENS:
            raise FileFormatError(f"{path} is damaged: its token counts are not those of a text")
        return model


def _one_update(tokens: int) -> str:
    return (
        f"the training text has {tokens:,} tokens, no more than one update reads, so a pass over it is one update; "
        "smaller batches and chunks make more of it"
    )


def _training_lanes(file: TokenFile, config: TrainingConfig, fabric: Fabric) -> Lanes:
    return Lanes(
        file.tokens,
        file.document_starts,
        batch_size=config.batch_size,
        chunk=config.truncation.chunk,
        rank=fabric.global_rank,
        world_size=fabric.world_size,
    )
