"""The derived backward where the laws do not reach: training's draws, no steps, one result alone."""

import pytest
import torch

from loopcell import cells
from loopcell.backends.lengths import Lengths
from loopcell.backends.reference import DerivedProgram, ReferenceProgram, run, run_derived
from loopcell.equations.keys import Key
from loopcell.passes import build_program
from loopcell.testing import assert_all_close
from tests.laws.table import MODIFIED, case

DRAWING = {cell.name: cell for cell in MODIFIED if cell.graph.is_random}


def drawn(tried, steps):
    """A value for every leaf: the draws are masks, some of whose entries are zero."""
    torch.manual_seed(1)
    cell = tried.cell
    sizes = cell.resolve_sizes(input_size=tried.input_size, hidden_size=tried.hidden_size, sizes=tried.sizes)
    leaves = {Key("size", name): size for name, size in sizes.items()}
    for _, node in cell.graph.leaves("input", "state", "parameter", "random"):
        shape = [sizes[name] for name in node.dims]
        if node.op == "input" or (node.op == "random" and node.random.each == "step"):
            shape = [steps, tried.batch, *shape]
        elif node.op != "parameter":
            shape = [tried.batch, *shape]
        value = torch.randn(shape, dtype=torch.float64) * 0.5
        leaves[node.key] = node.random.scale * (value > 0).double() if node.op == "random" else value
    return leaves


def compare(cell, *, masked=False, steps=5, only=None):
    """Compare both ways of running the program of training, by everything that they give."""
    tried = case(cell)
    leaves = drawn(tried, steps)
    wanted = [key for key in leaves if key.kind in ("input", "state", "parameter")]
    for key in wanted:
        leaves[key].requires_grad_()
    reference = ReferenceProgram(build_program(cell.graph, training=True))
    lengths = Lengths(steps, tried.lengths()).with_reset(tried.reset()) if masked else Lengths(steps)

    def observed(y, states):
        results = {"the output": y, **{f"the final {k}": s for k, s in zip(cell.states, states, strict=True)}}
        parts = [results[only]] if only else list(results.values())
        loss = sum((part * torch.cos(torch.arange(part.numel())).view(part.shape)).sum() for part in parts)
        asked = [leaves[key] for key in wanted]
        gradients = torch.autograd.grad(loss, asked, allow_unused=True, materialize_grads=True)
        return results | {f"the gradient of {key}": g for key, g in zip(wanted, gradients, strict=True)}

    expected = observed(*run(reference, leaves, lengths)[:2])
    assert_all_close(observed(*run_derived(DerivedProgram.of(reference), leaves, lengths)), expected)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", DRAWING)
def test_with_the_draws_of_training(name, masked):
    compare(DRAWING[name], masked=masked)


@pytest.mark.parametrize("only", ["the output", "the final h", "the final c"])
def test_a_gradient_through_one_result_alone(only):
    compare(cells.get("lstm"), only=only)


def test_without_steps_the_gradient_of_the_final_state_is_that_of_the_initial_one():
    compare(cells.get("lstm"), steps=0)
