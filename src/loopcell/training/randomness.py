"""Seeds, and the states of all random number generators as tensors, as a checkpoint holds them."""

from __future__ import annotations

import random

import numpy as np
import torch
from torch import Tensor


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and PyTorch's generators (every device's)."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the legacy generator is what other libraries draw from
    torch.manual_seed(seed)


def random_state(device: torch.device) -> dict[str, Tensor]:
    """Return the states of the generators that a run on `device` draws from, by name."""
    states = {"python": _python_state(), "numpy": _numpy_state(), "torch": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_random_state(states: dict[str, Tensor], device: torch.device) -> None:
    """Put back what `random_state` gave."""
    version, _, gauss = random.getstate()
    words = [int(word) for word in states["python"][:-2].long()]
    has_gauss, value = states["python"][-2:].tolist()
    random.setstate((version, tuple(words), value if has_gauss else None))
    keys = states["numpy"][:-3].to(torch.int64).numpy().astype(np.uint32)
    position, has_gauss, gauss = states["numpy"][-3:].tolist()
    np.random.set_state(("MT19937", keys, int(position), int(has_gauss), gauss))  # noqa: NPY002
    torch.set_rng_state(states["torch"].clone())
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"].clone(), device)


def _python_state() -> Tensor:
    """Return 625 words (exact in float64), then whether a Gaussian is waiting, and which."""
    _, words, gauss = random.getstate()
    return torch.tensor([*words, float(gauss is not None), gauss or 0.0], dtype=torch.float64)


def _numpy_state() -> Tensor:
    """Return 624 words, then the position, whether a Gaussian is waiting, and which."""
    state = np.random.get_state(legacy=False)  # noqa: NPY002
    assert isinstance(state, dict)
    inner = state["state"]
    numbers = [*inner["key"].tolist(), inner["pos"], state["has_gauss"], state["gauss"]]
    return torch.tensor(numbers, dtype=torch.float64)
