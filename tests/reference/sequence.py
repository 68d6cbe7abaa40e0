"""What a layer and a stack mean, as plainly as it can be said: each row on its own, one step after the other.

A direction reads a row's valid steps only. An episode starts where `reset` is true: forwards the state
becomes zero before that step; backwards it becomes zero on the way to the step before it.
"""

import torch


def run_row(step, x, states, p, *, reset, reverse):
    """One direction over one row: x [n, I], each state [H], reset [n] bools; gives n outputs, the states."""
    n = x.shape[0]
    states = tuple(state.unsqueeze(0) for state in states)
    outputs = {}
    for t in reversed(range(n)) if reverse else range(n):
        starts = (t + 1 < n and reset[t + 1]) if reverse else reset[t]
        if starts:
            states = tuple(torch.zeros_like(state) for state in states)
        outputs[t], states = step(x[t : t + 1], states, p)
    return [outputs[t] for t in range(n)], tuple(state.squeeze(0) for state in states)


def run_layer(step, x, states, p, *, lengths, reset, reverse, output_size):
    """One direction over a batch: x [T, B, I], each state [B, H]; outputs past a row's length are zero."""
    T, B, _ = x.shape
    columns, finals = [], []
    for b in range(B):
        n = lengths[b]
        start = tuple(state[b] for state in states)
        outputs, final = run_row(step, x[:n, b], start, p, reset=reset[b][:n], reverse=reverse)
        padding = x.new_zeros(T - n, output_size)
        columns.append(torch.cat([*outputs, padding]))
        finals.append(final)
    return torch.stack(columns, dim=1), tuple(torch.stack(rows) for rows in zip(*finals, strict=True))


def run_stack(step, x, states, layers, *, output_size, bidirectional=False, lengths=None, reset=None, further=0):
    """A whole network: states by name, each [L*D, B, H]; layers: parameters of each layer and direction.

    The last `further` columns of x are read by every layer.
    """
    T, B, width = x.shape
    beside = x[..., width - further :]
    lengths = [T] * B if lengths is None else [int(n) for n in lengths]
    reset = [[False] * T] * B if reset is None else reset.T.tolist()
    directions = 2 if bidirectional else 1
    finals = []
    for first in range(0, len(layers), directions):
        halves = []
        for place in range(first, first + directions):
            start = tuple(state[place] for state in states.values())
            reverse = place > first
            half, final = run_layer(
                step,
                x,
                start,
                layers[place],
                lengths=lengths,
                reset=reset,
                reverse=reverse,
                output_size=output_size,
            )
            halves.append(half)
            finals.append(final)
        y = torch.cat(halves, dim=-1)
        x = torch.cat([y, beside], dim=-1)
    stacked = (torch.stack(parts) for parts in zip(*finals, strict=True))
    return y, dict(zip(states, stacked, strict=True))
