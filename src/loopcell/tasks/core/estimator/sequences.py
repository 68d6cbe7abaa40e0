"""SequenceEstimator: sequences in, and for each of them something that is known of it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from loopcell.data import Ragged, split_random
from loopcell.data.examples import Scale, SequenceData
from loopcell.data.readers import where
from loopcell.errors import InputError, UsageError
from loopcell.tasks.core.estimator.augment import augmentation_of
from loopcell.tasks.core.estimator.by_unit import as_grouped_pair, halves_by_unit
from loopcell.tasks.core.estimator.ensembles import EnsembledEstimator, demand_free_of_others, first_layers
from loopcell.tasks.core.estimator.examples import Examples, SequenceExamples, fingerprint
from loopcell.tasks.core.estimator.held_out import score_in_time
from loopcell.tasks.core.estimator.parts import Part, as_pair, as_part
from loopcell.tasks.core.estimator.seeds import seed_of
from loopcell.tasks.core.estimator.weights import weighted, with_mean_one
from loopcell.tasks.core.frames import as_rows
from loopcell.tasks.core.inputs import ArrayInput, NumericInput, input_from_json, learn_input
from loopcell.tasks.core.networks.reader import SequenceReader
from loopcell.tasks.core.pace import held_out_share
from loopcell.tasks.core.scale_tensors import demand_shape
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.core.settings import NetworkSettings, checked

Pair = tuple[Any, Any]
Parts = tuple[Part, Part]
Split = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


class SequenceEstimator(EnsembledEstimator):
    """X is a list of strings, of lists of tokens, of arrays [T, I] or of paths; y has an entry for each."""

    _halves: Split | None = None  # which examples the last `fit` learned from, and which it held out

    reads_single_numbers: ClassVar[bool] = False
    """A column of numbers is refused as X where this is false: one number is no sequence."""
    slow_to_evaluate: ClassVar[bool] = False
    """Scoring takes minutes where there are thousands of examples, so it shows its progress."""

    # --- what a task defines, beside what `Estimator` asks for -----------------------------------------------------

    @abstractmethod
    def _learn(self, y: Part) -> None:
        """Look at the targets of the training part; `y.whole()` has those that were held out of the same data too."""

    def _look_again(self, y: Part) -> None:
        """Look at the targets of a training part that goes on from a network, whose labels and scales stay."""

    @abstractmethod
    def _targets(self, y: Part, inputs: Ragged) -> npt.NDArray[Any] | Ragged:
        """Targets as numbers, as `SequenceExamples` takes them; DataError names the example that does not fit."""

    def _demand_targets(self, y: Part) -> None:
        """Refuse targets that cannot be used, before they are divided into parts; DataError says which."""

    def _learn_beside(self, X: Part) -> None:
        """Look at what stands beside the sequences of the training part."""

    def _with_beside(self, examples: SequenceExamples, X: Part) -> SequenceExamples:
        """Give examples what stands beside their sequences; UsageError where the task has no use for it."""
        if X.static is not None:
            raise UsageError(f"a {type(self).__name__} reads no static values: put them into every step")
        return examples

    def _prepare(self, training: SequenceExamples) -> None:
        """Put what the network keeps of the training part into it, such as counts of labels."""

    def _begin(self, training: SequenceExamples) -> None:
        """Give new weights a better start than a random one; it follows `_prepare`."""

    def _finish(self, held_out: SequenceExamples) -> None:
        """Do what follows training, with the help of the held-out part, such as calibration."""

    def _split(self, y: Part, fraction: float, seed: int) -> Split:
        """Numbers of the examples to train on and of those to hold out."""
        return split_random(len(y), fraction, seed)

    def unknown(self, X: Sequence[Any]) -> int:
        """Return how many tokens of X were never seen in training; 0 where there are no tokens."""
        return self.input_.unknown(X)

    @abstractmethod
    def predict_records(self, X: Sequence[Any]) -> Iterator[dict[str, Any]]:
        """Return what the model says of each example, as a line of JSON has it (`loopcell predict`)."""

    @abstractmethod
    def evaluate(self, X: Sequence[Any], y: Sequence[Any], *, training: Pair | None = None) -> ScoreTable:
        """Return the metrics of the task on (X, y), beside those of naive baselines.

        Args:
            X: examples.
            y: what is true of them.
            training: the training data, for baselines that have to learn; None leaves these out.
        """

    def evaluate_within(
        self, X: Sequence[Any], y: Sequence[Any], *, training: Pair | None, seconds: float | None
    ) -> ScoreTable:
        """Return `evaluate`'s metrics at the end of a training.

        Args:
            X: examples.
            y: what is true of them.
            training: the training data, for baselines that have to learn; None leaves these out.
            seconds: an estimator that writes token by token scores as many examples as it can in this time, drawn at
                random; None where there is no limit.
        """
        return self.evaluate(X, y, training=training)

    def _reader(self, settings: NetworkSettings) -> SequenceReader:
        """Return what reads the sequences: a network has it under the name `reader`."""
        return SequenceReader(self.input_.first_layer(settings), settings)

    # --- fit -------------------------------------------------------------------------------------------------------

    def fit(
        self,
        X: Sequence[Any],
        y: Sequence[Any],
        sample_weight: npt.ArrayLike | None = None,
        *,
        groups: Any = None,
        validation: Pair | None = None,
        run: str | PathLike[str] | None = None,
        resume: bool = False,
    ) -> Self:
        """Learn from examples.

        Args:
            X: strings, lists of strings (tokens), arrays [T, I] or [T], or paths; lengths may differ. Missing numbers
                are NaN. With what stands beside the sequences it is a `loopcell.data.SequenceData`.
            y: what is to be learned of each.
            sample_weight: how much each example counts in the loss, [N], from 0; None counts all alike, as equal
                weights do. An example of weight 0 is as if it were not there. Weights go with the examples into the
                held-out part.
            groups: the group of each example, [N]: a speaker, a machine. Whole groups are held out, so that none is
                both learned from and scored on. None for the units that X was cut from (`sequences_from_table`); of
                other X each example is held out by itself.
            validation: (X, y) to choose the best weights by; None holds out `validation_fraction` of the examples.
            run: a new folder for checkpoints, curves and the model, from which training can go on; None for none.
            resume: go on with the run of that folder, with the same data.

        Raises:
            DataError: an example cannot be used; the sentence says which and why.
            UsageError: an argument of the constructor is out of its bounds, or the folder is taken.
            TrainingError: the loss is not finite.
            KeyboardInterrupt: it was interrupted. The estimator has by then what training came to, and can be used.
        """
        settings, self.notes_ = checked(self), []
        X, y = self._learn_columns(X), as_rows(y, "y", fewest=2)
        seed = seed_of(settings, run, resumed=resume)
        several = getattr(settings, "ensemble", 1) > 1
        if several:
            demand_free_of_others(settings, validation)
        X, y = as_grouped_pair(X, y, groups)
        if sample_weight is not None:
            X, y = weighted(X, y, sample_weight)
        before = self._before(settings)
        with self._fitting(seed, before):
            with self._working("preparing the data"):
                pair = X, y
                self._demand_targets(y)
                self._folds = self._folds_of(y, settings.ensemble, seed) if several else None
                self._halves = None if several or validation is not None else self._halves_of(y, seed)
                parts = _divided(pair, self._halves, validation)
                training, held_out = self._learn_data(parts, settings, known=before is not None)
                self._make_network(settings, before)
                if before is None:
                    for layer in first_layers(self.network_):
                        self.input_.prepare(layer)
            if self._folds is not None:
                self._train_ensemble(training, run, resumed=resume)
            else:
                self._learn_from(training, held_out, seed, run, resumed=resume, anew=before is None)
        return self._ended(run)

    def _change(self, settings: Any, seed: int, training: Any) -> Callable[[Any, int, int], Any] | None:
        return augmentation_of(settings, self.input_, training, seed)

    def parts(
        self, X: Sequence[Any], y: Sequence[Any], *, groups: Any = None, validation: Pair | None = None
    ) -> tuple[Pair, Pair | None]:
        """Return the examples that `fit` learns from, and those that it holds out to choose the best weights by.

        Where `random_state` is None, it is the split of the last `fit`, or before that one of a fresh seed.
        """
        drawn: int | None = getattr(self, "random_state_", None) if self.random_state is None else None
        seed = checked(self).seed() if drawn is None else drawn
        pair = as_grouped_pair(_rows_of(X), as_rows(y, "y", fewest=2), groups)
        return _divided(pair, None if validation is not None else self._halves_of(pair[1], seed), validation)

    def score_held_out(self, *data: Any, validation: Pair | None = None) -> ScoreTable | None:
        """Return the metrics on what `fit` with the same data held out; None where that was nothing.

        Args:
            data: X and y.
            validation: as it was given to `fit`.
        """
        if self._folds is not None:
            return self._score_out_of_fold(*as_pair(*data))
        training, held_out = _divided(as_pair(*data), self._halves, validation)
        return None if held_out is None else score_in_time(self, training, held_out)

    def _halves_of(self, y: Part, seed: int) -> Split | None:
        """Numbers of the examples to train on and of those to hold out; None where nothing is to be held out."""
        units = y.units
        if units is not None and units.count < len(units):
            halves = halves_by_unit(y, units, self.validation_fraction, self._split, seed)
            self._note([halves.note] if halves.note else [])
            return halves.split
        fraction = held_out_share(self.validation_fraction, len(y))
        return self._split(y, fraction, seed) if 0 < round(fraction * len(y)) < len(y) else None

    def _learn_data(
        self, parts: tuple[Parts, Parts | None], settings: NetworkSettings, *, known: bool
    ) -> tuple[SequenceExamples, SequenceExamples | None]:
        """Learn what the training part teaches of X and y, unless that is known from before, and encode both parts."""
        (X, y), held_out = parts
        if known:
            self._look_again(y)
        else:
            self.input_ = learn_input(X, settings)
            self._learn_beside(X)
            self._learn(y)
        training = self._examples(X, y) if known else self._training_examples(X, y)
        self._note([note for note in (_empty_ones(X, training), training.stored_note) if note])
        return training, None if held_out is None else self._examples(*held_out)

    def _training_examples(self, X: Part, y: Part) -> SequenceExamples:
        """Encode the training part, and learn on the way on what scale its numbers are read."""
        inputs = self._noted(X, self.input_.training_sequences)
        return self._with_weights(self._with_beside(self._with_targets(inputs, self._targets(y, inputs)), X), y)

    def _examples(self, X: Part, y: Part | None = None) -> SequenceExamples:
        inputs = self._noted(X, self.input_.sequences)
        examples = self._with_targets(inputs, None if y is None else self._targets(y, inputs))
        examples = self._with_beside(examples, X)
        return examples if y is None else self._with_weights(examples, y)

    def _noted(self, X: Part, encode: Callable[[Part], Ragged]) -> Ragged:
        """Return X as the network reads it, and say what the user should know of it."""
        if X.timed and not isinstance(self.input_, ArrayInput):
            raise UsageError("times are for sequences of numbers [T, I]; X has other ones")
        inputs = encode(X)
        self._note(self.input_.notes)
        return inputs

    def _with_weights(self, examples: SequenceExamples, y: Part) -> SequenceExamples:
        """Give examples the weights of their targets, if there are any."""
        if y.weights is not None:
            examples.weights = with_mean_one(y.weights, examples.predictions())
        return examples

    def _with_targets(self, inputs: Ragged, targets: npt.NDArray[Any] | Ragged | None) -> SequenceExamples:
        return SequenceExamples(inputs, targets)

    def _unlabelled(self, X: Sequence[Any]) -> SequenceExamples:
        """Examples to predict for."""
        self._fitted()
        return self._examples(as_part(self._known_columns(X), "X"))

    def _labelled(self, x: Any, y: Any = None) -> SequenceExamples:
        one = x if isinstance(x, SequenceData) else [x]
        if len(one) != 1:
            raise InputError(f"one sequence was expected, and this are {len(one)}: data[3:4] is one, with its static")
        if y is None:
            return self._unlabelled(one)
        self._fitted()
        return self._examples(as_part(self._known_columns(one), "X"), as_part([y], "y"))

    def _pair(self, X: Any, y: Any) -> tuple[Part, Part]:
        """Return examples to score, and what is true of them; errors as `as_pair`."""
        return as_pair(self._known_columns(X), as_rows(y, "y", fewest=2))

    def _learn_columns(self, X: Any) -> Any:
        """Return X as examples, after learning what is to be known of its columns."""
        return X

    def _known_columns(self, X: Any) -> Any:
        """Return X as examples, with the columns of training where it had some."""
        return X

    def _fingerprint(self, training: Examples[Any]) -> str:
        """Return a hash of what the network reads, and of the scales that it was brought to."""
        found = training.fingerprint()
        scales = [part for scale in self._scales().values() for part in scale]
        return found if not scales else fingerprint(np.frombuffer(found.encode(), np.uint8), *scales)

    # --- files -----------------------------------------------------------------------------------------------------

    def _scales(self) -> dict[str, Scale]:
        return {} if self.input_.scale is None else {"input": self.input_.scale}

    def _take_scales(self, scales: Mapping[str, Scale]) -> None:
        rest = dict(scales)
        if isinstance(self.input_, NumericInput):
            self.input_.scale = demand_shape(rest.pop("input"), self.input_.step_size)
        super()._take_scales(rest)

    def _learned(self) -> dict[str, Any]:
        return {"input": self.input_.to_json()}

    def _restore(self, learned: Mapping[str, Any]) -> None:
        self.input_ = input_from_json(learned["input"])


def _divided(pair: Parts, halves: Split | None, validation: Pair | None) -> tuple[Parts, Parts | None]:
    """Return the part to learn from and the held-out one, which is a half of the pair or was given."""
    if halves is None:
        return pair, None if validation is None else as_pair(*validation)
    train, rest = ((pair[0].take(half), pair[1].take(half)) for half in halves)
    return train, rest


def _rows_of(X: Any) -> Any:
    return X.of(as_rows(X.X, "X")) if isinstance(X, SequenceData) else as_rows(X, "X")


def _empty_ones(X: Part, examples: SequenceExamples) -> str | None:
    """Return a sentence about sequences without a step, which say nothing of themselves."""
    empty = np.flatnonzero(examples.lengths == 0)
    if not len(empty):
        return None
    return f"{len(empty):,} of {len(X):,} training sequences are empty; the first is {where(X, int(empty[0]))}"
