"""Drawn equations: the network beside the same lines computed by hand, the derived backward, JSON."""

from hypothesis import given, settings

from loopcell.testing import Case, assert_all_close
from loopcell.testing.case import observe, run
from loopcell.testing.laws.forms import a_cell_survives_json
from loopcell.testing.laws.gradients import the_derived_backward_is_autograds
from tests.laws.drawn import cell_of, drawings, step_of
from tests.laws.test_independent import by_hand


@given(drawings())
@settings(max_examples=60)
def test_drawn_equations(drawing):
    tried = Case(cell_of(drawing), input_size=2, hidden_size=3, steps=3, batch=2)
    net = tried.net()
    x, state = tried.inputs(), tried.state(net)
    expected = observe(net, by_hand(net, step_of(drawing), type(state)), x, state)
    assert_all_close(observe(net, run(net), x, state), expected)
    the_derived_backward_is_autograds(tried)
    a_cell_survives_json(tried)
