"""`loopcell inspect MODEL --corpus FILE`: a pattern of units looked for in a corpus, and units that track something."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, NonNegativeInt, PositiveInt

from loopcell.cli.flags import flags_of
from loopcell.cli.inspect_sequence import AskedSequence, rows_of, window_of
from loopcell.cli.reporting import say, say_note, say_unknown
from loopcell.cli.values import named
from loopcell.errors import UsageError, quoted
from loopcell.training.config import Config

if TYPE_CHECKING:
    from loopcell.insight import CorpusText, Inspection, Matches, Pattern, StateStore, Tracking

AROUND = 200
"""Steps of the corpus before and after a place that are inspected, where no sequence is given."""
SHOWN = 30
"""Characters of a text before a match and after it."""
_EXPLICIT = re.compile(r"\s*layer\d+\.\w+\[")
_INTERVAL = re.compile(r"\d+:\d+")


class CorpusSearch(Config):
    """A question to a corpus.

    Attributes:
        corpus: a file whose every step the model reads: the text of a language model, or a file of sequences.
        find: what to find elsewhere in the corpus: a part of the text, steps of it as 10:16, or units such as
            "layer1.c[12]>0.5".
        track: a regular expression: the units that tell best which steps lie within one of its places.
        since: a regular expression: the units that tell best how many steps ago its last place ended.
        states: a file to keep the states of the corpus in, and to take them from the next time; None for a
            temporary one.
        layer: the layer whose units are looked at, from 0; None for the last.
        quantity: the quantity of the cell's equations that is looked at; None for the cell's last state.
        threshold: a unit is on at or above it; None finds one for each unit.
        matches: how many places are shown.
    """

    corpus: Path | None = None
    find: str | None = None
    track: str | None = None
    since: str | None = None
    states: Path | None = None
    layer: NonNegativeInt | None = None
    quantity: str | None = None
    threshold: Annotated[float | None, Field(allow_inf_nan=False)] = None
    matches: PositiveInt = 20

    def demand_complete(self, pages: Mapping[str, bool]) -> None:
        """Refuse a corpus without a question, or a question without a corpus.

        Args:
            pages: flags that ask for another page, which a corpus cannot stand beside, and whether each was typed.

        Raises:
            UsageError: something is missing, or too much.
        """
        asked = [f"--{name}" for name in ("find", "track", "since", "states") if getattr(self, name) is not None]
        if self.corpus is None and asked:
            raise UsageError(f"{asked[0]} looks through a corpus: give --corpus FILE")
        another = next((name for name, typed in pages.items() if typed), None)
        if self.corpus is not None and another is not None:
            raise UsageError(f"--{another} makes a page of its own: give --corpus without it")
        if self.corpus is not None and not {"--find", "--track", "--since"} & set(asked):
            raise UsageError("say what to look for in the corpus: --find TEXT, --track REGEX or --since REGEX")
        for name in ("track", "since"):
            if getattr(self, name) == "":
                raise UsageError(f"--{name} is empty: give a regular expression, such as '^[A-Z]+:'")

    def demand_shown(self, typed: Mapping[str, object], sequence: AskedSequence | None) -> None:
        """Refuse a file for a page where there is nothing that a page could show.

        Args:
            typed: flags that say something of a page, by name; None where they were not given.
            sequence: what was asked to be shown.

        Raises:
            UsageError: one was given, and there is neither a sequence nor something to find, which has a place.
        """
        flag = next((name for name, given in typed.items() if given is not None), None)
        if flag is not None and sequence is None and self.find is None:
            raise UsageError(
                f"--{flag} is of a page, and units that track something need none: name the sequence that it is to "
                "show with --text TEXT, or --data FILE and --row NUMBER"
            )

    @property
    def explicit(self) -> bool:
        """Say whether units are written out."""
        return self.find is not None and _EXPLICIT.match(self.find) is not None

    def quantities(self) -> tuple[str, ...] | None:
        """Return which quantities are to be stored; None for the cell's states."""
        if self.explicit:
            from loopcell.insight import Pattern

            named = [name.partition(".")[2] for name in Pattern.parse(self.find or "").columns]
            return tuple(dict.fromkeys([*named, *([self.quantity] if self.quantity else [])]))
        return None if self.quantity is None else (self.quantity,)


