from __future__ import annotations

import numpy as np
import torch

from benchmarks.same_numbers import compare, digest, drop_ins


def test_one_bit_more_is_named():
    values = torch.arange(6.0).view(2, 3)
    other = values.clone()
    other[1, 2] = float(np.nextafter(np.float32(5.0), np.float32(6.0)))
    old = {"a": digest(values), "b": digest(values)}
    assert compare(old, {"a": digest(values), "b": digest(other)}) == ["b: differs"]
    assert compare(old, {"a": digest(values)}) == ["b: only in one of them"]
    assert digest(values) != digest(values.double()) != digest(values.t())


def test_the_same_version_agrees_with_itself():
    once, again = (dict(drop_ins()) for _ in range(2))
    assert len(once) == 30
    assert compare(once, again) == []
