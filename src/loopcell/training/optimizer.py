"""AdamW and the learning rate's schedule, both PyTorch's own."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR

from loopcell.training.config import Optimization, ScheduleName

# What the learning rate does in the `updates` updates after the warm-up.
SCHEDULES: dict[ScheduleName, Callable[[Optimizer, int], LRScheduler]] = {
    "constant": lambda optimizer, updates: ConstantLR(optimizer, factor=1.0, total_iters=updates),
    "linear": lambda optimizer, updates: LinearLR(optimizer, 1.0, 0.0, total_iters=updates),
    "cosine": lambda optimizer, updates: CosineAnnealingLR(optimizer, T_max=updates),
}


def build_optimizer(module: nn.Module, config: Optimization) -> AdamW:
    """AdamW over the trainable parameters; only those with two axes or more are decayed."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return AdamW([group for group in groups if group["params"]], lr=config.learning_rate)


def build_schedule(optimizer: Optimizer, config: Optimization, total_updates: int) -> LRScheduler:
    """The schedule of a run of `total_updates` updates; a warm-up takes at most half of them.

    At update u < warmup the rate is `(u + 1) / (warmup + 1)` of the learning rate.
    """
    warmup = warmup_of(config, total_updates)
    rise = LinearLR(optimizer, start_factor=1 / (warmup + 1), total_iters=max(1, warmup))
    fall = SCHEDULES[config.schedule](optimizer, total_updates - warmup)
    return SequentialLR(optimizer, [rise, fall], milestones=[warmup])


def warmup_of(config: Optimization, total_updates: int) -> int:
    """The updates of a run's warm-up."""
    return min(config.warmup, total_updates // 2)
