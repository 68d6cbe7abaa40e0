"""The kernels' functions over vectors: how exact they are, what they do at the edges, in each build of them.

`benchmarks/accuracy.py` tries every float there is; here are every exponent, random digits, and the special values.
"""

from __future__ import annotations

import ctypes
import itertools
import math
import mmap
import shutil

import mpmath
import pytest
import torch

from loopcell.backends.c import Factors
from loopcell.backends.c.codegen.spelling import SPELLING
from loopcell.backends.c.launch.functions import Functions
from loopcell.backends.c.toolchain.target import target
from loopcell.backends.reference.spelling import FUNCTIONS
from loopcell.errors import UsageError
from tests.kernels.conftest import STRICT

BUILDS = ("native", "avx2", "plain")
NAN, INF = float("nan"), float("inf")
FLOAT, DOUBLE = torch.float32, torch.float64

# In units in the last place. tanh in double precision is a quotient of two rounded sums: as good as the C library's.
BOUNDS = {"exp": 2.0, "sigmoid": 2.0, "tanh": 2.0, "log": 2.0, "softplus": 4.0, "sqrt": 0.5}
DOUBLE_BOUNDS = BOUNDS | {"tanh": 2.3}

WITH_50_DIGITS = {
    "exp": mpmath.exp,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "tanh": mpmath.tanh,
    "log": lambda x: mpmath.log(x) if x > 0 else mpmath.mpf("nan"),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)) if x < 0 else x + mpmath.log1p(mpmath.exp(-x)),
    "sqrt": lambda x: mpmath.sqrt(x) if x >= 0 else mpmath.mpf("nan"),
}


def sigmoid(x):
    e = torch.exp(-x.abs())
    return torch.where(x < 0, e, 1.0) / (1 + e)


DOUBLE_PRECISION = {name: getattr(torch, name) for name in ("exp", "tanh", "log", "sqrt")} | {
    "sigmoid": sigmoid,  # torch's own loses digits far below 0
    "softplus": lambda x: torch.where(x.isinf(), x.clamp(min=0), x.clamp(min=0) + torch.log1p(torch.exp(-x.abs()))),
}


def functions_for(build, dtype, compiler=""):
    """The functions for a target: LOOPCELL_TARGET's name of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOOPCELL_TARGET", build)
        patch.setenv("LOOPCELL_CFLAGS", STRICT)
        patch.setenv("CC", compiler)
        try:
            assert target() is not None, "these tests need a C compiler"
        except UsageError as error:
            pytest.skip(str(error))
        return Functions(dtype)


@pytest.fixture(scope="module", params=BUILDS)
def built(request):
    """The functions of a build, by dtype."""
    return {dtype: functions_for(request.param, dtype) for dtype in (FLOAT, DOUBLE)}


def bits_of(dtype):
    return torch.int32 if dtype == FLOAT else torch.int64


def digits_of(dtype):
    return 23 if dtype == FLOAT else 52


def samples(dtype, per_exponent, around_zero):
    """Every exponent and sign with random digits, and the range where the functions bend."""
    generator = torch.Generator().manual_seed(0)
    digits, integer = digits_of(dtype), bits_of(dtype)
    exponents = torch.arange(2 ** (31 if dtype == FLOAT else 63) >> digits, dtype=integer)
    mantissas = torch.randint(2**digits, (len(exponents), per_exponent), generator=generator, dtype=integer)
    positive = ((exponents.unsqueeze(1) << digits) | mantissas).view(dtype).flatten()
    low, high = (-110, 90) if dtype == FLOAT else (-750, 710)
    wide = torch.empty(around_zero, dtype=dtype).uniform_(low, high, generator=generator)
    near = torch.empty(around_zero, dtype=dtype).uniform_(-10, 10, generator=generator)
    finite = torch.cat([positive, -positive, wide, near])
    return finite[finite.isfinite()]


def error(found, exact, dtype):
    """In units in the last place of the dtype; where there is no distance, 0 if it is right, else infinite."""
    if mpmath.isnan(exact):
        return 0.0 if math.isnan(found) else INF
    if abs(exact) > torch.finfo(dtype).max:
        return 0.0 if found == math.copysign(INF, exact) else INF
    exponent = mpmath.frexp(max(abs(exact), mpmath.mpf(torch.finfo(dtype).smallest_normal)))[1] - 1
    return float(abs(found - exact) / mpmath.mpf(2) ** (exponent - digits_of(dtype)))


@pytest.mark.parametrize("name", BOUNDS)
def test_fp32_is_within_its_bound(built, name):
    x = samples(FLOAT, 100, 50_000)
    y = built[FLOAT](name, x)
    exact = DOUBLE_PRECISION[name](x.double())
    nearest = exact.float()
    far = nearest.isfinite()
    assert torch.equal(y[~far].nan_to_num(7), nearest[~far].nan_to_num(7))
    exponent = torch.frexp(exact[far].abs().clamp(min=2.0**-126)).exponent - 1
    worst, where = ((y[far].double() - exact[far]).abs() / 2.0 ** (exponent - 23).double()).max(0)
    assert worst <= BOUNDS[name], (x[far][where].item(), worst.item())


@pytest.mark.parametrize("name", BOUNDS)
def test_fp64_is_within_its_bound(built, name):
    x = samples(DOUBLE, 1, 500)
    y = built[DOUBLE](name, x)
    with mpmath.workdps(50):
        pairs = zip(x.tolist(), y.tolist(), strict=True)
        worst = max((error(found, WITH_50_DIGITS[name](mpmath.mpf(value)), DOUBLE), value) for value, found in pairs)
    assert worst[0] <= DOUBLE_BOUNDS[name], worst


SHORT = ("exp", "sigmoid", "tanh", "softplus")
"""The functions that have fewer digits where operands are rounded to bfloat16; the others are as exact as ever."""


@pytest.fixture(scope="module")
def rounded_soon():
    """The functions of kernels whose operands are rounded to bfloat16."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOOPCELL_CFLAGS", STRICT)
        return Functions(FLOAT, Factors.TILES)


