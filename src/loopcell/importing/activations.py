"""Activations of other systems, each as an equation of a cell and as a function of tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from loopcell.equations import Value, exp, maximum, minimum, relu, sigmoid, softplus, sqrt, tanh, where

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
"""The constants of Klambauer et al.: Self-Normalizing Neural Networks, 2017 (arXiv 1706.02515), section 2."""


@dataclass(frozen=True)
class Activation:
    """An elementwise function.

    Attributes:
        name: as the other system calls it.
        equation: the function inside a cell.
        function: the same over tensors, for layers that are no cell.
    """

    name: str
    equation: Callable[[Value], Value]
    function: Callable[[Tensor], Tensor]


class Activated(nn.Module):
    """A layer that applies an activation, and learns nothing."""

    def __init__(self, name: str, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.name, self.function = name, function

    def forward(self, x: Tensor) -> Tensor:
        """Apply the activation to a tensor of any shape."""
        return self.function(x)

    def extra_repr(self) -> str:
        """Name the activation."""
        return self.name


def _bounded(value: Value, low: float, high: float) -> Value:
    return minimum(maximum(value, low), high)


def linear() -> Activation:
    """Return v."""
    return Activation("linear", lambda v: v, lambda t: t)


def affine(alpha: float, beta: float) -> Activation:
    """Return alpha v + beta."""
    return Activation("affine", lambda v: alpha * v + beta, lambda t: alpha * t + beta)


def elu(alpha: float) -> Activation:
    """Return v above 0, alpha (exp(v) - 1) below."""
    return Activation(
        "elu", lambda v: where(v > 0, v, alpha * (exp(minimum(v, 0.0)) - 1)), lambda t: functional.elu(t, alpha)
    )


def leaky_relu(slope: float) -> Activation:
    """Return v above 0, slope v below."""
    return Activation("leaky_relu", lambda v: where(v > 0, v, slope * v), lambda t: functional.leaky_relu(t, slope))


def thresholded_relu(threshold: float) -> Activation:
    """Return v above the threshold, 0 below."""
    return Activation(
        "thresholded_relu",
        lambda v: where(v > threshold, v, 0.0),
        lambda t: functional.threshold(t, threshold, 0.0),
    )


def scaled_tanh(alpha: float, beta: float) -> Activation:
    """Return alpha tanh(beta v)."""
    return Activation("scaled_tanh", lambda v: alpha * tanh(beta * v), lambda t: alpha * torch.tanh(beta * t))


def hard_sigmoid(slope: float, shift: float) -> Activation:
    """Return slope v + shift, cut off at 0 and 1."""
    return Activation(
        "hard_sigmoid", lambda v: _bounded(slope * v + shift, 0.0, 1.0), lambda t: (slope * t + shift).clamp(0.0, 1.0)
    )


RELU = Activation("relu", relu, torch.relu)
SIGMOID = Activation("sigmoid", sigmoid, torch.sigmoid)
TANH = Activation("tanh", tanh, torch.tanh)
SOFTPLUS = Activation("softplus", softplus, functional.softplus)
SOFTSIGN = Activation("softsign", lambda v: v / (1 + abs(v)), functional.softsign)

KERAS: dict[str, Activation] = {
    "linear": linear(),
    "relu": RELU,
    "sigmoid": SIGMOID,
    "tanh": TANH,
    "softplus": SOFTPLUS,
    "softsign": SOFTSIGN,
    "elu": elu(1.0),
    "selu": Activation(
        "selu",
        lambda v: SELU_SCALE * where(v > 0, v, SELU_ALPHA * (exp(minimum(v, 0.0)) - 1)),
        functional.selu,
    ),
    "exponential": Activation("exponential", exp, torch.exp),
    "leaky_relu": leaky_relu(0.2),
    "relu6": Activation("relu6", lambda v: _bounded(v, 0.0, 6.0), functional.relu6),
    "silu": Activation("silu", lambda v: v * sigmoid(v), functional.silu),
    "hard_sigmoid": hard_sigmoid(1 / 6, 0.5),
    "hard_silu": Activation("hard_silu", lambda v: v * _bounded(v / 6 + 0.5, 0.0, 1.0), functional.hardswish),
    "hard_tanh": Activation("hard_tanh", lambda v: _bounded(v, -1.0, 1.0), functional.hardtanh),
    "log_sigmoid": Activation("log_sigmoid", lambda v: -softplus(-v), functional.logsigmoid),
    "mish": Activation("mish", lambda v: v * tanh(softplus(v)), functional.mish),
    "squareplus": Activation(
        "squareplus", lambda v: (v + sqrt(v * v + 4)) / 2, lambda t: (t + torch.sqrt(t * t + 4)) / 2
    ),
}
"""Keras 3's elementwise activations that equations can say, by the name in a file (keras.activations)."""


def _of_no_number(activation: Activation) -> Callable[[float, float], Activation]:
    return lambda _alpha, _beta: activation


@dataclass(frozen=True)
class OnnxActivation:
    """A row of ONNX's table of activations.

    Attributes:
        numbers: what it takes of the node's lists: nothing, an alpha, or an alpha and a beta; each is the number where
            the list ends too early, which is that of the operator of the same name, and None where there is none.
        made: the activation of an alpha and a beta.
    """

    numbers: tuple[float | None, ...]
    made: Callable[[float, float], Activation]


ONNX: dict[str, OnnxActivation] = {
    "relu": OnnxActivation((), _of_no_number(RELU)),
    "tanh": OnnxActivation((), _of_no_number(TANH)),
    "sigmoid": OnnxActivation((), _of_no_number(SIGMOID)),
    "softsign": OnnxActivation((), _of_no_number(SOFTSIGN)),
    "softplus": OnnxActivation((), _of_no_number(SOFTPLUS)),
    "affine": OnnxActivation((None, None), affine),
    "leakyrelu": OnnxActivation((0.01,), lambda alpha, _: leaky_relu(alpha)),
    "thresholdedrelu": OnnxActivation((None,), lambda alpha, _: thresholded_relu(alpha)),
    "scaledtanh": OnnxActivation((None, None), scaled_tanh),
    "hardsigmoid": OnnxActivation((0.2, 0.5), hard_sigmoid),
    "elu": OnnxActivation((1.0,), lambda alpha, _: elu(alpha)),
}
"""The activations of ONNX's RNN, LSTM and GRU, by their name in lower case, which is how they are compared.

The operator ThresholdedRelu has 1 for its alpha, and ONNX Runtime computes with another number: it has to be said.
"""
