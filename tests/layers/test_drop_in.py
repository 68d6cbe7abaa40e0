"""In torch.nn's place, to the letter: classes, attributes, errors, and the tools that look at modules."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys
from abc import ABC

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import loopcell
from loopcell import Recurrent, cells
from loopcell.errors import InputError, TensorError, UsageError

PAIRS = [(getattr(loopcell, name), getattr(nn, name)) for name in ("RNN", "LSTM", "GRU")]
both = pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=["RNN", "LSTM", "GRU"])
OPTIONS = [
    {},
    {"num_layers": 2, "bidirectional": True, "batch_first": True},
    {"bias": False, "dtype": torch.float64},
    {"num_layers": 3, "dropout": 0.2},
]


def pair(ours, theirs, *given, **options):
    torch.manual_seed(3)
    mine = ours(*given, **options)
    torch.manual_seed(3)
    return mine, theirs(*given, **options)


def flat(result):
    return torch.utils._pytree.tree_leaves(result)


# -- classes and attributes ----------------------------------------------------------------------------------------


@both
def test_classes(ours, theirs):
    net = ours(3, 4)
    assert isinstance(net, theirs)
    assert isinstance(net, nn.RNNBase)
    assert issubclass(ours, theirs)
    assert type(net) is ours


@both
@pytest.mark.parametrize("options", OPTIONS)
def test_what_torchs_modules_have(ours, theirs, options):
    mine, other = pair(ours, theirs, 3, 4, **options)
    assert repr(mine) == repr(other)
    assert mine._flat_weights_names == other._flat_weights_names
    assert mine._all_weights == other._all_weights
    assert all(map(torch.equal, mine._flat_weights, other._flat_weights))
    assert [list(map(id, layer)) for layer in mine.all_weights] == [
        [id(getattr(mine, name)) for name in layer] for layer in mine._all_weights
    ]
    for name in set(vars(other)) - {"_parameters", "_flat_weights", "_flat_weight_refs"}:
        assert getattr(mine, name) == getattr(other, name), name
    mine.flatten_parameters()
    x = torch.zeros(5, 5, 3, dtype=options.get("dtype"))
    assert mine.get_expected_hidden_size(x, None) == other.get_expected_hidden_size(x, None)
    assert mine.check_input(x, None) is None
    h = torch.randn(2, 5, 4)
    assert torch.equal(mine.permute_hidden(h, torch.arange(4, -1, -1)) if mine.mode != "LSTM" else h.flip(1), h.flip(1))


def test_random_numbers_drawn_at_construction_are_torchs():
    for ours, theirs in PAIRS:
        for options in OPTIONS:
            torch.manual_seed(0)
            ours(3, 4, **options)
            after = torch.get_rng_state()
            torch.manual_seed(0)
            theirs(3, 4, **options)
            assert torch.equal(after, torch.get_rng_state())


def test_classes_over_torchs_base_can_be_built_on_ours():
    class Base(ABC, nn.RNNBase):
        def init_hidden(self, x):
            return x.new_zeros(self.get_expected_hidden_size(x, None))

    class Network(Base, loopcell.LSTM):
        pass

    net = Network(3, 4, batch_first=True)
    x = torch.randn(2, 5, 3)
    h = net.init_hidden(x)
    assert torch.equal(net(x, (h, h))[0], net(x)[0])
    assert torch.equal(copy.deepcopy(net)(x)[0], pickle.loads(pickle.dumps(loopcell.LSTM(3, 4)))(x.mT.mT)[0]) is False


def test_an_initialiser_that_asks_for_torchs_class_finds_ours():
    def orthogonal(module):
        if isinstance(module, nn.LSTM):
            for name, parameter in module.named_parameters():
                if "weight" in name:
                    nn.init.orthogonal_(parameter)

    net = nn.Sequential(nn.Linear(3, 3), loopcell.LSTM(3, 4)).apply(orthogonal)
    weight = net[1].weight_hh_l0
    torch.testing.assert_close(weight.T @ weight, torch.eye(4), rtol=1e-4, atol=1e-5)


@both
@pytest.mark.parametrize("travel", [copy.copy, copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_have_weights_of_their_own_in_torchs_lists(ours, theirs, travel):
    net = travel(ours(3, 4, num_layers=2))
    assert all(map(lambda weight, name: weight is getattr(net, name), net._flat_weights, net._flat_weights_names))
    assert [ref() for ref in net._flat_weight_refs] == [getattr(net, name) for name in net._flat_weights_names]
    net.double()
    assert net._flat_weights[0].dtype == torch.float64
    assert net(torch.zeros(2, 1, 3).double())[0].dtype == torch.float64


def test_a_pickle_from_before_the_classes_were_torchs_is_read():
    net = loopcell.LSTM(3, 4, num_layers=2)
    state = {name: value for name, value in net.__getstate__().items() if not name.startswith(("_flat", "_all_w"))}
    old = loopcell.LSTM.__new__(loopcell.LSTM)
    old.__setstate__(state)
    x = torch.randn(5, 2, 3)
    assert torch.equal(old(x)[0], net(x)[0])
    assert repr(old) == repr(net)


# -- settings that a user changes after calls ----------------------------------------------------------------------


@both
@pytest.mark.parametrize("backend", ["auto", "native", "reference"])
def test_settings_changed_after_a_call(ours, theirs, backend):
    mine, other = pair(ours, theirs, 3, 4, num_layers=2)
    x = torch.randn(2, 50, 3)

    def agree(tolerance=1e-5):
        torch.manual_seed(7)
        found = mine(x)
        torch.manual_seed(7)
        torch.testing.assert_close(flat(found), flat(other(x)), rtol=tolerance, atol=tolerance)

    with loopcell.backend(backend):
        for name, value in [
            ("dropout", 0.5), ("dropout", 0.0), ("batch_first", True), ("dropout", 0.9), ("batch_first", False),
            ("training", False), ("dropout", 0.5), ("training", True), ("batch_first", True), ("dropout", 0.0),
        ]:  # fmt: skip
            agree(), agree()
            setattr(mine, name, value), setattr(other, name, value)
            agree()
            if mine.dropout and mine.training:
                assert not torch.equal(mine(x)[0], mine(x)[0])


def test_the_structure_changed_after_a_call():
    net, x = loopcell.RNN(3, 4), torch.randn(5, 2, 3)
    net(x), net(x)
    net.mode = "RNN_RELU"
    relu = nn.RNN(3, 4, nonlinearity="relu")
    relu.load_state_dict(net.state_dict())
    torch.testing.assert_close(net(x)[0], relu(x)[0])
    net.hidden_size, net.input_size = 7, 2  # weights of other sizes are put in place, as pruning does
    small = nn.RNN(2, 7, nonlinearity="relu")
    for name, weight in small.named_parameters():
        setattr(net, name, nn.Parameter(weight.detach()))
    torch.testing.assert_close(net(x[..., :2])[0], small(x[..., :2])[0])
    net.num_layers = 2
    with pytest.raises(TensorError, match="num_layers=2 and bidirectional=False need the parameters of l0, l1; "):
        net(x[..., :2])
    for kind in (loopcell.LSTM(3, 4), Recurrent(cells.get("lstm"), 3, 4)):
        kind(x), kind(x)
        kind.bidirectional = True
        with pytest.raises(TensorError, match="l0, l0_reverse"):
            kind(x)


def test_a_recurrent_networks_cell_can_be_exchanged():
    net, x = Recurrent(cells.get("gru"), 3, 4), torch.randn(5, 2, 3)
    net(x), net(x)
    net.cell = cells.zoneout(cells.get("gru"), 0.9)
    assert not torch.equal(net(x)[0], net(x)[0])
    with pytest.raises(TypeError):
        net.sizes["proj"] = 3


WRONG = [
    ("dropout", "0.5"), ("dropout", 2.0), ("dropout", -0.5), ("dropout", None), ("batch_first", "False"),
    ("batch_first", 1), ("bidirectional", "no"), ("num_layers", 0), ("num_layers", 1.0), ("cell", None),
    ("cell", 3),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG)
@pytest.mark.parametrize("make", [lambda: loopcell.GRU(3, 4), lambda: Recurrent(cells.get("gru"), 3, 4)])
def test_what_a_setting_cannot_be_is_refused_when_it_is_set(make, name, value):
    net, x = make(), torch.randn(5, 2, 3)
    before, y = getattr(net, name), net(x)[0]
    with pytest.raises(InputError, match=name):
        setattr(net, name, value)
    assert getattr(net, name) == before
    assert torch.equal(net(x)[0], y)


def test_a_structure_without_its_parameters_is_refused():
    x = torch.randn(5, 2, 3)
    for net, name, value, said in [
        (Recurrent(cells.get("lstm"), 3, 4), "cell", cells.get("gru"), "cell `gru` has the parameters .* which"),
        (loopcell.LSTM(3, 4), "mode", "GRU", "cell `gru` has the parameters .* which the network has not"),
        (loopcell.LSTM(3, 4), "proj_size", 2, "no attribute 'weight_hr_l0', which its settings need now"),
    ]:
        net(x), net(x)
        setattr(net, name, value)
        with pytest.raises(TensorError, match=said):
            net(x)


# -- errors and warnings -------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("given", "options"),
    [
        ((3, 4), {"bias": 0}), ((3, 4), {"batch_first": "False"}), ((3, 0), {}), ((0, 4), {}), ((3, 4, 0), {}),
        ((3.0, 4), {}), (("3", 4), {}), ((3, 4), {"dropout": 1.5}), ((3, 4), {"dropout": True}),
        ((3, 4), {"proj_size": 4}), ((3, 4), {"proj_size": -1}), ((3, 4), {"nonlinearity": "gelu"}),
        ((3, 4), {"hidden": 5}), ((), {}),
    ],
)  # fmt: skip
def test_constructors_refuse_what_torch_refuses_in_its_words(ours, theirs, given, options):
    with pytest.raises(Exception) as expected:  # torch's own, whatever it is
        theirs(*given, **options)
    with pytest.raises(expected.type) as found:
        ours(*given, **options)
    assert str(found.value) == str(expected.value)


@both
def test_whole_numbers_of_numpy_are_sizes(ours, theirs):
    assert ours(np.int64(3), np.int32(4), num_layers=np.int8(2)).hidden_size == 4


@both
def test_dropout_with_one_layer_warns_as_torch(ours, theirs):
    with pytest.warns(UserWarning, match="dropout option adds dropout after all but last recurrent layer"):
        ours(3, 4, dropout=0.5)


@both
@pytest.mark.parametrize(
    "wrong",
    [
        lambda net: (torch.zeros(5, 2, 4),),
        lambda net: (torch.zeros(5, 2, 1, 3),),
        lambda net: (torch.zeros(5, 2, 3, dtype=torch.float64),),
        lambda net: (torch.zeros(5, 2, 3, dtype=torch.int64),),
        lambda net: (torch.zeros(5, 2, 3), zeros(net, 1, 3, 4)),
        lambda net: (torch.zeros(5, 2, 3), zeros(net, 2, 2, 4)),
        lambda net: (torch.zeros(5, 2, 3), zeros(net, 1, 4)),
        lambda net: (torch.zeros(5, 3), zeros(net, 1, 1, 4)),
        lambda net: (torch.zeros(5, 2, 3), zeros(net, 1, 2, 4, dtype=torch.float64)),
        lambda net: (torch.zeros(5, 2, 3, device="meta"),),
    ],
)
def test_what_does_not_fit_is_a_runtime_error_too(ours, theirs, wrong):
    net = ours(3, 4)
    for expected in (TensorError, RuntimeError, ValueError, InputError):
        with pytest.raises(expected):
            net(*wrong(net))


def zeros(net, *shape, **options):
    h = torch.zeros(*shape, **options)
    return (h, h) if net.mode == "LSTM" else h


@both
def test_a_weight_of_another_shape_is_a_runtime_error(ours, theirs):
    net = ours(3, 4)
    net.weight_hh_l0 = nn.Parameter(torch.zeros(2, 2))
    with loopcell.backend("auto"), pytest.raises(RuntimeError, match="must be"):
        net(torch.zeros(5, 2, 3))


@both
def test_no_steps_are_accepted(ours, theirs):
    """torch.nn raises here; ours returns no output, and the state as it was."""
    net, state = ours(3, 4), zeros(ours(3, 4), 1, 2, 4)
    y, last = net(torch.zeros(0, 2, 3), state)
    assert y.shape == (0, 2, 4)
    assert all(map(torch.equal, flat(last), flat(state)))


@both
@pytest.mark.parametrize("backend", ["auto", "native", "reference"])
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_autocast_gives_torchs_dtypes(ours, theirs, backend, given, dtype):
    found = []
    for kind in (ours, theirs):
        net, x = kind(3, 4, num_layers=2), torch.randn(5, 2, 3, dtype=dtype)
        with loopcell.backend(backend), torch.autocast("cpu", dtype=torch.bfloat16):
            found.append([tensor.dtype for tensor in flat(net(x, *([zeros(net, 2, 2, 4)] if given else [])))])
    assert found[0] == found[1]


@both
@pytest.mark.parametrize("start", [None, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("packed", [False, True])
def test_autocast_of_mixed_dtypes_gives_torchs(ours, theirs, start, dtype, packed):
    if dtype == torch.float16 and (packed or theirs is nn.LSTM):
        pytest.skip("torch.nn refuses this, or leaves oneDNN and gives float32")
    found = []
    for kind in (ours, theirs):
        net, x = kind(3, 4, bidirectional=True), torch.randn(5, 2, 3, dtype=dtype)
        given = [] if start is None else [zeros(net, 2, 2, 4, dtype=start)]
        x = pack_padded_sequence(x, [5, 3]) if packed else x
        with torch.autocast("cpu", dtype=torch.bfloat16):
            results = net(x, *given)
        found.append([tensor.dtype for tensor in flat(results) if tensor is not None])
    assert found[0] == found[1]


@both
@pytest.mark.parametrize("layers", [1, 2])
def test_a_state_can_be_cut_off_in_place(ours, theirs, layers):
    """As truncated backpropagation does between chunks."""
    results = []
    for net in pair(ours, theirs, 3, 4, num_layers=layers):
        x = torch.linspace(-1.0, 1.0, 30).view(5, 2, 3)
        _, state = net(x)
        for part in flat(state):
            part.detach_()
        y, state = net(x, state)
        results.append([y, *flat(state), *torch.autograd.grad(y.square().sum(), net.parameters())])
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-5)


@both
@pytest.mark.parametrize("shape", [(5,), (5, 1, 3)])
def test_a_packed_sequence_of_other_axes_is_refused(ours, theirs, shape):
    with pytest.raises(TensorError, match=r"must hold all steps of all rows as \[steps, 3\]; got a tensor"):
        ours(3, 4)(PackedSequence(torch.zeros(shape), torch.tensor([3, 2])))


# -- dropout -------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize("form", ["time first", "batch first", "packed", "packed, sorted", "one sequence"])
def test_one_seed_drops_the_same(ours, theirs, both_ways, form):
    batch_first = form == "batch first"
    options = {"num_layers": 3, "dropout": 0.5, "bidirectional": both_ways, "batch_first": batch_first}
    mine, other = pair(ours, theirs, 3, 4, **options)
    x = torch.randn(6, 3) if form == "one sequence" else torch.randn(6, 4, 3)
    if form.startswith("packed"):
        lengths = [6, 5, 2, 1] if "sorted" in form else [2, 6, 1, 5]
        x = pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted="sorted" in form)
    found = []
    for net in (mine, other):
        torch.manual_seed(1)
        y, state = net(x)
        loss = flat(y)[0].square().sum() + sum(part.sum() for part in flat(state))
        found.append([*flat(y), *flat(state), *torch.autograd.grad(loss, net.parameters()), torch.rand(1)])
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-5)


# -- tools ---------------------------------------------------------------------------------------------------------


@both
def test_torch_fx_takes_a_network_as_one_node(ours, theirs):
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.rnn = nn.Linear(3, 3), ours(3, 4)

        def forward(self, x, h):
            y, _ = self.rnn(self.embed(x), h)
            return y[-1]

    net = Network()
    traced = torch.fx.symbolic_trace(net)
    assert [node.target for node in traced.graph.nodes if node.op == "call_module"] == ["embed", "rnn"]
    x, h = torch.randn(5, 2, 3), zeros(net.rnn, 1, 2, 4)
    assert torch.equal(traced(x, h), net(x, h))
    with pytest.raises(UsageError, match=r"takes a .* as one node of a larger network; trace the module that contains"):
        torch.fx.symbolic_trace(ours(3, 4))


def test_torch_fx_takes_a_cell_of_a_users():
    net = nn.Sequential(nn.Linear(3, 3), Recurrent(cells.get("mgu"), 3, 4))
    traced = torch.fx.symbolic_trace(net)
    assert torch.equal(traced(torch.ones(5, 2, 3))[0], net(torch.ones(5, 2, 3))[0])


@both
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torch_jit_script_runs_torchs_module_on_our_parameters(ours, theirs):
    net = nn.Sequential(nn.Linear(3, 3), ours(3, 4, num_layers=2))
    scripted = torch.jit.script(net)
    x = torch.randn(5, 2, 3)
    torch.testing.assert_close(flat(scripted(x)), flat(net(x)))
    file = io.BytesIO()
    torch.jit.save(scripted, file)
    file.seek(0)
    torch.testing.assert_close(flat(torch.jit.load(file)(x)), flat(net(x)))
    with pytest.raises(UsageError, match=r"use torch.export or torch.jit.trace"):
        torch.jit.script(nn.Sequential(Recurrent(cells.get("gru"), 3, 4)))


@both
def test_as_torch_shares_parameters(ours, theirs):
    net = ours(3, 4, num_layers=2, bidirectional=True)
    other = net.as_torch()
    assert type(other) is theirs
    assert repr(other) == repr(net)
    assert all(one is another for one, another in zip(other.parameters(), net.parameters(), strict=True))
    x = torch.randn(5, 2, 3)
    torch.testing.assert_close(flat(other(x)), flat(net(x)))
    other.float().half()
    parametrizations.orthogonal(net, "weight_hh_l0")
    with pytest.raises(UsageError, match="remove the parametrizations first"):
        net.as_torch()


@pytest.mark.filterwarnings("ignore:.*torch.ao.quantization:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*:UserWarning:torch.*")
def test_quantization_says_that_it_leaves_a_network_alone():
    net = nn.Sequential(loopcell.LSTM(3, 4))
    with pytest.warns(UserWarning, match=r"leaves loopcell.LSTM in floating point; .* net.as_torch\(\) in its place"):
        torch.ao.quantization.quantize_dynamic(net, {nn.LSTM, nn.Linear})
    quantized = torch.ao.quantization.quantize_dynamic(nn.Sequential(net[0].as_torch()), {nn.LSTM})
    assert "quantized" in type(quantized[0]).__module__
    x = torch.randn(5, 2, 3)
    torch.testing.assert_close(quantized(x)[0], net(x)[0], rtol=0.1, atol=0.1)


def test_torch_load_reads_a_state_in_its_default_mode(tmp_path):
    state = loopcell.State(h=torch.randn(1, 2, 4), c=torch.randn(1, 2, 4))
    torch.save({"epoch": 3, "state": state}, tmp_path / "state.pt")
    again = torch.load(tmp_path / "state.pt")["state"]
    assert type(again) is loopcell.State
    torch.testing.assert_close(dict(again), dict(state))
    for imports in ("import loopcell, torch", "import torch, loopcell"):
        program = f"{imports}; print(torch.load({str(tmp_path / 'state.pt')!r})['state'])"
        found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        assert found.strip() == "State(h: [1, 2, 4], c: [1, 2, 4])"


OPACUS = """
class UnsupportedModuleError(Exception): pass
class ModuleValidator:
    VALIDATORS, FIXERS = {}, {}