def all_of_bfloat16():
    x = (torch.arange(2**16, dtype=torch.int32) << 16).view(FLOAT)
    return x[x.isfinite()].contiguous()


@pytest.mark.parametrize("name", BOUNDS)
def test_a_rounded_result_is_within_half_a_unit_of_bfloat16(rounded_soon, name):
    """Every number in bfloat16 there is; beyond 0.5, because a number next to a tie may fall to the other side."""
    x = all_of_bfloat16()
    y = rounded_soon(name, x)
    exact = DOUBLE_PRECISION[name](x.double())
    in_reach = exact.abs() <= torch.finfo(torch.bfloat16).max  # NaN is not
    assert torch.equal(y[~in_reach].bfloat16().nan_to_num(7), exact[~in_reach].bfloat16().nan_to_num(7))
    exact, y = exact[in_reach], y[in_reach]
    unit = 2.0 ** (torch.frexp(exact.abs().clamp(min=2.0**-126)).exponent - 8).double()
    assert ((y.bfloat16().double() - exact).abs() / unit).max() <= 0.51
    relative = ((y.double() - exact).abs() / exact.abs().clamp(min=2.0**-126)).max()
    assert relative <= (2.0**-14 if name in SHORT else 2.0**-21)


def test_what_levels_out_does_so_with_fewer_digits(rounded_soon):
    for name in SHORT:
        x, expected = (torch.tensor(column) for column in zip(*SPECIAL[name], (NAN, NAN), strict=True))
        assert torch.equal(rounded_soon(name, x).bfloat16().nan_to_num(7), expected.bfloat16().nan_to_num(7))
    x = all_of_bfloat16()
    assert rounded_soon("tanh", x).abs().max() <= 1
    assert rounded_soon("sigmoid", x).min() >= 0
    assert rounded_soon("sigmoid", x).max() <= 1


# Pairs, because 0 and -0 are one key of a dict.
SPECIAL = {
    "exp": [(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0)],
    "sigmoid": [(0.0, 0.5), (-0.0, 0.5), (INF, 1.0), (-INF, 0.0)],
    "tanh": [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0)],
    "log": [(0.0, -INF), (-0.0, -INF), (1.0, 0.0), (INF, INF), (-INF, NAN), (-1.0, NAN)],
    "softplus": [(INF, INF), (-INF, 0.0)],
    "sqrt": [(0.0, 0.0), (-0.0, -0.0), (1.0, 1.0), (INF, INF), (-INF, NAN), (-1.0, NAN)],
}


def assert_same(found, expected):
    """Equal, signs of zeros and the places of NaN included."""
    assert torch.equal(found.isnan(), expected.isnan())
    numbers = ~expected.isnan()
    assert torch.equal(found[numbers].view(bits_of(found.dtype)), expected[numbers].view(bits_of(found.dtype)))


@pytest.mark.parametrize("dtype", [FLOAT, DOUBLE])
@pytest.mark.parametrize("name", SPECIAL)
def test_special_values(built, name, dtype):
    pairs = [*SPECIAL[name], (NAN, NAN), (-NAN, NAN)]
    x, expected = (torch.tensor(column, dtype=dtype) for column in zip(*pairs, strict=True))
    assert_same(built[dtype](name, x), expected)
    assert_same(FUNCTIONS[name](x), expected)  # and the table is torch's own


