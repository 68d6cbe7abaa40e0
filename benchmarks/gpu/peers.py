"""Peers on a device: cuDNN on episodes that were split, TorchRL's kernels, accelerated-scan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from benchmarks.gpu.session import Absent, Call
from loopcell.backends.scan import ScanRunner

__all__ = ["Absent", "accelerated_scan", "scan_runner", "split_and_padded", "torchrl"]


def split_and_padded(net: nn.Module, x: Tensor, reset: Tensor, ready: Callable[[Any, Tensor], Call]) -> Call:
    """Return the usual way around resets: every episode a row of its own, padded to the longest, and put together again.

    Splitting is not timed: a data loader may have done it.
    """
    rows = [part for row in range(x.shape[1]) for part in _episodes(x[:, row], reset[:, row])]
    return ready(net, pad_sequence(rows))


def _episodes(x: Tensor, starts: Tensor) -> list[Tensor]:
    at = sorted({0, *torch.nonzero(starts).flatten().tolist()})
    lengths = [stop - start for start, stop in zip(at, [*at[1:], len(x)], strict=True)]
    return list(x.split(lengths))


def torchrl(cell: str, net: nn.Module, x: Tensor, reset: Tensor, job: str) -> Call:
    """Return TorchRL's Triton kernels on the same weights, [B, T] in a TensorDict."""
    from tensordict import TensorDict
    from torchrl import modules

    T, B, H = x.shape
    states = ["h", "c"] if cell == "lstm" else ["h"]
    kind = modules.LSTMModule if cell == "lstm" else modules.GRUModule
    module = kind(
        input_size=H,
        hidden_size=H,
        in_keys=["x", *states, "is_init"],
        out_keys=["y", *(("next", state) for state in states)],
        recurrent_backend="triton",
        default_recurrent_mode=True,
        device=x.device,
    )
    inner = next(part for part in module.modules() if hasattr(part, "weight_ih_l0"))
    inner.load_state_dict(net.state_dict())
    zeros = x.new_zeros(B, T, 1, H)
    given = {"x": x.transpose(0, 1).contiguous(), "is_init": reset.T.unsqueeze(-1), **dict.fromkeys(states, zeros)}
    if job == "training":
        given["x"].requires_grad_()

    def run() -> object:
        with torch.set_grad_enabled(job == "training"):
            y = module(TensorDict(given, batch_size=[B, T]))["y"]
        return torch.autograd.grad(y.sum(), [given["x"], *module.parameters()]) if job == "training" else y

    run()  # what it cannot do, it says here
    return run


def scan_runner() -> ScanRunner:
    """Return our scan's kernels."""
    from loopcell.backends.triton.scan.launch import triton_scan

    return triton_scan


def accelerated_scan(a: Tensor, b: Tensor) -> Call:
    """Return its kernel on the same numbers: it reads [B, n, T]."""
    from accelerated_scan.warp import scan

    gates, tokens = (tensor.permute(1, 2, 0).contiguous() for tensor in (a, b))

    def run() -> object:
        with torch.inference_mode():
            return scan(gates, tokens)

    run()
    return run
