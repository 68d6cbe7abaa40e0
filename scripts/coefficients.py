"""The numbers of the kernels' functions: polynomials nearest to exp, log and tanh, rounded to floats and doubles.

    python scripts/coefficients.py > src/loopcell/backends/c/codegen/headers/coefficients.h

Each polynomial has the least greatest error, by Remez' exchange in 50 digits. Its terms are rounded one by one, lowest
first, and after each rounding the rest is found anew, so that it makes up for what the rounding took.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from operator import mul

from mpmath import atanh, cos, exp, expm1, frexp, fsum, inf, ldexp, log, lu_solve, matrix, mp, mpf, nint, pi, sqrt, tanh

mp.dps = 50

Function = Callable[[mpf], mpf]
FLOAT, DOUBLE = 24, 53
LN2 = log(2)

TANH_START, TANH_TERMS, SHORT_TANH_TERMS = mpf("0.625"), 6, 4
"""The 16 cells of tanh are quarters of octaves from TANH_START on, less TANH_START: up to 9.375, where tanh is 1."""

UNIT = mpf(float.fromhex("0x1.91760ap+0"))
"""Of all floats c between 1.25 and 1.6 the one with which c 2^(j/16), j = 0 to 15, are nearest to floats: 0.21 ulp."""


def main() -> None:
    """Print the header."""
    print("/* The numbers of functions.h. Made by scripts/coefficients.py, which says what they are nearest to. */")
    print("#if REAL_IS_DOUBLE")
    print("\n".join(shared(DOUBLE, log_terms=7, high=40)))
    print("\n".join(portable(DOUBLE, exp_terms=10, scale=64)))
    print("#elif defined(AVX512)")
    print("\n".join(shared(FLOAT, log_terms=4, high=FLOAT)))
    print("\n".join(tables()))
    print("#else")
    print("\n".join(shared(FLOAT, log_terms=4, high=15)))
    print("\n".join(portable(FLOAT, exp_terms=5, scale=24)))
    print("#endif")


def shared(digits: int, log_terms: int, high: int) -> Iterator[str]:
    """Yield what every variant has: log, and ln(2) in two parts, the first so short that n times it is exact."""
    first = rounded(LN2, high)
    yield f"#define LOG2_E {literal(1 / LN2, digits)}"
    yield f"#define LN2_HIGH {literal(first, digits)}"
    yield f"#define LN2_LOW {literal(LN2 - first, digits)}"
    yield f"#define ROOT_HALF_BITS {as_bits(sqrt(mpf(0.5)), digits):#x}"
    most = ((sqrt(2) - 1) / (sqrt(2) + 1)) ** 2
    # log(1 + f) = 2 atanh(s) = 2 s + s z P(z), with s = f / (2 + f) and z = s^2
    terms = rounded_fit(
        lambda z: (2 * atanh(sqrt(z)) / sqrt(z) - 2) / z, lambda z: z / 2, log_terms, (mpf(0), most), digits
    )
    yield array("LOG_TERMS[]", "real", terms, digits)


def portable(digits: int, exp_terms: int, scale: int) -> Iterator[str]:
    """Yield e^r - 1 = r + r^2 P(r) for |r| up to ln(2) / 2."""
    yield f"#define UNIT {literal(ldexp(mpf('1.5'), -scale), digits)}"
    yield array("EXP_TERMS[]", "real", exp_terms_of(exp_terms, LN2 / 2, digits), digits)


def tables() -> Iterator[str]:
    """Yield the same for |r| up to ln(2) / 32, the powers 2^(j/16), and tanh by cells."""
    yield f"#define UNIT {literal(ldexp(UNIT, -24), FLOAT)}"
    yield f"#define TANH_START {literal(TANH_START, FLOAT)}"
    yield "#if SHORT"
    yield from polynomials(1, SHORT_TANH_TERMS)
    yield "#else"
    yield from polynomials(2, TANH_TERMS)
    yield "#endif"
    powers = [mpf(2) ** (mpf(j) / 16) for j in range(16)]
    yield array("ROOTS[16]", "float", powers, FLOAT)
    # What is left of the bits of UNIT 2^(j/16), as those of a float, when j is added to them by a shift.
    one = as_bits(mpf(1), FLOAT)
    left = [as_bits(UNIT * power, FLOAT) - one - (j << 19) for j, power in enumerate(powers)]
    yield listed("UNIT_ROOTS[16]", "int32_t", [str(number) for number in left])


def polynomials(exp_terms: int, tanh_terms: int) -> Iterator[str]:
    """Yield those of exp, and of tanh by cells."""
    yield array("EXP_TERMS[]", "real", exp_terms_of(exp_terms, LN2 / 32, FLOAT), FLOAT)
    cells = dict(tanh_cells(tanh_terms))
    rows = [[cells[number][k] for number in range(16)] for k in range(tanh_terms)]
    inner = ",\n    ".join("{" + broken([literal(term, FLOAT) for term in row], "     ") + "}" for row in rows)
    yield f"static const float TANH_TERMS[{tanh_terms}][16] __attribute__((aligned(64))) = {{\n    {inner}}};"


def tanh_cells(count: int) -> Iterator[tuple[int, list[mpf]]]:
    """Yield the number of each cell, from the bits of its edge, and its polynomial in the distance from the edge."""
    edge = TANH_START
    for _ in range(16):
        low, width = edge - TANH_START, ldexp(mpf(1), int(frexp(edge)[1]) - 3)
        yield as_bits(edge, FLOAT) >> 21 & 15, tanh_terms(low, width, count)
        edge += width


def tanh_terms(low: mpf, width: mpf, count: int) -> list[mpf]:
    """Return the polynomial of one cell; of the first x + x^2 P(x), so that what is tiny stays as it is."""
    if low:
        return rounded_fit(lambda d: tanh(low + d), lambda d: 1 / tanh(low + d), count, (mpf(0), width), FLOAT)
    rest = rounded_fit(lambda d: (tanh(d) - d) / d**2, lambda d: d**2 / tanh(d), count - 2, (mpf(0), width), FLOAT)
    return [mpf(0), mpf(1), *rest]


def exp_terms_of(count: int, most: mpf, digits: int) -> list[mpf]:
    """Return the terms of P in e^r - 1 = r + r^2 P(r), |r| up to `most` and a little more: n is rounded."""
    reach = most * mpf("1.001")
    return rounded_fit(lambda r: (expm1(r) - r) / r**2, lambda r: r**2 / exp(r), count, (-reach, reach), digits)


# --- fits -----------------------------------------------------------------------------------------------------------


def rounded_fit(f: Function, weight: Function, count: int, ends: tuple[mpf, mpf], digits: int) -> list[mpf]:
    """Return the terms, of `digits` binary digits, of a P for which the greatest weight(x) |f(x) - P(x)| is small."""
    done: list[mpf] = []
    points = nodes(*ends, 16 * (count + 1))
    weights = [weight(x) for x in points]
    while len(done) < count:
        rest = [f(x) - fsum(term * x**k for k, term in enumerate(done)) for x in points]
        powers = range(len(done), count)
        done.append(rounded(fit(points, rest, weights, powers)[0], digits))
    return done


def fit(points: list[mpf], values: list[mpf], weights: list[mpf], powers: range) -> list[mpf]:
    """Fit terms of the given powers with the least greatest weighted error at the points: Remez' exchange."""
    rows = [[w * x**k for k in powers] for x, w in zip(points, weights, strict=True)]
    aims = [w * value for w, value in zip(weights, values, strict=True)]
    terms = least_squares(rows, aims)
    best, found = inf, terms
    for _ in range(15):
        errors = [aim - fsum(map(mul, terms, row)) for aim, row in zip(aims, rows, strict=True)]
        worst = max(map(abs, errors))
        if worst < best:
            best, found = worst, terms
        peaks = alternating(errors, len(terms) + 1)
        if len(peaks) <= len(terms):
            break
        levelled = [[*rows[i], (-1) ** k] for k, i in enumerate(peaks)]
        *terms, level = lu_solve(matrix(levelled), matrix([aims[i] for i in peaks]))
        if abs(abs(level) / worst - 1) < 1e-4:
            break
    return found