@pytest.mark.parametrize("dtype", [FLOAT, DOUBLE])
def test_what_is_tiny_or_large_is_passed_on_or_levels_out(built, dtype):
    functions = built[dtype]
    tiny = torch.finfo(dtype).tiny * torch.tensor([1e-3, 0.5, 1, 1e3, -1e-3, -1, -1e3], dtype=dtype)
    large = torch.tensor([50, 1e3, 1e30, torch.finfo(dtype).max], dtype=dtype)
    for x in (tiny, tiny * 2**20):
        assert_same(functions("tanh", x), x)
        assert_same(functions("exp", x), torch.ones_like(x))
        assert_same(functions("sigmoid", x), torch.full_like(x, 0.5))
    assert_same(functions("tanh", -large), -torch.ones_like(large))
    assert_same(functions("sigmoid", large), torch.ones_like(large))
    assert_same(functions("softplus", large), large)
    assert functions("tanh", samples(dtype, 20, 20_000)).abs().max() == 1
    assert functions("sigmoid", samples(dtype, 20, 20_000)).min() >= 0


EXACT = ("add", "sub", "mul", "div", "neg", "relu", "abs", "minimum", "maximum", "greater", "where", "sized", "expand")
TORCH = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "neg": torch.neg,
    "expand": torch.clone,
    "sized": torch.clone,
}


def test_every_op_is_tested():
    lacks = sorted(set(SPELLING) - {*EXACT, *BOUNDS})
    assert not lacks, f"add {', '.join(lacks)} to EXACT, or to BOUNDS, WITH_50_DIGITS, DOUBLE_PRECISION and SPECIAL"
    assert {*EXACT, *BOUNDS} == set(SPELLING)


@pytest.mark.parametrize("dtype", [FLOAT, DOUBLE])
@pytest.mark.parametrize("name", EXACT)
def test_these_are_exactly_torch(built, name, dtype):
    values = [0.0, -0.0, 1.0, -1.5, NAN, INF, -INF, 1e-40, -1e-310, 3e38]
    places = {"where": 3, "neg": 1, "relu": 1, "abs": 1, "expand": 1, "sized": 1}.get(name, 2)
    rows = list(itertools.product(values, repeat=places)) * 8  # so many that torch takes its own vectors
    operands = [torch.tensor(column, dtype=dtype) for column in zip(*rows, strict=True)]
    whole = len(rows) // 64 * 64  # torch's last few go another way, in which minimum prefers the other zero
    found = built[dtype](name, *operands)[:whole]
    assert_same(found, (FUNCTIONS | TORCH)[name](*operands)[:whole])


@pytest.mark.parametrize("dtype", [FLOAT, DOUBLE])
def test_a_row_of_any_length(built, dtype):
    """Nothing is read or written past the end, and a number does not see its neighbours."""
    functions = built[dtype]
    x = torch.linspace(-3, 3, 2 * functions.lanes + 1, dtype=dtype)
    whole = functions("tanh", x)
    for count in range(1, len(x) + 1):
        out = torch.full_like(x, 7)
        functions("tanh", x[:count], out=out)
        assert torch.equal(out[:count], whole[:count])
        assert (out[count:] == 7).all()


@pytest.mark.parametrize("dtype", [FLOAT, DOUBLE])
def test_a_row_at_the_end_of_memory(built, dtype):
    """The page after it may not be touched, not even by what a mask leaves out."""
    page = mmap.PAGESIZE
    memory = mmap.mmap(-1, 2 * page)
    bytes_ = (ctypes.c_char * (2 * page)).from_buffer(memory)
    libc = ctypes.CDLL(None)
    start = ctypes.addressof(bytes_)
    if not hasattr(libc, "mprotect") or libc.mprotect(ctypes.c_void_p(start + page), ctypes.c_size_t(page), 0):
        pytest.skip("this system does not protect memory as POSIX does")
    whole = torch.frombuffer(memory, dtype=dtype, count=page // dtype.itemsize)
    for count in range(1, 2 * built[dtype].lanes):
        row = whole[-count:].fill_(0.25)
        built[dtype]("exp", row, out=row)
        assert row.eq(row[0]).all()
    libc.mprotect(ctypes.c_void_p(start + page), ctypes.c_size_t(page), mmap.PROT_READ | mmap.PROT_WRITE)


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("dtype", [FLOAT, DOUBLE])
def test_gcc_and_clang_agree_to_the_bit(build, dtype):
    if not all(map(shutil.which, ("gcc", "clang"))):
        pytest.skip("only one compiler is here")
    one, other = (functions_for(build, dtype, compiler) for compiler in ("gcc", "clang"))
    x = samples(dtype, 4, 5_000)
    for name in BOUNDS:
        assert_same(one(name, x), other(name, x))
