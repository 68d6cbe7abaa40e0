"""The one form of every model file: weights as named tensors, and what else the model is as JSON.

`docs/model-file.md` describes it. A file is hostile until its parts have been checked: nothing of its size is allocated
and nothing of it runs before that.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from loopcell.errors import FileFormatError, LoopcellError, quoted
from loopcell.files.tensors import HOSTILE, TensorFile, read_facts, read_tensor_file, write_tensor_file
from loopcell.tasks.core.model_kind import MODEL, demand_task
from loopcell.training.run_folder import RunFolder

# The dtypes that a model can be kept in: one for all of its weights.
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)

# A network has a few modules for each tensor, and some without any: what is built while a file is read stays within.
MODULES_A_TENSOR, SLACK = 8, 64

# Buffers that results are divided by, and those that they are judged by.
ABOVE_ZERO = frozenset({"temperature", "scale", "size", "covariate_size"})
FINITE = ABOVE_ZERO | {"mean", "covariate_mean", "shift", "threshold"}
NO_SCALES: Mapping[str, Tensor] = {}


@contextmanager
def described(run: RunFolder) -> Iterator[None]:
    """Turn what goes wrong while a run's config is read into a FileFormatError."""
    try:
        yield
    except LoopcellError:
        raise
    except HOSTILE as error:
        raise FileFormatError(f"{run.config} is damaged: it does not describe a run") from error


def write_model(
    path: Path, task: str, module: nn.Module, facts: Mapping[str, Any], scales: Mapping[str, Tensor] = NO_SCALES
) -> None:
    """Write a module's tensors, the scales of its numbers and the facts about it, whole or not at all.

    Raises:
        FileWriteError: the disk is full, or the folder cannot be written.
    """
    write_tensor_file(path, MODEL, TensorFile({**module.state_dict(), **scales}, {"task": task, **facts}))


def read_learned(path: Path, task: str) -> Mapping[str, Any]:
    """Return what a model file has learned beside its weights; errors as `read_model`."""
    facts = read_facts(path, MODEL)
    demand_task(path, task, facts.get("task"))
    learned = facts.get("learned")
    return learned if isinstance(learned, Mapping) else {}


def read_model(path: Path, task: str) -> TensorFile:
    """Read the parts of a model file.

    Raises:
        FileFormatError: the file is missing, truncated, foreign, of a newer format or the model of another task.
    """
    content = read_tensor_file(path, MODEL)
    demand_task(path, task, content.facts.get("task"))
    return content


@contextmanager
def building(path: Path, content: TensorFile) -> Iterator[None]:
    """Build modules from a file's facts without memory, and turn what goes wrong into a FileFormatError.

    They get memory when `fill` has found the file's tensors to be the ones that its sizes call for. Time is bounded
    too: a file that asks for more layers, or more modules, than its tensors can fill is refused before they are made.
    """
    try:
        _demand_tensors_of_layers(content)
        with torch.device("meta"), _counting(SLACK + MODULES_A_TENSOR * len(content.tensors)):
            yield
    except HOSTILE as error:
        raise FileFormatError(f"{path} is damaged: {_first_line(error)}") from error


def _demand_tensors_of_layers(content: TensorFile) -> None:
    """Refuse more layers than there are tensors for: each layer has those that the cell's equations name."""
    config, cell = content.facts.get("config"), content.facts.get("cell")
    layers = config.get("num_layers") if isinstance(config, Mapping) else None
    if not isinstance(layers, int) or not isinstance(cell, Mapping):
        return
    named = {str(node["name"]) for node in cell["graph"]["nodes"] if node["op"] == "parameter"}
    most = len(content.tensors) // len(named) if named else len(content.tensors) + SLACK
    if layers > most:
        raise ValueError(f"it says num_layers = {quoted(layers)}, and has the tensors of at most {most}")


@contextmanager
def _counting(most: int) -> Iterator[None]:
    """Refuse to register more than `most` parameters, buffers and modules in the block; other threads do not count."""
    ours, count = threading.get_ident(), 0

    def register(*_: object) -> None:
        nonlocal count
        count += threading.get_ident() == ours
        if count > most:
            raise ValueError("its sizes call for more parts than it has tensors for")

    hooks = (
        register_module_parameter_registration_hook,
        register_module_buffer_registration_hook,
        register_module_module_registration_hook,
    )
    with ExitStack() as stack:
        for hook in hooks:
            stack.callback(hook(register).remove)
        yield


def fill(path: Path, module: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Give a module built without memory the tensors of a file, and put it into evaluation mode.

    Raises:
        FileFormatError: a tensor is missing, does not belong, or is of another shape or dtype.
    """
    _check_tensors(path, tensors, module.state_dict())
    kept = sorted({str(tensor.dtype) for tensor in tensors.values() if tensor.is_floating_point()})
    if len(kept) > 1:
        raise FileFormatError(f"{path} is damaged: its weights are of several dtypes, {', '.join(kept)}")
    _check_calibration(path, tensors, dict(module.named_buffers()))
    module.load_state_dict(tensors, assign=True)
    module.eval()


def _check_tensors(path: Path, found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Refuse a file whose tensors are not those that its sizes call for."""
    for name in sorted(expected.keys() ^ found.keys()):
        fault = "lacks the tensor" if name in expected else "has a tensor that does not belong to it:"
        raise FileFormatError(f"{path} is damaged: it {fault} {quoted(name)[1:-1]}")
    for name, tensor in expected.items():
        same_kind = found[name].dtype in (DTYPES if tensor.is_floating_point() else (tensor.dtype,))
        if tensor.shape != found[name].shape or not same_kind:
            raise FileFormatError(
                f"{path} is damaged: the tensor {quoted(name)[1:-1]} should be of shape {list(tensor.shape)} "
                f"and is {found[name].dtype} of shape {list(found[name].shape)}"
            )


def _check_calibration(path: Path, tensors: Mapping[str, Tensor], buffers: Mapping[str, Tensor]) -> None:
    """Refuse numbers by which results are divided or judged and that would make nonsense of them without a word."""
    for name in buffers:
        kind, found = name.rpartition(".")[2], tensors.get(name)
        if found is None or kind not in FINITE or not found.is_floating_point():
            continue
        if not bool(torch.isfinite(found).all()):
            raise FileFormatError(f"{path} is damaged: its {name} is not finite")
        if kind in ABOVE_ZERO and not bool((found > 0).all()):
            raise FileFormatError(f"{path} is damaged: its {name} is not above 0")


def _first_line(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it has no {quoted(error.args[0])}"
    return str(error).partition("\n")[0] or type(error).__name__
