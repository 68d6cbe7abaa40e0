"""The check that a resumed run is the run that was: only how long it goes on may differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from loopcell.errors import UsageError, quoted

if TYPE_CHECKING:
    from loopcell.training.checkpoint import Position
    from loopcell.training.config import RunLength

Reason = Literal["complete", "time limit", "patience", "callback", "interrupted"]
"""Why a run ended."""

EXTENDABLE = ("epochs", "updates", "patience", "time_limit")
"""Settings of a run that may be others when it goes on; the schedule is then that of the new length."""

_OTHER = {"fingerprint": "other data", "cell": "another cell", "columns": "other columns", "learned": "other data"}


def demand_same_job(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to go on with a run as another job.

    Args:
        path: the run's folder.
        before: the facts of the job that it was started with; those that `now` does not have do not count.
        now: the facts of the job that is to go on.

    Raises:
        UsageError: they differ in more than `EXTENDABLE`; the sentence names the first difference.
    """
    difference = next(_differences(before, _plain(now)), None)
    if difference is not None:
        may = f"{', '.join(EXTENDABLE[:-1])} and {EXTENDABLE[-1]}"
        raise UsageError(
            f"the run {path} was started with {difference}; it can only go on with the same (only {may} may change)"
        )


def nothing_left(reason: Reason, position: Position, length: RunLength) -> str:
    """Return a sentence about a run that ended before it was resumed: it has done what is asked for, or more.

    Args:
        reason: why it has ended.
        position: how far it came.
        length: what is asked for now.
    """
    passes = f"{position.epoch:,} pass{'es' * (position.epoch != 1)}"
    asked = f"epochs={length.epochs}" if length.updates is None else f"updates={length.updates}"
    because = {
        "complete": f"the run has made {passes} ({position.update:,} updates), and {asked} asks for no more",
        "patience": f"the last {position.without_gain:,} evaluations brought no gain, and patience={length.patience}",
        "time limit": f"the run has taken {position.seconds:,.0f} s, which is all of its time limit",
    }
    return f"nothing was left to train: {because[reason]}"


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yield what differs, in words.

    The seed comes first, for another one splits the data otherwise; then the data, for other data bring other
    vocabularies and sizes with them.
    """
    if before.get("seed") != now.get("seed"):
        yield _another("seed", before, now)
    if before.get("fingerprint") != now.get("fingerprint"):
        yield _OTHER["fingerprint"]
    config, wanted = before.get("config"), now.get("config")
    if isinstance(config, Mapping) and isinstance(wanted, Mapping):
        for name in sorted(config.keys() | wanted.keys()):
            if config.get(name) != wanted.get(name) and name not in EXTENDABLE:
                yield f"other settings: {name} was {quoted(config.get(name))} and is {quoted(wanted.get(name))}"
    elif config != wanted:
        yield "other settings"
    for name in now.keys() - {"config"}:
        if before.get(name) != now[name]:
            yield _OTHER.get(name, _another(name, before, now))


def _another(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    return f"another {name}: it was {quoted(before.get(name))} and is {quoted(now.get(name))}"


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts as they come back from a file."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(facts)))
    return plain
