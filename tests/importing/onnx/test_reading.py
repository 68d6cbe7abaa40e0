"""Whole graphs, and files that are damaged, hostile or hold what is not read."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from loopcell.errors import FileFormatError, InputError, UsageError
from loopcell.importing import from_onnx
from tests.importing.onnx.models import model, recurrent
from tests.importing.onnx.test_operators import ints, runtime


def tagger():
    """Symbols to labels: an embedding, a bidirectional LSTM that starts at zeros of a shape that is computed, a GRU
    whose weights lie in the file as another program packs them, the last step, a dense layer."""
    rng = np.random.default_rng(5)

    def draw(*shape):
        return rng.standard_normal(shape).astype(np.float32) / 2

    tensors = {
        "table": draw(11, 4), "W1": draw(2, 20, 4), "R1": draw(2, 20, 5), "B1": draw(2, 40),
        "W2": draw(10, 9), "R2": draw(3, 9), "one": ints(1), "nothing": ints(0), "minus": np.array(-1),
        "rows": ints(0, 0, -1), "two": ints(2), "five": ints(5), "batch": np.array(1), "dense": draw(2, 3),
        "bias": draw(2),
    }  # fmt: skip
    node = helper.make_node
    nodes = [
        node("Gather", ["table", "symbols"], ["x"]),
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "batch"], ["count"]),
        node("Unsqueeze", ["count", "nothing"], ["counts"]),
        node("Concat", ["two", "counts", "five"], ["zeros_shape"], axis=0),
        node("ConstantOfShape", ["zeros_shape"], ["zeros"]),
        node("LSTM", ["x", "W1", "R1", "B1", "", "zeros", "zeros"], ["y1"], direction="bidirectional", hidden_size=5),
        node("Transpose", ["y1"], ["y1t"], perm=[0, 2, 1, 3]),
        node("Reshape", ["y1t", "rows"], ["y1r"]),
        node("Transpose", ["W2"], ["W2t"], perm=[1, 0]),
        node("Unsqueeze", ["W2t", "nothing"], ["W2u"]),
        node("Transpose", ["R2"], ["R2t"]),
        node("Unsqueeze", ["R2t", "nothing"], ["R2u"]),
        node("GRU", ["y1r", "W2u", "R2u"], ["y2"], name="upper", hidden_size=3, linear_before_reset=1),
        node("Squeeze", ["y2", "one"], ["y2s"]),
        node("Gather", ["y2s", "minus"], ["last"], axis=0),
        node("Gemm", ["last", "dense", "bias"], ["logits"], transB=1, alpha=0.5, beta=2.0),
        node("Softmax", ["logits"], ["labels"]),
    ]
    return model(nodes, tensors, {"symbols": rng.integers(0, 11, (7, 3))}, {"labels": 2})


def test_a_whole_graph_of_two_networks(tmp_path):
    made = tagger()
    onnx.save(made, tmp_path / "tagger.onnx")
    imported = from_onnx(tmp_path / "tagger.onnx")
    for shape in ((7, 3), (4, 1)):
        symbols = np.random.default_rng(1).integers(0, 11, shape)
        came = imported.model({"symbols": torch.as_tensor(symbols)})["labels"]
        np.testing.assert_allclose(came.detach().numpy(), runtime(made, {"symbols": symbols})[0], rtol=1e-5, atol=1e-6)
    assert {name: net.cell.name for name, net in imported.networks.items()} == {
        "y1": "lstm", "upper": "without(gru)",
    }  # fmt: skip
    assert set(imported.read) == {entry.name for entry in made.graph.initializer}
    with pytest.raises(UsageError, match="there are 2 networks, `y1`, `upper`"):
        _ = imported.network


def test_what_was_read_can_be_trained_further():
    imported = from_onnx(tagger())
    imported.model({"symbols": torch.zeros(2, 1, dtype=torch.long)})["labels"][0, 0].backward()
    trained = {name for name, parameter in imported.model.named_parameters() if parameter.grad is not None}
    assert trained == {name for name, _ in imported.model.named_parameters()}
    assert len(trained) == 2 * 12 + 10 - 4 + 3  # LSTM both ways, GRU without b and d, table, dense, bias


def test_a_tensor_without_a_name_is_refused():
    imported = from_onnx(tagger())
    with pytest.raises(InputError, match=r'takes tensors by name, {"symbols": ...}; a Tensor came'):
        imported.model(torch.zeros(2, 1, dtype=torch.long))


def test_an_import_draws_no_random_numbers():
    before = torch.get_rng_state()
    from_onnx(tagger())
    assert torch.equal(before, torch.get_rng_state())


def edited(change):
    made, _ = recurrent("GRU", np.random.default_rng(0))
    change(made)
    return made


def add_initializer(made, name="stray"):
    made.graph.initializer.append(numpy_helper.from_array(np.zeros(2, np.float32), name))


def other_operator(made):
    made.graph.node.append(helper.make_node("Conv", ["X", "W"], ["other"]))


def other_domain(made):
    made.graph.node.append(helper.make_node("Attention", ["X"], ["other"], domain="com.example"))
    made.opset_import.append(helper.make_opsetid("com.example", 1))


def external(made):
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def huge(made):
    made.graph.initializer[0].dims[2] = 1 << 40


def old(made):
    made.opset_import[0].version = 6


def weight_as_input(made):
    del made.graph.initializer[0]
    made.graph.input.append(helper.make_tensor_value_info("W", TensorProto.FLOAT, [1, 18, 4]))


def no_recurrent(made):
    made.graph.node[0].CopyFrom(helper.make_node("Relu", ["X"], ["Y"]))
    del made.graph.output[1:]
    del made.graph.initializer[:]


def half_weight(made):
    made.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.zeros((1, 18, 4), np.float16), "W"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (add_initializer, "the graph has `stray`, which none of its nodes reads"),
        (other_operator, "the Conv node `other` of the model is of an operator that is not read: RNN, LSTM, GRU, Add"),
        (other_domain, "is of the domain `com.example`, whose operators are not read"),
        (external, "`W` of the model lies in another file: load it with onnx.load"),
        (huge, "the model is no valid ONNX model: "),
        (old, "asks for version [6] of ONNX's operators; 7 to 28 are read"),
        (weight_as_input, "`W`, a weight of the GRU node `rec` of the model, is none of the file's tensors"),
        (no_recurrent, "the model has no RNN, LSTM or GRU node"),
        (half_weight, "has weights that are not all of one float type"),
    ],
    ids=lambda case: getattr(case, "__name__", ""),
)
def test_what_is_not_read_is_named(change, sentence):
    with pytest.raises(FileFormatError) as caught:
        from_onnx(edited(change))
    assert sentence in str(caught.value)


def test_an_attribute_that_nobody_reads_is_named():
    """The checker knows the operators' attributes; this one is known to it and has no meaning for a Cast to float."""
    made = tagger()
    made.graph.node[5].attribute.append(
        helper.make_attribute("value", numpy_helper.from_array(np.zeros(1, np.float32)))
    )
    made.graph.node[0].attribute.append(helper.make_attribute("surprise", 1))
    with pytest.raises(FileFormatError, match="surprise"):
        from_onnx(made)


