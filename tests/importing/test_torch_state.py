"""State dicts and checkpoints of torch.nn, beside the modules that they come from."""

import pickle
import zipfile

import pytest
import safetensors.torch
import torch
from torch import nn

from loopcell.errors import FileFormatError, InputError, UsageError
from loopcell.importing import from_torch


def draw(module):
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -0.5, 0.5)
    return module.eval()


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(9, 4)
        self.encoder = nn.Module()
        self.encoder.rnn = nn.LSTM(4, 5, num_layers=2, bidirectional=True)
        self.decoder = nn.GRU(10, 3)
        self.cell = nn.LSTMCell(3, 2)
        self.out = nn.Linear(3, 2)


NETWORKS = [
    nn.LSTM(3, 4), nn.LSTM(3, 4, 2, bidirectional=True), nn.LSTM(3, 4, bias=False), nn.LSTM(3, 4, 2, proj_size=2),
    nn.LSTM(3, 4, bidirectional=True, proj_size=2, bias=False), nn.GRU(3, 4), nn.GRU(3, 4, 3, bidirectional=True),
    nn.GRU(3, 4, bias=False), nn.RNN(3, 4), nn.RNN(3, 4, 2, nonlinearity="relu", bidirectional=True), nn.GRU(1, 1),
    nn.LSTM(3, 4, dtype=torch.float64),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")  # torch's own
@pytest.mark.parametrize("module", NETWORKS, ids=repr)
def test_networks_give_torchs_outputs(module):
    draw(module)
    imported = from_torch(module.state_dict(), nonlinearity=getattr(module, "nonlinearity", None))
    x = torch.randn(6, 2, module.input_size, dtype=module.weight_ih_l0.dtype)
    assert torch.allclose(imported.model(x)[0], module(x)[0], atol=1e-6)
    assert set(imported.read) == set(module.state_dict())
    assert isinstance(imported.network, type(module))
    assert not imported.left_out


@pytest.mark.parametrize(
    "module", [nn.LSTMCell(3, 4), nn.GRUCell(3, 4), nn.RNNCell(3, 4), nn.GRUCell(3, 4, bias=False)]
)
def test_cells_become_networks_of_one_layer(module):
    draw(module)
    imported = from_torch(module.state_dict(), nonlinearity="tanh")
    x, state, expected = torch.randn(5, 2, 3), None, []
    for step in x:
        state = module(step, state)
        expected.append(state[0] if isinstance(state, tuple) else state)
    assert torch.allclose(imported.model(x)[0], torch.stack(expected), atol=1e-6)


def checkpoint(model):
    optimizer = torch.optim.Adam(model.parameters())
    sum(parameter.sum() for parameter in model.parameters()).backward()
    optimizer.step()
    return {"epoch": 3, "model": model.state_dict(), "optimizer": optimizer.state_dict(), "note": "x"}


def test_a_network_in_a_whole_checkpoint(tmp_path):
    model = draw(Tagger())
    torch.save(checkpoint(model), tmp_path / "last.pt")
    model.eval()
    imported = from_torch(tmp_path / "last.pt", prefix="encoder", batch_first=True)
    x = torch.randn(2, 6, 4)
    expected = model.encoder.rnn(x.transpose(0, 1))[0].transpose(0, 1)
    assert torch.allclose(imported.model(x)[0], expected, atol=1e-6)
    assert list(imported.networks) == ["encoder.rnn"]
    assert imported.left_out[:3] == tuple(
        f"{name}: another entry of the checkpoint" for name in ("epoch", "optimizer", "note")
    )
    assert "out.weight: outside of prefix" in imported.left_out
    assert len(imported.read) + sum("outside" in word for word in imported.left_out) == len(model.state_dict())


def test_safetensors_and_a_prefix_of_every_name(tmp_path):
    module = draw(nn.GRU(3, 4))
    state = {f"module.net.{name}": tensor for name, tensor in module.state_dict().items()}
    safetensors.torch.save_file(state, tmp_path / "net.safetensors")
    x = torch.randn(4, 1, 3)
    assert torch.allclose(from_torch(tmp_path / "net.safetensors").model(x)[0], module(x)[0], atol=1e-6)


def test_several_networks():
    module = nn.ModuleDict({"a": draw(nn.GRU(3, 4)), "b": draw(nn.LSTM(3, 4))})
    imported = from_torch(module.state_dict())
    assert list(imported.networks) == ["a", "b"]
    assert imported.model["b"] is imported.networks["b"]


def test_an_import_draws_no_random_numbers():
    state = draw(nn.GRU(3, 4)).state_dict()
    before = torch.get_rng_state()
    from_torch(state)
    assert torch.equal(before, torch.get_rng_state())


def test_a_tensor_of_no_network_is_named():
    with pytest.raises(FileFormatError) as caught:
        from_torch(Tagger().state_dict())
    assert str(caught.value).startswith(
        "the state dict has `table.weight`, `out.weight`, `out.bias`, which belong to no "
    )
    with pytest.raises(FileFormatError, match=r"has no recurrent network below 'out'"):
        from_torch(Tagger().state_dict(), prefix="out")
    with pytest.raises(
        UsageError, match=r"nothing below prefix='coder'; its modules are `cell`, `decoder`, `encoder.rnn`"
    ):
        from_torch(Tagger().state_dict(), prefix="coder")


def test_what_tensors_do_not_say_is_asked_for():
    with pytest.raises(
        UsageError, match=r"is an RNN, and its tensors do not say of which function: pass nonlinearity="
    ):
        from_torch(nn.RNN(3, 4).state_dict())
    state = nn.GRU(3, 4).state_dict()
    with pytest.raises(UsageError, match="has 2 state dicts, `model`, `ema`: name one by entry="):
        from_torch({"model": state, "ema": state})
    assert from_torch({"model": state, "ema": state}, entry="ema").left_out == (
        "model: another entry of the checkpoint",
    )
    with pytest.raises(UsageError, match="has no state dict 'best' with a recurrent network; it has `model`, `ema`"):
        from_torch({"model": state, "ema": state}, entry="best")


def changed(**tensors):
    state = nn.LSTM(3, 4, 2).state_dict() | {name: tensor for name, tensor in tensors.items() if tensor is not None}
    return {name: tensor for name, tensor in state.items() if name not in tensors or tensors[name] is not None}


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (changed(weight_ih_l1=torch.zeros(16, 5)), r"`weight_ih_l1` of .* is \[16, 5\], not \[16, 4\]"),
        (changed(weight_ih_l0=None), "has no weight_ih_l0; it has"),
        (changed(bias_hh_l1=None), "lacks `bias_hh_l1` and has nothing beyond its 8 tensors"),
        (changed(bias_hh_l7=torch.zeros(16)), "lacks .* and has nothing|lacks"),
        (changed(weight_hh_l0=torch.zeros(8, 4)), "which is no RNN, GRU or LSTM"),
        (changed(weight_ih_l0=torch.zeros(16, 3, dtype=torch.int8)), "has weights of torch.int8, no floats"),
        (
            changed(weight_hh_l1=torch.zeros(16, 4, dtype=torch.float64)),
            "in torch.float64, and others in torch.float32",
        ),
        (changed(weight_hr_l9999=torch.zeros(16, 4)), "has tensors of layer 9999, and not of all layers before"),
        ({"x": 3}, "has no recurrent network"),
        (changed() | {"extra": 3}, "has `extra` beside its tensors"),
    ],
)
def test_tensors_that_do_not_fit_are_named(state, sentence):
    with pytest.raises(FileFormatError, match=sentence):
        from_torch(state)


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit",))