FLAGS = flags_of(CorpusSearch)


def searched(model: Any, search: CorpusSearch, sequence: AskedSequence | None) -> Inspection | None:
    """Look through a corpus, say what was found, and return what a page is to show; None for no page.

    Raises:
        UsageError: the model cannot read a corpus, or what is to be found is not there.
        InputError: no unit is on in the interval and off around it, or the states are those of another model.
        DataError: the corpus is empty, or does not fit the model.
    """
    if search.corpus is None:
        return None if sequence is None else sequence.inspected_by(model)
    if not hasattr(model, "corpus_states"):
        raise UsageError(f"{named(model)} cannot be looked for in a corpus yet")
    with _stored(model, search) as store:
        _tell_unknown(store)
        _tell_tracked(store, search)
        if search.find is None:
            return None if sequence is None else _inspected(model, sequence.of(model))
        return _found(model, store, search, sequence)


# --- the states ------------------------------------------------------------------------------------------------------


@contextmanager
def _stored(model: Any, search: CorpusSearch) -> Iterator[StateStore]:
    """Give the states of the corpus: those of a file that is there, or written now."""
    from loopcell.insight import StateStore, store_states

    assert search.corpus is not None  # it was asked for
    about = {"corpus": _digest(search.corpus)}
    with tempfile.TemporaryDirectory() as folder:
        path = search.states or Path(folder) / "states.arrow"
        if search.states is not None and path.exists():
            store = StateStore.open(path, model)
            if dict(store.about) != about:
                raise UsageError(f"{path} has the states of another corpus: name another file, or remove it")
        else:
            corpus = search.corpus if _reads_streams(model) else rows_of(model, search.corpus)
            store = store_states(model, corpus, path, search.quantities(), about=about)
            if search.states is not None:
                say(f"wrote {path}")
        yield store


def _digest(path: Path) -> str:
    from loopcell.data.text.source import Source, byte_blocks

    total = hashlib.sha256()
    for block in byte_blocks(Source(path)):
        total.update(block)
    return total.hexdigest()


def _reads_streams(model: Any) -> bool:
    """Say whether a model reads one long text, and not sequences."""
    from loopcell.tasks.language_model.estimator import LanguageModel

    return isinstance(model, LanguageModel)


def _tell_unknown(store: StateStore) -> None:
    say_unknown(store.unknown)
    if store.unknown > len(store) // 2:
        say_note("more than half of the corpus is unknown to the model: was it trained on text of this kind?")


# --- units that track something ---------------------------------------------------------------------------------------


def _tell_tracked(store: StateStore, search: CorpusSearch) -> None:
    from loopcell.insight import CorpusText, track

    if search.track is None and search.since is None:
        return
    text = CorpusText.of_store(store)
    columns = _columns(store, search)
    if search.track is not None:
        say(f"steps inside {search.track}")
        inside = text.inside(search.track)
        if not inside.any():
            raise UsageError(f"--track {quoted(search.track)} matches no character of {search.corpus}")
        _tell(track(store, inside, columns=columns))
    if search.since is not None:
        say(f"steps since {search.since}")
        since = text.since(search.since)
        if not (since >= 0).any():
            raise UsageError(f"--since {quoted(search.since)} matches nowhere in {search.corpus} before its end")
        _tell(track(store, since, columns=columns))


def _columns(store: StateStore, search: CorpusSearch) -> list[str] | None:
    """Return the columns of states of the layer and the quantity that were asked for; None for all."""
    layer = None if search.layer is None else f"layer{search.layer}"
    wanted = (layer, search.quantity)
    pairs = {name: name.split(".") for name in store.columns}
    found = [
        name
        for name, pair in pairs.items()
        if all(want in (None, part) for want, part in zip(wanted, pair, strict=True))
    ]
    if not found:
        raise UsageError(f"no such states are stored; there is {', '.join(store.columns)}")
    return found


def _tell(found: Tracking) -> None:
    """Say how well the best units do, on the half that they were chosen on and on the other."""
    first, second = found.steps
    shares = "" if found.share is None else " ({:.1%} and {:.1%} inside)".format(*found.share)
    say(f"  {found.measure} on the first {first:,} steps, which choose the units, and on the other {second:,}{shares}")
    for unit in found.units:
        say(f"  {unit.score:.4f}  {unit.held_out:.4f}  {str(unit).lstrip('-')}{' (low inside)' if unit.low else ''}")
    say(f"          {found.by_token:.4f}  each step's token alone")


