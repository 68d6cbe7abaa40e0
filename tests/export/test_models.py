"""What can be exported: a network, a StepModel, a model that says its own."""

import pytest

from loopcell import Recurrent
from loopcell.errors import UsageError
from loopcell.export import as_step_model


def test_a_network_and_what_says_its_step():
    net = Recurrent("lstm_time_aware", 3, 4, num_layers=2)
    model = as_step_model(net)
    assert [(one.name, one.size) for one in model.inputs] == [("x", 3), ("dt", 1)]
    assert [one.name for one in model.outputs] == ["layer2"]
    assert list(model.states) == ["layer1.h", "layer1.c", "layer2.h", "layer2.c"]
    assert as_step_model(model) is model

    class Own:
        def step_model(self):
            return model

    assert as_step_model(Own()) is model
    with pytest.raises(UsageError, match="got a value of type int"):
        as_step_model(3)
