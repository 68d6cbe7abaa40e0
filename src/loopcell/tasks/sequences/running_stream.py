"""The stream of a tagger, classifier or regressor: of one network, or of all that an ensemble has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from loopcell.data import LogMel, RawAudio
from loopcell.layers import State
from loopcell.layers.streaming.base import Owner, Start
from loopcell.tasks.core.from_files.config import Columns
from loopcell.tasks.core.inputs import FeatureInput, Input
from loopcell.tasks.core.networks.ensemble import members_of
from loopcell.tasks.core.networks.reader import SequenceReader
from loopcell.tasks.core.streaming.stream import Stream
from loopcell.tasks.sequences.averaged_answers import AveragedAnswers
from loopcell.tasks.sequences.pieces import read_piece
from loopcell.tasks.sequences.running import Memory, RunningAnswers
from loopcell.tasks.sequences.sound_stream import SoundStream
from loopcell.tasks.sequences.step_stream import StepStream, step_columns

ResultT = TypeVar("ResultT")
MEMORY = "memory."


def running_stream(
    owner: Owner,
    input_: Input,
    columns: Columns | None,
    network: Any,
    answers_of: Callable[[Any], RunningAnswers[ResultT]],
    name: str,
    state: Start,
) -> Stream[ResultT] | SoundStream[ResultT]:
    """Return the stream of a model that answers after each step.

    Args:
        owner: the model.
        input_: what reads a step.
        columns: of the files that the shell trained it on.
        network: trained, or an ensemble.
        answers_of: gives what one network says after each step.
        name: of the model, for a sentence.
        state: where another stream stood.
    """
    members = members_of(network)
    readers: list[SequenceReader] = [member.reader for member in members]
    each = [answers_of(member) for member in members]
    answers = each[0] if len(each) == 1 else AveragedAnswers(each, [one.output_size for one in readers])
    if isinstance(input_, FeatureInput) and isinstance(input_.features, LogMel | RawAudio):
        layers = [reader.recurrent for reader in readers]
        return SoundStream(owner, input_.features, input_.known_scale, layers, answers).begin(state)
    rest = {f"{MEMORY}{key}": tensor for key, tensor in answers.at_rest().items()}
    start = State.of({**_joined([reader.recurrent.initial_state(1) for reader in readers]), **rest})

    def go_on(steps: Any, before: State | None) -> tuple[list[ResultT], State]:
        memory, layers = _divided(before or start)
        piece, after_piece, own = read_piece(input_, steps, None, layers)
        with torch.no_grad():
            piece = piece.to(next(readers[0].parameters()).device)
            outputs, after = _read(readers, piece, own)
            found, memory = answers.after(outputs[:, 0], piece[:, 0], memory)
        return found, State.of({**after_piece(after), **{f"{MEMORY}{key}": one for key, one in memory.items()}})

    return StepStream(owner, input_, step_columns(input_, columns, name), go_on, start, answers).begin(state)


def _read(readers: Sequence[SequenceReader], piece: Tensor, state: State | None) -> tuple[Tensor, State]:
    """Return the outputs of all readers side by side, and their states as one."""
    if len(readers) == 1:
        only: tuple[Tensor, State] = readers[0](piece, None, state)
        return only
    assert state is not None  # a stream begins with that at rest
    found = [reader(piece, None, _of_number(state, number)) for number, reader in enumerate(readers)]
    return torch.cat([outputs for outputs, _ in found], -1), _joined([after for _, after in found])


def _joined(states: Sequence[State]) -> State:
    if len(states) == 1:
        return states[0]
    return State.of({f"{number}.{name}": one for number, state in enumerate(states) for name, one in state.items()})


def _of_number(state: State, number: int) -> State:
    start = f"{number}."
    return State.of({name.removeprefix(start): one for name, one in state.items() if name.startswith(start)})


def _divided(state: State) -> tuple[Memory, State]:
    """Return the memory of a state, and what is left of it."""
    memory = {name.removeprefix(MEMORY): one for name, one in state.items() if name.startswith(MEMORY)}
    return memory, State.of({name: one for name, one in state.items() if not name.startswith(MEMORY)})
