"""The errors of a network's quantiles in the held-out part, by which they are calibrated."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from loopcell.tasks.forecasting.coverage import Flags, Floats
from loopcell.tasks.forecasting.examples import SeriesExamples
from loopcell.tasks.forecasting.network import SeriesNetwork
from loopcell.tasks.forecasting.scaled import ScaledSeries
from loopcell.tasks.forecasting.strategies import Direct

Places = npt.NDArray[np.int64]


def errors_of_quantiles(
    network: SeriesNetwork, held_out: SeriesExamples, still: Callable[[ScaledSeries, Places], Flags]
) -> tuple[Floats, Flags]:
    """Return what came less the quantiles of it, [N, f, K, Q], at all places of a held-out part.

    Args:
        network: it.
        held_out: the part.
        still: says which columns are forecast to stay at some places, [N, K].

    Returns:
        The errors, and what `still` says of all places.
    """
    over, stays = [], []
    for one, places in held_out.places():
        with torch.no_grad():
            futures, _ = Direct()(network, one, places)
        true = one.values[places[:, None] + np.arange(network.steps)]
        over.append(true[..., None] - futures.quantiles)
        stays.append(still(one, places))
    return np.concatenate(over), np.concatenate(stays)
