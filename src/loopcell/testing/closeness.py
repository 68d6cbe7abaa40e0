"""Tolerances, one table by dtype, and comparisons that say which tensor is off, where and by how much."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from loopcell.errors import CheckFailed

TOLERANCES: dict[torch.dtype, float] = {torch.float64: 1e-10, torch.float32: 1e-5}
"""The largest error by dtype, in units of the expected tensor's largest magnitude, or of 1 if that is smaller."""


def assert_close(name: str, actual: Tensor, expected: Tensor, *, tolerance: float | None = None) -> None:
    """Compare two tensors.

    Args:
        name: what the tensors are, as the message is to call them.
        actual: what came.
        expected: what should have come, of the same shape and dtype.
        tolerance: the largest error; by default what `TOLERANCES` says for the dtype. It grows with the
            expected tensor's largest magnitude where that is above 1.

    Raises:
        CheckFailed: they differ, or one of them holds a number that is not finite.
    """
    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        raise CheckFailed(f"{name} is {_kind(actual)}; expected {_kind(expected)}")
    for which, tensor in (("", actual), ("the expected ", expected)):
        if not torch.isfinite(tensor).all():
            raise CheckFailed(f"{which}{name} holds a number that is not finite")
    if actual.numel() == 0:
        return
    allowed = TOLERANCES[expected.dtype] if tolerance is None else tolerance
    allowed *= max(1.0, expected.abs().max().item())
    error = (actual - expected).abs()
    if error.max().item() > allowed:
        place = tuple(int(index) for index in torch.unravel_index(error.argmax(), error.shape))
        raise CheckFailed(
            f"{name} is off by {error.max().item():.3g} at {list(place)}: {actual[place].item():.9g} came, "
            f"{expected[place].item():.9g} was expected (up to {allowed:.3g} is allowed)"
        )


def assert_all_close(
    actual: Mapping[str, Tensor], expected: Mapping[str, Tensor], *, tolerance: float | None = None
) -> None:
    """Compare tensors by name; see `assert_close`."""
    if actual.keys() != expected.keys():
        different = sorted(actual.keys() ^ expected.keys())
        raise CheckFailed(f"only one side has {', '.join(different)}")
    for name, tensor in expected.items():
        assert_close(name, actual[name], tensor, tolerance=tolerance)


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