def least_squares(rows: list[list[mpf]], aims: list[mpf]) -> list[mpf]:
    """Return the solution of the normal equations; 50 digits are enough for them."""
    places = range(len(rows[0]))
    square = [[fsum(row[i] * row[j] for row in rows) for j in places] for i in places]
    side = [fsum(row[i] * aim for row, aim in zip(rows, aims, strict=True)) for i in places]
    return list(lu_solve(matrix(square), matrix(side)))


def alternating(errors: list[mpf], count: int) -> list[int]:
    """Find where the error peaks, with signs that alternate: at most `count` places, the smaller ends left out."""
    peaks: list[int] = []
    for i, error in enumerate(errors):
        if peaks and (error > 0) == (errors[peaks[-1]] > 0):
            if abs(error) > abs(errors[peaks[-1]]):
                peaks[-1] = i
        else:
            peaks.append(i)
    while len(peaks) > count:
        peaks.pop(0 if abs(errors[peaks[0]]) < abs(errors[peaks[-1]]) else -1)
    return peaks


def nodes(low: mpf, high: mpf, count: int) -> list[mpf]:
    """Return Chebyshev's points."""
    return [(low + high) / 2 - (high - low) / 2 * cos(pi * (k + mpf(0.5)) / count) for k in range(count)]


# --- numbers as C writes them -----------------------------------------------------------------------------------------


def rounded(x: mpf, digits: int) -> mpf:
    """Return the nearest number with so many binary digits."""
    mantissa, exponent = frexp(x)
    return ldexp(nint(ldexp(mantissa, digits)), int(exponent) - digits)


def as_bits(x: mpf, digits: int) -> int:
    """Return the bits of the nearest float or double."""
    integer, real = ("<i", "<f") if digits == FLOAT else ("<q", "<d")
    return int(struct.unpack(integer, struct.pack(real, float(rounded(x, digits))))[0])


def literal(x: mpf, digits: int) -> str:
    """Return the nearest float or double, in C."""
    mantissa, exponent = float(rounded(x, digits)).hex().split("p")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}p{exponent}{'f' if digits == FLOAT else ''}"


def array(name: str, kind: str, numbers: Iterable[mpf], digits: int) -> str:
    """Return the definition of an array of floats or doubles."""
    return listed(name, kind, [literal(number, digits) for number in numbers])


def listed(name: str, kind: str, numbers: list[str]) -> str:
    """Return the definition of an array; a table is aligned, to be read as a vector."""
    aligned = " __attribute__((aligned(64)))" if "16" in name else ""
    return f"static const {kind} {name}{aligned} = {{\n    {broken(numbers, '    ')}}};"


def broken(words: list[str], indent: str) -> str:
    """Break words into lines of at most 120 characters."""
    lines = [""]
    for word in words:
        if len(indent + lines[-1] + word) > 115:
            lines.append("")
        lines[-1] += f"{word}, "
    return f"\n{indent}".join(line.rstrip() for line in lines).removesuffix(",")


if __name__ == "__main__":
    main()
