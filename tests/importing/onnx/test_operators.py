"""The operators around recurrent nodes, one by one, beside ONNX Runtime."""

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper, shape_inference

from loopcell.errors import FileFormatError, InputError
from loopcell.importing import from_onnx
from loopcell.importing.onnx.operators import OPERATORS, REARRANGING

X = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
Y = np.random.default_rng(1).standard_normal((2, 3, 4)).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


OLD, NEW = 11, 17
CASES = [
    # operator, version, further inputs, attributes
    ("Add", NEW, [Y], {}),
    ("Cast", NEW, [], {"to": TensorProto.DOUBLE}),
    ("Concat", NEW, [Y], {"axis": -1}),
    ("Constant", NEW, None, {"value_floats": [1.0, 2.5]}),
    ("Constant", NEW, None, {"value": numpy_helper.from_array(Y, "v")}),
    ("ConstantOfShape", NEW, None, {"value": numpy_helper.from_array(np.array([2.5], np.float32), "v")}),
    ("Div", NEW, [Y], {}),
    ("Dropout", NEW, [], {}),
    ("Expand", NEW, [ints(5, 1, 1, 1)], {}),
    ("Flatten", NEW, [], {"axis": 2}),
    ("Flatten", NEW, [], {"axis": -1}),
    ("Gather", NEW, [ints(2, 0, -1)], {"axis": 1}),
    ("Gather", NEW, [np.array([[0, 1], [1, 0]])], {}),
    ("Gather", NEW, [np.array(-1)], {"axis": 2}),
    ("Gather", NEW, [np.array([[[1]]])], {"axis": -1}),
    ("Identity", NEW, [], {}),
    ("LogSoftmax", NEW, [], {"axis": 1}),
    ("LogSoftmax", OLD, [], {"axis": 1}),
    ("MatMul", NEW, [np.swapaxes(Y, 1, 2).copy()], {}),
    ("Mul", NEW, [Y], {}),
    ("Relu", NEW, [], {}),
    ("Reshape", NEW, [ints(0, -1)], {}),
    ("Shape", NEW, [], {"start": 1, "end": -1}),
    ("Sigmoid", NEW, [], {}),
    ("Slice", NEW, [ints(-1), ints(-100), ints(2), ints(-2)], {}),
    ("Slice", NEW, [ints(0, 1), ints(1, 9)], {}),
    ("Slice", 9, [], {"starts": [1], "ends": [3], "axes": [2]}),
    ("Softmax", NEW, [], {}),
    ("Softmax", OLD, [], {}),
    ("Split", NEW, [ints(1, 3)], {"axis": 2}),
    ("Split", 18, [], {"axis": 2, "num_outputs": 2}),
    ("Split", OLD, [], {"axis": 2, "split": [3, 1]}),
    ("Sub", NEW, [Y], {}),
    ("Tanh", NEW, [], {}),
    ("Transpose", NEW, [], {"perm": [1, 2, 0]}),
    ("Transpose", NEW, [], {}),
    ("Unsqueeze", NEW, [ints(-1, 0)], {}),
    ("Unsqueeze", OLD, [], {"axes": [1, 3]}),
]  # fmt: skip


def graph(op, version, further, attributes):
    """Return a model of an RNN and, beside it, the node under test."""
    inputs = [] if further is None else ["X", *(f"in{at}" for at in range(len(further)))]
    inputs = ["shape"] if op == "ConstantOfShape" else inputs
    outputs = [f"out{at}" for at in range(2 if op == "Split" else 1)]
    rng = np.random.default_rng(2)
    tensors = {"W": rng.standard_normal((1, 5, 4)), "R": rng.standard_normal((1, 5, 5))}
    tensors = {name: value.astype(np.float32) for name, value in tensors.items()}
    tensors |= {f"in{at}": value for at, value in enumerate(further or [])}
    tensors |= {"shape": ints(3, 2)} if op == "ConstantOfShape" else {}
    nodes = [
        helper.make_node("RNN", ["X", "W", "R"], ["Yrnn"], hidden_size=5),
        helper.make_node(op, inputs, outputs, **attributes),
    ]
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ["Yrnn", *outputs]]
    for info in infos:  # of any type and shape: what the runtime infers
        info.ClearField("type")
    made = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("X", TensorProto.FLOAT, [2, 3, 4])], infos,
        [numpy_helper.from_array(np.asarray(value), name) for name, value in tensors.items()],
    )  # fmt: skip
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", version)], ir_version=8)
    return shape_inference.infer_shapes(model)


def runtime(model, inputs):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, inputs)


@pytest.mark.parametrize(("op", "version", "further", "attributes"), CASES, ids=[case[0] for case in CASES])
def test_an_operator_gives_the_runtimes_output(op, version, further, attributes):
    model = graph(op, version, further, attributes)
    came = list(from_onnx(model).model({"X": torch.as_tensor(X)}).values())
    expected = runtime(model, {"X": X})
    assert len(came) == len(expected)
    for one, other in zip(came, expected, strict=True):
        assert one.dtype == torch.as_tensor(other).dtype
        np.testing.assert_allclose(one.detach().numpy(), other, rtol=1e-5, atol=1e-6)


def test_every_operator_has_a_case():
    """Gemm and Squeeze take other shapes, and stand in the whole graphs of test_reading.py."""
    assert {case[0] for case in CASES} | {"Gemm", "Squeeze"} == set(OPERATORS)
    assert set(OPERATORS) >= REARRANGING


def test_a_shape_of_the_file_is_bounded():
    model = graph("Expand", NEW, [ints(5, 1, 1, 1)], {})
    huge = numpy_helper.from_array(ints(1 << 20, 1 << 20, 1, 1), "in0")
    next(entry for entry in model.graph.initializer if entry.name == "in0").CopyFrom(huge)
    with pytest.raises(FileFormatError, match="which is larger than 268,435,456 numbers"):
        from_onnx(model).model({"X": torch.as_tensor(X)})


def test_what_does_not_fit_is_said_of_the_node():
    model = graph("Gather", NEW, [ints(7)], {"axis": 1})
    with pytest.raises(InputError, match="the Gather node `out0` of the model cannot be computed"):
        from_onnx(model).model({"X": torch.as_tensor(X)})


def test_a_mask_of_a_dropout_is_refused():
    model = graph("Dropout", NEW, [], {})
    model.graph.node[1].output.append("mask")
    with pytest.raises(FileFormatError, match="gives its mask to others"):
        from_onnx(model)
