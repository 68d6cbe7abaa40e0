"""The functions that save and load a state, and those that load weights, in C."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from loopcell.export.c.blob import MARK, HasWeights, blob_bytes, layout, offsets

AROUND_STATE = 20
"""Bytes of a saved state beside its numbers: the mark, the identity, the count; after them the checksum."""
_STATE_MARK = 0x3153434C  # "LCS1"


class HasState(HasWeights, Protocol):
    """A model in C, as far as its weights and its state are concerned."""

    @property
    def states(self) -> tuple[tuple[str, int], ...]:
        """Return the fields of the state, each with its length."""

    @property
    def state_bytes(self) -> int:
        """Return the bytes of a saved state."""

    @property
    def saves(self) -> str:
        """Return what the functions that save a state call its numbers."""


def saving_lines(source: HasState) -> Iterator[str]:
    """Yield NAME_state_save and NAME_state_load."""
    name, count = source.name, sum(size for _, size in source.states)
    head = [f"0x{_STATE_MARK:08x}u", *_identity(source), f"{count}u"]
    yield f"void {name}_state_save(const {name}_state *state, unsigned char *buffer) {{"
    yield "    unsigned char *at = buffer;"
    yield from (f"    at = put_word(at, {word});" for word in head)
    yield from (f"    at = put_{source.saves}(at, state->{field}, {size});" for field, size in source.states)
    if not source.states:
        yield "    (void)state;"
    yield f"    (void)put_word(at, checksum(buffer, {source.state_bytes - 4}));"
    yield "}"
    yield ""
    yield f"int {name}_state_load({name}_state *state, const unsigned char *buffer, size_t bytes) {{"
    yield "    const unsigned char *at = buffer + 16;"
    yield f"    if (bytes != {source.state_bytes}) return {name.upper()}_BAD_STATE;"
    for place, word in enumerate(head):
        yield f"    if (get_word(buffer + {4 * place}) != {word}) return {name.upper()}_BAD_STATE;"
    last = source.state_bytes - 4
    yield f"    if (get_word(buffer + {last}) != checksum(buffer, {last})) return {name.upper()}_BAD_STATE;"
    yield from (f"    at = get_{source.saves}(at, state->{field}, {size});" for field, size in source.states)
    yield "    (void)at;" if source.states else "    (void)at, (void)state;"
    yield f"    return {name.upper()}_OK;"
    yield "}"


def loading_lines(source: HasWeights) -> Iterator[str]:
    """Yield NAME_load, which finds the weights in a blob."""
    name, size = source.name, blob_bytes(source.arrays)
    bad = f"return {name.upper()}_BAD_WEIGHTS;"
    head = [f"0x{MARK:08x}u", *_identity(source), f"0x{layout(source):08x}u", f"{size}u"]
    yield ""
    yield f"int {name}_load({name}_model *model, const void *weights, size_t bytes) {{"
    yield "    const unsigned char *const at = weights;"
    yield f"    if (!weights || bytes != {size} || (uintptr_t)weights % 4) {bad}"
    yield "    /* The mark is read as a number of this machine: in another order of bytes it is another one. */"
    yield f"    if (*(const uint32_t *)weights != {head[0]}) {bad}"
    for place, word in enumerate(head[1:], 1):
        yield f"    if (get_word(at + {4 * place}) != {word}) {bad}"
    yield f"    if (get_word(at + {size - 4}) != checksum(at, {size - 4})) {bad}"
    for array, offset in zip(source.arrays, offsets(source.arrays), strict=True):
        yield f"    model->{array.name} = (const {array.c_type} *)(const void *)(at + {offset});"
    if not source.arrays:
        yield "    model->none = 0;"
    yield f"    return {name.upper()}_OK;"
    yield "}"


def _identity(source: HasWeights) -> list[str]:
    return [f"0x{source.identity[place : place + 8]}u" for place in (0, 8)]
