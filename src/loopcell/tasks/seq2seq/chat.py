"""Chat: a Seq2Seq over the turns of a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from loopcell.data.readers import where
from loopcell.errors import DataError
from loopcell.tasks.core.config import SamplingConfig
from loopcell.tasks.core.estimator import Part, SequenceExamples, as_part
from loopcell.tasks.core.estimator.parts import PartOrigins
from loopcell.tasks.core.inputs import learn_input
from loopcell.tasks.seq2seq.candidates import Candidate, different
from loopcell.tasks.seq2seq.metrics import distinct
from loopcell.tasks.seq2seq.settings import ChatSettings
from loopcell.tasks.seq2seq.translator import Seq2Seq

BETWEEN = "\n"  # stands between two turns that are read together


class Chat(ChatSettings, Seq2Seq):
    """An answer to what was said: the turns in, the next one out.

    Its arguments are those of `Seq2Seq` and of `ChatSettings`. An example of X is a text, what was said last, or a list
    of texts, the turns so far with the newest last; the encoder reads the last `history` of them. y are the answers.

    Vinyals, Le: A Neural Conversational Model, 2015 (arXiv 1506.05869).
    """

    task: ClassVar[str] = "chat"

    def reply(
        self, turns: str | Sequence[str], n: int = 1, *, choice: SamplingConfig | None = None, seed: int | None = None
    ) -> list[Candidate]:
        """Answer some turns.

        Args:
            turns: what was said, or all turns so far with the newest last.
            n: answers, at most; beam search may find fewer.
            choice: draw with this temperature, top-k and top-p; None takes the best of beam search.
            seed: of the draw.

        Returns:
            Answers that differ, best first.

        Raises:
            UsageError: n is below 1.
        """
        if choice is not None:
            return different(self.sample([turns], n, choice=choice, seed=seed)[0])
        return self.candidates([turns], n)[0]

    def _own_metrics(self, given: Sequence[str]) -> dict[str, float]:
        """Measure distinct-1 and distinct-2: how many of all words, and pairs of words, are different.

        Li et al.: A Diversity-Promoting Objective Function for Neural Conversation Models, 2016 (arXiv 1510.03055).
        """
        return {f"distinct-{size}": distinct(given, size) for size in (1, 2)}

    def unknown(self, X: Sequence[Any]) -> int:
        """Count the tokens of the turns that are read and were never seen in training."""
        return super().unknown(self._joined(as_part(X, "X")))

    def _learn_inputs(self, X: Part, settings: ChatSettings) -> None:
        self.input_ = learn_input(self._joined(X), settings)

    def _training_examples(self, X: Part, y: Part) -> SequenceExamples:
        return super()._training_examples(self._joined(X), y)

    def _examples(self, X: Part, y: Part | None = None) -> SequenceExamples:
        return super()._examples(self._joined(X), y)

    def _copied(self, X: Part) -> list[str]:
        return [turn if isinstance(turn, str) else turn[-1] for turn in X]

    def _joined(self, X: Part) -> Part:
        """Return the turns of each example as one text."""
        return Part(_Texts(X, int(self.history)), X.name)


class _Texts(Sequence[str]):
    """Each example's last turns as one text; knows where they came from."""

    def __init__(self, X: Part, history: int) -> None:
        self._X, self._history = X, history
        self.origins: PartOrigins = X.origins

    def __len__(self) -> int:
        return len(self._X)

    def __getitem__(self, index: Any) -> Any:
        turns = self._X[index]
        if isinstance(turns, str):
            return turns
        if not isinstance(turns, list | tuple) or not all(isinstance(turn, str) for turn in turns):
            raise DataError(f"{where(self._X, index)}: a text, or a list of turns that are texts, was expected")
        return BETWEEN.join(turns[-self._history :])
