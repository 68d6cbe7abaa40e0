"""Products on tiles: what is written for AMX, on AMX where the CPU has it, and everywhere on a model of it in C."""

from __future__ import annotations

import ctypes
import functools
import itertools
import shutil
import subprocess

import mpmath
import pytest
import torch

import loopcell
from benchmarks.drawn_cells import drawn_cell, drawn_form
from benchmarks.drawn_products import compare, precision_of
from loopcell.backends.c import Factors, Kernels, Tiles
from loopcell.backends.c.launch import choice
from loopcell.backends.c.launch.library import TILE_LANES, beginning
from loopcell.backends.c.toolchain import tile_permission
from loopcell.backends.c.toolchain.build import build
from loopcell.backends.c.toolchain.target import FLAGS, target
from loopcell.errors import UsageError
from loopcell.passes import build_program
from tests.kernels.test_processes import in_a_process

pytestmark = pytest.mark.usefixtures("compiled_soon")
SINGLE = torch.float32
LEAST_NORMAL = 2.0**-126


def has_amx():
    found = target()
    return found is not None and found.amx and tile_permission.granted()


UNITS = [
    pytest.param("model", id="model"),
    pytest.param("amx", marks=pytest.mark.skipif(not has_amx(), reason="this CPU has no AMX (amx_bf16)"), id="amx"),
]
TILES_OF = {"model": Tiles.MODEL, "amx": Tiles.AMX}


@pytest.fixture(params=UNITS)
def unit(request, monkeypatch):
    monkeypatch.setenv("LOOPCELL_BF16", request.param)
    return request.param


# -- the instructions ------------------------------------------------------------------------------------------------

ONE_PRODUCT = """
void one_product(const factor *a, const factor *b, float *sums) {
    tiles_begin();
    TILE_LOAD(0, sums, 64); TILE_LOAD(4, a, 64); TILE_LOAD(6, b, 64);
    TILE_DOT(0, 4, 6);
    TILE_STORE(0, sums, 64);
    tiles_end();
}
"""


def flushed(x):
    return mpmath.mpf(0) if abs(x) < LEAST_NORMAL else x


def by_the_manual(a, b, c):
    """The sum of a row and a column of pairs as Intel's manual orders it, every step rounded to 24 digits."""
    with mpmath.workprec(24):
        even = odd = mpmath.mpf(0)
        for k in range(0, len(a), 2):
            even = flushed(mpmath.fadd(mpmath.fmul(flushed(a[k]), flushed(b[k]), exact=True), even))
            odd = flushed(mpmath.fadd(mpmath.fmul(flushed(a[k + 1]), flushed(b[k + 1]), exact=True), odd))
        return float(flushed(mpmath.fadd(flushed(c), flushed(mpmath.fadd(even, odd)))))


@pytest.mark.parametrize("range_of_exponents", [(-3, 3), (-70, -58), (-133, -100)])
def test_one_instruction_rounds_as_the_manual_says(range_of_exponents, unit):
    """Also where products are subnormal, and where operands are."""
    text = beginning(SINGLE, TILE_LANES, Factors.TILES, TILES_OF[unit]) + ONE_PRODUCT
    function = build(text, "one_product", ["one_product"]).one_product
    generator = torch.Generator().manual_seed(0)
    low, high = range_of_exponents

    def drawn(*shape):
        exponents = torch.randint(low, high, shape, generator=generator)
        return torch.ldexp(torch.randn(shape, generator=generator), exponents).bfloat16()

    a, b = drawn(16, 32), drawn(16, 16, 2)
    sums = torch.ldexp(torch.randn(16, 16, generator=generator), torch.tensor(low))
    columns = b.permute(1, 0, 2).reshape(16, 32).double().tolist()
    rows = a.double().tolist()
    found = sums.clone()
    function(*(ctypes.c_void_p(tensor.data_ptr()) for tensor in (a, b, found)))
    for m, n in itertools.product((0, 5, 15), range(16)):
        operands = (list(map(mpmath.mpf, side)) for side in (rows[m], columns[n]))
        expected = by_the_manual(*operands, mpmath.mpf(sums[m, n].item()))
        assert found[m, n].item() == expected, (m, n)


# -- products --------------------------------------------------------------------------------------------------------

PACKED_PRODUCT = """
void multiply(const real *matrix, int64_t across, const real *rows, int64_t K, int64_t V, int64_t m, int64_t add,
              factor *packed, factor *rounded, vec *out) {
    for (int64_t v = 0; v < V; v++) {
        if (across) pack_columns(packed + v * LANES, matrix, V * LANES - 3, V * LANES - 3, K, (int)V, v * LANES);
        else pack_rows(packed + v * LANES, matrix, K, V * LANES - 3, K, (int)V, v * LANES);
    }
    for (int64_t i = 0; i < m; i++) narrow(rounded + i * OPERAND(K), rows + i * K, K);
    tiles_begin();
    tile_products((int)m, (int)V, packed, rounded, K, out, (int)add);
    tiles_end();
}
"""


