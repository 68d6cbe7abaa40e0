"""Equations that nobody thought of: drawn at random, read as a cell, and computed by hand beside it.

A drawing is a list of lines, each an op over values before it. `Symbols` spells the ops for a cell, `Tensors` in
torch over a batch; the two share nothing but the list.
"""

import operator
from types import SimpleNamespace

import torch
from hypothesis import strategies as st

import loopcell
from loopcell.equations import Cell

NAMES = ("p", "q")
NUMBERS = (0.0, 1.0, -1.0, 0.5, 2.0)
UNARY = {
    "neg": lambda f, a: -a,
    "tanh": lambda f, a: f.tanh(a),
    "sigmoid": lambda f, a: f.sigmoid(a),
    "relu": lambda f, a: f.relu(a),
    "abs": lambda f, a: abs(a),
    "exp": lambda f, a: f.exp(f.tanh(a)),
    "log": lambda f, a: f.log(1.5 + f.tanh(a)),
    "sqrt": lambda f, a: f.sqrt(abs(a) + 0.5),
    "softplus": lambda f, a: f.softplus(a),
    "square": lambda f, a: f.tanh(a) ** 2,
    "mean": lambda f, a: f.mean(a),
    "total": lambda f, a: f.total(f.tanh(a)),
}
BINARY = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
}


class Symbols:
    """The ops as a cell's author writes them."""

    tanh, sigmoid, relu, exp, log = map(
        staticmethod, (loopcell.tanh, loopcell.sigmoid, loopcell.relu, loopcell.exp, loopcell.log)
    )
    sqrt, softplus, mean, total = map(staticmethod, (loopcell.sqrt, loopcell.softplus, loopcell.mean, loopcell.total))
    minimum, maximum, where = map(staticmethod, (loopcell.minimum, loopcell.maximum, loopcell.where))

    @staticmethod
    def hidden(value):
        return loopcell.sized(value, "hidden")

    @staticmethod
    def matmul(matrix, vector):
        return Symbols.hidden(matrix @ vector)


class Tensors:
    """The same ops in torch: vectors [B, n], scalars [B, 1]."""

    tanh, sigmoid, relu, exp, log = map(staticmethod, (torch.tanh, torch.sigmoid, torch.relu, torch.exp, torch.log))
    sqrt, softplus = map(staticmethod, (torch.sqrt, torch.nn.functional.softplus))

    @staticmethod
    def mean(a):
        return a.mean(-1, keepdim=True)

    @staticmethod
    def total(a):
        return a.sum(-1, keepdim=True)

    @staticmethod
    def minimum(a, b):
        return torch.minimum(torch.as_tensor(a, dtype=torch.float64), torch.as_tensor(b, dtype=torch.float64))

    @staticmethod
    def maximum(a, b):
        return torch.maximum(torch.as_tensor(a, dtype=torch.float64), torch.as_tensor(b, dtype=torch.float64))

    @staticmethod
    def where(condition, a, b):
        return torch.where(condition, torch.as_tensor(a, dtype=torch.float64), torch.as_tensor(b, dtype=torch.float64))

    @staticmethod
    def hidden(value):
        return value

    @staticmethod
    def matmul(matrix, vector):
        return vector @ matrix.T


def compute(drawing, f, x, h, c, W, U, b):
    """Run the lines of a drawing; gives the output and the new states."""
    biases = [f.hidden(getattr(b, name)) for name in NAMES]
    values = [
        h,
        c,
        *(f.matmul(getattr(W, name), x) + bias for name, bias in zip(NAMES, biases, strict=True)),
        *biases,
    ]
    for op, name, number, *places in drawing.lines:
        left, middle, right = (values[place] for place in places)
        if op in UNARY:
            made = UNARY[op](f, left)
        elif op in BINARY:
            made = BINARY[op](left, 2.5 + f.tanh(middle) if op == "div" else middle)
        elif op == "number":
            made = BINARY[name](left, number) if number > 0 else BINARY[name](number, left)
        elif op == "product":
            made = f.matmul(getattr(U, name), f.tanh(left))
        elif op == "extremes":
            made = f.minimum(left, f.maximum(middle, number))
        else:
            made = f.where(left > middle, right, number)
        values.append(made)
    return [f.tanh(values[place]) if squash else values[place] for place, squash in drawing.results]


def draw(random) -> SimpleNamespace:
    """Lines and results, by a random.Random or hypothesis' likeness of one; a result is a vector."""
    vector, lines = [True] * 6, []
    for _ in range(random.randint(1, 12)):
        op = random.choice([*UNARY, *BINARY, "number", "product", "product", "extremes", "where"])
        places = [random.randrange(len(vector)) for _ in range(3)]
        if op in ("mean", "total", "product") and not vector[places[0]]:
            places[0] = random.randrange(4)
        name = random.choice(NAMES if op == "product" else ("add", "sub", "mul"))
        lines.append((op, name, random.choice(NUMBERS), *places))
        read = places[: {"extremes": 2, "where": 3}.get(op, 2 if op in BINARY else 1)]
        vector.append(op not in ("mean", "total") and any(vector[place] for place in read))
    able = [place for place in range(len(vector)) if vector[place]]
    results = [(random.choice(able[::-1]), random.randrange(4) > 0) for _ in range(3)]
    return SimpleNamespace(lines=lines, results=results)


def drawings():
    """The same for hypothesis, which shrinks what fails."""
    return st.randoms(use_true_random=False).map(draw)


def cell_of(drawing) -> Cell:
    @loopcell.cell
    def drawn(x, h, c, *, W, U, b):
        return tuple(compute(drawing, Symbols, x, h, c, W, U, b))

    return drawn


def step_of(drawing):
    def step(x, states, p):
        spaces = [
            SimpleNamespace(**{name: p[f"{space}.{name}"] for name in NAMES if f"{space}.{name}" in p})
            for space in "WUb"
        ]
        h, c = states
        for space, shape in zip(spaces, [(h.shape[-1], x.shape[-1]), (h.shape[-1],) * 2, (h.shape[-1],)], strict=True):
            for name in NAMES:  # what the cell does not need has no parameter
                if not hasattr(space, name):
                    setattr(space, name, x.new_zeros(shape))
        output, *new = compute(drawing, Tensors, x, h, c, *spaces)
        whole = [value.expand_as(h) for value in (output, *new)]
        return whole[0], tuple(whole[1:])

    return step
