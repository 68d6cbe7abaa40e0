"""The ONNX project's own backend node tests of RNN, LSTM and GRU: every one imported, run, and equal."""

from importlib import import_module

import numpy as np
import pytest
import torch
from onnx import defs
from onnx.backend.test.case import node as onnx_cases

from loopcell.importing import from_onnx

KINDS = ("rnn", "lstm", "gru")

for _kind in KINDS:  # each of these modules adds its cases to one list when it is imported
    import_module(f"onnx.backend.test.case.node.{_kind}")

CASES = [
    case for case in onnx_cases._NodeTestCases if any(entry.op_type.lower() in KINDS for entry in case.model.graph.node)
]


def test_none_of_the_cases_is_missing():
    """The methods of onnx's three classes export the cases; had one been left out, the counts would differ."""
    methods = [
        name
        for kind, cls in zip(KINDS, ("RNN", "LSTM", "GRU"), strict=True)
        for name in vars(getattr(import_module(f"onnx.backend.test.case.node.{kind}"), cls))
        if name.startswith("export")
    ]
    assert len(CASES) == len(methods) >= 18
    assert len({case.name for case in CASES}) == len(CASES)
    assert {schema for schema in ("RNN", "LSTM", "GRU") if defs.has(schema)} == {
        entry.op_type for case in CASES for entry in case.model.graph.node
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_case_gives_onnxs_own_outputs(case):
    graph = case.model.graph
    names = [entry.name for entry in graph.input]
    assert case.data_sets
    for inputs, outputs in case.data_sets:
        values = dict(zip(names, inputs, strict=True))
        weights = {name: value for name, value in values.items() if name in ("W", "R", "B", "P")}
        imported = from_onnx(case.model, weights=weights)
        rest = {name: torch.as_tensor(value) for name, value in values.items() if name not in weights}
        came = imported.model(rest)
        assert list(came) == [entry.name for entry in graph.output]
        for entry, expected in zip(graph.output, outputs, strict=True):
            assert came[entry.name].dtype == torch.as_tensor(expected).dtype
            np.testing.assert_allclose(came[entry.name].detach().numpy(), expected, rtol=1e-5, atol=1e-6)
        assert set(imported.read) == set(weights)
