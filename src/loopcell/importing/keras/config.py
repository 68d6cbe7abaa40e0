"""Keras configurations: which layer follows which, and what has no effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loopcell.errors import FileFormatError, escaped, quoted
from loopcell.importing.activations import KERAS, Activation
from loopcell.importing.contents import Contents, listed

OF_TRAINING = (
    "kernel_initializer", "recurrent_initializer", "bias_initializer", "embeddings_initializer", "unit_forget_bias",
    "seed", "unroll", "implementation", "zero_output_for_mask", "optional", "batch_input_shape", "input_dtype",
)  # fmt: skip
"""Entries that say how weights came to be, or how Keras computes, and change no number of a trained model."""

PENALTIES = (
    "kernel_regularizer", "recurrent_regularizer", "bias_regularizer", "activity_regularizer", "kernel_constraint",
    "recurrent_constraint", "bias_constraint", "embeddings_regularizer", "embeddings_constraint",
)  # fmt: skip
"""Entries that change a training, and no number of a trained model."""

_PLAIN_DTYPES = ("float32", "float64", "float16", "bfloat16")


def common(layer: Contents) -> list[str]:
    """Take the entries that every layer has; return words about those that act in training alone.

    Raises:
        FileFormatError: the layer computes in a type that is not read, or is quantized.
    """
    layer.take_all(("name", "trainable"))
    layer.take_all(OF_TRAINING)
    layer.expect("quantization_config", None, why="and quantized layers are not read")
    layer.expect("lora_rank", None, why="and layers with LoRA are not read: merge them first")
    layer.take_or("lora_alpha", None)
    dtype = layer.take_or("dtype", "float32")
    policy = dtype.get("config", {}).get("name") if isinstance(dtype, dict) else dtype
    words = [f"{name} of {layer.where}" for name, value in layer.take_all(PENALTIES).items() if value is not None]
    if policy not in (None, *_PLAIN_DTYPES):
        if not str(policy).startswith("mixed_"):
            raise FileFormatError(f"{layer.where} computes in {quoted(policy)}, which is not read")
        words.append(f"the dtype policy {policy} of {layer.where}: it computes in the dtype of its weights here")
    return words


def activation_of(layer: Contents, name: str, version: str, default: str | None) -> Activation:
    """Return an activation that stands under `name` in a layer's configuration.

    Raises:
        FileFormatError: it is a function of the user's, or none that equations can say.
    """
    found = named_activation(layer, name, default)
    if found not in KERAS:
        raise FileFormatError(
            f"{layer.where} has {name}={quoted(found)}, which is not read inside a cell; read are {listed(KERAS)}"
        )
    if found == "hard_sigmoid" and version.startswith(("1.", "2.")):
        raise FileFormatError(
            f"{layer.where} has {name}='hard_sigmoid' and was written by Keras {escaped(version, 20)}, where that was "
            "another function than in Keras 3: load it with that Keras and save what you mean"
        )
    return KERAS[str(found)]


def named_activation(layer: Contents, name: str, default: str | None) -> str:
    """Return the name of an activation; None in the file stands for "linear".

    Raises:
        FileFormatError: it is no name, but a function of the user's.
    """
    found = layer.take_or(name, default)
    if isinstance(found, dict):  # a function that Keras has under a registered name
        raise FileFormatError(
            f"{layer.where} has {name}={quoted(found.get('config', found))}, a function that is none of Keras'"
        )
    if found is not None and not isinstance(found, str):
        raise FileFormatError(f"{layer.where} has {name}={quoted(found)}, which is no name of a function")
    return found or "linear"


def check_chain(config: Mapping[str, Any], layers: Sequence[Mapping[str, Any]], where: str) -> None:
    """Refuse a model in which the layers do not follow one another, each reading the one before.

    Raises:
        FileFormatError: it is neither a Sequential nor such a Functional model.
    """
    kind = config.get("class_name")
    if kind == "Sequential":
        return
    if kind not in ("Functional", "Model"):
        raise FileFormatError(
            f"{where} is a model of the class {quoted(kind)}; read are Sequential and "
            "Functional ones, whose layers the file lists"
        )
    for place, layer in enumerate(layers):
        read = _reads(layer, where)
        before = [layers[place - 1].get("name", layers[place - 1]["config"].get("name"))] if place else []
        if read != before:
            raise FileFormatError(
                f"`{escaped(_name(layer), 80)}` of {where} reads {listed(read)}, not the layer before it alone: only "
                "models whose layers follow one another are read"
            )
    ends = _flat_ends(config["config"].get("output_layers"))
    if ends and ends != [_name(layers[-1])]:
        raise FileFormatError(f"{where} returns {listed(ends)}, not the last layer alone")


def _name(layer: Mapping[str, Any]) -> str:
    return str(layer.get("name", layer["config"].get("name")))


def _flat_ends(found: Any) -> list[str]:
    """Return the names in `["dense", 0, 0]` or `[["dense", 0, 0], ...]`."""
    if not isinstance(found, list) or not found:
        return []
    return [found[0]] if isinstance(found[0], str) else [str(entry[0]) for entry in found if entry]


def _reads(layer: Mapping[str, Any], where: str) -> list[str]:
    """Return the names of the layers that a layer reads, by Keras 3's or Keras 2's words for it.

    Raises:
        FileFormatError: it is called several times, or with more than a tensor.
    """
    nodes = layer.get("inbound_nodes", [])
    if not nodes:
        return []
    title = f"`{escaped(_name(layer), 80)}` of {where}"
    if len(nodes) != 1:
        raise FileFormatError(f"{title} is used {len(nodes)} times, which is not read")
    if isinstance(nodes[0], dict):
        return _reads_of_keras_3(nodes[0], title)
    try:
        calls = [(str(call[0]), call[3] if len(call) > 3 else {}) for call in nodes[0]]
    except (TypeError, IndexError, KeyError) as error:
        raise FileFormatError(f"{title} is called in a way that cannot be read") from error
    _check_arguments({name: value for _, given in calls for name, value in given.items()}, title)
    return [name for name, _ in calls]


def _reads_of_keras_3(node: Mapping[str, Any], title: str) -> list[str]:
    try:
        tensors = node["args"]
        flat = [entry for tensor in tensors for entry in (tensor if isinstance(tensor, list) else [tensor])]
        names = [str(entry["config"]["keras_history"][0]) for entry in flat]
        _check_arguments(node.get("kwargs", {}), title)
    except (TypeError, IndexError, KeyError, AttributeError) as error:
        raise FileFormatError(f"{title} is called in a way that cannot be read") from error
    return names


def _check_arguments(given: Mapping[str, Any], title: str) -> None:
    odd = [name for name, value in given.items() if value not in (None, False)]
    if odd:
        raise FileFormatError(f"{title} is called with {listed(odd)}, which is not read")
