"""AdamW or an optimizer of the user's, and the learning rate's schedule, PyTorch's own."""

from __future__ import annotations

import inspect
import json
import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

from torch import nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR

from loopcell.errors import UsageError
from loopcell.training.config import Optimization, ScheduleName

# What the learning rate does in the `updates` updates after the warm-up.
SCHEDULES: dict[ScheduleName, Callable[[Optimizer, int], LRScheduler]] = {
    "constant": lambda optimizer, updates: ConstantLR(optimizer, factor=1.0, total_iters=updates),
    "linear": lambda optimizer, updates: LinearLR(optimizer, 1.0, 0.0, total_iters=updates),
    "cosine": lambda optimizer, updates: CosineAnnealingLR(optimizer, T_max=updates),
}


MakeOptimizer: TypeAlias = Callable[[list[nn.Parameter]], Optimizer]
"""Makes an optimizer from the trainable parameters of a network."""

_PLACE = ("last_epoch", "_step_count", "_last_lr", "_is_initial")  # in the states of PyTorch's schedules


def build_optimizer(module: nn.Module, config: Optimization) -> AdamW:
    """Build AdamW over the trainable parameters; only those with two axes or more are decayed."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return AdamW([group for group in groups if group["params"]], lr=config.learning_rate)


def own_optimizer(module: nn.Module, make: MakeOptimizer) -> Optimizer:
    """Return the optimizer that a user's function makes of the trainable parameters.

    Raises:
        UsageError: it makes something else, one of other parameters, or one whose step asks for a closure.
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    made = make(list(parameters))
    if not isinstance(made, Optimizer):
        raise UsageError(f"optimizer: the function has to return a torch.optim.Optimizer, got a {type(made).__name__}")
    own = {id(parameter) for parameter in parameters}
    if not all(id(parameter) in own for group in made.param_groups for parameter in group["params"]):
        raise UsageError("optimizer: it holds parameters that are not this network's; make it of those that are given")
    closure = inspect.signature(type(made).step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise UsageError(f"optimizer: the step of {type(made).__name__} asks for a closure, which training has not")
    return made


def build_schedule(optimizer: Optimizer, config: Optimization, total_updates: int) -> LRScheduler:
    """Build the schedule of a run of `total_updates` updates; a warm-up takes at most half of them.

    At update u < warmup the rate is `(u + 1) / (warmup + 1)` of the learning rate.
    """
    warmup = warmup_of(config, total_updates)
    rise = LinearLR(optimizer, start_factor=1 / (warmup + 1), total_iters=max(1, warmup))
    fall = SCHEDULES[config.schedule](optimizer, total_updates - warmup)
    return SequentialLR(optimizer, [rise, fall], milestones=[warmup])


def restore_schedule(schedule: LRScheduler, state: dict[str, Any], total_updates: int) -> list[float]:
    """Put a schedule where the one was whose state this is, and return the learning rates there.

    A run that goes on longer, or shorter, follows the schedule of its new length from there on: PyTorch would restore
    the old length with the state, and after it a cosine rises again. So does one whose state another PyTorch wrote.

    Raises:
        KeyError, ValueError: the state does not say at which update it is.
    """
    own = json.loads(json.dumps(schedule.state_dict()))
    updates = state["last_epoch"]
    if type(updates) is not int or updates < 0:
        raise ValueError("this is not the state of the schedule")
    if _form(state) == _form(own) and _course(state) == _course(own):
        schedule.load_state_dict(state)
        return [float(rate) for rate in state["_last_lr"]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the optimizer has made its updates: in another process
        for _ in range(min(updates, total_updates)):
            schedule.step()
    return [float(rate) for rate in schedule.get_last_lr()]


def _form(state: Any) -> Any:
    """Return the names and kinds of what stands in a schedule's state, without the numbers."""
    if isinstance(state, dict):
        return {name: _form(value) for name, value in state.items()}
    if isinstance(state, list):
        return [_form(value) for value in state]
    return type(state)


def _course(state: Any) -> Any:
    """Return what a schedule's state says of its course, without the place that it has come to."""
    if isinstance(state, dict):
        return {name: _course(value) for name, value in state.items() if name not in _PLACE}
    return [_course(value) for value in state] if isinstance(state, list) else state


def warmup_of(config: Optimization, total_updates: int) -> int:
    """Return the number of updates of a run's warm-up."""
    return min(config.warmup, total_updates // 2)
