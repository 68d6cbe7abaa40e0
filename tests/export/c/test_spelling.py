"""The exported spelling of every op, and names that C has taken."""

from __future__ import annotations

import numpy as np
import pytest

import loopcell
from loopcell.backends.c.codegen import spelling as kernels
from loopcell.equations.ops import LEAVES, OPS
from loopcell.errors import UsageError
from loopcell.export.c.code import comment
from loopcell.export.c.functions import used_functions
from loopcell.export.c.names import Names, is_taken, model_name
from loopcell.export.c.spelling import SPELLING, number
from tests.export.c.models import HOUSE, network, prove, source_of


def test_every_op_has_a_spelling():
    loops = {"matmul", "matmul_t", "sum"}
    assert set(SPELLING) | loops == set(OPS) - LEAVES
    assert set(SPELLING) == set(kernels.SPELLING)  # the kernels' table over vectors


def test_every_function_of_the_spellings_is_written():
    for op, spelling in SPELLING.items():
        if "(" in spelling and op != "neg":
            assert spelling.split("(")[0] in used_functions(spelling)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1.0, "1.0f"),
        (-2.5, "(-2.5f)"),
        (0.1, "0.1f"),
        (1e-9, "1e-09f"),
        (1e300, "float_of(0x7f800000u)"),
        (-0.0, "(-0.0f)"),
    ],
)
def test_numbers(value, written):
    assert number(value) == written


def test_a_number_is_read_as_the_same_float():
    rng = np.random.default_rng(0)
    for value in rng.normal(size=200).astype(np.float32):
        assert np.float32(float(number(float(value)).strip("()").removesuffix("f"))) == value


@pytest.mark.parametrize(("wanted", "name"), [("My Model!", "my_model"), ("häuser", "hue4user"), ("__a--b", "a_b")])
def test_a_model_gets_an_identifier(wanted, name):
    assert model_name(wanted) == name


@pytest.mark.parametrize("wanted", ["", "7up", "x" * 61, "___"])
def test_a_name_that_is_none_is_refused(wanted):
    with pytest.raises(UsageError, match="a model's name in C begins with a letter"):
        model_name(wanted)


@pytest.mark.parametrize("word", ["int", "while", "Register"])
def test_a_word_of_c_is_no_name(word):
    with pytest.raises(UsageError, match="is a word of C"):
        model_name(word)


def test_names_are_taken_once():
    names = Names(["layer1_W"])
    assert [names.take("layer1_W"), names.take("layer1_W"), names.take("int")] == ["layer1_W_2", "layer1_W_3", "int_2"]


def test_words_of_the_text_are_taken():
    assert all(map(is_taken, ["product", "f_tanh", "power", "unit", "model", "LOG2_E", "int", "uint32_t", "next_h"]))
    assert not any(map(is_taken, ["i", "f", "candidate", "r", "W_i_x"]))


def test_a_comment_cannot_be_ended_by_what_it_says():
    assert comment("a */ int x; /* b") == ["/* a * / int x; / * b */"]
    assert comment("one\ntwo\x1b") == ["/* one", " * two", " */"]


@pytest.mark.skipif(not HOUSE, reason="there is no C compiler")
def test_equations_may_use_any_word(tmp_path):
    """Values called as C, our functions and our variables are; a minus before a minus; one name for two values."""

    @loopcell.cell
    def words(x, state, *, W, b):
        unit = loopcell.tanh(W.int @ x + b.short)
        minus = -unit
        product = -minus - (-1.0) * state
        f_tanh = loopcell.where(product > 0, product, -product)
        power = loopcell.minimum(f_tanh, 3.0) / (1 + abs(unit))
        power = loopcell.sqrt(power + 1) - 1
        state = loopcell.softplus(power) * 0.5
        return state  # noqa: RET504 - the new state is given by its name

    assert prove(source_of(network(words)), tmp_path, *HOUSE, "-O2")[0] < 1e-5
