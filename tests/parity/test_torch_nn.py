"""RNN, LSTM and GRU give what torch.nn's give: on random configurations, every output, state and gradient."""

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import loopcell
from loopcell.testing import assert_all_close

EXAMPLES = {"reference": 150, "native": 50}  # for each of 4 kinds in 2 dtypes: 1600 configurations

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

KINDS = {
    "RNN tanh": (torch.nn.RNN, loopcell.RNN, {"nonlinearity": "tanh"}),
    "RNN relu": (torch.nn.RNN, loopcell.RNN, {"nonlinearity": "relu"}),
    "LSTM": (torch.nn.LSTM, loopcell.LSTM, {}),
    "GRU": (torch.nn.GRU, loopcell.GRU, {}),
}


@dataclass(frozen=True)
class Configuration:
    """Arguments of the constructor, and what is fed to the network."""

    arguments: dict
    steps: int
    batch: int
    form: str
    lengths: list[int]
    given_state: bool
    seed: int

    @property
    def rows(self):
        return self.arguments["num_layers"] * (2 if self.arguments["bidirectional"] else 1)


@st.composite
def configurations(draw, *, projected):
    hidden = draw(st.integers(1, 17))
    layers = draw(st.integers(1, 3))
    arguments = {
        "input_size": draw(st.integers(1, 10)),
        "hidden_size": hidden,
        "num_layers": layers,
        "bias": draw(st.booleans()),
        "batch_first": draw(st.booleans()),
        "bidirectional": draw(st.booleans()),
        # Dropout is random but at its ends: with 1 every output between layers is dropped, by both alike.
        "dropout": draw(st.sampled_from([0.0, 0.0, 1.0])) if layers > 1 else 0.0,
    }
    if projected:
        arguments["proj_size"] = draw(st.integers(0, hidden - 1))
    T, B = draw(st.integers(1, 8)), draw(st.integers(1, 5))
    form = draw(st.sampled_from(["batched", "unbatched", "packed", "packed in order"]))
    lengths = draw(st.lists(st.integers(1, T), min_size=B, max_size=B))  # torch packs no row of length 0
    if form == "packed in order":
        lengths.sort(reverse=True)
    return Configuration(arguments, T, B, form, lengths, draw(st.booleans()), draw(st.integers(0, 2**31)))


def drawn(configuration, dtype):
    """The input in the form that is asked for, its leaf, and the leaves of the states."""
    c, arguments = configuration, configuration.arguments
    torch.manual_seed(c.seed)
    outer = (c.steps,) if c.form == "unbatched" else (c.steps, c.batch)
    if arguments["batch_first"]:
        outer = outer[::-1]
    leaf = torch.randn(*outer, arguments["input_size"], dtype=dtype, requires_grad=True)
    rows = (c.rows,) if c.form == "unbatched" else (c.rows, c.batch)
    h = torch.randn(*rows, arguments.get("proj_size") or arguments["hidden_size"], dtype=dtype, requires_grad=True)
    cell_state = torch.randn(*rows, arguments["hidden_size"], dtype=dtype, requires_grad=True)
    return leaf, h, cell_state


def fed(configuration, leaf):
    if not configuration.form.startswith("packed"):
        return leaf
    return pack_padded_sequence(
        leaf,
        torch.tensor(configuration.lengths),
        batch_first=configuration.arguments["batch_first"],
        enforce_sorted=configuration.form == "packed in order",
    )


def observed(net, configuration, dtype):
    """Everything that a run gives, by name, gradients too; a packed output's layout as tensors among it."""
    leaf, *states = drawn(configuration, dtype)
    states = states if isinstance(net, (torch.nn.LSTM, loopcell.LSTM)) else states[:1]
    start = tuple(states) if len(states) == 2 else states[0]
    y, final = net(fed(configuration, leaf), start if configuration.given_state else None)
    found = dict(zip(["final h", "final c"], final if len(states) == 2 else [final], strict=False))
    if isinstance(y, PackedSequence):
        layout = {name: tensor for name, tensor in zip(y._fields, y, strict=True) if tensor is not None}
        found |= {name: tensor if name == "data" else tensor.to(dtype) for name, tensor in layout.items()}
    else:
        found["output"] = y
    parts = [tensor for tensor in found.values() if tensor.requires_grad]
    loss = sum((part * torch.cos(torch.arange(part.numel(), dtype=dtype)).view(part.shape)).sum() for part in parts)
    wanted = {"input": leaf, **dict(net.named_parameters())}
    if configuration.given_state:
        wanted |= dict(zip(["initial h", "initial c"], states, strict=False))
    gradients = torch.autograd.grad(loss, list(wanted.values()), allow_unused=True, materialize_grads=True)
    found |= {f"gradient of {name}": gradient for name, gradient in zip(wanted, gradients, strict=True)}
    return {name: tensor.detach() for name, tensor in found.items()}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", EXAMPLES)
