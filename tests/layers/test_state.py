"""State: a named value."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from safetensors.torch import save_file
from torch.utils import _pytree as pytree

from loopcell import Recurrent, State, cells
from loopcell.errors import FileFormatError, InputError


@pytest.fixture
def state():
    return State(h=torch.arange(12.0).reshape(2, 3, 2), c=torch.ones(2, 3, 2))


def test_names(state):
    assert state.h is state["h"]
    assert tuple(state) == ("h", "c")
    assert repr(state) == "State(h: [2, 3, 2], c: [2, 3, 2])"
    with pytest.raises(AttributeError, match="this state has h, c, no 'z'"):
        _ = state.z


def test_it_holds_tensors_only():
    with pytest.raises(InputError, match="state `h` must be a tensor"):
        State(h=[1.0])


@pytest.mark.parametrize("name", ["values", "items", "keys", "get", "map", "detach", "select", "batch_size", "to"])
def test_names_that_a_state_has_itself(name):
    sentence = rf"a state cannot be named `{name}`: State has an attribute of that name; pick another$"
    with pytest.raises(InputError, match=sentence):
        State(**{name: torch.zeros(1, 1, 1)})


def test_names_that_are_private():
    with pytest.raises(
        InputError, match="a state cannot be named `_tensors`: names with _ before them are State's own"
    ):
        State(_tensors=torch.zeros(1, 1, 1))


def test_it_does_not_change(state):
    before = state.h
    for change in (lambda: setattr(state, "h", torch.zeros(1)), lambda: setattr(state, "new", torch.zeros(1))):
        with pytest.raises(AttributeError, match=r"a State does not change; make a new one, as in State\(h=\.\.\.\)"):
            change()
    with pytest.raises(AttributeError, match="a State does not change"):
        del state.h
    assert state.h is before
    assert tuple(state) == ("h", "c")


def test_states_are_told_apart_by_identity(state):
    assert state == state  # noqa: PLR0124 - that is the question
    assert state != state.clone()
    assert state != {"h": state.h}
    assert len({state, state.clone()}) == 2
    assert [state.clone(), state].index(state) == 1


def test_detach_cuts_the_gradient():
    net = Recurrent(cells.get("lstm"), 3, 4)
    _, after = net(torch.randn(5, 2, 3))
    assert after.h.requires_grad
    assert not after.detach().h.requires_grad


@pytest.mark.parametrize("rows", [[2, 0], torch.tensor([2, 0]), torch.tensor([True, False, True])])
def test_select(state, rows):
    chosen = state.select(rows)
    expected = state.h[:, torch.as_tensor(rows)]
    assert torch.equal(chosen.h, expected)
    assert chosen.batch_size == 2


@pytest.mark.parametrize("rows", [[], torch.tensor([]), torch.tensor([], dtype=torch.int64)])
def test_select_nothing(state, rows):
    assert state.select(rows).h.shape == (2, 0, 2)


def test_select_by_bools_in_a_list(state):
    assert torch.equal(state.select([True, False, True]).h, state.h[:, [0, 2]])


@pytest.mark.parametrize(
    ("rows", "came"),
    [
        ([3], r"\[3\]"),
        ([0, -4], r"\[0, -4\]"),
        ([1.0], r"\[1.0\]"),
        ([True, False], r"\[True, False\]"),
        ("all", "'all'"),
        (torch.tensor([True, False]), r"tensor\(\[ *True, False\]\)"),
    ],
)
def test_select_what_is_not_there(state, rows, came):
    sentence = rf"select takes row numbers below 3, a bool mask \[3\] or a slice; got {came}"
    with pytest.raises(InputError, match=sentence):
        state.select(rows)


def test_select_a_slice(state):
    assert torch.equal(state.select(slice(1, 3)).h, state.h[:, 1:3])


def test_reset_puts_rows_to_zero(state):
    fresh = state.reset(torch.tensor([True, False, True]))
    assert torch.equal(fresh.h[:, 1], state.h[:, 1])
    assert not fresh.h[:, [0, 2]].any()
    assert not fresh.c[:, [0, 2]].any()
    with pytest.raises(InputError, match=r"reset takes a bool mask \[3\]"):
        state.reset(torch.tensor([1, 0, 1]))


def test_reset_takes_a_list(state):
    assert torch.equal(state.reset([True, False, True]).h, state.reset(torch.tensor([True, False, True])).h)
    for rows in ([True, False], [1, 0, 1], [], "all", None):
        with pytest.raises(InputError, match=r"reset takes a bool mask \[3\], one entry a row; got"):
            state.reset(rows)


def test_to(state):
    assert state.to(torch.float64).c.dtype == torch.float64
    assert state.to("meta").h.device.type == "meta"


def test_pytree(state):
    doubled = pytree.tree_map(lambda tensor: tensor * 2, state)
    assert isinstance(doubled, State)
    assert torch.equal(doubled.h, state.h * 2)
    leaves, spec = pytree.tree_flatten(state)
    assert len(leaves) == 2
    assert pytree.tree_unflatten(["a", "b"], spec)["c"] == "b"


def test_through_vmap(state):
    stacked = pytree.tree_map(lambda tensor: torch.stack([tensor, tensor + 1]), state)
    out = torch.func.vmap(lambda one: one.map(torch.sin))(stacked)
    assert torch.allclose(out.h[1], torch.sin(state.h + 1))


def test_copies(state):
    for again in (copy.deepcopy(state), pickle.loads(pickle.dumps(state)), state.clone()):
        assert torch.equal(again.h, state.h)
        assert again.h.data_ptr() != state.h.data_ptr()


def test_save_and_load(state, tmp_path):
    path = tmp_path / "warm.safetensors"
    state.select([1]).save(path)  # a view, not contiguous
    again = State.load(path)
    assert tuple(again) == ("h", "c")
    assert torch.equal(again.h, state.h[:, [1]])
    assert [entry.name for entry in tmp_path.iterdir()] == ["warm.safetensors"]


def test_names_keep_their_order_through_a_file(tmp_path):
    State(z=torch.zeros(1, 1, 1), a=torch.ones(1, 1, 1)).save(tmp_path / "s")
    assert tuple(State.load(tmp_path / "s")) == ("z", "a")


def test_files_that_are_no_state(state, tmp_path):
    path = tmp_path / "state.safetensors"
    with pytest.raises(FileFormatError, match="there is no loopcell state"):
        State.load(path)
    state.save(path)
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(FileFormatError, match="is not a loopcell state, or not a whole one"):
        State.load(path)
    save_file({"h": torch.zeros(1)}, path)
    with pytest.raises(FileFormatError, match="is not a loopcell state: its format is 'unnamed'"):
        State.load(path)
    save_file({"h": torch.zeros(1)}, path, {"format": "loopcell-state", "format_version": "99"})
    with pytest.raises(FileFormatError, match="has format version 99, and this loopcell reads versions up to 1"):
        State.load(path)
    save_file({"h": torch.zeros(1)}, path, {"format": "loopcell-state", "format_version": "1", "names": '["c"]'})
    with pytest.raises(FileFormatError, match=r"is damaged: it names the states \['c'\], and holds \['h'\]"):
        State.load(path)
    save_file({"map": torch.zeros(1)}, path, {"format": "loopcell-state", "format_version": "1", "names": '["map"]'})
    with pytest.raises(FileFormatError, match=r"is damaged: a state cannot be named `map`"):
        State.load(path)


@pytest.mark.parametrize(
    ("names", "tensors", "complaint"),
    [
        ('[["h"]]', {"h": torch.zeros(1, 1, 1)}, "it names the states [['h']], and holds ['h']"),
        ('[{"h": 1}]', {"h": torch.zeros(1, 1, 1)}, "it names the states [{'h': 1}], and holds ['h']"),
        ("[null]", {"h": torch.zeros(1, 1, 1)}, "it names the states [None], and holds ['h']"),
        ('"h"', {"h": torch.zeros(1, 1, 1)}, "it names the states 'h', and holds ['h']"),
        ('["h", "h"]', {"h": torch.zeros(1, 1, 1)}, "it names the states ['h', 'h'], and holds ['h']"),
        ("[]", {}, "it names the states [], and holds []"),
        ('["h"]', {"h": torch.zeros(())}, "the state 'h' is torch.float32 of shape []"),
        ('["h"]', {"h": torch.zeros(3)}, "the state 'h' is torch.float32 of shape [3]"),
        ('["h"]', {"h": torch.zeros(1, 1, 3, dtype=torch.int64)}, "the state 'h' is torch.int64 of shape [1, 1, 3]"),
    ],
)
def test_hostile_states_are_refused_in_one_sentence(tmp_path, names, tensors, complaint):
    path = tmp_path / "state.safetensors"
    save_file(tensors, path, {"format": "loopcell-state", "format_version": "1", "names": names})
    with pytest.raises(FileFormatError) as caught:
        State.load(path)
    assert f"{path} is damaged: {complaint}" in str(caught.value)
