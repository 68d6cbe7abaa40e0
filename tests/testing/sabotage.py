"""For every law a way to break it: what a bug of that kind would do to a network."""

import torch
from torch.nn.utils.rnn import PackedSequence

from loopcell import Recurrent, State
from loopcell.backends.lengths import Lengths
from loopcell.equations import Cell
from loopcell.passes.derivatives import DERIVATIVES

WRONG = 1.001


class LinearlyDifferentiated(torch.autograd.Function):
    """tanh whose gradient is right, but is itself taken for a constant."""

    @staticmethod
    def forward(ctx, value):
        ctx.slope = 1 - torch.tanh(value).square()
        return torch.tanh(value)

    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.slope


def call(monkeypatch, change):
    """Put `change(original, net, x, state, masks)` in the place of every call of a network."""
    original = Recurrent.forward

    def forward(net, x, state=None, **masks):
        return change(lambda *given, **other: original(net, *given, **other), net, x, state, masks)

    monkeypatch.setattr(Recurrent, "forward", forward)


def output(monkeypatch, change):
    """Put `change(output, net, x, state, masks)` in the place of every output that is a tensor."""

    def changed(original, net, x, state, masks):
        y, final = original(x, state, **masks)
        return change(y, net, x, state, masks) if isinstance(y, torch.Tensor) else y, final

    call(monkeypatch, changed)


def gradient_too_small(monkeypatch):
    output(monkeypatch, lambda y, *_: 0.9 * y + 0.1 * y.detach())


def gradient_through_the_final_state_lost(monkeypatch):
    def changed(original, net, x, state, masks):
        y, final = original(x, state, **masks)
        return y, final.detach()

    call(monkeypatch, changed)


def rule_of_tanh_wrong(monkeypatch):
    monkeypatch.setitem(DERIVATIVES, "tanh", lambda d, y, a: (d * (1 - y),))


def final_state_a_little_off(monkeypatch):
    def changed(original, net, x, state, masks):
        y, final = original(x, state, **masks)
        return y, final.map(lambda tensor: WRONG * tensor)

    call(monkeypatch, changed)


def rows_mixed(monkeypatch):
    output(monkeypatch, lambda y, *_: y + 0.001 * y.mean(1, keepdim=True))


def ignored(mask):
    def sabotage(monkeypatch):
        def changed(original, net, x, state, masks):
            return original(x, state, **{name: value for name, value in masks.items() if name != mask})

        call(monkeypatch, changed)

    sabotage.__name__ = f"{mask}_ignored"
    return sabotage


def padding_kept_in_the_output(monkeypatch):
    output(
        monkeypatch,
        lambda y, net, x, state, masks: y + 0.01 * x.sum(-1, keepdim=True) if "lengths" in masks else y,
    )


def state_lost_without_steps(monkeypatch):
    def changed(original, net, x, state, masks):
        y, final = original(x, state, **masks)
        return y, final if len(x) else final.map(torch.zeros_like)

    call(monkeypatch, changed)


def never_reversed(monkeypatch):
    monkeypatch.setattr(Lengths, "reverse", lambda self, x: x)


def stacks_off(monkeypatch):
    output(monkeypatch, lambda y, net, *_: WRONG * y if net.num_layers > 1 else y)


def reset_read_time_first(monkeypatch):
    def changed(original, net, x, state, masks):
        if net.batch_first and masks.get("reset") is not None:
            masks = masks | {"reset": masks["reset"].flip(1)}
        return original(x, state, **masks)

    call(monkeypatch, changed)


def single_sequences_off(monkeypatch):
    output(monkeypatch, lambda y, net, x, *_: WRONG * y if x.dim() == 2 else y)


def packed_states_out_of_order(monkeypatch):
    def changed(original, net, x, state, masks):
        y, final = original(x, state, **masks)
        return y, final.select(x.sorted_indices) if isinstance(x, PackedSequence) else final

    call(monkeypatch, changed)


def views_misread(monkeypatch):
    output(monkeypatch, lambda y, net, x, *_: y if x.is_contiguous() else WRONG * y)


def single_precision_computed_in_half(monkeypatch):
    output(monkeypatch, lambda y, *_: y.half().float() if y.dtype == torch.float32 else y)


def single_precision_widened(monkeypatch):
    output(monkeypatch, lambda y, *_: y.double())


def nothing_loaded(monkeypatch):
    monkeypatch.setattr(Recurrent, "load_state_dict", lambda *_: None)


def json_mixed_up(monkeypatch):
    original = Cell.to_json
    monkeypatch.setattr(Cell, "to_json", lambda self: original(self).replace('"tanh"', '"sigmoid"'))


def starts_at_one(monkeypatch):
    def changed(original, net, x, state, masks):
        return original(x, net.initial_state(x.shape[1]).map(torch.ones_like) if state is None else state, **masks)

    call(monkeypatch, changed)


def gradient_taken_for_a_constant(monkeypatch):
    output(monkeypatch, lambda y, *_: LinearlyDifferentiated.apply(y))


def off_inside(kind):
    def sabotage(monkeypatch):
        inside = getattr(torch._C._functorch, f"is_{kind}tensor")
        output(monkeypatch, lambda y, net, x, *_: WRONG * y if inside(x) else y)

    sabotage.__name__ = f"off_inside_{kind}"
    return sabotage


def states_swapped_on_the_way(monkeypatch):
    def changed(original, net, x, state, masks):
        y, final = original(x, state, **masks)
        return y, State(**dict(zip(final, reversed(list(final.values())), strict=True)))

    call(monkeypatch, changed)


BREAKS = [
    ("gradients are numerical ones", gradient_too_small),
    ("gradients are numerical ones", gradient_through_the_final_state_lost),
    ("the derived backward is autograds", rule_of_tanh_wrong),
    ("chunks make the whole", final_state_a_little_off),
    ("chunks make the whole", states_swapped_on_the_way),
    ("rows do not see each other", rows_mixed),
    ("padding changes nothing", ignored("lengths")),
    ("padding changes nothing", padding_kept_in_the_output),
    ("lengths are slices", ignored("lengths")),
    ("a reset is a fresh start", ignored("reset")),
    ("no steps change nothing", state_lost_without_steps),
    ("directions are two networks", never_reversed),
    ("layers are networks in a row", stacks_off),
    ("batch first is transposed", reset_read_time_first),
    ("a single sequence needs no batch", single_sequences_off),
    ("a packed sequence is lengths", packed_states_out_of_order),
    ("memory layout does not matter", views_misread),
    ("single precision follows double", single_precision_computed_in_half),
    ("single precision follows double", single_precision_widened),
    ("a state dict is the whole network", nothing_loaded),
    ("a cell survives json", json_mixed_up),
    ("a missing state is zero", starts_at_one),
    ("gradients have gradients", gradient_taken_for_a_constant),
    ("vmap is a loop", off_inside("batched")),
    ("jacrev is rows of gradients", off_inside("gradtracking")),
]
"""Laws, each with what breaks it."""
