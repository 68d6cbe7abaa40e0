"""The parts of a model's step: stages that each read named quantities and give one.

A stage with equations is a graph, the same that kernels are generated from; what cannot be written as equations over
one vector (a row of a table, the softmax over all labels, the last d steps) has a stage of its own. Whoever writes a
target has a function for each kind of stage, and nothing else to know of a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from loopcell.equations import Graph
from loopcell.errors import UsageError

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Quantity:
    """A vector that flows: an input of the model, or what a stage gives.

    Attributes:
        name: unique in its model.
        size: its length.
        kind: "number", or "token": one whole number, the id of a token.
    """

    name: str
    size: int
    kind: Literal["number", "token"] = "number"


@dataclass(frozen=True)
class Output:
    """A quantity that the model answers a step with.

    Attributes:
        name: of the quantity.
        labels: what each of its numbers is of, as texts; none where they have no names.
    """

    name: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Equations:
    """A stage that is equations: a recurrent layer, a scale, a head.

    Attributes:
        gives: what comes out.
        graph: of one step as evaluation has it, without draws; its results are the output and the states after it.
        sizes: every size of the graph, by name.
        parameters: float32, by the names of the graph's parameters.
        reads: the name of a quantity for each of the graph's inputs, by the input's name.
        doc: what the stage is, in a sentence for a reader of generated code.
    """

    gives: Quantity
    graph: Graph
    sizes: Mapping[str, int]
    parameters: Mapping[str, Floats]
    reads: Mapping[str, str]
    doc: str = ""

    @property
    def states(self) -> dict[str, int]:
        """The length of each state, by its name in the graph."""
        named = ((key.name, self.graph.size_of(key)) for key in self.graph.results if key.kind == "state")
        return {name: self.sizes[size] if size else 1 for name, size in named}


@dataclass(frozen=True, eq=False)
class Lookup:
    """A stage that is a row of a table: the vector of a token.

    Attributes:
        gives: the row.
        table: [V, E].
        reads: the name of the token's quantity.
    """

    gives: Quantity
    table: Floats
    reads: str
    states: Mapping[str, int] = field(default_factory=dict, init=False)


@dataclass(frozen=True)
class Softmax:
    """A stage that makes probabilities of scores: exp(s - max s) / sum of these.

    Attributes:
        gives: the probabilities.
        reads: the name of the scores.
    """

    gives: Quantity
    reads: str
    states: Mapping[str, int] = field(default_factory=dict, init=False)


@dataclass(frozen=True)
class Delay:
    """A stage that keeps the last d steps of a quantity, the oldest first: [d * n].

    Before there were d steps, what is missing is the first step.

    Attributes:
        gives: the last d steps.
        steps: d.
        reads: the name of the quantity.
    """

    gives: Quantity
    steps: int
    reads: str

    @property
    def states(self) -> dict[str, int]:
        """The steps kept, and how many there were (1 at most: whether there was one)."""
        return {"recent": self.gives.size, "begun": 1}


@dataclass(frozen=True)
class Join:
    """A stage that puts vectors one after the other.

    Attributes:
        gives: all of them.
        reads: the names of their quantities, in order.
    """

    gives: Quantity
    reads: tuple[str, ...]
    states: Mapping[str, int] = field(default_factory=dict, init=False)


@dataclass(frozen=True)
class Slice:
    """A stage that cuts neighbouring numbers out of a vector.

    Attributes:
        gives: these.
        start: the place of the first of them.
        reads: the name of the vector.
    """

    gives: Quantity
    start: int
    reads: str
    states: Mapping[str, int] = field(default_factory=dict, init=False)


@dataclass(frozen=True, eq=False)
class MelBands:
    """A stage that is the logarithm of the energy of a frame of sound in mel bands: log max(B |F(w x)|^2, floor).

    F is the real Fourier transform of the frame under the window w, filled up with zeros to a power of two.

    Attributes:
        gives: [bands].
        window: w, [width].
        bank: B, [bands, fft_size / 2 + 1]; of each row only a few neighbours are not zero.
        floor: the least energy.
        reads: the name of the frame's quantity, [width].
    """

    gives: Quantity
    window: Floats
    bank: Floats
    floor: float
    reads: str
    states: Mapping[str, int] = field(default_factory=dict, init=False)

    @property
    def fft_size(self) -> int:
        """Length of the transform, a power of two."""
        frequencies: int = self.bank.shape[1]
        return 2 * (frequencies - 1)


Stage: TypeAlias = Equations | Lookup | Softmax | Delay | Join | Slice | MelBands


@dataclass(frozen=True)
class Frames:
    """The way a stream of samples becomes steps: frame t has the samples t * hop to t * hop + width - 1.

    The last frame of a sound is filled up with zeros, so that every sample is in one.

    Attributes:
        width: samples of a frame, which is what a step reads.
        hop: samples from one frame's start to the next one's.
        sample_rate: Hz.
    """

    width: int
    hop: int
    sample_rate: int


@dataclass(frozen=True, eq=False)
class StepModel:
    """A whole model as one step: stages in order, each of which reads inputs of the model or what was given before.

    Every state starts as zeros.

    Attributes:
        name: a word that files and functions can be called by.
        inputs: what a step is given.
        stages: in the order of computation.
        outputs: what a step answers.
        facts: plain JSON values about the model, such as the tokens of a vocabulary, for a manifest beside the code.
        frames: how the only input, a frame of sound, is cut out of samples; None where steps come as they are.
        notes: sentences about what the step does not do that the model does; whoever exports it shows them.

    Raises:
        UsageError: a stage reads what nothing gives, or two quantities have one name.
    """

    name: str
    inputs: tuple[Quantity, ...]
    stages: tuple[Stage, ...]
    outputs: tuple[Output, ...]
    facts: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    frames: Frames | None = None

    def __post_init__(self) -> None:
        known = {quantity.name for quantity in self.inputs}
        if len(known) < len(self.inputs):
            raise UsageError(f"two inputs of the model {self.name!r} have one name")
        for stage in self.stages:
            for name in reads_of(stage):
                if name not in known:
                    raise UsageError(f"stage {stage.gives.name!r} reads {name!r}, which nothing gives before it")
            if stage.gives.name in known:
                raise UsageError(f"two quantities of the model {self.name!r} are called {stage.gives.name!r}")
            known.add(stage.gives.name)
        for output in self.outputs:
            if output.name not in known:
                raise UsageError(f"the model {self.name!r} answers with {output.name!r}, which nothing gives")

    @cached_property
    def quantities(self) -> dict[str, Quantity]:
        """All inputs and what stages give, by name."""
        return {one.name: one for one in (*self.inputs, *(stage.gives for stage in self.stages))}

    @cached_property
    def states(self) -> dict[str, int]:
        """The length of every state, by STAGE.STATE, in the order of the stages."""
        return {f"{stage.gives.name}.{name}": size for stage in self.stages for name, size in stage.states.items()}

    @property
    def is_effect(self) -> bool:
        """True where each sample of sound is answered with a sample of sound."""
        return self.facts.get("answers") == "samples"

    @property
    def columns(self) -> dict[str, list[str]]:
        """The names of the numbers of each input, in their order, by the input's name; of those whose names are known.

        Numbers of steps to come stand step after step, NAME+1 for the next one. Of a token it is what each of its
        numbers stands for.
        """
        found: dict[str, list[str]] = {}
        for one in self.inputs:
            named = self._named(one)
            if one.name == "ahead" and named:
                named = [f"{name}+{step + 1}" for step in range(one.size // len(named)) for name in named]
            if named and (one.kind == "token" or len(named) == one.size):
                found[one.name] = named
        return found

    def _named(self, one: Quantity) -> list[str]:
        facts: object = self.facts.get(_FACTS.get(one.name, ""))
        if one.kind == "token":
            by_name = (self.facts.get(fact) for fact in ("categories", "static categories"))
            known = (each[one.name] for each in by_name if isinstance(each, Mapping) and one.name in each)
            facts = next(known, self.facts.get("tokens"))
        return [str(name) for name in facts] if isinstance(facts, list) else []

    def tokens(self, name: str) -> int:
        """Return how many tokens an input may be: those of the smallest table that reads it; 0 where none does."""
        tables = (stage.table for stage in self.stages if isinstance(stage, Lookup) and stage.reads == name)
        return min(map(len, tables), default=0)

    @property
    def parameters(self) -> int:
        """The count of the numbers that the model has learned."""
        tables = [stage.table for stage in self.stages if isinstance(stage, Lookup)]
        equations = (stage for stage in self.stages if isinstance(stage, Equations))
        every = [*tables, *(value for stage in equations for value in stage.parameters.values())]
        return sum({id(one): one.size for one in every}.values())  # stages may share an array


_FACTS = {
    "x": "columns",
    "values": "columns",
    "static": "static columns",
    "known": "known",
    "ahead": "known",
    "past": "past",
}
"""The fact that has the names of an input's numbers."""


def reads_of(stage: Stage) -> tuple[str, ...]:
    """Return the names of the quantities that a stage reads."""
    if isinstance(stage, Equations):
        return tuple(stage.reads.values())
    return stage.reads if isinstance(stage, Join) else (stage.reads,)
