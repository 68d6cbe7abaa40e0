"""The kernels of a scan over time: h_t = a_t * h_{t-1} + b_t for every unit of every row.

    share     every block of steps, from 0: its share in the state after it, and the product of its coefficients
    carry     from block to block: the state before each
    states    every block again, from the true state before it

With one block, `states` is all that runs. No program waits for another and none reads what another writes within one
launch, so there is nothing to synchronise. A block's steps are the recurrence itself; only a carry meets a product,
which is kept as a mantissa in [1, 2) and an exponent, so that no coefficient takes it out of the range of numbers.

The reverse scan is the same from the last step to the first, with each step's coefficient read one step later.

A program has one row, LANES of its units and one block, and is one warp. `tl.range` sends for the loads of STAGES steps
ahead, none of which waits for the state; it does so for vectors of at least 4 bytes an entry, so a row's restart is a
32-bit number that every lane reads.
"""

# Triton reads the annotations of a kernel's arguments: they must be no strings, so no `from __future__` here.
# Functions of Triton that are compiled themselves, such as tl.zeros, are not used: they are interpreted only where
# TRITON_INTERPRET was set before anybody imported Triton, and PyTorch may have.
# It compiles the function that is written here: nothing may wrap it, as checks of annotations in tests would.

from typing import no_type_check

import triton
import triton.language as tl

FORGOTTEN = tl.constexpr(-(1 << 30))
"""The exponent of a block in which the state restarts: nothing from before it is left, not even what is no number."""
STAGES = tl.constexpr(4)


