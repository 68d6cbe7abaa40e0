"""Printing of each stage of the pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from loopcell.equations import printing
from loopcell.equations.graph import Graph, Node
from loopcell.equations.ops import LEAVES
from loopcell.equations.shapes import shape_text
from loopcell.passes.program import Program
from loopcell.passes.scan import ScannedLoop
from loopcell.passes.schedule import Phase


def show_equations(program: Program) -> str:
    """Print the equations."""
    return printing.text(program.cell)


def show_graph(program: Program) -> str:
    """Print every node of the cell's graph with its shape."""
    nodes = program.cell.nodes
    return "\n".join(f"%{index:<3} {_row(node)}" for index, node in enumerate(nodes))


def show_hoisted(program: Program) -> str:
    """Print the prologue and the loop as equations."""
    constant = sorted({node.name for _, node in program.loop.leaves("hoisted")} - program.varying)
    note = f"\n(the same at every step: {', '.join(constant)})" if constant else ""
    before = "\n".join(_named_lines(printing.Printer(program.prologue), {"hoisted": "{0}"})) or "nothing"
    after = printing.text(program.loop)
    return f"before the loop, for the whole sequence at once:\n{_indent(before)}{note}\nin the loop:\n{_indent(after)}"


def show_schedules(program: Program) -> str:
    """Print the phases of the prologue, the loop and the reverse step."""
    parts = (
        ("prologue", program.prologue, program.prologue_phases),
        ("loop", program.loop, program.loop_phases),
        ("reverse loop", program.backward.graph, program.backward_phases),
    )
    return "\n".join(f"{name}:\n{_indent(_phases_text(graph, phases))}" for name, graph, phases in parts)


def show_scan(scanned: ScannedLoop) -> str:
    """Print a loop as scans over time: what is known before each, the recurrence, and what is computed after all."""
    parts = []
    for part in scanned.scans:
        before = "\n".join(_named_lines(printing.Printer(part.before), {"hoisted": f"{{0}}_{part.state}"}))
        recurrence = f"{part.state} = coefficient_{part.state} * {part.state} + offset_{part.state}"
        parts.append(f"{_indent(before)}\nscan over time:\n{_indent(recurrence)}")
    after = "\n".join(_named_lines(printing.Printer(scanned.after), {"output": "output", "record": "{0}"}))
    return "\n".join(["before, for the whole sequence at once:", *parts, "after:", _indent(after or "nothing")])


def show_backward(program: Program) -> str:
    """Print the reverse step, what is saved for it, and the products after the loop; d_ names a gradient."""
    backward = program.backward
    saved = ", ".join(backward.saved) or "nothing"
    printer = printing.Printer(backward.graph)
    names = {"hoisted": "d_{0}", "state": "d_{0}_prev", "parameter": "d_{0}"}
    step = "\n".join(_named_lines(printer, names))
    after = []
    for outer in backward.outer:
        d = printer.operand(printer.graph.results[outer.cotangent])
        v = outer.operand.name
        if outer.operand.kind == "operand":
            v = printer.operand(printer.graph.results[outer.operand])
        after.append(f"d_{outer.parameter} = sum over time and batch of ({d}) ({v})^T")
    return f"saved by the forward loop: {saved}\n{step}\nafter the loop:\n{_indent(chr(10).join(after) or 'nothing')}"


def _named_lines(printer: printing.Printer, names: Mapping[str, str]) -> Iterator[str]:
    """Yield the named values as equations, then the results of the kinds that `names` spells."""
    graph = printer.graph
    for index, node in enumerate(graph.nodes):
        if node.label and node.args:
            yield f"{node.label} = {printer.right_side(index)}"
    for key, index in graph.results.items():
        if key.kind in names and key.name != graph.nodes[index].label:
            yield f"{names[key.kind].format(key.name)} = {printer.operand(index)}"


def _phases_text(graph: Graph, phases: tuple[Phase, ...]) -> str:
    lines = []
    printer = printing.Printer(graph, longest=printing.BRIEF)
    for number, phase in enumerate(phases, start=1):
        for product in phase.products:
            stacked = "; ".join(product.parameters)
            operand = "their cotangents" if product.operand < 0 else printer.operand(product.operand)
            transposed = "^T" if product.operand < 0 else ""
            lines.append(f"phase {number}: product [{stacked}]{transposed} @ {operand}")
        if phase.pointwise:
            lines.append(f"phase {number}: {len(phase.pointwise)} pointwise operations")
    return "\n".join(lines)


def _row(node: Node) -> str:
    operands = " ".join(f"%{arg}" for arg in node.args)
    what = node.name or (printing.number(node.value) if node.op == "constant" else "")
    draw = (
        f" {node.random.scale:g} with probability {node.random.probability:g}, each {node.random.each}"
        if node.random
        else ""
    )
    if node.op == "parameter" and node.value:
        draw = f" entries dropped with probability {node.value:g}, each sequence"
    label = f"  = {node.label}" if node.label and node.op not in LEAVES else ""
    return f"{node.op:<9} {operands or what:<14} {shape_text(node.dims)}{draw}{label}"


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
