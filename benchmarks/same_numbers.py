"""Hold two versions of loopcell against each other, bit for bit: what a redesign must not change.

    PYTHONPATH=OLD/src python -m benchmarks.same_numbers record old.json
    python -m benchmarks.same_numbers record new.json
    python -m benchmarks.same_numbers compare old.json new.json

Recorded is the SHA-256 of the raw bytes of: outputs, final states and every gradient of every cell of the library on
both back ends in the forms that a caller can ask for; the drop-ins with their parameters' gradients; predictions of
small estimators trained from fixed seeds; and the losses of a language model. One thread, so that sums have one order.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

import loopcell
from benchmarks.machine import machine
from loopcell import GRU, LSTM, RNN, Recurrent, cells

FORMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "bidirectional": {"bidirectional": True},
    "two layers, dropout": {"num_layers": 2, "dropout": 0.3},
    "batch first": {"batch_first": True},
}
CALLS = ("plain", "state", "lengths", "reset")
STEPS, ROWS, INPUTS, UNITS = 7, 5, 4, 6


def digest(*tensors: Any) -> str:
    """Hash the bytes of tensors and arrays, with their shapes and dtypes."""
    total = hashlib.sha256()
    for tensor in tensors:
        array = tensor.detach().cpu() if isinstance(tensor, torch.Tensor) else torch.from_numpy(np.array(tensor))
        total.update(f"{tuple(array.shape)} {array.dtype}".encode())
        total.update(array.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if array.numel() else b"")
    return total.hexdigest()[:20]


def cells_of_the_grid() -> Iterator[tuple[str, str]]:
    """Hash every cell in every form of a network and of a call, on both back ends, in fp32 and fp64."""
    for name in cells.names():
        sizes = {"proj": 3} if name == "lstm_projected" else None
        for dtype in (torch.float32, torch.float64):
            for form, settings in FORMS.items():
                torch.manual_seed(1)
                net = Recurrent(cells.get(name), INPUTS, UNITS, sizes=sizes, dtype=dtype, **settings)
                for backend in ("auto", "reference"):
                    for call in CALLS:
                        with loopcell.backend(backend):
                            yield f"{name}, {dtype}, {form}, {backend}, {call}", _called(net, call, dtype)


def _called(net: Any, call: str, dtype: torch.dtype) -> str:
    torch.manual_seed(2)
    shape = (ROWS, STEPS, INPUTS) if net.batch_first else (STEPS, ROWS, INPUTS)
    x = torch.randn(shape, dtype=dtype, requires_grad=True)
    options: dict[str, Any] = {}
    if call == "state":
        _, state = net(x.detach())
        options["state"] = state
    if call == "lengths":
        options["lengths"] = torch.tensor([7, 0, 3, 7, 1])
    if call == "reset":
        reset = torch.zeros(STEPS, ROWS, dtype=torch.bool)
        reset[3, 1] = reset[0, 2] = reset[6, 4] = True
        options["reset"] = reset.t() if net.batch_first else reset
    net.zero_grad()
    torch.manual_seed(3)
    y, new = net(x, **options)
    states = [new[name] for name in new]
    (y.square().sum() + sum(state.sum() for state in states)).backward()
    return digest(y, *states, x.grad, *(parameter.grad for parameter in net.parameters()))


def drop_ins() -> Iterator[tuple[str, str]]:
    """Hash the networks that stand in for torch.nn's, in training, in evaluation, packed and step by step."""
    for kind in (RNN, LSTM, GRU):
        for settings in (
            {},
            {"num_layers": 2, "bidirectional": True, "dropout": 0.2},
            {"batch_first": True, "bias": False},
        ):
            torch.manual_seed(4)
            net = kind(INPUTS, UNITS, **settings)
            x = torch.randn(ROWS, STEPS, INPUTS) if settings.get("batch_first") else torch.randn(STEPS, ROWS, INPUTS)
            for mode in ("train", "eval", "packed"):
                net.train(mode != "eval").zero_grad()
                torch.manual_seed(5)
                if mode == "packed":
                    given: Any = torch.nn.utils.rnn.pack_padded_sequence(
                        x, [7, 7, 4, 2, 1], batch_first=bool(settings.get("batch_first"))
                    )
                    y, state = net(given)
                    y = y.data
                else:
                    y, state = net(x)
                states = state if isinstance(state, tuple) else (state,)
                y.sum().backward()
                gradients = [parameter.grad for parameter in net.parameters()]
                yield f"{kind.__name__} {settings} {mode}", digest(y, *states, *gradients)
            if not settings.get("bidirectional") and not settings.get("batch_first"):
                stepper = net.eval().stepper(batch_size=ROWS)
                yield f"{kind.__name__} {settings} steps", digest(*(stepper.step(row).clone() for row in x))


