"""InspectedEstimator: looking inside of an estimator of sequences while its network reads."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar, Literal

from loopcell.errors import InputError
from loopcell.insight import CorpusPart, GradientFlow, Inspection, LayerView, Prediction, look_inside
from loopcell.insight.treatments import Treatment
from loopcell.tasks.core.estimator.base import Estimator
from loopcell.tasks.core.estimator.examples import SequenceExamples
from loopcell.tasks.core.estimator.gradient_flows import flow_of_example
from loopcell.tasks.core.estimator.inspecting import at_ends, corpus_parts, ensemble_notes, strided_notes, traces_of
from loopcell.tasks.core.inputs import Input
from loopcell.tasks.core.inputs.text import unknown_notes
from loopcell.tasks.core.networks.ensemble import first_member
from loopcell.tasks.core.networks.reader import SequenceReader


class InspectedEstimator(Estimator):
    """An estimator whose network has a reader of sequences, into which one can look.

    Attributes:
        input_: how X becomes sequences: a vocabulary, the length of a vector, features of files.
    """

    input_: Input

    says_of_a_step: ClassVar[Literal["here", "so far"]] = "so far"
    """What a prediction at a step is of: the step, or the sequence if it ended there."""
    notes_of_inspection: ClassVar[tuple[str, ...]] = ()
    """What a reader of an inspection has to know, such as that a part of the model is not in it."""

    @abstractmethod
    def _labelled(self, x: Any, y: Any = None) -> SequenceExamples:
        """Return one sequence as the network takes it, with what is true of it unless that is None."""

    def inspect(self, x: Any) -> Inspection:
        """Look at what happens inside while the model reads one sequence.

        Args:
            x: one sequence, in the form of those that `fit` was given; with what stands beside it a `SequenceData`
                of one.

        Returns:
            Every named quantity of every recurrent layer at every step, with the steps in words and the answer so far.
            In a notebook it shows itself; `inspection.save("page.html")` writes a page that opens anywhere.

        Raises:
            DataError: the sequence cannot be used.
            InputError: it has no step.
        """
        examples, layers = self._looked_into(x)
        (sequence,) = examples.inputs
        if not len(sequence):
            raise InputError("nothing to look at: the sequence has no step")
        predictions, answer = self._said(examples)
        stride = self._stride
        return Inspection(
            title=type(self).__name__,
            steps=self.input_.step_labels(sequence)[::stride],
            layers=layers,
            traces={name: course[::stride] for name, course in traces_of(self.input_, x).items()},
            predictions=at_ends(predictions, stride),
            predicted=self.says_of_a_step,
            answer=answer,
            notes=(
                *self.notes_of_inspection,
                *strided_notes(stride),
                *ensemble_notes(self._fitted()),
                *unknown_notes(int(self.input_.unknown_steps(sequence).sum())),
            ),
        )

    def gradient_flow(self, x: Any, y: Any = None, *, treatment: Treatment | None = None) -> GradientFlow:
        """Look at how a gradient flows back while the model reads one sequence.

        Args:
            x: one sequence, in the form of those that `fit` was given.
            y: what is true of it: the gradient is then that of the network's training loss on it; without it that of
                the reader's last output along a random direction.
            treatment: try "orthogonal", "chrono" or "clip" on a copy, whose flow is returned with this one beside it.

        Returns:
            The norms of each state of each layer of the reader, with a verdict; `flow.save("flow.html")` makes a page.

        Raises:
            DataError: the sequence, or what is true of it, cannot be used.
            InputError: it has no step, or the treatment does not fit the cell.
        """
        network, examples = first_member(self._fitted()), self._labelled(x, y)
        (sequence,) = examples.inputs
        return flow_of_example(network, examples, self.input_.step_labels(sequence)[:: self._stride], treatment)

    def corpus_states(self, corpus: Iterable[Any], quantities: Sequence[str] | None = None) -> Iterator[CorpusPart]:
        """Yield what the layers compute at every step of a corpus, a sequence at a time; see `CorpusReader`."""
        looked_into = ((examples.inputs[0], layers) for examples, layers in map(self._looked_into, corpus))
        return corpus_parts(self.input_, looked_into, quantities, self._stride)

    @property
    def _stride(self) -> int:
        """Return how many steps of a sequence the recurrent layers read as one."""
        reader = self._fitted().get_submodule("reader")
        return reader.stride if isinstance(reader, SequenceReader) else 1

    def _looked_into(self, x: Any) -> tuple[SequenceExamples, tuple[LayerView, ...]]:
        """Return a sequence as the network reads it, and what its layers compute: nothing where it has no step."""
        reader, examples = self._fitted().get_submodule("reader"), self._labelled(x)
        if not isinstance(reader, SequenceReader):
            raise InputError(f"a {type(self).__name__} reads no steps: there is no recurrent layer to look into")
        (sequence,) = examples.inputs
        read = partial(self._read, examples, lambda b: reader(b.inputs, b.lengths)[0])
        return examples, look_inside(reader, lambda: list(read())) if len(sequence) else ()

    def _said(self, examples: SequenceExamples) -> tuple[list[list[Prediction]], list[Prediction]]:
        """Return what the model says at each step of the one sequence of some examples, and at its end."""
        return [], []
