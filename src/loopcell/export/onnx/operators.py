"""Standard operators: which equations ARE ONNX's RNN, GRU or LSTM, read from the graph, whatever the cell is called.

    RNN   h' = f(W x + R h + b), f = tanh or relu
    GRU   h' = (1 - z) n + z h, or (1 - z) h + z n, which is the same with the weights of z negated: sigmoid(-a) = 1 -
          sigmoid(a); n = tanh(W x + R (r h) + b), or tanh(W x + b + r (R h + d)): linear_before_reset
    LSTM  c' = f c + i g, h' = o tanh(c'); with peepholes, and with one gate for two (f = 1 - i): input_forget

Source: the operators' definitions in ONNX, opset 14. A product with each of x and h is asked of every gate: an operator
with zeros in their place would be right, and slower than the equations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from loopcell.equations import Key
from loopcell.export.onnx.polynomials import Polynomial, polynomials, quotient
from loopcell.export.step_model import Equations
from loopcell.export.step_model.stages import Floats

_Sums = list[tuple[float, str]]  # parameters with their signs


@dataclass(frozen=True, eq=False)
class Operator:
    """A standard operator with its weights, for one direction.

    Attributes:
        name: "RNN", "GRU" or "LSTM".
        states: the names of the hidden and the cell state, in the operator's order.
        W: of the input, [1, G * H, I]; gates in the operator's order: z, r, h, and i, o, f, c.
        R: of the hidden state, [1, G * H, H].
        B: biases of both, [1, 2 * G * H].
        P: peepholes of i, o, f, [1, 3 * H]; None without.
        attributes: of the node.
    """

    name: str
    states: tuple[str, ...]
    W: Floats
    R: Floats
    B: Floats
    P: Floats | None = None
    attributes: Mapping[str, int | list[str]] = field(default_factory=dict)

    @property
    def hidden(self) -> int:
        """H."""
        return int(self.R.shape[2])


@dataclass
class _Affine:
    """The operand of an activation: W x + R h + b, and what else there is."""

    W: _Sums = field(default_factory=list)
    R: _Sums = field(default_factory=list)
    b: _Sums = field(default_factory=list)
    number: float = 0.0
    others: Polynomial = field(default_factory=dict)


def operator_of(stage: Equations) -> Operator | None:
    """Return the standard operator that computes a stage; None where none does."""
    graph = stage.graph
    if len(graph.inputs) != 1 or any(not node.dims for _, node in graph.leaves("input")):
        return None
    reader = _Reader(stage)
    if len(graph.states) == 1:
        return reader.rnn() or reader.gru()
    return reader.lstm() if len(graph.states) == 2 else None


class _Reader:
    """Reads a stage's equations as those of an operator."""

    def __init__(self, stage: Equations) -> None:
        self.stage, self.graph = stage, stage.graph
        self.forms = polynomials(stage.graph, stage.sizes)
        self.x = next(index for index, _ in self.graph.leaves("input"))
        self.states = {node.name: index for index, node in self.graph.leaves("state")}
        self.output = self.forms[self.graph.results[Key("output")]]
        answers = [name for name in self.graph.states if self._after(name) == self.output]
        self.h = answers[0] if answers and len(self.states) == len(self.graph.states) else ""

    # -- the operators -----------------------------------------------------------------------------

    def rnn(self) -> Operator | None:
        atom = self._atom(self.output, "tanh", "relu")
        if not self.h or atom is None:
            return None
        linear = self._affine(self._read_by(atom))
        if not _plain(linear):
            return None
        activation = {"tanh": "Tanh", "relu": "Relu"}[self.graph.nodes[atom].op]
        return Operator("RNN", (self.h,), *self._packed([linear]), attributes={"activations": [activation]})

    def gru(self) -> Operator | None:
        if not self.h:
            return None
        h = self.states[self.h]
        for z in self._atoms(self.output, "sigmoid"):
            for n in self._atoms(self.output, "tanh"):
                keeps = {_term(n): 1.0, _term(z, n): -1.0, _term(z, h): 1.0}
                lets = {_term(h): 1.0, _term(z, h): -1.0, _term(z, n): 1.0}
                if self.output in (keeps, lets):
                    return self._gru(z, n, sign=1.0 if self.output == keeps else -1.0)
        return None

    def lstm(self) -> Operator | None:
        cells = [name for name in self.graph.states if name != self.h]
        if not self.h or len(cells) != 1:
            return None
        after = self._after(cells[0])
        for o in self._atoms(self.output, "sigmoid"):
            for t in self._atoms(self.output, "tanh"):
                if self.output == {_term(o, t): 1.0} and self._read_by(t) == after:
                    return self._lstm(cells[0], o)
        return None

    # -- their gates -------------------------------------------------------------------------------

    def _gru(self, z: int, n: int, sign: float) -> Operator | None:
        update, candidate = _signed(self._affine(self._read_by(z)), sign), self._affine(self._read_by(n))
        for read in (self._reset_after, self._reset_before):
            found = read(candidate)
            if found is None:
                continue
            r, inner, attribute = found
            reset = self._affine(self._read_by(r))
            if not candidate.W or not (_plain(update) and _plain(reset)):
                return None
            new = _Affine(candidate.W, inner.R, candidate.b, candidate.number)
            W, R, B = self._packed([update, reset, new], inner=inner)
            return Operator("GRU", (self.h,), W, R, B, attributes={"linear_before_reset": attribute})
        return None

    def _reset_after(self, candidate: _Affine) -> tuple[int, _Affine, int] | None:
        """Read r (R h + d), where it is all that the candidate has beside W x + b."""
        for r in self._atoms(candidate.others, "sigmoid"):
            rest = quotient(candidate.others, r)
            inner = None if rest is None else self._affine(rest)
            if inner and inner.R and not inner.W and not inner.others and not candidate.R:
                return r, inner, 1
        return None

    def _reset_before(self, candidate: _Affine) -> tuple[int, _Affine, int] | None:
        """Read R (r h), where it is all that the candidate has beside W x + b."""
        h, found, inner = self.states[self.h], set[int](), _Affine()
        for term, sign in candidate.others.items():
            node = self.graph.nodes[term[0]]
            factors = self.forms[node.args[1]] if len(term) == 1 and node.op == "matmul" else {}
            gates = [r for r in self._atoms(factors, "sigmoid") if factors == {_term(r, h): 1.0}]
            if not gates:
                return None
            found.update(gates)
            inner.R.append((sign, self.graph.nodes[node.args[0]].name))
        return (found.pop(), inner, 0) if len(found) == 1 and not candidate.R else None

    def _lstm(self, cell: str, o: int) -> Operator | None:
        c, after = self.states[cell], self._after(cell)
        gates, tanhs = self._atoms(after, "sigmoid"), self._atoms(after, "tanh")
        for g in tanhs:
            for f in gates:
                one_gate = {  # the input gate, by its sign in front of f
                    -1.0: {_term(f, c): 1.0, _term(g): 1.0, _term(f, g): -1.0},
                    1.0: {_term(c): 1.0, _term(f, c): -1.0, _term(f, g): 1.0},
                }
                for sign, form in one_gate.items():
                    if after == form:
                        return self._lstm_of(cell, [(f, sign), (o, 1.0), (f, -sign), (g, 1.0)], coupled=1)
                for i in gates:
                    if after == {_term(f, c): 1.0, _term(i, g): 1.0}:
                        return self._lstm_of(cell, [(i, 1.0), (o, 1.0), (f, 1.0), (g, 1.0)], coupled=0)
        return None

    def _lstm_of(self, cell: str, gates: list[tuple[int, float]], coupled: int) -> Operator | None:
        before: Polynomial = {_term(self.states[cell]): 1.0}
        seen = [before, self._after(cell), before, {}]  # the output gate sees the cell state after the step
        linears = [_signed(self._affine(self._read_by(atom)), sign) for atom, sign in gates]
        peepholes = [self._peephole(one.others, of) for one, of in zip(linears, seen, strict=True)]
        if None in peepholes or not all(one.W and one.R for one in linears):
            return None
        W, R, B = self._packed(linears)
        sums = [one or [] for one in peepholes[:3]]
        P = np.concatenate([self._vector(one) for one in sums])[None].astype(np.float32) if any(sums) else None
        return Operator("LSTM", (self.h, cell), W, R, B, P, {"input_forget": coupled} if coupled else {})

    def _peephole(self, others: Polynomial, of: Polynomial) -> _Sums | None:
        """Read p * c; empty where there is nothing, None where it is something else."""
        if not others:
            return []
        for atom in {atom for term in others for atom in term}:
            node, rest = self.graph.nodes[atom], quotient(others, atom)
            if node.op == "parameter" and rest is not None:
                for sign in (1.0, -1.0):
                    if rest == {term: sign * value for term, value in of.items()}:
                        return [(sign, node.name)]
        return None

    # -- reading -----------------------------------------------------------------------------------

    def _after(self, state: str) -> Polynomial:
        return self.forms[self.graph.results[Key("state", state)]]

    def _read_by(self, activation: int) -> Polynomial:
        return self.forms[self.graph.nodes[activation].args[0]]

    def _atoms(self, form: Polynomial, *ops: str) -> list[int]:
        return sorted({atom for term in form for atom in term if self.graph.nodes[atom].op in ops})

    def _atom(self, form: Polynomial, *ops: str) -> int | None:
        """Return the atom that a polynomial is, if it is one of these operations."""
        found = self._atoms(form, *ops)
        return found[0] if found and form == {_term(found[0]): 1.0} else None

    def _affine(self, form: Polynomial) -> _Affine:
        found = _Affine()
        for term, value in form.items():
            node = self.graph.nodes[term[0]] if len(term) == 1 else None
            if not term:
                found.number = value
            elif node and node.op == "parameter":
                found.b.append((value, node.name))
            elif node and node.op == "matmul" and self._product(node.args[1]) is not None:
                sums = found.W if self._product(node.args[1]) == "x" else found.R
                sums.append((value, self.graph.nodes[node.args[0]].name))
            else:
                found.others[term] = value
        return found

    def _product(self, vector: int) -> str | None:
        """Return whether a matrix is multiplied with the "x" or the "h" of the operator."""
        form = self.forms[vector]
        if form == {_term(self.x): 1.0}:
            return "x"
        return "h" if self.h and form == {_term(self.states[self.h]): 1.0} else None

    # -- weights -----------------------------------------------------------------------------------

    def _packed(self, gates: list[_Affine], inner: _Affine | None = None) -> tuple[Floats, Floats, Floats]:
        """Return W, R and B of gates in the operator's order; `inner` has the recurrent bias of the last one."""
        W, R = (np.concatenate([self._matrix(sums) for sums in part]) for part in zip(*[(g.W, g.R) for g in gates]))  # noqa: B905
        biases = [self._vector(one.b) + one.number for one in gates]
        recurrent = [np.zeros_like(bias) for bias in biases]
        if inner is not None:
            recurrent[-1] = self._vector(inner.b) + inner.number
        B = np.concatenate([*biases, *recurrent])
        return W[None].astype(np.float32), R[None].astype(np.float32), B[None].astype(np.float32)

    def _matrix(self, sums: _Sums) -> npt.NDArray[np.float64]:
        return _added(sign * self.stage.parameters[name].astype(np.float64) for sign, name in sums)

    def _vector(self, sums: _Sums) -> npt.NDArray[np.float64]:
        size = self.stage.states[self.h]
        vectors = (sign * self.stage.parameters[name].astype(np.float64) for sign, name in sums)
        return np.zeros(size) + _added(vector.reshape(-1) for vector in vectors) if sums else np.zeros(size)


def _added(values: Iterable[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    first, *others = values
    return first if not others else np.add.reduce([first, *others])


def _term(*atoms: int) -> tuple[int, ...]:
    return tuple(sorted(atoms))


def _plain(linear: _Affine) -> bool:
    return bool(linear.W and linear.R) and not linear.others


def _signed(linear: _Affine, sign: float) -> _Affine:
    """Return the same with another sign: sigmoid(-a) = 1 - sigmoid(a)."""
    negate: Callable[[_Sums], _Sums] = lambda sums: [(sign * value, name) for value, name in sums]  # noqa: E731
    others = {term: sign * value for term, value in linear.others.items()}
    return _Affine(negate(linear.W), negate(linear.R), negate(linear.b), sign * linear.number, others)
