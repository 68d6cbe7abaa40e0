"""The functions of exported C: how far off they are, and what they make of numbers that are none."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from loopcell.export.c.compiled import STRICT, compile_files
from loopcell.export.c.functions import used_functions
from tests.export.c.models import HOUSE

pytestmark = pytest.mark.skipif(not HOUSE, reason="there is no C compiler")
EXACT = {
    "exp": np.exp,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "log": np.log,
    "softplus": lambda x: np.logaddexp(x, 0),
    "sqrt": np.sqrt,
}
ULP = 3
"""What `functions.ERROR` promises."""
NAMES = (*EXACT, "abs", "relu")


@pytest.fixture(scope="module", params=["-O0", "-O3 -ffp-contract=fast -march=native"])
def functions(request, tmp_path_factory):
    """All functions over arrays, by name."""
    folder = tmp_path_factory.mktemp("functions")
    loops = "\n".join(
        f"void all_{name}(const float *x, float *y, int n) {{ for (int i = 0; i < n; i++) y[i] = f_{name}(x[i]); }}"
        for name in NAMES
    )
    pairs = "\n".join(
        f"float two_{name}(float a, float b) {{ return f_{name}(a, b); }}" for name in ("min", "max", "greater")
    )
    (folder / "all.c").write_text(
        f"#include <stdint.h>\n{used_functions(loops + pairs)}\n{loops}\n{pairs}\n", encoding="utf-8"
    )
    library = folder / "all.so"
    compile_files((*HOUSE, *STRICT, *request.param.split(), "-fPIC", "-shared"), [folder / "all.c"], library)
    return ctypes.CDLL(str(library))


def call(functions, name, x):
    x = np.ascontiguousarray(x, np.float32)
    y = np.empty_like(x)
    getattr(functions, f"all_{name}")(*(ctypes.c_void_p(array.ctypes.data) for array in (x, y)), len(x))
    return y


def every_exponent():
    """Numbers of all magnitudes and both signs, and many near 0 to 100."""
    bits = np.arange(0, 2**31, 20_011, dtype=np.uint32)
    positive = bits.view(np.float32)
    positive = positive[np.isfinite(positive)]
    near = np.linspace(0, 110, 200_001, dtype=np.float32)
    return np.concatenate([positive, -positive, near, -near])


@pytest.mark.parametrize("name", EXACT)
def test_a_function_is_within_the_stated_error(functions, name):
    x = every_exponent()
    with np.errstate(all="ignore"):
        exact = EXACT[name](x.astype(np.float64))
        finite = np.abs(exact) <= np.finfo(np.float32).max
        ulp = np.spacing(np.maximum(np.abs(exact[finite]), np.finfo(np.float32).tiny).astype(np.float32))
        found = call(functions, name, x)
        error = np.abs(found[finite] - exact[finite]) / ulp
    assert error.max() < ULP, f"{x[finite][error.argmax()]!r} is off by {error.max():.2f} ulp"
    assert (np.isnan(found) == np.isnan(exact)).all()


@pytest.mark.parametrize("name", NAMES)
def test_nan_stays_nan(functions, name):
    assert np.isnan(call(functions, name, [np.nan, -np.nan])).all()


def test_infinities(functions):
    ends = [np.inf, -np.inf]
    expected = {"exp": [np.inf, 0], "sigmoid": [1, 0], "tanh": [1, -1], "softplus": [np.inf, 0]}
    for name, values in expected.items():
        assert call(functions, name, ends).tolist() == values, name
    for name in ("log", "sqrt"):
        found = call(functions, name, [np.inf, -np.inf, 0.0])
        assert found[0] == np.inf
        assert np.isnan(found[1])
        assert found[2] == (-np.inf if name == "log" else 0)


@pytest.mark.parametrize(("name", "of_one_and_two"), [("min", 1), ("max", 2), ("greater", 0)])
def test_functions_of_two_numbers(functions, name, of_one_and_two):
    function = getattr(functions, f"two_{name}")
    function.argtypes, function.restype = [ctypes.c_float] * 2, ctypes.c_float
    assert function(1, 2) == of_one_and_two
    if name != "greater":
        assert np.isnan([function(np.nan, 1), function(1, np.nan)]).all()


def test_only_what_is_used_is_written():
    text = used_functions("y = f_tanh(x); /* f_log */")
    assert "f_tanh" in text
    assert "power_of" in text
    assert "f_log" not in text
    assert "f_exp" not in text
    assert "LN2_HIGH" in text
