"""A checkpoint: everything that a run needs to go on as if nothing had happened.

Weights, the optimizer's and the schedule's state, the generators' states, the carried state and the position,
as tensors and JSON in one safetensors file. What differs between processes has a leading axis [P].
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.optim import Optimizer
from torch.utils import _pytree as pytree

from loopcell.errors import FileFormatError, UsageError
from loopcell.files.tensors import FileKind, read_tensor_shapes
from loopcell.training.step import ChunkT, StateT, TrainingStep

if TYPE_CHECKING:
    from lightning_fabric import Fabric

CHECKPOINT = FileKind("loopcell-checkpoint", 1, "checkpoint")


Count = Annotated[int, Field(ge=0, lt=2**53, strict=True)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Position(BaseModel):
    """The place that a run has come to.

    Attributes:
        epoch: whole passes over the data.
        chunk: the next chunk of the pass that is under way.
        update: updates made.
        predictions: predictions trained on.
        seconds: time spent.
        best_loss: lowest held-out loss so far, if there was one.
        best_update: the update that it belongs to.
        without_gain: evaluations since then.
        unlogged_loss: summed loss since the last row of metrics.
        unlogged_count: predictions since then.
        unlogged_updates: updates since then.
        unlogged_clipped: those of them whose gradient was clipped.
        watched: the update after which the layers were looked at last.
    """

    model_config = ConfigDict(extra="forbid")

    epoch: Count = 0
    chunk: Count = 0
    update: Count = 0
    predictions: Count = 0
    seconds: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 0.0
    best_loss: Finite | None = None
    best_update: Count = 0
    without_gain: Count = 0
    unlogged_loss: Finite = 0.0
    unlogged_count: Count = 0
    # Checkpoints of loopcell before 0.1 lack these.
    unlogged_updates: Count = 0
    unlogged_clipped: Count = 0
    watched: Count = 0

    def count(self, loss_sum: float, predictions: int, *, clipped: bool) -> None:
        """Take note of an update."""
        self.update += 1
        self.predictions += predictions
        self.unlogged_loss += loss_sum
        self.unlogged_count += predictions
        self.unlogged_updates += 1
        self.unlogged_clipped += clipped

    def take_unlogged(self) -> tuple[float, float]:
        """Return the mean loss and the share of clipped updates since the last row of metrics, and begin anew."""
        found = self.unlogged_loss / max(1, self.unlogged_count), self.unlogged_clipped / max(1, self.unlogged_updates)
        self.unlogged_loss, self.unlogged_count = 0.0, 0
        self.unlogged_updates, self.unlogged_clipped = 0, 0
        return found


def demand_fitting(path: Path, step: TrainingStep[ChunkT, StateT], batch_size: int) -> None:
    """Refuse a checkpoint that is not one of a module's, before anything of its size is allocated.

    Args:
        path: the checkpoint, of which only the header is read.
        step: the module, on the meta device.
        batch_size: lanes of each process.

    Raises:
        FileFormatError: it is missing or damaged, or its weights or its carried state have other shapes.
    """
    found = read_tensor_shapes(path, CHECKPOINT)
    expected = {name: tuple(weight.shape) for name, weight in prefixed("weights", step.state_dict()).items()}
    for number, leaf in enumerate(pytree.tree_leaves(step.initial_state(batch_size))):
        name = f"process/carried/0/{number}"
        expected[name] = (*found.get(name, ())[:1], *leaf.shape)  # the first axis counts processes
    for name, shape in expected.items():
        if found.get(name) != shape:
            state = f"of shape {list(found[name])}" if name in found else "not there"
            raise FileFormatError(
                f"{path} does not belong to this run, or is damaged: {name} is {state} "
                f"where the run's config asks for {list(shape)}"
            )


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """Return the optimizer's state, named `PARAMETER/SLOT`; a slot that is None is left out.

    Raises:
        UsageError: the state of an optimizer of the user's has something else than tensors, which no file keeps.
    """
    state = optimizer.state_dict()["state"]
    found = {f"{at}/{slot}": value for at, slots in state.items() for slot, value in slots.items() if value is not None}
    for name, value in found.items():
        if not isinstance(value, Tensor):
            raise UsageError(
                f"the state of {type(optimizer).__name__} cannot be kept in a checkpoint: {name} is a "
                f"{type(value).__name__}, not a tensor; train without a run folder"
            )
    return found


def restore_optimizer(
    optimizer: Optimizer, tensors: Mapping[str, Tensor], rates: list[float], *, own: bool = False
) -> None:
    """Put back the state and the learning rates (one per parameter group).

    Args:
        optimizer: with the parameters.
        tensors: what `optimizer_tensors` gave.
        rates: of each parameter group.
        own: whether it is the user's; what state it has is then its own affair, and only the parameters are looked at.

    Raises:
        ValueError: the state is not that of AdamW over these parameters; PyTorch would see so at the next update only.
    """
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, _, slot = name.partition("/")
        state.setdefault(int(index), {})[slot] = value
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for place, slots in state.items():  # a parameter that never had a gradient has no state
        if not 0 <= place < len(parameters) or not (own or _of_adamw(slots, parameters[place])):
            raise ValueError(f"the optimizer's state of parameter {place} does not belong to it")
    groups = optimizer.state_dict()["param_groups"]
    for group, rate in zip(groups, rates, strict=True):
        group["lr"] = rate
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _of_adamw(slots: Mapping[str, Tensor], parameter: Tensor) -> bool:
    """Tell whether this is the state that AdamW keeps of a parameter."""
    return {name: part.shape for name, part in slots.items()} == {
        "step": torch.Size(()),
        "exp_avg": parameter.shape,
        "exp_avg_sq": parameter.shape,
    }


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors under names that start with `prefix/`."""
    return {f"{prefix}/{name}": value for name, value in tensors.items()}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names start with `prefix/`, without it."""
    start = f"{prefix}/"
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def gather(fabric: Fabric, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Gather every process's tensors side by side: [...] becomes [P, ...]. All processes have to call it."""
    if fabric.world_size == 1:
        return {name: tensor.unsqueeze(0) for name, tensor in tensors.items()}
    gathered: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        parts = [torch.empty_like(tensor, device=fabric.device) for _ in range(fabric.world_size)]
        torch.distributed.all_gather(parts, tensor.to(fabric.device).contiguous())
        gathered[name] = torch.stack(parts)
    return gathered


def scatter(fabric: Fabric, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return this process's part of what `gather` gave, in memory of its own."""
    return {name: tensor[fabric.global_rank].clone() for name, tensor in tensors.items()}
