"""Messages: readable wherever they end, whatever they quote."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from loopcell import errors
from loopcell.errors import FileFormatError, FileWriteError, InputError, LoopcellError, escaped, quoted, readable

CLASSES = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, LoopcellError)]


@pytest.mark.parametrize("kind", CLASSES)
def test_no_error_sends_control_characters_to_a_terminal(kind):
    error = kind("the name \x1b]0;owned\x07\x1b[31m\r\u202eis not a name\u2028\ud800, \u3000한국어 ")
    assert str(error) == "the name \\x1b]0;owned\\x07\\x1b[31m\\r\\u202eis not a name\\u2028\\ud800, \\u3000한국어 "
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_lines_stay_lines():
    assert str(InputError("line 3:\n\th = x\nno")) == "line 3:\n\th = x\nno"


def test_a_long_message_keeps_its_beginning_and_its_end():
    message = str(FileFormatError("m.safetensors is damaged: " + "x" * 14_000 + "; train it again"))
    assert message.startswith("m.safetensors is damaged: xxx")
    assert message.endswith("xxx; train it again")
    assert "[... 12,142 characters left out ...]" in message
    assert len(message) < 2_000


@given(st.text(max_size=4_000))
def test_every_message_is_short_and_printable_and_made_once(text):
    shown = readable(text)
    assert readable(shown) == shown
    assert len(shown) <= max(2_000, 10 * min(len(text), 2_000))
    assert all(letter.isprintable() or letter in "\n\t" for letter in shown)


def test_the_number_of_the_system_stays():
    error = FileWriteError("cannot write \x1b")
    error.errno = 28
    assert (str(error), error.errno) == ("cannot write \\x1b", 28)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("W.i", "'W.i'"),
        ("a\nb\x1b", r"'a\nb\x1b'"),
        ("x" * 10**6, "'" + "x" * 79 + "..."),
        (7, "7"),
        ([1, 2], "[1, 2]"),
        (list(range(10**5)), "[0, 1, 2, 3, 4, 5, ...]"),
        (10**10_000, "a value of type int"),
        (np.str_("a"), "'a'"),
        (np.arange(10**6), "[0, 1, 2, 3, 4, 5, ...]"),
        (np.datetime64("2024-01-31"), "np.datetime64('2024-01-31')"),
        (torch.tensor(2.5, requires_grad=True), "2.5"),
        (torch.empty(2, device="meta"), "a value of type Tensor"),
    ],
    ids=[
        "name",
        "controls",
        "long",
        "number",
        "list",
        "long list",
        "long number",
        "text of NumPy",
        "array",
        "time",
        "tensor",
        "tensor without memory",
    ],
)
def test_what_is_quoted_is_cut(value, shown):
    assert quoted(value) == shown


def test_what_stands_without_quotes_is_one_printable_line():
    assert escaped("a\tb\n\x1b[31m\u202e") == r"a\tb\n\x1b[31m\u202e"
    assert escaped("한국어 'x' \\", 9) == "한국어 'x' \\"
    assert escaped("x" * 10**6, 5) == "xxxxx..."


def test_what_is_nested_too_deep_to_be_quoted():
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    assert len(quoted(nested)) < 100
