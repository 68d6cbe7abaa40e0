"""Learn of covariates what their training part has: categories, holes, scales."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from loopcell.data import Series
from loopcell.data.examples import Scale, scale_of
from loopcell.errors import DataError
from loopcell.tasks.forecasting.covariates import Covariates
from loopcell.tasks.forecasting.elapsed import usual_distance
from loopcell.tasks.forecasting.settings import SeriesSettings

Floats = npt.NDArray[np.float64]

MOST_CATEGORIES = 10_000


def learned_covariates(
    series: Sequence[Series], cuts: Sequence[int], settings: SeriesSettings, holidays: Sequence[str]
) -> Covariates:
    """Learn what the training part of some series, the first steps of each, has.

    Raises:
        DataError: a column has too many categories, or as many as rows.
    """
    names = (*settings.known, *settings.past, *settings.static)
    rows = [np.concatenate([one.known[:cut], one.past[:cut]], axis=1) for one, cut in zip(series, cuts, strict=True)]
    missing = np.isnan(np.concatenate(rows)).any(0)
    missing = np.append(missing, np.isnan(np.stack([one.static for one in series])).any(0))
    categories = {name: _seen(series, cuts, name) for name in names if name in series[0].categories}
    masked = settings.mask_inputs
    if masked is None:
        masked = any(bool(np.isnan(one.target[:cut]).any()) for one, cut in zip(series, cuts, strict=True))
    told = [name for name, some in zip(names, missing, strict=True) if some and name not in categories]
    return Covariates(
        *(settings.known, settings.past, settings.static, settings.calendar),
        categories,
        tuple(told) if settings.mask_inputs is not False else (),
        None if settings.regular else usual_distance([one for one in series if one.step is None]),
        tuple(holidays),
        masked,
        settings.fill,
    )


def learned_scale(series: Sequence[Series], cuts: Sequence[int], covariates: Covariates) -> Scale:
    """Return the scale of the columns known, past and static, [P + Q + S]; 0 and 1 of categories."""
    pairs = list(zip(series, cuts, strict=True))
    rows = np.concatenate([np.concatenate([one.known[:cut], one.past[:cut]], axis=1) for one, cut in pairs])
    static = np.stack([one.static for one in series])
    parts = [scale_of([some], some.shape[1]) for some in (rows, static)]
    mean, size = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Scale(mean, size).where(covariates.numbers(), Scale(np.zeros_like(mean), np.ones_like(size)))


def unseen(series: Sequence[Series], covariates: Covariates) -> list[str]:
    """Return a sentence for each column with categories that training did not have."""
    found = []
    for name, known in covariates.categories.items():
        texts = series[0].categories[name]
        new = [code for code, text in enumerate(texts) if text not in set(known)]
        cells = sum(int(np.isin(_column(one, name), new).sum()) for one in series) if new else 0
        if cells:
            shown_ones = ", ".join(map(repr, [texts[code] for code in new[:3]])) + (" ..." if len(new) > 3 else "")
            found.append(
                f"{name!r}: {cells:,} values are categories that training did not have ({shown_ones}), and are read as "
                "one that is unknown"
            )
    return found


def _column(series: Series, name: str) -> Floats:
    """Return a covariate's numbers, of a static one its only one."""
    if name in series.static_names:
        return series.static[[series.static_names.index(name)]]
    known = name in series.known_names
    names, values = (series.known_names, series.known) if known else (series.past_names, series.past)
    found: Floats = values[:, names.index(name)]
    return found


def _seen(series: Sequence[Series], cuts: Sequence[int], name: str) -> tuple[str, ...]:
    """Return the categories of the training part; DataError for too many."""
    static = name in series[0].static_names
    columns = [_column(one, name)[: 1 if static else cut] for one, cut in zip(series, cuts, strict=True)]
    codes = np.concatenate(columns)
    there = np.unique(codes[~np.isnan(codes)]).astype(np.int64)
    each = not static and len(there) == len(codes) > 1
    if len(there) > MOST_CATEGORIES or each:
        much = "as many as rows" if each else f"more than {MOST_CATEGORIES:,}"
        raise DataError(
            f"column {name!r} has {len(there):,} categories, {much}: nothing can be learned of each; leave the column "
            "out, or put its values into groups"
        )
    return tuple(series[0].categories[name][code] for code in there)
