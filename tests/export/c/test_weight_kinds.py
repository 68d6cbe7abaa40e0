"""Weights in 32, 16 and 8 bits: what is stored means what was rounded."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from loopcell.errors import UsageError
from loopcell.export.c.product import product_form
from loopcell.export.c.weight_kinds import KINDS, as_stored, weight_kind
from loopcell.export.c.weights import Array, array_text, float_lines
from tests.export.c.models import whole_model

ROWS = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)


@pytest.mark.parametrize(("name", "error"), [("float32", 0), ("bfloat16", 2**-8), ("int8", 1 / 254)])
def test_a_weight_is_off_by_what_its_bits_allow(name, error):
    kind = KINDS[name]
    found = kind.restore(kind.store(ROWS))
    largest = np.abs(ROWS) if name == "bfloat16" else np.abs(ROWS).max(1, keepdims=True)
    assert (np.abs(found - ROWS) <= error * largest * 1.0001).all()
    again = kind.restore(kind.store(found))
    assert np.allclose(again, found, rtol=1e-6)


def test_bfloat16_is_torchs():
    kind = KINDS["bfloat16"]
    assert np.array_equal(kind.restore(kind.store(ROWS)), torch.from_numpy(ROWS).bfloat16().float().numpy())


def test_only_matrices_and_tables_are_narrow():
    model = whole_model()
    stored = as_stored(model, KINDS["int8"])
    before, after = model.stages[3].parameters, stored.stages[3].parameters
    assert {name for name in before if not np.array_equal(before[name], after[name])} == {
        name for name in before if before[name].ndim == 2
    }
    assert not np.array_equal(model.stages[0].table, stored.stages[0].table)


@pytest.mark.parametrize("simd", ["plain", "vectors"])
@pytest.mark.parametrize("weights", KINDS)
def test_packed_matrices_can_be_found_again(simd, weights):
    form = product_form(simd, weights)
    found = form.pack([ROWS[:2], ROWS[2:]])
    packed, scales = found.values, found.scales
    assert found.places is None
    depth, within = (3 if form.group == 2 else 5 + -5 % form.group), (4 if form.group == 4 else 1)
    blocks = packed.reshape(-1, depth // within, form.rows, within).swapaxes(1, 2) if form.in_blocks else packed
    rows = np.ascontiguousarray(blocks).reshape(-1, depth)
    if form.group == 2:  # the low half is the first column
        rows = np.stack([rows & 0xFFFF, rows >> 16], 2).astype(np.uint16).reshape(-1, 6)
    rows = rows[:, :5]
    assert np.allclose(form.kind.restore((rows, scales))[:6], form.kind.restore(form.kind.store(ROWS)))
    assert not rows[6:].any()


def test_arrays_are_written_with_their_type():
    assert array_text(Array("w", np.int8([1, -2]), "")) == "static const int8_t w[2] = {\n    1, -2};"
    assert array_text(Array("w", np.float32([0.1]), "")) == "static const float w[1] = {\n    0.1f};"
    assert float_lines(np.float32([np.nan, 1])) == "NAN, 1.0f"


def test_a_kind_that_there_is_not():
    with pytest.raises(UsageError, match="there is no weights='int4'; there are float32, bfloat16, int8"):
        weight_kind("int4")
