"""Reconciliation: forecasts of a hierarchy of series, made to add up.

With S [m, b] the summing matrix (a row of it for each of the m series, a column for each of the b that nothing is a sum
of, the bottom ones) and y^ [m] the forecasts of a step, the reconciled ones are

    y~ = S G y^,   G = (S' W^-1 S)^-1 S' W^-1

so that sums hold exactly. "bottom-up" takes the bottom forecasts as they are, G = [0 I]; "ols" has W = I; "mint" has
W the covariance of the errors of one step, estimated with shrinkage, which makes the variance of what is reconciled
least (Wickramasuriya, Athanasopoulos, Hyndman: Optimal Forecast Reconciliation for Hierarchical and Grouped Time Series
Through Trace Minimization, 2019, eq. 9 to 11).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from loopcell.errors import DataError, UsageError
from loopcell.tasks.forecasting.results import Backtest, Forecast

Floats = npt.NDArray[np.float64]
Method = Literal["bottom-up", "ols", "mint"]
Structure = Any

FEWEST = 3  # errors that a covariance is estimated from


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """Series that add up.

    Attributes:
        names: of the m series.
        bottom: of these b.
        sums: [m, b], of each series what it is of the bottom ones.
    """

    names: tuple[str, ...]
    bottom: tuple[str, ...]
    sums: Floats


def hierarchy_of(structure: Structure) -> Hierarchy:
    """Return a hierarchy from its parts.

    Args:
        structure: of each total the names of its parts, which may be totals themselves; or with their weights, as
            {"net": {"sold": 1, "returned": -1}}; or a summing matrix S, a pandas frame whose index has all series and
            whose columns are the bottom ones.

    Raises:
        UsageError: it is neither, empty, or a series is a part of itself.
    """
    if hasattr(structure, "columns") and hasattr(structure, "index"):
        return _of_matrix(structure)
    parts = {str(total): _weights(total, found) for total, found in _mapping(structure).items()}
    bottom = tuple(dict.fromkeys(name for some in parts.values() for name in some if name not in parts))
    rows: dict[str, Floats] = dict(zip(bottom, np.eye(len(bottom)), strict=True))

    def row(name: str, above: tuple[str, ...]) -> Floats:
        if name in above:
            raise UsageError(f"structure: {name!r} is a part of itself, by {' > '.join((*above, name))}")
        if name not in rows:
            rows[name] = sum(
                (weight * row(part, (*above, name)) for part, weight in parts[name].items()), np.zeros(len(bottom))
            )
        return rows[name]

    names = (*parts, *bottom)
    return Hierarchy(names, bottom, np.stack([row(name, ()) for name in names]))


def reconcile(
    forecasts: Sequence[Forecast],
    structure: Structure,
    method: Method = "mint",
    *,
    backtests: Sequence[Backtest] | None = None,
) -> list[Forecast]:
    """Return forecasts of a hierarchy that add up exactly, of all of its series, totals first.

    Args:
        forecasts: of each series of the structure, by the name of its `series`; of one model or of several. They have
            the same targets, which are reconciled each on its own, and the same times. "bottom-up" needs no totals.
        structure: of each total the names of its parts, {"all": ["north", "south"], "north": ["a", "b"]}, or with
            weights, {"net": {"sold": 1, "returned": -1}}; or a summing matrix, a pandas frame whose index has all
            series and whose columns the bottom ones.
        method: "mint" by the errors of forecasts, "ols" by the structure alone, or "bottom-up".
        backtests: of each series, for "mint": forecasts of the past that were not learned from, from the same places.

    Returns:
        Forecasts whose means add up, in the order of the structure, totals first, whatever the order given: each has
        its name as `series`. Where quantiles are given they are moved along with the mean, which keeps their
        distance from it: quantiles of a total are not the sum of those of its parts.

    Raises:
        UsageError: the method or the structure is none, or "mint" is given no backtests.
        DataError: a series of the structure has no forecast, or is there twice; times or targets differ; or there are
            too few errors.
    """
    if method not in get_args(Method):
        raise UsageError(f"method is {', '.join(map(repr, get_args(Method)))}, got {method!r}")
    tree = hierarchy_of(structure)
    wanted = tree.bottom if method == "bottom-up" else tree.names
    given = _by_name(forecasts, wanted, "forecast")
    _demand_alike([given[name] for name in wanted])
    mean = np.stack([given[name].mean for name in wanted])  # [m or b, f, K]
    if method == "bottom-up":
        maps = [np.eye(len(tree.bottom))] * mean.shape[2]
    else:
        spreads = _spreads(method, tree, backtests, mean.shape[2])
        maps = [_map(tree.sums, spread) for spread in spreads]
    bottom = np.stack([one @ mean[..., column] for column, one in enumerate(maps)], -1)  # [b, f, K]
    sums = np.einsum("mb,bfk->mfk", tree.sums, bottom)
    template = given[wanted[0]]
    return [_moved(given.get(name), template, name, value) for name, value in zip(tree.names, sums, strict=True)]


def shrunk_covariance(errors: Floats) -> Floats:
    """Return the covariance [m, m] of errors [T, m], of which what is off the diagonal is shrunk towards zero.

    Schaefer, Strimmer: A Shrinkage Approach to Large-Scale Covariance Matrix Estimation, 2005: of correlations r, the
    intensity is the sum of the variances of all r_ij, i != j, over the sum of their squares, within 0 and 1. Errors are
    taken about zero, as in Wickramasuriya et al., section 2.4: a bias is an error as well.
    """
    count = len(errors)
    whole = errors.T @ errors / count
    size = np.sqrt(np.diag(whole))
    scaled = errors / np.where(size > 0, size, 1.0)
    products = np.einsum("ti,tj->tij", scaled, scaled)
    variance = products.var(0) * count / (count - 1) / count  # of the mean of the products
    off = ~np.eye(len(whole), dtype=bool)
    squares = (products.mean(0)[off] ** 2).sum()
    intensity = 1.0 if squares == 0 else float(np.clip(variance[off].sum() / squares, 0, 1))
    return np.where(off, (1 - intensity) * whole, whole)


def _map(sums: Floats, spread: Floats) -> Floats:
    """Return G [b, m]: what each forecast adds to each bottom one."""
    weighted = np.linalg.solve(spread, sums)  # W^-1 S
    found: Floats = np.linalg.solve(sums.T @ weighted, weighted.T)
    return found


def _spreads(method: Method, tree: Hierarchy, backtests: Sequence[Backtest] | None, targets: int) -> list[Floats]:
    """Return W [m, m] of each target."""
    if method == "ols":
        return [np.eye(len(tree.names))] * targets
    if backtests is None:
        raise UsageError(
            "method 'mint' goes by errors of the past: give backtests of all series (backtests=), or take 'ols'"
        )
    given = _by_name(backtests, tree.names, "backtest")
    found = [given[name] for name in tree.names]
    if any(not np.array_equal(one.series.times[one.places], found[0].series.times[found[0].places]) for one in found):
        raise DataError("the backtests are from different places: their errors do not belong together")
    errors = np.stack([one.true[:, 0] - one.mean[:, 0] for one in found], 1)  # [T, m, K]: of one step
    errors = errors[np.isfinite(errors).all((1, 2))]
    if len(errors) < FEWEST:
        raise DataError(f"a covariance takes {FEWEST} errors of the past at least, and there are {len(errors)}")
    return [_regular(shrunk_covariance(errors[..., column])) for column in range(targets)]


def _regular(spread: Floats) -> Floats:
    """Return a covariance that can be inverted: a series that was never off is taken to be hardly ever."""
    least = 1e-9 * max(float(np.diag(spread).max()), np.finfo(float).tiny)
    found: Floats = spread + np.diag(np.where(np.diag(spread) <= least, least, 0.0))
    return found


def _moved(given: Forecast | None, template: Forecast, name: str, mean: Floats) -> Forecast:
    """Return a forecast with another mean, and its quantiles moved along; one that was not given has none."""
    if given is None:
        return Forecast(
            name, template.times, template.target_names, mean, (), np.empty((*mean.shape, 0)), template.zone
        )
    return replace(given, mean=mean, quantiles=given.quantiles + (mean - given.mean)[..., None])


def _by_name(given: Sequence[Any], wanted: Sequence[str], what: str) -> dict[str, Any]:
    """Return what was given of each series: forecasts or backtests, which know its name."""
    found: dict[str, Any] = {}
    for one in given:
        name = one.series if isinstance(one.series, str) else one.series.name
        if name in found:
            raise DataError(f"series {name!r} has two {what}s")
        found[name] = one
    for name in wanted:
        if name not in found:
            raise DataError(
                f"structure: series {name!r} has no {what}; there is {', '.join(map(repr, found)) or 'none'}"
            )
    return found


def _demand_alike(given: Sequence[Forecast]) -> None:
    first = given[0]
    for one in given[1:]:
        if one.target_names != first.target_names:
            raise DataError(f"forecasts of {first.series!r} and {one.series!r} are of different targets")
        if not np.array_equal(one.times, first.times, equal_nan=True):
            raise DataError(f"forecasts of {first.series!r} and {one.series!r} are of different times")


def _of_matrix(frame: Any) -> Hierarchy:
    names, bottom = tuple(map(str, frame.index)), tuple(map(str, frame.columns))
    if len(set(names)) < len(names) or not set(bottom) <= set(names):
        raise UsageError("structure: the index of a summing matrix names each series once, the bottom ones too")
    sums = np.asarray(frame, np.float64)
    if not np.array_equal(sums[[names.index(name) for name in bottom]], np.eye(len(bottom))):
        raise UsageError("structure: in a summing matrix the row of a bottom series is 1 in its column and else 0")
    return Hierarchy(names, bottom, sums)


def _mapping(structure: Structure) -> Mapping[str, Any]:
    if not isinstance(structure, Mapping) or not structure:
        raise UsageError("structure: totals and their parts were expected, such as {'all': ['north', 'south']}")
    return structure


def _weights(total: str, parts: Any) -> dict[str, float]:
    if isinstance(parts, str) or not isinstance(parts, Sequence | Mapping) or not parts:
        raise UsageError(f"structure: the parts of {total!r} are names, such as ['north', 'south']; got {parts!r}")
    if not isinstance(parts, Mapping) and len(set(parts)) < len(parts):
        raise UsageError(f"structure: {total!r} has a part twice")
    return {str(name): float(parts[name]) if isinstance(parts, Mapping) else 1.0 for name in parts}
