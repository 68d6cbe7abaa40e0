"""What is to be seen on a device beside figures: estimators, precision, checkpoints, no waiting, two processes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

import loopcell
from benchmarks.gpu.networks import JOBS, custom, plan, sequence
from benchmarks.gpu.session import Row, Session, relative_error
from benchmarks.gpu.two_processes import ROWS, gradients

FIGURE = "by hand"
CELLS = ("lstm", "gru", "lstm_layer_norm", "gru_keeps_before", "min_gru")


@contextmanager
def _waiting_is_an_error(session: Session) -> Iterator[None]:
    if session.dry:
        yield
        return
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def no_synchronisation(session: Session) -> Iterator[Row]:
    """Yield whether a call makes the host wait for the device, with lengths and with resets, forward and backward."""
    T, B, H = session.small(32), session.small(16), session.small(96)
    x = sequence(session, T, B, H, torch.float32)
    lengths = torch.arange(B, device=session.device) % T + 1
    reset = torch.arange(T * B, device=session.device).view(T, B) % 7 == 0
    for name in CELLS:
        net = custom(name, H, session)
        for what, how in (("", {}), ("lengths", {"lengths": lengths}), ("resets", {"reset": reset})):
            for job, ready in JOBS.items():
                call, case = ready(net, x, **how), f"no synchronisation: {name} {what} {job}"
                call()
                session.wait()
                try:
                    with _waiting_is_an_error(session):
                        call()
                except RuntimeError as error:
                    yield Row(FIGURE, case, holds=False, note=str(error).splitlines()[0][:200])
                else:
                    yield Row(FIGURE, case, holds=None if session.dry else True, note=plan(net))


def checkpoints(session: Session) -> Iterator[Row]:
    """Yield whether weights and states keep every bit on their way from the device through a file and back."""
    net = custom("lstm", session.small(96), session)
    x = sequence(session, 5, 3, session.small(96), torch.float32)
    with torch.no_grad():
        y, state = net(x)
        expected = net(x, state)[0]
    held = sum(tensor.numel() * tensor.element_size() for _, tensor in state.items())
    yield Row(FIGURE, "a state of 3 rows, LSTM", held, unit="bytes", note=f"on {next(iter(state.values())).device}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "all.safetensors"
        save_file({**net.state_dict(), **{f"state.{name}": tensor.contiguous() for name, tensor in state.items()}}, path)
        there = load_file(path, device="cpu")
    weights = {name: tensor for name, tensor in there.items() if not name.startswith("state.")}
    same = all(torch.equal(tensor.cpu(), there[name]) for name, tensor in net.state_dict().items())
    again = custom("lstm", session.small(96), session)
    again.load_state_dict(weights)
    back = loopcell.State(**{name: there[f"state.{name}"].to(session.device) for name, _ in state.items()})
    with torch.no_grad():
        same = same and torch.equal(again(x)[0], y) and torch.equal(again(x, back)[0], expected)
    yield Row(FIGURE, "weights and states through a file, bit for bit", holds=same)


def mixed_precision(session: Session) -> Iterator[Row]:
    """Yield how far autocast is from float32, forward and in the gradients, which stay float32."""
    T, B, H = session.small(64), session.small(16), session.small(128)
    x = sequence(session, T, B, H, torch.float32)
    for name in CELLS:
        net = custom(name, H, session)
        expected = JOBS["training"](net, x)()
        for dtype in (torch.bfloat16, torch.float16)[: 1 if session.dry else None]:
            with torch.autocast(session.device.type, dtype):
                found = JOBS["training"](net, x)()
            error = max(relative_error(*both) for both in zip(found, expected, strict=True))
            kept = all(gradient.dtype == torch.float32 for gradient in found)
            case = f"autocast {str(dtype).removeprefix('torch.')}: {name}"
            holds = None if session.dry else kept and error <= 0.1
            yield Row(FIGURE, case, error, bar="<= 0.1", holds=holds, unit="largest error", note=plan(net))


def estimators(session: Session) -> Iterator[Row]:
    """Yield how far an estimator that was trained on the device is from one that was trained on the CPU."""
    try:
        made = _estimators()
    except ImportError as missing:
        yield Row(FIGURE, "estimators", note=f"absent: {missing}")
        return
    for name, fit in made.items():
        if session.left() <= 0:
            return
        answers = [fit(device) for device in ("cpu", session.device.type)]
        error = float(np.abs(answers[1] - answers[0]).max() / max(1.0, np.abs(answers[0]).max()))
        yield Row(FIGURE, f"trained on both: {name}", error, bar="<= 0.02", holds=error <= 0.02, unit="largest difference")


def _estimators() -> dict[str, Callable[[str], Any]]:
    """Return for each estimator what trains it on a device and gives its answers as numbers."""
    import lightning_fabric  # noqa: F401 - what training needs, asked for before anything is trained
    from pydantic import BaseModel  # noqa: F401

    from loopcell.tasks import Forecaster, SequenceClassifier, SequenceRegressor, SequenceTagger
    from tests.tasks.small import QUICK, parities, waves, words

    settings = {**QUICK, "epochs": 2, "dropout": 0.0}

    def of(kind: Any, data: Any, answers: str) -> Callable[[str], Any]:
        def fit(device: str) -> Any:
            X, y = data()
            found = getattr(kind(**{**settings, "device": device}).fit(X, y), answers)(X)
            return np.concatenate([np.ravel(np.asarray(part, dtype=float)) for part in found])

        return fit

    def forecast(device: str) -> Any:
        series = np.sin(np.arange(200) / 5).astype(np.float32)
        wanted = {name: value for name, value in settings.items() if name != "embedding_size"}
        model = Forecaster(**{**wanted, "device": device}, history=20, horizon=5).fit(series)
        return np.asarray(model.predict(series), dtype=float)

    return {
        "SequenceClassifier": of(SequenceClassifier, words, "predict_proba"),
        "SequenceRegressor": of(SequenceRegressor, waves, "predict"),
        "SequenceTagger": of(SequenceTagger, parities, "predict_proba"),
        "Forecaster": forecast,
    }


def two_processes(session: Session) -> Iterator[Row]:
    """Yield whether two processes on one card, half of the rows each, have the gradients of one with all rows."""
    expected = gradients(session.device, slice(0, ROWS))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gradients.safetensors"
        words = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
        words += ["-m", "benchmarks.gpu.two_processes", session.device.type, str(path)]
        limit = max(1.0, min(120.0, session.left()))
        try:
            done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            yield Row(FIGURE, "two processes, gloo", note=f"not done within {limit:.0f} s")
            return
        if done.returncode:
            yield Row(FIGURE, "two processes, gloo", holds=False, note="".join(done.stderr.strip().splitlines()[-1:])[:300])
            return
        found = load_file(path)
    error = max(relative_error(found[name], gradient.cpu()) for name, gradient in expected.items())
    yield Row(FIGURE, "two processes, gloo", error, bar="<= 1e-4", holds=error <= 1e-4, unit="largest error")
