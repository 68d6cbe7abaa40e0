"""The kernels of a scan over time: h_t = a_t * h_{t-1} + b_t for every lane, a lane being one unit of one row.

    share     every block of steps, from 0: its share in the state after it, and the product of its coefficients
    carry     from block to block: the state before each
    states    every block again, from the true state before it

With one block, `states` is all that runs. No program waits for another and none reads what another writes within one
launch, so there is nothing to synchronise. A block's steps are the recurrence itself; only a carry meets a product,
which is kept as a mantissa in [1, 2) and an exponent, so that no coefficient takes it out of the range of numbers.

The reverse scan is the same from the last step to the first, with each step's coefficient read one step later.
"""

# Triton reads the annotations of a kernel's arguments: they must be no strings, so no `from __future__` here.
# Loads are pipelined by tl.range: none waits for the state, so those of the next steps are on their way.

import triton
import triton.language as tl

FORGOTTEN = tl.constexpr(-(1 << 30))
"""The exponent of a block in which the state restarts: nothing from before it is left, not even what is no number."""
STAGES = tl.constexpr(4)


@triton.jit
def share_kernel(
    coefficient, offset, restart, share, mantissa, exponent,
    steps, rows, units, block_steps,
    coefficient_step, coefficient_row, coefficient_unit, offset_step, offset_row, offset_unit,
    REVERSE: tl.constexpr, RESTARTS: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """Run every block of steps from 0; keep the state after it and the product of its coefficients."""
    lane = tl.program_id(0) * LANES + tl.arange(0, LANES)
    inside = lane < rows * units
    a_lane = _of_lane(coefficient, lane, units, coefficient_row, coefficient_unit)
    b_lane = _of_lane(offset, lane, units, offset_row, offset_unit)
    block = tl.program_id(1)
    h = tl.zeros([LANES], tl.float32)
    product = tl.full([LANES], 1.0, tl.float32)
    power = tl.zeros([LANES], tl.int32)
    first = block * block_steps
    for k in tl.range(first, tl.minimum(first + block_steps, steps), num_stages=STAGES):
        t, source = _places(k, steps, REVERSE)
        a = tl.load(a_lane + source * coefficient_step, mask=inside & (source < steps), other=1.0).to(tl.float32)
        b = tl.load(b_lane + t * offset_step, mask=inside, other=0.0).to(tl.float32)
        if RESTARTS:
            fresh = tl.load(restart + source * rows + lane // units, mask=inside & (source < steps), other=0) != 0
            h = tl.where(fresh, 0.0, h)
            product = tl.where(fresh, 1.0, product)
            power = tl.where(fresh, FORGOTTEN, power)
        h = a * h + b
        product, shift = _normalised(product * a)
        power += shift
    at = block.to(tl.int64) * rows * units + lane
    tl.store(share + at, h, mask=inside)
    tl.store(mantissa + at, product, mask=inside)
    tl.store(exponent + at, power, mask=inside)


@triton.jit
def carry_kernel(first, share, mantissa, exponent, carry, lanes, blocks, LANES: tl.constexpr):
    """Go from block to block; keep the state before each."""
    lane = tl.program_id(0) * LANES + tl.arange(0, LANES)
    inside = lane < lanes
    h = tl.load(first + lane, mask=inside, other=0.0).to(tl.float32)
    for block in tl.range(0, blocks, num_stages=STAGES):
        at = tl.cast(block, tl.int64) * lanes + lane
        tl.store(carry + at, h, mask=inside)
        power = tl.load(exponent + at, mask=inside, other=0)
        passed_on = _scaled(tl.load(mantissa + at, mask=inside, other=0.0) * h, power)
        h = tl.where(power < FORGOTTEN // 2, 0.0, passed_on) + tl.load(share + at, mask=inside, other=0.0)


@triton.jit
def states_kernel(
    coefficient, offset, restart, carry, states,
    steps, rows, units, block_steps,
    coefficient_step, coefficient_row, coefficient_unit, offset_step, offset_row, offset_unit,
    REVERSE: tl.constexpr, RESTARTS: tl.constexpr, LANES: tl.constexpr, SUMS: tl.constexpr,
):  # fmt: skip
    """Run every block of steps from the state before it; keep the state after every step."""
    lane = tl.program_id(0) * LANES + tl.arange(0, LANES)
    inside = lane < rows * units
    a_lane = _of_lane(coefficient, lane, units, coefficient_row, coefficient_unit)
    b_lane = _of_lane(offset, lane, units, offset_row, offset_unit)
    block = tl.program_id(1)
    lanes = tl.cast(rows, tl.int64) * units
    h = tl.load(carry + block * lanes + lane, mask=inside, other=0.0).to(SUMS)
    first = block * block_steps
    for k in tl.range(first, tl.minimum(first + block_steps, steps), num_stages=STAGES):
        t, source = _places(k, steps, REVERSE)
        a = tl.load(a_lane + source * coefficient_step, mask=inside & (source < steps), other=1.0).to(SUMS)
        b = tl.load(b_lane + t * offset_step, mask=inside, other=0.0).to(SUMS)
        if RESTARTS:
            fresh = tl.load(restart + source * rows + lane // units, mask=inside & (source < steps), other=0) != 0
            h = tl.where(fresh, 0.0, h)
        h = a * h + b
        tl.store(states + t * lanes + lane, h.to(states.dtype.element_ty), mask=inside)


@triton.jit
def _of_lane(pointer, lane, units, row_stride, unit_stride):
    """Return where the first step of every lane lies; tensors may be broadcast or transposed."""
    row, unit = (lane // units).to(tl.int64), (lane % units).to(tl.int64)
    return pointer + row * row_stride + unit * unit_stride


@triton.jit
def _places(k, steps, REVERSE: tl.constexpr):
    """Return the step that is computed k-th, and the step whose coefficient it takes; 64 bits, as offsets need them."""
    t = tl.cast(k, tl.int64)
    source = t
    if REVERSE:
        t = steps - 1 - t
        source = t + 1
    return t, source


@triton.jit
def _normalised(product):
    """Return a product as a mantissa in [1, 2) and an exponent; what has no such form (0, infinity, NaN) with 0."""
    bits = product.to(tl.int32, bitcast=True)
    field = (bits >> 23) & 0xFF
    normal = (field > 0) & (field < 255)
    mantissa = ((bits & -2139095041) | 0x3F800000).to(tl.float32, bitcast=True)  # the sign and the fraction; exponent 0
    return tl.where(normal, mantissa, product), tl.where(normal, field - 127, 0)


@triton.jit
def _scaled(value, exponent):
    """Return value * 2^exponent, in four parts, each of them a normal number."""
    # Shifted, not divided: shifts round alike in the interpreter and on a device.
    bounded = tl.minimum(tl.maximum(exponent, -496), 496)
    part = bounded >> 2
    power = ((part + 127) << 23).to(tl.float32, bitcast=True)
    rest = ((bounded - 3 * part + 127) << 23).to(tl.float32, bitcast=True)
    return value * power * power * power * rest