def test_parity(backend, kind, dtype):
    theirs, ours, fixed = KINDS[kind]

    @given(configurations(projected=kind == "LSTM"))
    @settings(max_examples=EXAMPLES[backend])
    def holds(configuration):
        arguments = configuration.arguments | fixed
        torch.manual_seed(configuration.seed)
        expected = theirs(**arguments, dtype=dtype)
        net = ours(**arguments, dtype=dtype)
        net.load_state_dict(expected.state_dict())
        with loopcell.backend(backend):
            found = observed(net, configuration, dtype)
        assert_all_close(found, observed(expected, configuration, dtype))

    holds()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_torchs_operator_gives_torchs_numbers_to_the_last_bit(kind, dtype):
    """In one call, with dropout between layers, one seed gives one run."""
    theirs, ours, fixed = KINDS[kind]
    arguments = {"num_layers": 3, "bidirectional": True, "dropout": 0.5, "dtype": dtype, **fixed}
    expected, net = theirs(3, 8, **arguments), ours(3, 8, **arguments)
    net.load_state_dict(expected.state_dict())
    x = torch.randn(6, 4, 3, dtype=dtype)
    packed = pack_padded_sequence(x, torch.tensor([6, 2, 5, 1]), enforce_sorted=False)
    for fed_in in (x, packed):
        found = []
        for network in (net, expected):
            torch.manual_seed(7)
            network.zero_grad()
            with loopcell.backend("native"):
                y, state = network(fed_in)
            (y.data if isinstance(y, PackedSequence) else y).float().square().sum().backward()
            found.append([y, state, [weight.grad for weight in network.parameters()]])
        torch.testing.assert_close(*found, rtol=0, atol=0)


CORNERS = [
    {"num_layers": layers, "bidirectional": bidirectional, "bias": bias}
    for layers in (1, 2)
    for bidirectional in (False, True)
    for bias in (False, True)
]


@pytest.mark.parametrize("corner", CORNERS, ids=str)
@pytest.mark.parametrize("kind", [*KINDS, "LSTM projected"])
def test_state_dicts_go_both_ways_and_one_seed_gives_one_start(kind, corner):
    theirs, ours, fixed = KINDS[kind.removesuffix(" projected")]
    arguments = {"input_size": 3, "hidden_size": 4, **corner, **fixed}
    arguments |= {"proj_size": 2} if kind.endswith("projected") else {}
    torch.manual_seed(11)
    expected = theirs(**arguments)
    torch.manual_seed(11)
    net = ours(**arguments)
    assert list(net.state_dict()) == list(expected.state_dict())
    assert all(torch.equal(net.state_dict()[name], value) for name, value in expected.state_dict().items())
    torch.manual_seed(12)
    other = theirs(**arguments)
    other.load_state_dict(net.state_dict())
    x = torch.randn(3, 2, 3)
    assert_all_close({"output": net(x)[0]}, {"output": other(x)[0]})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", EXAMPLES)
def test_no_rows(backend, kind):
    theirs, ours, fixed = KINDS[kind]
    x = torch.randn(3, 0, 2)
    with loopcell.backend(backend):
        torch.testing.assert_close(ours(2, 4, **fixed)(x), theirs(2, 4, **fixed)(x))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", EXAMPLES)
def test_no_steps_which_torch_refuses(backend, kind):
    theirs, ours, fixed = KINDS[kind]
    x, h = torch.randn(0, 3, 2), torch.randn(4, 3, 5)
    start = (h, h) if kind == "LSTM" else h
    with pytest.raises(RuntimeError, match="sequence length"):
        theirs(2, 5, 2, bidirectional=True, **fixed)(x, start)
    with loopcell.backend(backend):
        y, final = ours(2, 5, 2, bidirectional=True, **fixed)(x, start)
    assert y.shape == (0, 3, 10)
    torch.testing.assert_close(final, start)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", EXAMPLES)
def test_lengths_give_what_packing_gives(backend, kind):
    theirs, ours, fixed = KINDS[kind]
    expected = theirs(2, 5, bidirectional=True, dtype=torch.float64, **fixed)
    net = ours(2, 5, bidirectional=True, dtype=torch.float64, **fixed)
    net.load_state_dict(expected.state_dict())
    x, lengths = torch.randn(6, 4, 2, dtype=torch.float64), torch.tensor([2, 6, 1, 5])
    packed, expected_final = expected(pack_padded_sequence(x, lengths, enforce_sorted=False))
    with loopcell.backend(backend):
        y, final = net(x, lengths=lengths)
    expected_y, _ = torch.nn.utils.rnn.pad_packed_sequence(packed)
    torch.testing.assert_close(y, expected_y, rtol=0, atol=1e-10)
    torch.testing.assert_close(final, expected_final, rtol=0, atol=1e-10)
