"""The forms in which a gradient flow leaves: the page, a picture, arrays and a table."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.insight.flow import GradientFlow
from loopcell.insight.flow_of_layer import FlowOfLayer
from loopcell.insight.has_page import save_by_ending
from loopcell.insight.html_document import document
from loopcell.insight.plots import axes_on, brief, style

COLUMNS = ("treatment", "layer", "direction", "state", "step", "token", "norm", "predicted")
STYLES = (("C0", "measured", "-"), ("C0", "linear theory", ":"), ("C1", "measured", "-"), ("C1", "linear theory", ":"))
MOST_PANELS = 24


def save(flow: GradientFlow, path: str | PathLike[str]) -> None:
    """Write a flow as `GradientFlow.save` says."""
    writers = {".npz": _save_npz, ".csv": _save_csv, ".png": _save_picture, ".svg": _save_picture}
    save_by_ending(flow, path, "a gradient flow", writers)


def _each(flow: GradientFlow) -> Iterator[GradientFlow]:
    """Yield the flow without the treatment, where there is one, and the flow."""
    yield from (flow,) if flow.untreated is None else (flow.untreated, flow)


# --- the page ---------------------------------------------------------------------------------------------------------


def page_of(flow: GradientFlow) -> str:
    """Return the page of a flow."""
    steps = len(next(iter(flow.layers[0].norms.values())))
    facts = {
        "title": flow.cell,
        "steps": [str(step) for step in flow.steps] or [str(step) for step in range(steps)],
        "flows": [_facts(one) for one in _each(flow)],
    }
    return document(f"{flow.cell}: gradient flow", "flow", facts)


def _facts(flow: GradientFlow) -> dict[str, Any]:
    return {
        "loss": _number(flow.loss),
        "lossOf": flow.loss_of,
        "treatment": flow.treatment or "",
        "scaled": _number(flow.scaled),
        "findings": [
            {**one._asdict(), "factor": f"{one.factor:.2g}", "sentence": one.sentence()} for one in flow.findings()
        ],
        "layers": [_layer(layer) for layer in flow.layers],
    }


def _layer(layer: FlowOfLayer) -> dict[str, Any]:
    states = {
        state: {
            "norms": _plain(norms),
            "predicted": _plain(layer.predicted(state)),
            "slope": _number(layer.slope(state)),
        }
        for state, norms in layer.norms.items()
    }
    return {"layer": layer.layer, "direction": layer.direction, "states": states, "dynamics": _dynamics(layer)}


def _dynamics(layer: FlowOfLayer) -> dict[str, Any] | None:
    if layer.dynamics is None:
        return None
    values = layer.dynamics.singular_values
    return {
        "steps": layer.dynamics.steps.tolist(),
        "radius": _plain(layer.dynamics.spectral_radius),
        "largest": _plain(values[:, 0]),
        "median": _plain(np.median(values, axis=1)),
        "smallest": _plain(values[:, -1]),
        "slope": _number(layer.dynamics.predicted_slope),
        "lyapunov": _number(layer.dynamics.lyapunov),
    }


def _plain(values: npt.NDArray[Any] | None) -> list[float | None]:
    return [] if values is None else [_number(float(value)) for value in values]


def _number(value: float) -> float | None:
    """Return a number as JSON has it, with six digits; None for what is not finite."""
    return float(f"{value:.6g}") if np.isfinite(value) else None


# --- numbers ----------------------------------------------------------------------------------------------------------


def _save_npz(flow: GradientFlow, path: Path, _: str) -> None:
    arrays: dict[str, Any] = {}
    for one in _each(flow):
        before = f"{one.treatment}/" if one.treatment and flow.untreated is not None else ""
        for layer in one.layers:
            place = f"{before}{layer.layer}/{layer.direction}"
            arrays |= {f"{place}/{state}": norms for state, norms in layer.norms.items()}
            if layer.dynamics is not None:
                arrays |= {f"{place}/dynamics/{name}": value for name, value in vars(layer.dynamics).items()}
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _save_csv(flow: GradientFlow, path: Path, _: str) -> None:
    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(row for one in _each(flow) for layer in one.layers for row in _rows(one, layer))


def _rows(flow: GradientFlow, layer: FlowOfLayer) -> Iterator[tuple[Any, ...]]:
    for state, norms in layer.norms.items():
        predicted = layer.predicted(state)
        for step, norm in enumerate(norms.tolist()):
            token = flow.steps[step] if flow.steps else ""
            line = "" if predicted is None else float(predicted[step])
            yield flow.treatment or "", layer.layer, layer.direction, state, step, token, norm, line


# --- a picture --------------------------------------------------------------------------------------------------------


def plot(flow: GradientFlow, ax: Any = None) -> Any:
    """Draw a flow as `GradientFlow.plot` says: on given Axes all states of all layers, as measured."""
    with style():
        ax = axes_on(ax)
        for one, line in zip(_each(flow), ("-", "--"), strict=False):
            for layer in one.layers:
                for state in layer.norms:
                    way = ", backward" if layer.direction else ""
                    name = f"{state}, layer {layer.layer}{way}{f', {one.treatment}' if one.treatment else ''}"
                    ax.plot(_positive(layer.norms[state]), line, label=name)
        _dress(ax, "||dL/ds||")
        ax.set_xlabel("step")
    return ax


def _save_picture(flow: GradientFlow, path: Path, ending: str) -> None:
    form = ending.lstrip(".")
    with style():
        from matplotlib.figure import Figure

        panels = [(place, state) for place, layer in enumerate(flow.layers) for state in layer.norms][:MOST_PANELS]
        figure = Figure(figsize=(8.0, 2.2 * len(panels) + 0.6), layout="constrained")
        axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axis, (place, state) in zip(axes, panels, strict=True):
            _draw(axis, flow, place, state)
        axes[-1].set_xlabel("step")
        figure.suptitle(brief(f"{flow.cell}: gradient flow", 80), fontsize=10, parse_math=False)
        figure.savefig(path, format=form, dpi=150, metadata={"Date": None} if form == "svg" else None)


def _draw(axis: Any, flow: GradientFlow, place: int, state: str) -> None:
    """Draw one state of one layer, measured and predicted, before and after."""
    lines = []
    for one in _each(flow):
        lines += [one.layers[place].norms[state], one.layers[place].predicted(state)]
    for values, (colour, name, line) in zip(lines, STYLES, strict=False):
        treated = colour == "C1" and flow.treatment
        if values is not None:
            axis.plot(_positive(values), line, color=colour, label=f"{name}, {treated}" if treated else name)
    layer = flow.layers[place]
    _dress(axis, f"dL/d{state}, layer {layer.layer}{', backward' if layer.direction else ''}")


def _dress(axis: Any, name: str) -> None:
    axis.set_yscale("log", nonpositive="mask")
    axis.set_ylabel(name, fontsize=8, parse_math=False)
    axis.legend(fontsize=7)


def _positive(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.where((values > 0) & np.isfinite(values), values, np.nan)