@triton.jit
@no_type_check
def share_kernel(
    coefficient, offset, restart, share, mantissa, exponent,
    steps, rows, units, block_steps,
    coefficient_step, coefficient_row, coefficient_unit, offset_step, offset_row, offset_unit,
    REVERSE: tl.constexpr, RESTARTS: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """Run every block of steps from 0; keep the state after it and the product of its coefficients."""
    row, unit = _own_part(units, LANES)
    block = tl.program_id(1)
    inside = unit < units
    a_first = coefficient + row * coefficient_row + unit * coefficient_unit
    b_first = offset + row * offset_row + unit * offset_unit
    restart_first = restart + row + unit * 0
    h = tl.full([LANES], 0.0, tl.float32)
    product = tl.full([LANES], 1.0, tl.float32)
    power = tl.full([LANES], 0, tl.int32)
    first = block * block_steps
    for k in tl.range(first, tl.minimum(first + block_steps, steps), num_stages=STAGES):
        t, source = _places(k, steps, REVERSE)
        there = unit < tl.where(source < steps, units, 0)  # past the last step there is no coefficient: it is 1
        a = tl.load(a_first + source * coefficient_step, mask=there, other=1.0).to(tl.float32)
        b = tl.load(b_first + t * offset_step, mask=inside, other=0.0).to(tl.float32)
        if RESTARTS:
            fresh = tl.load(restart_first + source * rows, mask=there, other=0) != 0
            h = tl.where(fresh, 0.0, h)
            if REVERSE:  # what restarts read nothing, so no gradient passes: not even where a is no number
                a = tl.where(fresh, 0.0, a)
            product = tl.where(fresh, 1.0, product)
            power = tl.where(fresh, FORGOTTEN, power)
        h = a * h + b
        product, shift = _normalised(product * a)
        power += shift
    at = (tl.cast(block, tl.int64) * rows + row) * units + unit
    tl.store(share + at, h, mask=inside)
    tl.store(mantissa + at, product, mask=inside)
    tl.store(exponent + at, power, mask=inside)


@triton.jit
@no_type_check
def carry_kernel(first, share, mantissa, exponent, carry, lanes, blocks, LANES: tl.constexpr):
    """Go from block to block; keep the state before each. Rows and units are one here, [blocks, lanes]."""
    lane = tl.program_id(0) * LANES + tl.arange(0, LANES)
    inside = lane < lanes
    h = tl.load(first + lane, mask=inside, other=0.0).to(tl.float32)
    for block in tl.range(0, blocks, num_stages=STAGES):
        at = tl.cast(block, tl.int64) * lanes + lane
        power = tl.load(exponent + at, mask=inside, other=0)
        fraction = tl.load(mantissa + at, mask=inside, other=0.0)
        part = tl.load(share + at, mask=inside, other=0.0)
        tl.store(carry + at, h, mask=inside)
        h = tl.where(power < FORGOTTEN // 2, 0.0, _scaled(fraction * h, power)) + part


@triton.jit
@no_type_check
def states_kernel(
    coefficient, offset, restart, carry, states,
    steps, rows, units, block_steps,
    coefficient_step, coefficient_row, coefficient_unit, offset_step, offset_row, offset_unit,
    REVERSE: tl.constexpr, RESTARTS: tl.constexpr, LANES: tl.constexpr, DOUBLE: tl.constexpr,
):  # fmt: skip
    """Run every block of steps from the state before it; keep the state after every step."""
    row, unit = _own_part(units, LANES)
    block = tl.program_id(1)
    inside = unit < units
    a_first = coefficient + row * coefficient_row + unit * coefficient_unit
    b_first = offset + row * offset_row + unit * offset_unit
    restart_first = restart + row + unit * 0
    lanes = tl.cast(rows, tl.int64) * units
    of_row = row * units + unit
    h = tl.load(carry + block * lanes + of_row, mask=inside, other=0.0).to(tl.float64 if DOUBLE else tl.float32)
    first = block * block_steps
    for k in tl.range(first, tl.minimum(first + block_steps, steps), num_stages=STAGES):
        t, source = _places(k, steps, REVERSE)
        there = unit < tl.where(source < steps, units, 0)
        a = tl.load(a_first + source * coefficient_step, mask=there, other=1.0).to(h.dtype)
        b = tl.load(b_first + t * offset_step, mask=inside, other=0.0).to(h.dtype)
        if RESTARTS:
            fresh = tl.load(restart_first + source * rows, mask=there, other=0) != 0
            h = tl.where(fresh, 0.0, h)
            if REVERSE:  # what restarts read nothing, so no gradient passes: not even where a is no number
                a = tl.where(fresh, 0.0, a)
        h = a * h + b
        tl.store(states + t * lanes + of_row, h.to(states.dtype.element_ty), mask=inside)


@triton.jit
@no_type_check
def _own_part(units, LANES: tl.constexpr):
    """Return the row and the units of this program."""
    tiles = (units + LANES - 1) // LANES
    program = tl.program_id(0)
    return tl.cast(program // tiles, tl.int64), (program % tiles) * LANES + tl.arange(0, LANES)


@triton.jit
@no_type_check
def _places(k, steps, REVERSE: tl.constexpr):
    """Return the step that is computed k-th, and the step whose coefficient it takes; 64 bits, as offsets need them."""
    t = tl.cast(k, tl.int64)
    source = t
    if REVERSE:
        t = steps - 1 - t
        source = t + 1
    return t, source


@triton.jit
@no_type_check
def _normalised(product):
    """Return a product as a mantissa in [1, 2) and an exponent; what has no such form (0, infinity, NaN) with 0."""
    bits = product.to(tl.int32, bitcast=True)
    field = (bits >> 23) & 0xFF
    normal = (field > 0) & (field < 255)
    mantissa = ((bits & -2139095041) | 0x3F800000).to(tl.float32, bitcast=True)  # the sign and the fraction; exponent 0
    return tl.where(normal, mantissa, product), tl.where(normal, field - 127, 0)


@triton.jit
@no_type_check
def _scaled(value, exponent):
    """Return value * 2^exponent, in four parts, each of them a normal number."""
    # Shifted, not divided: shifts round alike in the interpreter and on a device.
    bounded = tl.minimum(tl.maximum(exponent, -496), 496)
    part = bounded >> 2
    power = ((part + 127) << 23).to(tl.float32, bitcast=True)
    rest = ((bounded - 3 * part + 127) << 23).to(tl.float32, bitcast=True)
    return value * power * power * power * rest
