"""Comparisons name the tensor, the place and the numbers."""

import pytest
import torch

from loopcell import errors
from loopcell.testing import TOLERANCES, CheckFailed, assert_all_close, assert_close

ONES = torch.ones(2, 3, dtype=torch.float64)


def changed(by, dtype=torch.float64):
    tensor = torch.ones(2, 3, dtype=dtype)
    tensor[1, 2] += by
    return tensor


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
def test_the_table_is_the_border(dtype):
    expected = torch.ones(2, 3, dtype=dtype)
    assert_close("it", changed(0.5 * TOLERANCES[dtype], dtype), expected)
    with pytest.raises(CheckFailed):
        assert_close("it", changed(2 * TOLERANCES[dtype], dtype), expected)


def test_the_message_says_what_where_and_by_how_much():
    with pytest.raises(CheckFailed) as failure:
        assert_close("the gradient of W.i", changed(0.25), ONES)
    assert str(failure.value) == (
        "the gradient of W.i is off by 0.25 at [1, 2]: 1.25 came, 1 was expected (up to 1e-10 is allowed)"
    )


def test_the_tolerance_grows_with_the_largest_magnitude_only():
    assert_close("it", 1e6 * ONES + 5e-5, 1e6 * ONES)
    with pytest.raises(CheckFailed):
        assert_close("it", 1e-6 * ONES + 2e-10, 1e-6 * ONES)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_never_close(value):
    bad = torch.full_like(ONES, value)
    for actual, expected in ((bad, ONES), (ONES, bad), (bad, bad)):
        with pytest.raises(CheckFailed, match="not finite"):
            assert_close("it", actual, expected)


def test_shape_and_dtype_count():
    with pytest.raises(CheckFailed, match=r"^it is float64 \[3, 2\]; expected float64 \[2, 3\]$"):
        assert_close("it", ONES.T, ONES)
    with pytest.raises(CheckFailed, match=r"^it is float32 \[2, 3\]; expected float64 \[2, 3\]$"):
        assert_close("it", ONES.float(), ONES)


def test_empty_tensors_are_equal():
    assert_close("it", ONES[:0], ONES[:0])


def test_a_missing_tensor_is_named():
    with pytest.raises(CheckFailed, match="only one side has the final c"):
        assert_all_close({"the output": ONES}, {"the output": ONES, "the final c": ONES})


def test_a_failed_check_is_an_assertion_and_one_of_our_errors():
    assert issubclass(CheckFailed, AssertionError)
    assert issubclass(CheckFailed, errors.LoopcellError)
