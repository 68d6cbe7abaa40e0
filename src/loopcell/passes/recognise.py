"""Recognise: whether equations are those of torch's own LSTM, GRU or RNN, in any spelling.

The graph is looked at, not its name: whoever writes the LSTM's equations with other names, another order of the gates
or `h + (1 - z) * (n - h)` in place of a GRU's update gets the same operator. What is found says of which parameters
each gate of the operator's tensors is the sum.

    LSTM   c' = f c + i g        h' = o tanh(c')  or  P (o tanh(c'))       i, f, o = sigmoid(..), g = tanh(..)
    GRU    h' = (1 - z) n + z h                                            n = tanh(W x + b + r (U h + d))
    RNN    h' = tanh(..)  or  relu(..)

with .. = W x + U h + b, each of them any sum of such terms with numbers in front.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations, product
from typing import Literal

from loopcell.equations.graph import Graph
from loopcell.equations.keys import OUTPUT
from loopcell.passes.normal_form import ONE, Atom, Monomial, NormalForms, Polynomial, polynomial, scaled
from loopcell.passes.pipeline import ByIdentity

Kind = Literal["LSTM", "GRU", "RNN_TANH", "RNN_RELU"]

Term = tuple[str, float]
"""A parameter, and the number in front of it."""


@dataclass(frozen=True)
class Gate:
    """One gate of an operator: what is added up before its function.

    Attributes:
        input: matrices that multiply the input.
        hidden: matrices that multiply the hidden state.
        bias: vectors that are added.
        inner: vectors that are added to the products with the hidden state, under a GRU's reset gate.
    """

    input: tuple[Term, ...]
    hidden: tuple[Term, ...]
    bias: tuple[Term, ...]
    inner: tuple[Term, ...] = ()

    def negated(self) -> Gate:
        """Return the gate of which every term has the other sign."""
        return Gate(*(tuple((name, -n) for name, n in terms) for terms in (self.input, self.hidden, self.bias)))


@dataclass(frozen=True)
class TorchForm:
    """Equations as one of torch's own operators has them.

    Attributes:
        kind: which one, by the names of torch.nn's modes.
        states: the names of the hidden state, and of an LSTM's cell state.
        input: the name of the input.
        gates: in the operator's order: i, f, g, o of an LSTM, r, z, n of a GRU.
        projection: the matrix of an LSTM whose hidden state is a projection.
    """

    kind: Kind
    states: tuple[str, ...]
    input: str
    gates: tuple[Gate, ...]
    projection: str | None = None

    @property
    def has_bias(self) -> bool:
        """True if any gate adds a vector."""
        return any(gate.bias or gate.inner for gate in self.gates)


def torch_form(graph: Graph) -> TorchForm | None:
    """Return a step's equations in the form of one of torch's operators; None if they are other ones."""
    return _torch_form(ByIdentity(graph))


@lru_cache(maxsize=256)
def _torch_form(key: ByIdentity) -> TorchForm | None:
    graph = key.graph
    leaves = {node.op for _, node in graph.leaves()}
    if "random" in leaves or len(graph.inputs) != 1 or not 1 <= len(graph.states) <= 2:
        return None
    if any(node.value for _, node in graph.leaves("parameter")):  # entries that training drops
        return None
    forms = NormalForms(graph)
    if forms.values is None:
        return None
    step = _Step(graph, forms, forms.values)
    found = step.lstm() if len(graph.states) == 2 else step.rnn() or step.gru()
    return found if found is not None and _fits(graph, found) else None


class _Step:
    """A step in its normal form, held against each operator."""

    def __init__(self, graph: Graph, forms: NormalForms, values: Sequence[Polynomial]) -> None:
        self._forms = forms
        self._input = graph.inputs[0]
        self._states = graph.states
        self._output = values[graph.results[OUTPUT]]
        self._after = {name: values[graph.result("state", name)] for name in graph.states}

    def rnn(self) -> TorchForm | None:
        """Return the form of a vanilla RNN."""
        (h,) = self._states
        activation = self._single(self._after[h])
        if activation is None or activation.op not in ("tanh", "relu") or self._output != self._after[h]:
            return None
        gate = self._gate(activation.args[0], h)
        kind: Kind = "RNN_TANH" if activation.op == "tanh" else "RNN_RELU"
        return None if gate is None else TorchForm(kind, (h,), self._input, (gate,))

    def gru(self) -> TorchForm | None:
        """Return the form of a GRU, whose update gate may keep the old state or let the new one in."""
        (h,) = self._states
        atoms = {one for monomial, _ in self._after[h] for one in monomial}
        if self._output != self._after[h]:
            return None
        before = self._forms.number(Atom("state", h))
        for z, n in product(self._some(atoms, "sigmoid"), self._some(atoms, "tanh")):
            update = self._gate(self._forms[z].args[0], h)
            found = self._candidate(self._forms[n].args[0], h)
            if update is None or found is None:
                continue
            reset, candidate = found
            keeps = {(n,): 1.0, _times(z, n): -1.0, _times(z, before): 1.0}
            lets = {(before,): 1.0, _times(z, before): -1.0, _times(z, n): 1.0}
            if self._after[h] == polynomial(keeps):
                return TorchForm("GRU", (h,), self._input, (reset, update, candidate))
            if self._after[h] == polynomial(lets):  # 1 - sigmoid(v) = sigmoid(-v)
                return TorchForm("GRU", (h,), self._input, (reset, update.negated(), candidate))
        return None

    def lstm(self) -> TorchForm | None:
        """Return the form of an LSTM, with or without a projection."""
        for h, c in permutations(self._states):
            hidden, projection = self._unprojected(self._after[h])
            gates = self._some(hidden, "sigmoid")
            shown = self._forms.number(Atom("tanh", "", (self._after[c],)))
            if self._output != self._after[h] or len(gates) != 1 or _times(*gates, shown) != hidden:
                continue
            cell = self._cell(self._after[c], h, c)
            output = self._gate(self._forms[gates[0]].args[0], h)
            if cell is not None and output is not None:
                return TorchForm("LSTM", (h, c), self._input, (*cell, output), projection)
        return None

    def _cell(self, after: Polynomial, h: str, c: str) -> tuple[Gate, ...] | None:
        """Return the gates i, f, g of c' = f c + i g."""
        before = self._forms.number(Atom("state", c))
        kept = [monomial for monomial, number in after if before in monomial and number == 1.0]
        entering = [(monomial, number) for monomial, number in after if before not in monomial]
        if len(after) != 2 or len(kept) != 1 or len(entering) != 1 or abs(entering[0][1]) != 1.0:
            return None
        monomial, sign = entering[0]
        f, i, g = self._some(kept[0], "sigmoid"), self._some(monomial, "sigmoid"), self._some(monomial, "tanh")
        if not (len(f) == len(i) == len(g) == 1 and len(monomial) == len(kept[0]) == 2):
            return None
        inside = [self._forms[one].args[0] for one in (*i, *f, *g)]
        inside[2] = scaled(inside[2], sign)  # -tanh(v) = tanh(-v)
        found = [self._gate(value, h) for value in inside]
        gates = tuple(gate for gate in found if gate is not None)
        return gates if len(gates) == len(found) else None

    def _candidate(self, inside: Polynomial, h: str) -> tuple[Gate, Gate] | None:
        """Return a GRU's reset gate, and its candidate: W x + b + r (U h + d)."""
        resets = self._some({one for monomial, _ in inside for one in monomial}, "sigmoid")
        if len(resets) != 1:
            return None
        (r,) = resets
        outer = polynomial({monomial: number for monomial, number in inside if r not in monomial})
        under = polynomial({_without(monomial, r): number for monomial, number in inside if r in monomial})
        gate, ahead, behind = self._gate(self._forms[r].args[0], h), self._gate(outer, h), self._gate(under, h)
        if gate is None or ahead is None or behind is None or ahead.hidden or behind.input:
            return None
        return gate, Gate(ahead.input, behind.hidden, ahead.bias, behind.bias)

    def _gate(self, value: Polynomial, h: str) -> Gate | None:
        """Return what a value adds up, where this is products with the input and the hidden state, and biases."""
        terms: dict[str, list[Term]] = {"input": [], "state": [], "parameter": []}
        names = {"input": self._input, "state": h}
        for monomial, number in value:
            one = self._forms[monomial[0]] if len(monomial) == 1 else None
            if one is None:
                return None
            if one.op == "parameter":
                terms["parameter"].append((one.name, number))
                continue
            operand = self._single(one.args[0]) if one.op == "matmul" else None
            if operand is None or names.get(operand.op) != operand.name:
                return None
            terms[operand.op].append((one.name, number))
        return Gate(*map(tuple, terms.values()))

    def _single(self, value: Polynomial) -> Atom | None:
        """Return the one atom that a value is."""
        return self._forms[value[0][0][0]] if len(value) == 1 and len(value[0][0]) == 1 and value[0][1] == 1.0 else None

    def _some(self, atoms: Iterable[int], op: str) -> list[int]:
        """Return those atoms that are of a kind."""
        return [one for one in atoms if self._forms[one].op == op]

    def _unprojected(self, value: Polynomial) -> tuple[Monomial, str | None]:
        """Return the one product that a value is, and the matrix that it was multiplied with."""
        if len(value) != 1 or value[0][1] != 1.0:
            return ONE, None
        (monomial, _), *_ = value
        one = self._forms[monomial[0]] if len(monomial) == 1 else None
        if one is not None and one.op == "matmul":
            return one.args[0][0][0], one.name
        return monomial, None


def _times(*atoms: int) -> Monomial:
    return tuple(sorted(atoms))


def _without(monomial: Monomial, one: int) -> Monomial:
    rest = list(monomial)
    rest.remove(one)
    return tuple(rest)


def _fits(graph: Graph, form: TorchForm) -> bool:
    """Return True if biases are vectors of the gates' length.

    A bias that is one number for all units has no place in the operator's tensors.
    """
    shapes = graph.parameters
    after = graph.nodes[graph.result("state", form.states[0])]
    hidden = after.dims if form.projection is None else shapes[form.projection][1:]
    biases = [name for gate in form.gates for name, _ in (*gate.bias, *gate.inner)]
    matrices = [name for gate in form.gates for name, _ in (*gate.input, *gate.hidden)]
    return all(shapes[name] == hidden for name in biases) and all(shapes[name][:1] == hidden for name in matrices)
