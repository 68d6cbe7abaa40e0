"""The layers of an effect: recurrent networks, linear layers and activations, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from loopcell.errors import UsageError
from loopcell.importing.activations import KERAS, Activated
from loopcell.importing.audio_layers import Model, layers_in
from loopcell.importing.building import Network
from loopcell.importing.chain import Chain
from loopcell.layers import State

STEPPED = ("tanh", "relu", "sigmoid", "elu")
"""The activations of a single sample."""
_TORCH = {nn.Tanh: "tanh", nn.ReLU: "relu", nn.Sigmoid: "sigmoid"}

Layer = Network | nn.Linear | Activated


@dataclass(frozen=True, eq=False)
class EffectLayers:
    """The layers, and where their networks start.

    Attributes:
        layers: in the order in which they run.
        starts: the state at which a network starts, [L, 1, n] each, by the layer's place; zeros where there is none.
    """

    layers: tuple[Layer, ...]
    starts: Mapping[int, State] = field(default_factory=dict)

    def kinds(self) -> list[str]:
        """Return what each layer computes, whatever its weights are."""
        return [
            layer.cell.fingerprint if isinstance(layer, Network)
            else layer.name if isinstance(layer, Activated)
            else "linear"
            for layer in self.layers
        ]  # fmt: skip

    def tensors(self) -> dict[str, Tensor]:
        """Return all weights and start states by name, for files and fingerprints."""
        found: dict[str, Tensor] = {}
        for place, layer in enumerate(self.layers):
            if isinstance(layer, Network):
                for number in range(layer.num_layers):
                    own = layer.weights(number, 0).items()
                    found |= {f"{place}.{number}.{name}": tensor.detach() for name, tensor in own}
            elif isinstance(layer, nn.Linear):
                found |= {f"{place}.{name}": tensor.detach() for name, tensor in layer.named_parameters()}
        for place, state in self.starts.items():
            found |= {f"{place}.start.{name}": tensor for name, tensor in state.items()}
        return found


def effect_layers(model: Model) -> EffectLayers:
    """Return the layers of a model that answers each sample.

    Args:
        model: what `from_nam` and `from_rtneural` give, a network, or layers in the order in which they run.

    Raises:
        InputError: it is no model.
        UsageError: it does not run sample by sample, or does not answer a sample with one number.
    """
    found: list[Layer] = []
    for layer in layers_in(model):
        activation = _TORCH.get(type(layer))
        found.append(Activated(activation, KERAS[activation].function) if activation else _demand_step(layer))
    if not any(isinstance(layer, Network) for layer in found):
        raise UsageError("an effect has a recurrent network, and these layers have none")
    first, width = _demand_fit(found)
    if first != 1:
        raise UsageError(f"an effect reads one number a sample, and these layers read {first}")
    if width != 1:
        raise UsageError(
            f"an effect answers a sample with one number, and these layers give {width}: add "
            f"torch.nn.Linear({width}, 1)"
        )
    starts = _starts(model, found) if isinstance(model, Chain) else {}
    return EffectLayers(tuple(found), starts)


def _demand_step(layer: nn.Module) -> Layer:
    if isinstance(layer, Network):
        if layer.bidirectional:
            raise UsageError("a bidirectional network reads a sound from its end too: an effect hears what came alone")
        if layer.spec.further:
            raise UsageError(f"cell `{layer.cell.name}` reads more than the sound: {', '.join(layer.spec.further)}")
        return layer
    if isinstance(layer, nn.Linear):
        return layer
    if isinstance(layer, Activated) and layer.name in STEPPED:
        return layer
    name = layer.name if isinstance(layer, Activated) else type(layer).__name__
    raise UsageError(
        f"{name} is no layer of an effect: these are recurrent networks, torch.nn.Linear, and {', '.join(STEPPED)}"
    )


def _demand_fit(layers: Sequence[Layer]) -> tuple[int, int]:
    """Return how many numbers go in and come out; UsageError where a layer does not take what the one before gives."""
    first: int | None = None
    width: int | None = None
    for layer in layers:
        sizes = _sizes(layer)
        if sizes is None:
            continue
        if width not in (None, sizes[0]):
            raise UsageError(f"a layer of {sizes[0]} inputs follows one of {width} outputs")
        first, width = sizes[0] if first is None else first, sizes[1]
    assert first is not None  # there is a network
    assert width is not None
    return first, width


def _sizes(layer: Layer) -> tuple[int, int] | None:
    if isinstance(layer, Network):
        return layer.input_size, layer.spec.executables[-1].output_size
    return (layer.in_features, layer.out_features) if isinstance(layer, nn.Linear) else None


def _starts(chain: Chain, layers: Sequence[Layer]) -> dict[int, State]:
    found = {}
    for name, state in chain.initial_state(1).items():
        net = chain.networks[name]
        if any(bool(torch.any(tensor != 0)) for tensor in state.values()):
            found[next(at for at, layer in enumerate(layers) if layer is net)] = state.detach()
    return found
