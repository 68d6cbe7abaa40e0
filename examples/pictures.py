"""Draw the pictures of the how-to pages: a fan chart, anomalies, attention, and the page of a decoder.

    python examples/pictures.py FOLDER

writes fan-chart.svg, anomalies.svg, attention.svg and dates.html. The series are the toys of those pages; the model
whose attention is drawn writes dates in another form ("7 May 2024" to "2024-05-07"). It takes about a minute, and needs
matplotlib (`pip install "loopcell[pictures]"`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from loopcell import AnomalyDetector, Forecaster, Seq2Seq
from loopcell.insight.plots import save_figure

SMALL = {"random_state": 1, "hidden_size": 16, "dropout": 0.0, "batch_size": 8, "learning_rate": 1e-2, "warmup": 5}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def fan_chart(path: Path, epochs: int) -> None:
    """Forecast the last day and a half of a load, and draw it over what came."""
    hours, drawn = np.arange(600), np.random.default_rng(0)
    load = 50 + 0.02 * hours + 5 * np.sin(2 * np.pi * hours / 8) + drawn.normal(0, 1, 600)
    table = {"time": np.datetime64("2024-01-01", "h") + hours, "load": load}
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    settings = SMALL | {"horizon": 24, "history": 24, "season": 8, "quantiles": levels, "epochs": epochs}
    model = Forecaster(time="time", target="load", **settings)
    model.fit({name: column[:500] for name, column in table.items()})
    (found,) = model.backtest(table, start=500)
    save_figure(found[0].plot().figure, path)


def anomalies(path: Path, epochs: int) -> None:
    """Hold a rhythm still for five steps, at a value that is nothing special, and draw what is found."""
    steps, drawn = np.arange(900), np.random.default_rng(0)
    level = 20 + 5 * np.sin(2 * np.pi * steps / 8) + drawn.normal(0, 0.3, 900)
    level[700:705] = level[699]
    settings = SMALL | {"history": 16, "validation_fraction": 0.3, "alarm_rate": 0.01, "epochs": epochs}
    model = AnomalyDetector(**settings).fit(level[:600])
    save_figure(model.plot(level[600:])[0].figure, path)


def dates(picture: Path, page: Path, epochs: int) -> None:
    """Learn to write dates in another form, and draw where the decoder looks."""
    days = np.datetime64("2000-01-01") + np.random.default_rng(0).integers(0, 10_000, 2000)
    written = [str(day) for day in days]
    spoken = [f"{int(day[8:])} {MONTHS[int(day[5:7]) - 1]} {day[:4]}" for day in written]
    settings = {"cell": "gru", "hidden_size": 64, "embedding_size": 32, "learning_rate": 1e-2, "random_state": 1}
    model = Seq2Seq(**settings, epochs=epochs).fit(spoken, written)
    save_figure(model.attention_map("7 May 2024").plot().figure, picture)
    model.inspect("7 May 2024").save(page)


def main() -> None:
    """Draw all of them into a folder."""
    parser = argparse.ArgumentParser(description="The pictures of the how-to pages.")
    parser.add_argument("folder", type=Path, help="where to write them")
    parser.add_argument("--epochs", type=int, help="of each training, for a quick look")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    fan_chart(asked.folder / "fan-chart.svg", asked.epochs or 30)
    anomalies(asked.folder / "anomalies.svg", asked.epochs or 40)
    dates(asked.folder / "attention.svg", asked.folder / "dates.html", asked.epochs or 12)


if __name__ == "__main__":
    main()