# --- a pattern elsewhere ----------------------------------------------------------------------------------------------


def _found(model: Any, store: StateStore, search: CorpusSearch, sequence: AskedSequence | None) -> Inspection | None:
    from loopcell.insight import CorpusText, match

    text = CorpusText.of_store(store)
    if search.explicit:
        from loopcell.insight import Pattern

        found = match(store, Pattern.parse(search.find or ""), most=search.matches)
        _tell_matches(found)
        x = sequence.of(model) if sequence else _passage(model, store, text, search, _best_rows(store, found))
        if x is None:
            say_note("no page is written: the corpus has no place to show; --text TEXT shows a sequence of your own")
            return None
        return _inspected(model, x).with_matches(found)
    x = sequence.of(model) if sequence else _passage(model, store, text, search, _rows_of_text(text, search))
    seen = _inspected(model, x)
    found = match(store, _pattern(model, x, seen, search), most=search.matches)
    _tell_matches(found)
    return seen.with_matches(found)


def _inspected(model: Any, x: Any) -> Inspection:
    seen: Inspection = model.inspect(x)
    return seen


def _pattern(model: Any, x: Any, seen: Inspection, search: CorpusSearch) -> Pattern:
    """Return the units that are on in the interval that was asked for."""
    from loopcell.insight import CorpusText, Pattern

    wanted = search.find or ""
    if _INTERVAL.fullmatch(wanted):
        window = window_of(wanted)
        assert window is not None  # it has the form of one
        start, end = window[0], window[1] or 0
    else:
        parts = list(model.corpus_states(x if _reads_streams(model) else [x]))
        text = CorpusText.of([piece for part in parts for piece in part.texts], parts[0].separator)
        place = text.find(wanted)
        if place is None:
            raise UsageError(f"{quoted(wanted)} stands nowhere in the sequence that is inspected")
        start, end = place
    return Pattern.of(seen, start, end, layer=search.layer, quantity=search.quantity, threshold=search.threshold)


def _rows_of_text(text: CorpusText, search: CorpusSearch) -> tuple[int, int]:
    """Return the first place of the wanted text in the corpus, or the beginning where steps are wanted."""
    wanted = search.find or ""
    if _INTERVAL.fullmatch(wanted):
        raise UsageError(f"--find {wanted} counts the steps of one sequence: give it with --text, or --data and --row")
    place = text.find(wanted)
    if place is None:
        raise UsageError(f"{quoted(wanted)} stands nowhere in {search.corpus}")
    return place


def _best_rows(store: StateStore, found: Matches) -> tuple[int, int] | None:
    if not found.found:
        return None
    best = found.found[0]
    first = int((store.sequence < best.sequence).sum())
    return first + best.start, first + best.end


def _passage(
    model: Any, store: StateStore, text: CorpusText, search: CorpusSearch, rows: tuple[int, int] | None
) -> Any:
    """Return the part of the corpus around a place as the model's `inspect` takes it; None without a place."""
    if rows is None:
        return None
    start, end = rows
    if not _reads_streams(model):
        assert search.corpus is not None  # it was asked for
        number = int(store.sequence[start])
        return next(x for at, x in enumerate(rows_of(model, search.corpus)) if at == number)
    first, last = max(0, start - AROUND), min(len(store), end + AROUND) - 1
    return text.text[text.begin[first] : text.end[last]]


def _tell_matches(found: Matches) -> None:
    say(f"pattern: {found.pattern}")
    if not found.found:
        say(f"never on together in {found.steps:,} steps")
        return
    say(f"{found.count:,} places in {found.steps:,} steps; the best {len(found.found)}:")
    for place in found.found:
        before, inside, after = (part.replace("\n", "⏎").replace("\t", "⇥") for part in place.parts(found.separator))
        say(f"  {place.score:.2f}  {place!s:>24}  {before[-SHOWN:]:>{SHOWN}}«{inside[: SHOWN * 2]}»{after[:SHOWN]}")