def test_values_for_inputs_that_are_weights():
    made = edited(weight_as_input)
    assert list(from_onnx(made, weights={"W": np.zeros((1, 18, 4), np.float32)}).model.input_names) == ["X"]
    with pytest.raises(InputError, match="weights has `V`; the graph's inputs are `X`, `W`"):
        from_onnx(made, weights={"V": np.zeros(1)})


def test_a_call_with_other_inputs():
    imported = from_onnx(recurrent("RNN", np.random.default_rng(0))[0])
    with pytest.raises(InputError, match="the graph takes `X`; `Z` came"):
        imported.model({"Z": torch.zeros(1)})


def test_sources_that_are_none(tmp_path):
    with pytest.raises(InputError, match="an ONNX model is a path or a ModelProto, not int"):
        from_onnx(3)
    with pytest.raises(FileFormatError, match="there is no file"):
        from_onnx(tmp_path / "none.onnx")


def test_a_torn_file_is_refused_at_every_length(tmp_path):
    whole = recurrent("LSTM", np.random.default_rng(0), H=2, features=1)[0].SerializeToString()
    path = tmp_path / "torn.onnx"
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(FileFormatError):
            from_onnx(path)


def test_wrong_bytes_give_a_model_or_a_sentence(tmp_path):
    whole = bytearray(recurrent("LSTM", np.random.default_rng(0), H=2, features=1)[0].SerializeToString())
    rng, path = np.random.default_rng(4), tmp_path / "wrong.onnx"
    refused = 0
    for _ in range(150):
        broken = bytearray(whole)
        for place in rng.integers(0, len(whole), 2):
            broken[place] = rng.integers(256)
        path.write_bytes(broken)
        try:
            from_onnx(path)
        except FileFormatError:
            refused += 1
    assert refused > 20
