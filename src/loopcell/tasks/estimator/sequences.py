"""SequenceEstimator: sequences in, and for each of them something that is known of it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from loopcell.data import Ragged, split_random
from loopcell.tasks.estimator.base import Estimator
from loopcell.tasks.estimator.engine import private_randomness
from loopcell.tasks.estimator.examples import SequenceExamples
from loopcell.tasks.estimator.parts import Part, as_pair, as_part
from loopcell.tasks.inputs import Input, input_from_json, learn_input
from loopcell.tasks.networks.reader import SequenceReader
from loopcell.tasks.scores import ScoreTable
from loopcell.tasks.settings import NetworkSettings, checked

Pair = tuple[Any, Any]
Split = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


class SequenceEstimator(Estimator):
    """X is a list of strings, of lists of tokens, of arrays [T, I] or of paths; y has an entry for each.

    Attributes:
        input_: how X becomes sequences: a vocabulary, the length of a vector, a feature of files.
    """

    input_: Input

    # --- what a task defines, beside what `Estimator` asks for -----------------------------------------------------

    @abstractmethod
    def _learn(self, y: Part) -> None:
        """Look at the targets of the training part: the labels that there are, ..."""

    @abstractmethod
    def _targets(self, y: Part, inputs: Ragged) -> npt.NDArray[Any] | Ragged:
        """Targets as numbers, as `SequenceExamples` takes them; DataError names the example that does not fit."""

    def _prepare(self, training: SequenceExamples) -> None:
        """Put what the network keeps of the training part into it, such as counts of labels."""

    def _finish(self, held_out: SequenceExamples) -> None:
        """What follows training, with the help of the held-out part, such as calibration."""

    def _split(self, y: Part, fraction: float, seed: int) -> Split:
        """Numbers of the examples to train on and of those to hold out."""
        return split_random(len(y), fraction, seed)

    @abstractmethod
    def evaluate(self, X: Sequence[Any], y: Sequence[Any], *, training: Pair | None = None) -> ScoreTable:
        """The metrics of the task on (X, y), beside those of naive baselines.

        Args:
            X: examples.
            y: what is true of them.
            training: the training data, for baselines that have to learn; None leaves these out.
        """

    def _reader(self, settings: NetworkSettings) -> SequenceReader:
        """What reads the sequences: a network has it under the name `reader`."""
        return SequenceReader(self.input_.first_layer(settings), settings)

    # --- fit -------------------------------------------------------------------------------------------------------

    def fit(
        self,
        X: Sequence[Any],
        y: Sequence[Any],
        *,
        validation: Pair | None = None,
        run: str | PathLike[str] | None = None,
        resume: bool = False,
    ) -> Self:
        """Learn from examples.

        Args:
            X: strings, lists of strings (tokens), arrays [T, I] or [T], or paths; lengths may differ.
            y: what is to be learned of each.
            validation: (X, y) to choose the best weights by; None holds out `validation_fraction` of the examples.
            run: a new folder for checkpoints, curves and the model, from which training can go on; None for none.
            resume: go on with the run of that folder, with the same data.

        Raises:
            DataError: an example cannot be used; the sentence says which and why.
            UsageError: an argument of the constructor is out of its bounds, or the folder is taken.
            TrainingError: the loss is not finite.
            KeyboardInterrupt: it was interrupted. The estimator has by then what training came to, and can be used.
        """
        settings = checked(self)
        seed = settings.seed()
        with private_randomness(seed):
            training, held_out = self._learn_data(as_pair(X, y), validation, settings, seed)
            self.network_ = self._network(settings)
            reader: SequenceReader = self.network_.get_submodule("reader")  # type: ignore[assignment]
            self.input_.prepare(reader.first, training.inputs)
            self._prepare(training)
            self._train(training, held_out, seed, run=run, resumed=resume)
            if held_out is not None:
                self._finish(held_out)
        return self._ended(run)

    def _learn_data(
        self, given: tuple[Part, Part], validation: Pair | None, settings: NetworkSettings, seed: int
    ) -> tuple[SequenceExamples, SequenceExamples | None]:
        """Split, learn vocabularies and labels from the training part alone, and encode both parts."""
        (X, y), held_out = given, None if validation is None else as_pair(*validation)
        fraction = float(self.validation_fraction)
        if held_out is None and round(fraction * len(X)):
            train, rest = self._split(y, fraction, seed)
            held_out = X.take(rest), y.take(rest)
            X, y = X.take(train), y.take(train)
        self.input_ = learn_input(X, settings)
        self._learn(y)
        return self._examples(X, y), None if held_out is None else self._examples(*held_out)

    def _examples(self, X: Part, y: Part | None = None) -> SequenceExamples:
        inputs = self.input_.sequences(X)
        return SequenceExamples(inputs, None if y is None else self._targets(y, inputs))

    def _unlabelled(self, X: Sequence[Any]) -> SequenceExamples:
        """Examples to predict for."""
        self._fitted()
        return self._examples(as_part(X, "X"))

    # --- files -----------------------------------------------------------------------------------------------------

    def _learned(self) -> dict[str, Any]:
        return {"input": self.input_.to_json()}

    def _restore(self, learned: Mapping[str, Any]) -> None:
        self.input_ = input_from_json(learned["input"])
