"""PyTorch's own tests of RNN, LSTM and GRU, with ours in their place: the module database that torch ships.

`torch.testing._internal.common_modules` lists inputs, references and inputs that must fail; `_EXCEPTIONS` lists what is
different on purpose, each with its reason.
"""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
from torch.testing._internal.common_modules import ModuleErrorEnum, ModuleInput, module_db
from torch.utils._pytree import tree_leaves, tree_map_only

import loopcell
from tests.paths import ELSEWHERE, path

_OURS = {getattr(torch.nn, name): getattr(loopcell, name) for name in ("RNN", "LSTM", "GRU")}
_INFOS = [info for info in module_db if info.module_cls in _OURS]
_EXCEPTIONS: dict[str, str] = {}
"""Error inputs that are no errors here, by torch's message, with the reason. There are none."""

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
_DTYPES = [torch.float32, torch.float64]
every_class = pytest.mark.parametrize("info", _INFOS, ids=lambda info: info.module_cls.__name__)
every_dtype = pytest.mark.parametrize("dtype", _DTYPES, ids=["fp32", "fp64"])
every_path = pytest.mark.parametrize("backend", ["auto", ELSEWHERE, "reference"])


@pytest.fixture(autouse=True)
def _path(request):
    chosen = request.node.callspec.params.get("backend", "auto") if hasattr(request.node, "callspec") else "auto"
    with path(chosen):
        yield


def test_the_database_has_all_three():
    assert {info.module_cls for info in _INFOS} == set(_OURS)


def samples(info, dtype, *, requires_grad=False, packed=True):
    options = {"with_packed_sequence": packed} if info.module_cls is not torch.nn.LSTM else {}
    for training in (True, False):
        for sample in info.module_inputs_func(
            info, device="cpu", dtype=dtype, requires_grad=requires_grad, training=training, **options
        ):
            yield training, sample


def made(info, sample: ModuleInput, dtype, training):
    given = sample.constructor_input
    torch.manual_seed(0)
    net = _OURS[info.module_cls](*given.args, **given.kwargs, dtype=dtype).train(training)
    torch.manual_seed(0)
    return net, info.module_cls(*given.args, **given.kwargs, dtype=dtype).train(training)


def tensors(value):
    """The floating tensors of arguments or results."""
    found = [leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)]
    return [leaf for leaf in found if leaf.is_floating_point()]


def copied(value):
    return tree_map_only(torch.Tensor, lambda t: t.detach().clone().requires_grad_(t.requires_grad), value)


@every_path
@every_class
@every_dtype
def test_forward_and_gradients(info, dtype, backend):
    count = 0
    for training, sample in samples(info, dtype, requires_grad=True):
        found = []
        for net in made(info, sample, dtype, training):
            args, kwargs = copied((sample.forward_input.args, sample.forward_input.kwargs))
            floating = tensors(net(*args, **kwargs))
            sum(tensor.square().sum() for tensor in floating).backward()
            leaves = [leaf for leaf in tensors((args, kwargs)) if leaf.is_leaf and leaf.requires_grad]
            found.append((floating, [leaf.grad for leaf in (*leaves, *net.parameters())]))
        for mine, theirs in zip(*map(tensors, found), strict=True):
            # Inputs of the database reach 9, so that a gradient is a sum of numbers much larger than itself.
            scale = 1e-5 * max(1.0, float(theirs.detach().abs().max()))
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=scale)
        count += 1
    assert count >= 16


@every_path
@every_class
def test_references_of_the_database(info, backend):
    for training, sample in samples(info, torch.float64):
        if sample.reference_fn is None or isinstance(sample.forward_input.args[0], torch.nn.utils.rnn.PackedSequence):
            continue
        net, _ = made(info, sample, torch.float64, training)
        net.dropout = 0.0
        args, kwargs = sample.forward_input.args, sample.forward_input.kwargs
        wanted = sample.reference_fn(net, *args, **kwargs)
        torch.testing.assert_close(tree_leaves(net(*args, **kwargs)), tree_leaves(wanted))


@every_class
@every_dtype
def test_what_must_fail_fails_as_there(info, dtype):
    count = 0
    for training in (True, False):
        for sample in info.module_error_inputs_func(
            info, device="cpu", dtype=dtype, requires_grad=False, training=training
        ):
            given = sample.module_error_input.constructor_input
            if sample.error_regex in _EXCEPTIONS:
                continue
            count += 1
            kind = _OURS[info.module_cls]
            if sample.error_on == ModuleErrorEnum.CONSTRUCTION_ERROR:
                with pytest.raises(sample.error_type, match=sample.error_regex):
                    kind(*given.args, **given.kwargs)
                continue
            net, fed = kind(*given.args, **given.kwargs), sample.module_error_input.forward_input
            with pytest.raises(sample.error_type) as found:
                net(*fed.args, **fed.kwargs)
            # Our own words, with the same advice.
            assert ".to(" in str(found.value)
    assert count > 20


@every_class
def test_travelling(info):
    """As torch's test_pickle, test_save_load and test_deepcopy."""
    for training, sample in samples(info, torch.float32, packed=False):
        net, _ = made(info, sample, torch.float32, training)
        args = sample.forward_input.args
        wanted = tree_leaves(net(*args))
        file = io.BytesIO()
        torch.save(net, file)
        file.seek(0)
        for other in (
            pickle.loads(pickle.dumps(net)),
            copy.deepcopy(net),
            torch.load(file, weights_only=False),
        ):
            assert all(map(torch.equal, tree_leaves(other(*args)), wanted))


@every_class
def test_repr_factory_and_device(info):
    """As torch's test_repr, test_factory_kwargs and test_to_empty."""
    for training, sample in samples(info, torch.float32, packed=False):
        net, other = made(info, sample, torch.float32, training)
        assert repr(net) == repr(other)
        given = sample.constructor_input
        kind = _OURS[info.module_cls]
        meta = kind(*given.args, **given.kwargs, device="meta", dtype=torch.float64)
        assert {parameter.device.type for parameter in meta.parameters()} == {"meta"}
        meta.to_empty(device="cpu").reset_parameters()
        args = tree_map_only(torch.Tensor, torch.Tensor.double, sample.forward_input.args)
        assert meta(*args)[0].dtype == torch.float64


@every_path
@every_class
def test_second_derivatives(info, backend):
    """As torch's test_gradgrad, on the smallest inputs."""
    for training, sample in list(samples(info, torch.float64, requires_grad=True, packed=False))[:4]:
        net, _ = made(info, sample, torch.float64, training)
        args = tuple(copied(sample.forward_input.args))
        if any(isinstance(arg, tuple) for arg in args):
            continue
        assert torch.autograd.gradgradcheck(lambda *given, net=net: tree_leaves(net(*given))[0], args)


@every_path
@every_class
def test_inputs_that_are_not_contiguous(info, backend):
    """As torch's test_non_contiguous_tensors."""
    for training, sample in samples(info, torch.float32, packed=False):
        net, _ = made(info, sample, torch.float32, training)
        args = sample.forward_input.args
        scattered = tree_map_only(torch.Tensor, lambda t: t.repeat_interleave(2, dim=-1)[..., ::2], args)
        assert all(map(torch.equal, tree_leaves(net(*scattered)), tree_leaves(net(*args))))