def estimators() -> Iterator[tuple[str, str]]:
    """Hash what small estimators say that are trained from fixed seeds."""
    drawn = np.random.default_rng(0)
    waves = [drawn.normal(size=(int(n), 2)) for n in drawn.integers(5, 12, 40)]
    labels = [int(wave[:, 0].sum() > 0) for wave in waves]
    quick: dict[str, Any] = {"hidden_size": 8, "epochs": 2, "random_state": 0, "device": "cpu"}
    classifier = loopcell.SequenceClassifier(**quick, cell="gru").fit(waves, labels)
    yield "SequenceClassifier", digest(classifier.predict_proba(waves), classifier.score(waves, labels))
    regressor = loopcell.SequenceRegressor(**quick).fit(waves, [float(wave.sum()) for wave in waves])
    yield "SequenceRegressor", digest(np.asarray(regressor.predict(waves)))
    tagger = loopcell.SequenceTagger(**quick, crf=True).fit(waves, [[int(x > 0) for x in wave[:, 0]] for wave in waves])
    yield "SequenceTagger", digest(*map(np.asarray, tagger.predict(waves)))
    words = ["ab", "abc", "cab", "ba", "bca", "c"] * 8
    seq2seq = loopcell.Seq2Seq(**quick, beam=3).fit(words, [word[::-1] for word in words])
    yield "Seq2Seq", digest(*(found[0].log_probability for found in seq2seq.candidates(words[:6])))
    series = {"value": np.round(100 + 5 * np.sin(np.arange(120) / 3), 3)}
    forecaster = loopcell.Forecaster(target=("value",), history=12, horizon=4, **{**quick, "epochs": 3}).fit(series)
    (forecast,) = forecaster.predict(series)
    yield "Forecaster", digest(forecast.mean, forecast.quantiles)
    detector = loopcell.AnomalyDetector(target=("value",), **quick).fit(series)
    yield "AnomalyDetector", digest(*map(np.asarray, detector.score_samples(series)))
    with tempfile.TemporaryDirectory() as folder:
        for name, model in (("classifier", classifier), ("forecaster", forecaster)):
            path = Path(folder) / f"{name}.safetensors"
            model.save(path)
            again = loopcell.load_model(path)
            said = again.predict_proba(waves) if name == "classifier" else again.predict(series)[0].mean
            yield f"{name}, saved and loaded", digest(said)


def earlier_models() -> Iterator[tuple[str, str]]:
    """Hash the weights of the models that an earlier version saved, as they are read today."""
    for path in sorted(Path("tests").rglob("earlier/*.safetensors")):
        network = loopcell.load_model(path).network_
        yield f"earlier {path.stem}", digest(*network.state_dict().values())


PARTS = {"cells": cells_of_the_grid, "drop-ins": drop_ins, "estimators": estimators, "earlier models": earlier_models}


def record(only: list[str] | None = None) -> dict[str, str]:
    """Return the hash of every case, or of those of some parts."""
    torch.set_num_threads(1)
    return {f"{part}: {name}": found for part in only or PARTS for name, found in PARTS[part]()}


def compare(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """Name the cases that differ, and those that only one of the two has."""
    return [
        f"{name}: {'differs' if name in old and name in new else 'only in one of them'}"
        for name in sorted(old | new)
        if old.get(name) != new.get(name)
    ]


def main() -> int:
    """Record or compare, as the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    recording = verbs.add_parser("record", help="hash every number and write the hashes")
    recording.add_argument("file", type=Path)
    recording.add_argument("--only", nargs="*", choices=PARTS)
    comparing = verbs.add_parser("compare", help="name what differs")
    comparing.add_argument("files", type=Path, nargs=2)
    asked = parser.parse_args()
    if asked.verb == "record":
        hashes = record(asked.only)
        asked.file.write_text(json.dumps({"machine": machine(), "hashes": hashes}, indent=1) + "\n", encoding="utf-8")
        print(f"{len(hashes):,} cases")
        return 0
    old, new = (json.loads(path.read_text(encoding="utf-8"))["hashes"] for path in asked.files)
    found = compare(old, new)
    print("\n".join(found) or f"{len(old):,} cases, all the same")
    return bool(found)


if __name__ == "__main__":
    raise SystemExit(main())
