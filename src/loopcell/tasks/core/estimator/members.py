"""EnsembleTraining: the networks of an ensemble, trained one after the other in one run.

A member is trained as a copy of the estimator with `ensemble=1`, in a run folder of its own below that of the whole
(`member-1`, ...), so checkpoints, curves and going on are those of any run.
"""

from __future__ import annotations

import copy
import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Self, TypeAlias

from loopcell.tasks.core.estimator.base import Estimator
from loopcell.tasks.core.estimator.engine import private_randomness
from loopcell.tasks.core.estimator.examples import Examples
from loopcell.tasks.core.estimator.warm_start import network_made_of
from loopcell.tasks.core.networks.ensemble import Ensemble
from loopcell.training.config import MOST_SEEDS
from loopcell.training.loop import Outcome
from loopcell.training.run_folder import RunFolder
from loopcell.training.run_lock import only_process

PartsOf: TypeAlias = Callable[[int], tuple[Any, Any]]  # of a member, from 0: what it learns from, and its held-out part


class EnsembleTraining(Estimator):
    """An estimator whose network may be several.

    Attributes:
        outcomes_: how the training of each network of an ensemble ended.
    """

    ensemble = 1
    outcomes_: list[Outcome]

    @abstractmethod
    def _learn_from(
        self,
        training: Any,
        held_out: Any,
        seed: int,
        run: str | PathLike[str] | None,
        *,
        resumed: bool,
        anew: bool = True,
    ) -> None:
        """Train one network on examples, and do what follows; `anew` unless training goes on from its weights."""

    def _member(self, number: int) -> Self:
        """Return one of an ensemble's networks, from 0, as an estimator of its own."""
        network = self._fitted()
        assert isinstance(network, Ensemble)
        member = copy.copy(self)
        member.ensemble, member.network_ = 1, network.members[number]
        member.random_state_ = (self.random_state_ + number) % MOST_SEEDS
        member._made_of = network_made_of(member._equations_and_config())  # noqa: SLF001 - a copy of its own
        return member

    def _train_members(
        self,
        examples: Examples[Any],
        parts: PartsOf,
        run: str | PathLike[str] | None,
        *,
        resumed: bool,
        anew: bool = True,
    ) -> None:
        """Train the networks of an ensemble; an interruption leaves those that are trained.

        Args:
            examples: all that any of them learns from.
            parts: of each.
            run: a folder for all of them.
            resumed: go on with the run of that folder.
            anew: whether they begin with weights of their own, or go on from those that they have.
        """
        folder = None if run is None else RunFolder(Path(run))
        with ExitStack() as stack:
            if folder is not None:
                stack.enter_context(only_process(folder))
                own = {"seed": self.random_state_, "fingerprint": self._fingerprint(examples)}
                self._prepare_run(folder, own, resumed)
            members: list[Self] = []
            for number in range(self.ensemble):
                members.append(self._trained_member(number, parts(number), folder, resumed=resumed, anew=anew))
                self.network_.get_buffer("trained").fill_(number + 1)
                if members[-1].outcome_.reason == "interrupted":
                    break
        self._take_outcomes(members)

    def _take_outcomes(self, members: Sequence[Self]) -> None:
        self.outcomes_ = [member.outcome_ for member in members]
        self.outcome_, self.pace_ = members[-1].outcome_, members[-1].pace_
        self.history_ = [{"member": at + 1, **row} for at, member in enumerate(members) for row in member.history_]
        self.notes_ += [note for member in members for note in member.notes_]
        self.network_.eval()

    def _trained_member(
        self, number: int, parts: tuple[Any, Any], run: RunFolder | None, *, resumed: bool, anew: bool
    ) -> Self:
        """Train one network, with its share of the time limit and in its own folder."""
        share = None if self.time_limit is None else float(self.time_limit) / self.ensemble
        member, path = self._member(number), None if run is None else run.path / f"{run.MEMBER}{number + 1}"
        spoken_of = f"member {number + 1} of {self.ensemble}: "
        own: dict[str, Any] = {"_spoken_of": spoken_of, "notes_": [], "time_limit": share}
        if number:  # reading the data was a part of the first one's time
            own["_started"] = time.monotonic()
        member.__dict__.update(own, _context=replace(self._context, source=None))
        goes_on = resumed and _began(path)
        with private_randomness(member.random_state_):
            member._learn_from(*parts, member.random_state_, path, resumed=goes_on, anew=anew)  # noqa: SLF001 - a copy
        if path is not None:
            member.save(RunFolder(path).model)
        return member


def _began(path: Path | None) -> bool:
    """Return whether there is a run to go on with; what is left of one that never began is removed."""
    if path is None or not path.exists():
        return False
    run = RunFolder(path)
    if run.never_began():
        run.clear()
        return False
    return True
