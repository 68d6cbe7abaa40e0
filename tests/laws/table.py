"""Which cells the laws are tried on."""

from loopcell import cells
from loopcell.cells import recurrent_dropout, residual, weight_dropout, without, zoneout
from loopcell.testing import Case
from tests.laws.unusual import UNUSUAL

MODIFIED = (
    zoneout(cells.get("lstm"), {"h": 0.1, "c": 0.5}),
    zoneout(cells.get("gru"), 0.2),
    zoneout(cells.get("sru"), 0.2),
    recurrent_dropout(cells.get("rnn"), 0.3, input_rate=0.2),
    recurrent_dropout(cells.get("lstm_projected"), 0.3),
    recurrent_dropout(cells.get("gru_keeps_before"), 0.3),
    weight_dropout(cells.get("lstm"), 0.5),
    weight_dropout(cells.get("mgu"), 0.5),
    residual(cells.get("gru")),
    residual(cells.get("lstm_projected")),
    without(cells.get("lstm_peephole"), "b", "p"),
    residual(zoneout(recurrent_dropout(weight_dropout(cells.get("lstm"), 0.3), 0.2), 0.1)),
)


def case(cell, *, input_size=3, hidden_size=5, steps=5, batch=3):
    """The cell as a case, with the sizes that it asks for."""
    wanted = {"proj": 2, "rank": 2}
    sizes = {name: size for name, size in wanted.items() if name in cell.sizes}
    equal_to_input = [node.name for node in cell.graph.nodes if node.op == "sized" and _is_input(cell, node)]
    if "hidden" in equal_to_input:
        input_size = hidden_size
    sizes |= {name: input_size for name in equal_to_input if name in sizes}
    return Case(cell, input_size, hidden_size, sizes, steps, batch)


def _is_input(cell, node):
    return cell.graph.nodes[node.args[0]].dims == ("input",)


REGISTERED = {name: case(cells.get(name)) for name in cells.names()}
OTHERS = {cell.name: case(cell) for cell in (*MODIFIED, *UNUSUAL.values())}
SINGLE = {name: case(cells.get(name), input_size=1, hidden_size=1, steps=1, batch=1) for name in cells.names()}
ODD = {name: case(cells.get(name), input_size=2, hidden_size=9, steps=7, batch=1) for name in cells.names()}