@functools.cache
def multiply(factors, unit):
    text = beginning(SINGLE, TILE_LANES, factors, TILES_OF[unit]) + PACKED_PRODUCT
    return build(text, "multiply", ["multiply"]).multiply


def product(factors, unit, matrix, rows, *, across, add=None):
    """rows @ matrix.T by a kernel's functions: packed, rounded, multiplied; three units of the last vector are none."""
    function = multiply(factors, unit)
    (units, depth), count = matrix.shape, rows.shape[0]
    vectors = -(-units // TILE_LANES)
    given = matrix.t().contiguous() if across else matrix.contiguous()
    room = 2 * (-(-depth // 32) * 16)
    packed = torch.full((room, vectors, TILE_LANES), torch.nan)
    rounded = torch.full((32, room), torch.nan)
    out = torch.full((32, vectors * TILE_LANES), torch.nan)
    if add is not None:
        out[:count, :units] = add
    addresses = [ctypes.c_void_p(tensor.data_ptr()) for tensor in (given, rows, packed, rounded, out)]
    numbers = [ctypes.c_int64(number) for number in (across, depth, vectors, count, add is not None)]
    function(addresses[0], numbers[0], addresses[1], *numbers[1:], *addresses[2:])
    return out[:count, :units]


SHAPES = list(itertools.product((13, 29, 45, 61, 77), (1, 2, 31, 33, 70), (1, 16, 17, 32)))


@pytest.mark.parametrize("across", [False, True], ids=["rows", "columns"])
@pytest.mark.parametrize("factors", [Factors.TILES, Factors.SPLIT], ids=lambda factors: factors.name.lower())
def test_products_of_whole_numbers_are_exact(factors, across, unit):
    """Whatever the order of sums: so a number that is left out, or taken twice, shows; memory beyond holds NaN."""
    for units, depth, count in SHAPES:
        matrix, rows = (torch.randint(-99, 100, shape).float() for shape in ((units, depth), (count, depth)))
        start = torch.randint(-99, 100, (count, units)).float()
        assert torch.equal(product(factors, unit, matrix, rows, across=across), rows @ matrix.t())
        assert torch.equal(product(factors, unit, matrix, rows, across=across, add=start), start + rows @ matrix.t())


def test_split_products_lose_less_than_a_hundred_thousandth(unit):
    matrix, rows = torch.randn(61, 300), torch.randn(32, 300)
    exact = rows.double() @ matrix.double().t()
    reach = rows.abs().double() @ matrix.abs().double().t()
    found = product(Factors.SPLIT, unit, matrix, rows, across=False).double()
    assert ((found - exact).abs() / reach).max() < 1e-5
    assert (found - exact).norm() / exact.norm() < 1e-5
    rounded = product(Factors.TILES, unit, matrix, rows, across=False).double()
    assert (rounded - exact).norm() / exact.norm() > 1e-3  # so the split is what made it near


def test_infinity_stays_infinite_where_weights_are_short(unit):
    """A split infinity has no second part."""
    matrix, rows = torch.full((13, 5), 0.75), torch.tensor([[torch.inf, 1.0, 2.0, 3.0, 4.0]])
    assert product(Factors.TILES, unit, matrix, rows, across=False).eq(torch.inf).all()
    assert not product(Factors.SPLIT, unit, matrix, rows, across=False).isfinite().any()


# -- cells -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["high", "medium"])
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.filterwarnings("ignore::loopcell.errors.EquationWarning")  # drawn equations compute what nobody reads
@pytest.mark.usefixtures("unit")
def test_drawn_cells(seed, precision):
    """A few; `python -m benchmarks.fuzz --precision high` does thousands."""
    before = torch.get_num_threads()
    try:
        results = [compare(drawn_form(drawn_cell(seed), seed, number), precision) for number in range(2)]
    finally:
        torch.set_num_threads(before)
    assert all(result in ("", "not finite") or result.startswith("borderline") for result in results), results


def error(net, x, expected):
    y, gradient = results_of(net, x)
    return max(float((a - b).norm() / b.norm()) for a, b in zip((y, gradient), expected, strict=True))


def results_of(net, x):
    net.zero_grad()
    y, _ = net(x)
    y.square().sum().backward()
    return y.detach().double(), net.weight_hh_l0.grad.double()


def test_precision_is_seen_by_every_call(unit):
    """Also by one like an earlier call, whose kernels are known."""
    torch.manual_seed(0)
    net, x = loopcell.RNN(20, 37), torch.randn(9, 40, 20)
    with precision_of("highest"):
        assert "bfloat16" not in net.plan()[0].reason
        assert choice.in_parts().tiles is TILES_OF[unit]
        first = results_of(net, x)
        exact = loopcell.RNN(20, 37)
        exact.load_state_dict(net.state_dict())
        with loopcell.backend("reference"):
            expected = results_of(exact.double(), x.double())
    for precision, low, high in (("high", 1e-7, 1e-5), ("medium", 1e-4, 1e-2), ("highest", 0, 1e-6)):
        with precision_of(precision):
            assert low <= error(net, x, expected) < high, precision
            said = {"high": "as three in bfloat16", "medium": "products in bfloat16"}.get(precision, "for the CPU")
            assert said in net.plan()[0].reason
    with precision_of("highest"):
        assert all(torch.equal(a, b) for a, b in zip(results_of(net, x), first, strict=True))


@pytest.mark.usefixtures("unit")
def test_double_precision_is_left_alone():
    net, x = loopcell.GRU(4, 5).double(), torch.randn(6, 3, 4, dtype=torch.float64)
    expected = net(x)[0]
    with precision_of("medium"):
        assert "bfloat16" not in net.plan()[0].reason
        assert torch.equal(net(x)[0], expected)


@pytest.mark.usefixtures("unit")
def test_a_row_does_not_depend_on_its_neighbours():
    """Neither on how many share its tile."""
    net, x = loopcell.GRU(4, 19), torch.randn(6, 50, 4)
    with precision_of("medium"), torch.no_grad():
        whole = net(x)[0]
        for rows in (slice(0, 1), slice(3, 20), slice(31, 50)):
            assert torch.equal(net(x[:, rows])[0], whole[:, rows])


# -- threads, forks, signals -----------------------------------------------------------------------------------------

RUN = """
    torch.set_float32_matmul_precision("medium")
    assert "on tiles" in str(net.plan()[0])
    expected = run()
"""


@pytest.mark.usefixtures("unit")
def test_threads_and_forks():
    in_a_process(
        RUN
        + """
    torch.set_num_threads(1)
    alone = run()
    assert same(alone, expected)
    torch.set_num_threads(3)
    with torch.no_grad():  # one row, whose units are shared out
        one = net(x[:, :1])[0]
    assert torch.allclose(one, expected[0][:, :1], atol=1e-4)
    child = os.fork()
    if not child:
        os._exit(0 if same(run(), expected) and same(run(), expected) else 1)
    assert os.waitpid(child, 0)[1] == 0
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(3) as pool, torch.no_grad():
        assert all(same([y], expected[:1]) for y in pool.map(lambda _: net(x)[0], range(6)))
    """
    )


@pytest.mark.usefixtures("unit")
def test_signals():
    """A handler runs in the middle of a kernel, and other code after it: tiles are as they were."""
    in_a_process(
        RUN
        + """
    import faulthandler, signal, time
    seen = []
    signal.signal(signal.SIGALRM, lambda *_: seen.append(torch.ones(64, 64).bfloat16() @ torch.ones(64, 64).bfloat16()))
    faulthandler.enable()  # which has a signal stack of its own
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
    end = time.monotonic() + 1
    while time.monotonic() < end:
        assert same(run(), expected)
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert seen
    """
    )


# -- the real instructions -------------------------------------------------------------------------------------------

AMX_FLAGS = ("-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512bf16", "-mfma", "-mamx-tile", "-mamx-bf16")


@pytest.mark.parametrize("cc", ["gcc", "clang"])
@pytest.mark.parametrize("factors", [Factors.TILES, Factors.SPLIT], ids=lambda factors: factors.name.lower())
def test_compilers_make_amx_of_it(cc, factors, tmp_path):
    if shutil.which(cc) is None:
        pytest.skip(f"there is no {cc}")
    text = tmp_path / "kernel.c"
    text.write_text(beginning(SINGLE, TILE_LANES, factors) + PACKED_PRODUCT)
    words = [cc, *FLAGS, *AMX_FLAGS, "-O1", "-Wall", "-Wextra", "-Werror", "-S", str(text), "-o", "-"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if "unrecognized" in done.stderr or "unknown argument" in done.stderr or "not supported" in done.stderr:
        pytest.skip(f"this {cc} knows no AMX: {done.stderr[:200]}")
    assert done.returncode == 0, done.stderr
    for instruction in ("ldtilecfg", "tileloadd", "tilezero", "tdpbf16ps", "tilestored", "tilerelease"):
        assert instruction in done.stdout


def test_every_kernel_configures_and_releases():
    program = build_program(loopcell.cells.get("lstm").graph, training=True).fused
    text = Kernels(program, SINGLE, Factors.TILES, Tiles.MODEL).text()
    shares = sum(line.startswith("static void ") and "_share(arguments " in line for line in text.splitlines())
    assert shares == 3
    assert text.count("    if (!a->direct) tiles_begin();") == text.count("    if (!a->direct) tiles_end();") == shares


def test_a_refusal_of_the_system_means_another_unit(monkeypatch):
    """A CPU with AMX whose kernel does not give the permission."""
    found = target()
    assert found is not None
    monkeypatch.setattr(tile_permission, "granted", lambda: False)
    chosen = choice._chosen.__wrapped__("auto", split=True, chosen=type(found)(**{**vars(found), "amx": True}))
    assert chosen.factors is Factors.FULL
    with pytest.raises(UsageError, match="LOOPCELL_BF16 names 'amx', which this CPU, or the target, has not"):
        choice._chosen.__wrapped__("amx", split=False, chosen=found)
