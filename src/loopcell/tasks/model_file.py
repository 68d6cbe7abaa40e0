"""The one form of every model file: weights as named tensors, and what else the model is as JSON.

`docs/model-file.md` describes it. A file is hostile until its parts have been checked: nothing of its size is allocated
and nothing of it runs before that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from loopcell.errors import FileFormatError, LoopcellError
from loopcell.files.tensors import FileKind, TensorFile, read_facts, read_tensor_file, write_tensor_file
from loopcell.training.run_folder import RunFolder

MODEL = FileKind("loopcell", 1, "loopcell model")

# The dtypes that a model can be kept in: one for all of its weights.
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)

# What building something from a hostile file may raise: sizes that overflow, names that are no Python, ...
HOSTILE = (
    LoopcellError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


def write_model(path: Path, task: str, module: nn.Module, facts: Mapping[str, Any]) -> None:
    """Write a module's tensors and the facts about it, whole or not at all.

    Raises:
        FileWriteError: the disk is full, or the folder cannot be written.
    """
    write_tensor_file(path, MODEL, TensorFile(dict(module.state_dict()), {"task": task, **facts}))


def model_path(path: str | PathLike[str]) -> Path:
    """The file of a model: of a folder, the model of the run that it is of."""
    found = Path(path)
    return RunFolder(found).model if found.is_dir() else found


def read_task(path: Path) -> str:
    """Which task a model file is for; errors as `read_model`."""
    return str(read_facts(path, MODEL).get("task"))


def read_learned(path: Path, task: str) -> Mapping[str, Any]:
    """What a model file has learned beside its weights; errors as `read_model`."""
    facts = read_facts(path, MODEL)
    if facts.get("task") != task:
        raise FileFormatError(f"{path} holds the model of another task: {facts.get('task')!r}")
    learned = facts.get("learned")
    return learned if isinstance(learned, Mapping) else {}


def read_model(path: Path, task: str) -> TensorFile:
    """Read the parts of a model file.

    Raises:
        FileFormatError: the file is missing, truncated, foreign, of a newer format or the model of another task.
    """
    content = read_tensor_file(path, MODEL)
    if content.facts.get("task") != task:
        raise FileFormatError(f"{path} holds the model of another task: {content.facts.get('task')!r}")
    return content


@contextmanager
def building(path: Path) -> Iterator[None]:
    """Build modules from a file's facts without memory, and turn what goes wrong into a FileFormatError.

    They get memory when `fill` has found the file's tensors to be the ones that its sizes call for.
    """
    try:
        with torch.device("meta"):
            yield
    except HOSTILE as error:
        raise FileFormatError(f"{path} is damaged: {_first_line(error)}") from error


def fill(path: Path, module: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Give a module built without memory the tensors of a file, and put it into evaluation mode.

    Raises:
        FileFormatError: a tensor is missing, does not belong, or is of another shape or dtype.
    """
    _check_tensors(path, tensors, module.state_dict())
    kept = sorted({str(tensor.dtype) for tensor in tensors.values() if tensor.is_floating_point()})
    if len(kept) > 1:
        raise FileFormatError(f"{path} is damaged: its weights are of several dtypes, {', '.join(kept)}")
    module.load_state_dict(tensors, assign=True)
    module.eval()


def _check_tensors(path: Path, found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Refuse a file whose tensors are not those that its sizes call for."""
    for name in sorted(expected.keys() ^ found.keys()):
        fault = "lacks the tensor" if name in expected else "has a tensor that does not belong to it:"
        raise FileFormatError(f"{path} is damaged: it {fault} {name[:80]}")
    for name, tensor in expected.items():
        same_kind = found[name].dtype in (DTYPES if tensor.is_floating_point() else (tensor.dtype,))
        if tensor.shape != found[name].shape or not same_kind:
            raise FileFormatError(
                f"{path} is damaged: the tensor {name} should be of shape {list(tensor.shape)} "
                f"and is {found[name].dtype} of shape {list(found[name].shape)}"
            )


def _first_line(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it has no {str(error.args[0])[:80]!r}"
    return str(error).partition("\n")[0] or type(error).__name__
