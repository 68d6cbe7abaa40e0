"""WritingEstimator: what has a decoder, whatever encodes its input."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from loopcell.data import Ragged
from loopcell.errors import UsageError
from loopcell.insight import Inspection, Prediction
from loopcell.tasks.core.config import SamplingConfig
from loopcell.tasks.core.estimator import Pair, Part, SequenceEstimator, SequenceExamples, as_pair, device_of, in_order
from loopcell.tasks.core.estimator.engine import on_device
from loopcell.tasks.core.estimator.examples import Indices
from loopcell.tasks.core.frames import like
from loopcell.tasks.core.inputs import learn_input
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.core.settings import checked
from loopcell.tasks.seq2seq.candidates import Candidate, different, plain
from loopcell.tasks.seq2seq.decoder import Encoded
from loopcell.tasks.seq2seq.decoding import DecodingConfig, Hypothesis, longest_unasked
from loopcell.tasks.seq2seq.inspecting import decoder_part
from loopcell.tasks.seq2seq.metrics import bleu, text_metrics
from loopcell.tasks.seq2seq.network import DecodingNetwork
from loopcell.tasks.seq2seq.scoring import MOST_SCORED, Limits, shown
from loopcell.tasks.seq2seq.search import Step, beam_search, draw
from loopcell.tasks.seq2seq.settings import WIDEST_BEAM, WritingSettings
from loopcell.tasks.seq2seq.target import TargetText

MOST_ANSWERS = 5  # of an inspection
Search = Callable[[Step, Encoded, DecodingConfig], list[list[Hypothesis]]]


class PairExamples(SequenceExamples):
    """Inputs and targets that are sequences both: those go together whose lengths together are similar."""

    def __init__(self, inputs: Ragged, targets: Ragged) -> None:
        super().__init__(inputs, targets)
        self.lengths = inputs.lengths + targets.lengths


class WritingEstimator(WritingSettings, SequenceEstimator):
    """y are texts, or lists of tokens, and so are predictions.

    Attributes:
        target_: how targets become tokens.
        longest_: the most tokens of a training target, its end included.
        network_: the trained network.
        outcome_: how training ended.
    """

    reads_single_numbers = True
    slow_to_evaluate = True

    target_: TargetText
    longest_: int
    network_: DecodingNetwork

    @abstractmethod
    def _target_settings(self, settings: Any) -> Any:
        """Return the settings by which the targets are cut into tokens."""

    def evaluate_within(
        self, X: Sequence[Any], y: Sequence[Any], *, training: Pair | None, seconds: float | None
    ) -> ScoreTable:
        """Return `evaluate`'s metrics of at most `MOST_SCORED` pairs; arguments as for any estimator."""
        return self.evaluate(X, y, training=training, limits=Limits(MOST_SCORED, seconds))

    # --- writing ---------------------------------------------------------------------------------------------------

    def predict(self, X: Sequence[Any]) -> Any:
        """Write the best answer to each input: beam search, or greedy with `beam=1`.

        Of a series of pandas it is a series with the same index, of polars a series, else a list.
        """
        return like(X, [found[0].text for found in self.candidates(X, 1)])

    def candidates(self, X: Sequence[Any], n: int | None = None) -> list[list[Candidate]]:
        """Find the best answers of beam search to each input, best first; they differ as texts.

        The best one by the length-penalised score is never worse than what `beam=1` writes.

        Args:
            X: inputs.
            n: how many, at most; None for `beam`. A beam that is narrower becomes as wide.

        Raises:
            UsageError: n is below 1 or above 1,000.
        """
        config = self._decoding_config()
        wanted = config.beam if n is None else _demand_some(n)
        found = self._written(X, _for_answers(config, wanted), beam_search)
        return [different(some)[:wanted] for some in found]

    def sample(
        self, X: Sequence[Any], n: int = 1, *, choice: SamplingConfig | None = None, seed: int | None = None
    ) -> list[list[Candidate]]:
        """Draw n answers to each input, token by token; the best of them by the length-penalised score comes first.

        Args:
            X: inputs.
            n: how many.
            choice: temperature, top-k and top-p.
            seed: the same seed gives the same answers; None draws a new one.

        Raises:
            UsageError: n is below 1.
        """
        generator = torch.Generator()
        generator.manual_seed(seed) if seed is not None else generator.seed()
        config = self._decoding_config()._replace(beam=_demand_some(n))
        sampling = choice or SamplingConfig()
        return self._written(X, config, lambda step, encoded, how: draw(step, encoded, how, sampling, generator))

    def score(self, X: Sequence[Any], y: Sequence[Any]) -> float:
        """Return the corpus BLEU, 0 to 100."""
        inputs, targets = as_pair(X, y)
        return bleu([plain(text) for text in targets], [plain(text) for text in self.predict(inputs)])

    def predict_records(self, X: Sequence[Any]) -> Iterator[dict[str, Any]]:
        """Give the best answer to each input and its log-probability, as JSON values."""
        for found in self.candidates(X, 1):
            yield {"text": found[0].text, "log_probability": found[0].log_probability}

    def evaluate(
        self, X: Sequence[Any], y: Sequence[Any], *, training: Pair | None = None, limits: Limits | None = None
    ) -> ScoreTable:
        """Measure BLEU, chrF and exact match of what is written; token accuracy and perplexity of the targets.

        Beside it the input copied, where it is a text, and with training data the most frequent target.

        Args:
            X: inputs.
            y: their targets.
            training: the training data; None leaves the most frequent target out.
            limits: score so many pairs, drawn at random, or for so long; None scores all.
        """
        pairs, whole = as_pair(X, y), limits or Limits()
        chosen, given = self._written_within(pairs[0], whole)
        inputs, targets = (part.take(chosen) for part in pairs)
        true = [plain(text) for text in targets]
        rows = {"model": {**text_metrics(true, given), **self._fit_of(inputs, targets), **self._own_metrics(given)}}
        copied = self._copied(inputs)
        if copied is not None:
            rows["copy"] = text_metrics(true, copied)
        if training:
            counts = Counter(plain(text) for text in as_pair(*training)[1])
            (frequent, _), *_ = counts.most_common(1)
            rows["most frequent"] = text_metrics(true, [frequent] * len(true))
        return ScoreTable(whole.described(len(true), len(pairs[0])), rows)

    def _own_metrics(self, given: Sequence[str]) -> dict[str, float]:
        """Count what a task has beside the above in the texts that were written."""
        return {}

    def _written_within(self, X: Part, limits: Limits) -> tuple[Indices, list[str]]:
        """Return the numbers of the examples that were written within limits, in order, and the texts."""
        examples, device = self._unlabelled(X), device_of(self.network_)
        config = _for_answers(self._decoding_config(), 1)
        # Without limits those go together that are of similar length, which takes less time.
        if limits == Limits():
            blocks = self._batches(examples)
        else:
            drawn = limits.blocks(len(examples))
            blocks = ((indices, on_device(examples.batch(indices), device)) for indices in drawn)
        total = min(len(examples), limits.pairs or len(examples))
        found: dict[int, str] = {}
        with shown(total, progress=bool(self.progress)) as advance, torch.inference_mode():
            for indices, batch in blocks:
                answers = self._answers(batch, config, beam_search)
                found |= {at: plain(some[0].text) for at, some in zip(indices.tolist(), answers, strict=True)}
                advance(len(indices))
        chosen = np.array(sorted(found), dtype=np.int64)
        return chosen, [found[at] for at in chosen.tolist()]

    @torch.inference_mode()
    def _fit_of(self, X: Part, y: Part) -> dict[str, float]:
        """Measure how well the model predicts the targets' tokens when it is given those before."""
        log_probability, right, count = 0.0, 0, 0
        for _, batch in self._batches(self._examples(X, y)):
            found, hits = self.network_.scored(batch)
            log_probability += float(found.double().sum())
            right, count = right + int(hits.sum()), count + len(hits)
        return {"token accuracy": right / count, "perplexity": math.exp(min(700.0, -log_probability / count))}

    def _copied(self, X: Part) -> list[str] | None:
        """Return the inputs as texts; None where they are none."""
        return [plain(text) for text in X] if isinstance(X[0], str | list | tuple) and _is_text(X[0]) else None

    def _decoding_config(self) -> DecodingConfig:
        settings = checked(self)
        longest = settings.max_length or self.longest_ + self.longest_ // 2 + 10
        if settings.min_length > longest:
            raise UsageError(
                f"min_length: an answer has at most {longest} tokens here (max_length), got {settings.min_length}"
            )
        return DecodingConfig(
            boundary=self.target_.size,
            max_length=longest,
            limit=longest_unasked(settings.beam) if self._from_file else None,
            min_length=settings.min_length,
            beam=settings.beam,
            length_penalty=settings.length_penalty,
            ngram_block=settings.ngram_block,
            never=() if self.target_.unknown is None else (self.target_.unknown,),
        )

    def _written(self, X: Sequence[Any], config: DecodingConfig, search: Search) -> list[list[Candidate]]:
        examples = self._unlabelled(X)
        with torch.inference_mode():
            parts = ((indices, self._answers(batch, config, search)) for indices, batch in self._batches(examples))
            found: list[list[Candidate]] = in_order(len(examples), parts)
        return found

    def _answers(self, batch: Any, config: DecodingConfig, search: Search) -> list[list[Candidate]]:
        """Write the answers to a batch of examples."""
        encoded: Encoded = self.network_.encode(batch.inputs, batch.lengths)
        found = search(self.network_.decoder.step, encoded, config)
        return [[Candidate(self.target_.text(one.tokens), one.log_probability) for one in some] for some in found]

    def _batches(self, examples: SequenceExamples) -> Iterator[tuple[Any, Any]]:
        """Yield all examples in batches on the network's device, to be read without learning."""
        device = device_of(self.network_)
        for indices, batch in examples.in_order_of_length(checked(self).reading_batch()):
            yield indices, on_device(batch, device)

    # --- looking inside --------------------------------------------------------------------------------------------

    def _written_part(self, x: Any) -> tuple[Inspection, list[Prediction]]:
        """Return what happens in the decoder while it writes its best answer to one input, and its best answers."""
        examples = self._unlabelled([x])
        (_, batch), *_ = self._batches(examples)
        with torch.no_grad():
            encoded = self.network_.encode(batch.inputs, batch.lengths)
            best, *others = beam_search(self.network_.decoder.step, encoded, self._decoding_config())[0]
        part = decoder_part(self.network_, self.target_, best.tokens, encoded, self._source(examples.inputs[0]))
        found = [Candidate(self.target_.text(one.tokens), one.log_probability) for one in (best, *others)]
        answers = [Prediction(plain(one.text), math.exp(one.log_probability)) for one in different(found)]
        return part, answers[:MOST_ANSWERS]

    @abstractmethod
    def _source(self, sequence: npt.NDArray[Any]) -> list[str]:
        """Return what attention may look at, in words: the steps of an input, or the places of an image."""

    # --- what the base asks for ------------------------------------------------------------------------------------

    def _learn_data(
        self, parts: tuple[tuple[Part, Part], tuple[Part, Part] | None], settings: Any, *, known: bool
    ) -> tuple[SequenceExamples, SequenceExamples | None]:
        (X, y), held_out = parts
        if not known:
            self._learn_inputs(X, settings)
            self._learn(y)  # of the training part alone: a word that only the held-out part has is unknown
        training = self._examples(X, y) if known else self._training_examples(X, y)
        assert isinstance(training.targets, Ragged)
        longest, self._from_file = int(training.targets.lengths.max()), False
        self.longest_ = max(longest, self.longest_) if known else longest
        pace = settings.pace(len(training))
        self._updates = math.ceil(len(training) / pace.batch_size) * pace.epochs
        empty = {
            "inputs": int((training.inputs.lengths == 0).sum()),
            "targets": int((training.targets.lengths == 1).sum()),
        }
        self._note([f"{count:,} of {len(X):,} training {what} are empty" for what, count in empty.items() if count])
        return training, None if held_out is None else self._examples(*held_out)

    def _learn_inputs(self, X: Part, settings: Any) -> None:
        self.input_ = learn_input(X, settings)

    def _learn(self, y: Part) -> None:
        self.target_ = TargetText.learn(y, self._target_settings(checked(self)))

    def _targets(self, y: Part, inputs: Ragged) -> Ragged:
        return self.target_.numbers(y)

    def _with_targets(self, inputs: Ragged, targets: npt.NDArray[Any] | Ragged | None) -> SequenceExamples:
        return PairExamples(inputs, targets) if isinstance(targets, Ragged) else SequenceExamples(inputs, targets)

    def _prepare(self, training: SequenceExamples) -> None:
        self.network_.total_updates = self._updates

    def _learned(self) -> dict[str, Any]:
        return {**super()._learned(), "target": self.target_.to_json(), "longest": self.longest_}

    def _restore(self, learned: Mapping[str, Any]) -> None:
        super()._restore(learned)
        self.target_ = TargetText.from_json(learned["target"])
        self.longest_ = learned["longest"]
        if type(self.longest_) is not int or not 0 < self.longest_ < 2**31:
            raise ValueError("its longest target is not a number of tokens")


def _is_text(example: Any) -> bool:
    return isinstance(example, str) or all(isinstance(token, str) for token in example)


def _demand_some(n: int) -> int:
    if n < 1:
        raise UsageError(f"n: at least one answer has to be asked for, got {n}")
    if n > WIDEST_BEAM:
        raise UsageError(f"n: at most {WIDEST_BEAM:,} answers can be asked for, got {n:,}")
    return n


def _for_answers(config: DecodingConfig, n: int) -> DecodingConfig:
    """Return the config to find n answers by: of several some may spell the same text, so a beam finds all it can."""
    return config._replace(beam=max(config.beam, n), answers=1 if n == 1 else None)
