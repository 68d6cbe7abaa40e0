"""Flat: weights in the one piece of memory that cuDNN reads.

cuDNN takes the weights of all layers as one buffer; torch copies them together at each call, with a warning, where they
are not. `flatten_parameters` of torch.nn lays the parameters of a module so. What is made for one call (a cast, gates
put together, one layer of a stack) is laid so here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.backends.cudnn import rnn as cudnn_rnn

from loopcell.passes.recognise import TorchForm


def in_one_piece(form: TorchForm, tensors: Sequence[Tensor], inputs: int, layers: int, directions: int) -> list[Tensor]:
    """Return the operator's weights as it reads them fastest, differentiable; off CUDA they are as they are.

    Args:
        form: the cell.
        tensors: of all layers and directions, as the operator takes them.
        inputs: I, the length of the first layer's input.
        layers: L.
        directions: D.
    """
    if not tensors[0].is_cuda or not torch._use_cudnn_rnn_flatten_weight():  # noqa: SLF001 - as torch.nn asks
        return list(tensors)
    storages = {tensor.untyped_storage().data_ptr() for tensor in tensors}
    if len(storages) == 1:  # a module whose parameters torch.nn has laid so
        return list(tensors)
    return list(_Flat.apply(form, inputs, layers, directions, *tensors))  # type: ignore[no-untyped-call]


class _Flat(torch.autograd.Function):
    """A copy in one piece; its gradient is the gradient."""

    @staticmethod
    def forward(
        _: Any, form: TorchForm, inputs: int, layers: int, directions: int, *tensors: Tensor
    ) -> tuple[Any, ...]:
        outputs = tensors[1].shape[1]
        hidden = tensors[1].shape[0] // len(form.gates)
        copies = [tensor.clone() for tensor in tensors]
        with torch.cuda.device_of(tensors[0]):
            torch._cudnn_rnn_flatten_weight(  # noqa: SLF001 - as torch.nn.RNNBase.flatten_parameters does
                copies,
                len(tensors) // (layers * directions),
                inputs,
                cudnn_rnn.get_cudnn_mode(form.kind),
                hidden,
                outputs if form.projection else 0,
                layers,
                False,
                directions == 2,
            )
        return tuple(copies)

    @staticmethod
    def backward(_: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        return (None, None, None, None, *gradients)