def test_files_that_are_not_read(tmp_path):
    torch.save({"model": nn.GRU(3, 4).state_dict(), "code": Bomb()}, tmp_path / "code.pt")
    with pytest.raises(FileFormatError, match="it is not read, because that would run code from it"):
        from_torch(tmp_path / "code.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Bomb(), protocol=2))
    torch.save([1], tmp_path / "list.pt")
    (tmp_path / "no.safetensors").write_bytes(b"\xff" * 64)
    for name, sentence in (("plain.pt", "is not read|no file"), ("list.pt", "holds a list, and no state dict"),
                           ("no.safetensors", "is no file of tensors"), ("none.pt", "there is no file")):  # fmt: skip
        with pytest.raises(FileFormatError, match=sentence):
            from_torch(tmp_path / name)
    with pytest.raises(InputError, match="a state dict is a mapping or a file, not int"):
        from_torch(3)


def test_a_torn_or_packed_file_is_refused(tmp_path):
    path = tmp_path / "whole.pt"
    torch.save(nn.GRU(3, 4).state_dict(), path)
    whole = path.read_bytes()
    for part in (0, 10, len(whole) // 2, len(whole) - 30):
        (tmp_path / "torn.pt").write_bytes(whole[:part])
        with pytest.raises(FileFormatError):
            from_torch(tmp_path / "torn.pt")
    with zipfile.ZipFile(path) as one, zipfile.ZipFile(tmp_path / "packed.pt", "w", zipfile.ZIP_DEFLATED) as other:
        for name in one.namelist():
            other.writestr(name, one.read(name))
    with pytest.raises(FileFormatError, match="has compressed parts"):
        from_torch(tmp_path / "packed.pt")


def test_a_module_says_what_its_tensors_do_not():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.RNN(3, 4, 2, nonlinearity="relu", batch_first=True, dropout=0.25)
            self.gru = nn.GRU(3, 4)

    module = draw(Both())
    imported, x = from_torch(module), torch.randn(2, 7, 3)
    assert imported.facts["batch_first"] == {"rnn": True, "gru": False}
    assert imported.left_out == ("rnn: dropout 0.25, of training",)
    for name, net in imported.networks.items():
        assert torch.allclose(net(x)[0], getattr(module, name)(x)[0], atol=1e-6)
    state = draw(nn.LSTM(3, 4, batch_first=True)).state_dict()
    assert from_torch(state).facts["batch_first"] == {"": False}
    assert from_torch(state, batch_first=True).network.batch_first
    assert isinstance(from_torch(nn.LSTMCell(3, 4), nonlinearity="tanh").network, type(from_torch(state).network))


def test_what_is_said_against_a_module_or_of_no_network_is_refused():
    with pytest.raises(UsageError, match="has batch_first=False, and batch_first=True was given"):
        from_torch(nn.LSTM(3, 4), batch_first=True)
    with pytest.raises(UsageError, match="has nonlinearity='tanh', and nonlinearity='relu' was given"):
        from_torch(nn.RNN(3, 4), nonlinearity="relu")
    for source in (nn.GRU(3, 4), nn.GRU(3, 4).state_dict()):
        with pytest.raises(UsageError, match="nonlinearity='relu' is of an RNN, and the state dict has GRU alone"):
            from_torch(source, nonlinearity="relu")