class errors:
    UnsupportedModuleError = UnsupportedModuleError
import torch
ModuleValidator.FIXERS[torch.nn.LSTM] = lambda module: "DPLSTM"
"""


@pytest.mark.parametrize("order", ["import opacus.validators, loopcell", "import loopcell, opacus.validators"])
def test_opacus_is_told_in_a_sentence(tmp_path, order):
    """Against a stand-in with Opacus' registries; tests/clients runs the real one."""
    (tmp_path / "opacus" / "validators").mkdir(parents=True)
    (tmp_path / "opacus" / "__init__.py").touch()
    (tmp_path / "opacus" / "validators" / "__init__.py").write_text(OPACUS)
    program = f"""
import sys; sys.path.insert(0, {str(tmp_path)!r})
{order}
known, net = opacus.validators.ModuleValidator, loopcell.Recurrent(loopcell.cells.get("gru"), 3, 4)
for module in (loopcell.LSTM(3, 4), loopcell.RNN(3, 4), net.l0.W):
    print(*known.VALIDATORS[type(module)](module))
print(known.FIXERS[loopcell.LSTM](None))
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    said = "Opacus cannot take per-sample gradients of a loopcell"
    assert found.splitlines() == [
        f"{said}.LSTM; ModuleValidator.fix puts a module of Opacus in its place",
        f"{said}.RNN; torch.func.vmap of torch.func.grad gives them for any cell",
        f"{said}.Recurrent; torch.func.vmap of torch.func.grad gives them for any cell",
        "DPLSTM",
    ]
