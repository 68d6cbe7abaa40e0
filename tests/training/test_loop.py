from __future__ import annotations

import math
import os
import signal
import threading

import pytest
import torch
from torch.nn import functional

from loopcell.errors import TrainingError
from loopcell.training import time_limit
from loopcell.training.evaluation import evaluate
from loopcell.training.run_folder import RunFolder
from loopcell.training.step import StepResult
from tests.training.toy import Diary, ToyChunks, ToyStep, config, make_step, make_trainer, same, weights


def run(path, settings, **work):
    trainer = make_trainer(path, settings, **work)
    return trainer, trainer.fit()


def test_the_same_seed_gives_the_same_weights(tmp_path):
    def trained(name, seed):
        return weights(run(tmp_path / name, config(seed=seed), step=make_step(dropout=0.5))[0])

    assert same(trained("a", 1), trained("b", 1))
    assert not same(trained("c", 2), trained("d", 1))  # other dropout


def test_training_learns_a_stream_that_can_be_learned(tmp_path):
    chunks = ToyChunks(64, 4, 8)
    chunks.tokens = (torch.arange(65)[:, None] + torch.arange(4)) % 5  # the next token is one more
    diary = Diary()
    settings = config(length={"epochs": 30}, optimization={"learning_rate": 0.03})
    run(tmp_path / "run", settings, chunks=chunks, observers=[diary])
    assert diary.reports[0].loss > 1.2
    assert diary.reports[-1].loss < 0.2


def test_clipping_limits_the_step_and_logs_the_norm_before(tmp_path):
    free, clipped = Diary(), Diary()
    run(tmp_path / "a", config(length={"updates": 1}), observers=[free])
    settings = config(length={"updates": 1}, optimization={"clip": 1e-3})
    trainer = make_trainer(tmp_path / "b", settings, observers=[clipped])
    norms = []

    def note(*_):
        gradients = [p.grad.flatten() for p in trainer._work.step.parameters()]
        norms.append(torch.linalg.vector_norm(torch.cat(gradients)).item())

    trainer._updater._raw_optimizer.register_step_pre_hook(note)
    trainer.fit()
    assert clipped.reports[0].gradient_norm == free.reports[0].gradient_norm > 0.01
    assert norms[0] == pytest.approx(1e-3, rel=1e-2)


def test_reports_say_where_the_run_is(tmp_path):
    diary = Diary()
    settings = config(
        length={"epochs": 2},
        intervals={"log_every": 3, "evaluate_every": 5},
        optimization={"schedule": "linear", "warmup": 0, "learning_rate": 1.0},
    )
    run(tmp_path / "run", settings, observers=[diary], validation=ToyChunks(16, 2, 8, seed=1))
    reports = diary.reports
    assert [r.update for r in reports] == list(range(1, 17))
    assert [r.epoch for r in reports] == [0] * 7 + [1] * 8 + [2]
    assert [r.predictions for r in reports] == [32 * u for u in range(1, 17)]
    assert [r.learning_rate for r in reports] == pytest.approx([1 - u / 16 for u in range(16)])
    assert [r.update for r in reports if r.validation_loss is not None] == [5, 8, 10, 15, 16]
    assert [r.update for r in reports if r.train_loss is not None] == [3, 5, 6, 8, 9, 10, 12, 15, 16]
    assert reports[4].train_loss == pytest.approx((reports[3].loss + reports[4].loss) / 2, abs=1e-12)


def test_evaluation_carries_the_state_and_changes_nothing():
    step, chunks = make_step(dropout=0.5).double(), ToyChunks(50, 3, 8, seed=2)
    step.train()
    before = torch.get_rng_state()
    found = evaluate(step, chunks)
    assert step.training
    assert torch.equal(torch.get_rng_state(), before)
    assert found.predictions == 150
    step.eval()
    with torch.no_grad():
        whole = step((chunks.tokens[:-1], chunks.tokens[1:]), step.initial_state(3))
        fresh = sum(step(chunks.chunk(i), step.initial_state(3)).loss_sum.item() for i in range(len(chunks)))
    assert found.loss_sum == pytest.approx(whole.loss_sum.item(), abs=1e-9)
    assert found.loss_sum != pytest.approx(fresh, abs=1e-3)  # without the carried state it is another number


class Scripted(ToyStep):
    """A toy whose held-out losses follow a script."""

    def __init__(self, losses):
        super().__init__()
        self.losses = iter(losses)

    def forward(self, chunk, state):
        result = super().forward(chunk, state)
        if self.training:
            return result
        return StepResult(torch.tensor(next(self.losses) * 1.0), 1, result.state)


def test_patience_and_the_best_model(tmp_path):
    exported, diary = [], Diary()
    settings = config(length={"epochs": 50, "patience": 2}, truncation={"k1": 64})
    _, outcome = run(
        tmp_path / "run",
        settings,
        step=Scripted([5, 4, 4.5, 3, 3, 3.5, 1]),
        validation=ToyChunks(8, 2, 8),
        export=lambda: exported.append(len(diary.reports)),
        observers=[diary],
    )
    assert outcome.reason == "patience"
    assert (outcome.position.best_loss, outcome.position.best_update, outcome.position.update) == (3.0, 4, 6)
    assert [r.best for r in diary.reports] == [True, True, False, True, False, False]
    assert exported == [0, 1, 2, 4]  # the model is there from the start


class Clock:
    """Time as the loop sees it, which passes only where a test says so."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(time_limit, "time", found)
    return found


class Slow(ToyStep):
    """A toy that takes its time, for a chunk in training and for one in validation."""

    def __init__(self, clock, training, validation=0.0):
        super().__init__()
        self.clock, self.seconds = clock, {True: training, False: validation}

    def forward(self, chunk, state):
        self.clock.now += self.seconds[self.training]
        return super().forward(chunk, state)


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_a_time_limit_shortens_the_schedule(tmp_path, clock, schedule):
    diary = Diary()
    settings = config(
        length={"epochs": 10_000, "time_limit": 1.0},
        optimization={"schedule": schedule, "warmup": 3, "learning_rate": 1.0},
    )
    _, outcome = run(tmp_path / "run", settings, step=Slow(clock, 0.01), observers=[diary])
    assert outcome.reason == "time limit"
    assert 98 <= outcome.position.update <= 100
    assert outcome.warm
    rates = [report.learning_rate for report in diary.reports]
    assert max(rates) == pytest.approx(1.0, abs=1e-3)
    assert rates[-1] < 0.05  # where 80,000 updates would have left it at 1
    half = rates[55]  # of the time after the first tenth
    assert half == pytest.approx(0.5, abs=0.03)
    top = rates.index(max(rates))
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_a_time_limit_that_is_not_reached_changes_nothing(tmp_path):
    diaries = []
    for limit in (None, 1000.0):
        diaries.append(Diary())
        settings = config(length={"epochs": 2, "time_limit": limit}, optimization={"schedule": "cosine", "warmup": 2})
        run(tmp_path / f"run-{limit}", settings, observers=[diaries[-1]])
    first, second = ([(r.loss, r.learning_rate) for r in diary.reports] for diary in diaries)
    assert first == second


def test_a_run_that_was_hastened_goes_on_where_it_would_have_been(tmp_path, clock):
    settings = config(length={"epochs": 10, "time_limit": 0.5}, optimization={"schedule": "linear", "warmup": 0})
    _, outcome = run(tmp_path / "run", settings, step=Slow(clock, 0.01))
    assert outcome.reason == "time limit"
    done, diary = outcome.position.update, Diary()
    longer = config(length={"epochs": 10, "time_limit": 1000.0}, optimization={"schedule": "linear", "warmup": 0})
    again = make_trainer(tmp_path / "run", longer, observers=[diary])
    again.resume()
    again.fit()
    rates = [report.learning_rate for report in diary.reports]
    assert rates == pytest.approx([0.01 * (1 - u / 80) for u in range(done, 80)])


def test_the_evaluation_at_the_end_is_within_the_time(tmp_path, clock):
    settings = config(length={"epochs": 10_000, "time_limit": 1.5})
    step = Slow(clock, 0.01, validation=0.3)
    _, outcome = run(tmp_path / "run", settings, step=step, validation=ToyChunks(8, 2, 8))
    assert outcome.reason == "time limit"
    assert outcome.position.best_loss is not None
    assert clock.now - 100 <= 1.5 + 1e-9
    again = make_trainer(tmp_path / "run", settings, step=step)
    again.resume()
    assert again.fit().position.update == outcome.position.update  # nothing is left


def test_a_run_says_whether_it_ended_in_its_warm_up(tmp_path):
    settings = config(length={"epochs": 50, "patience": 2}, truncation={"k1": 64}, optimization={"warmup": 20})
    step, held_out = Scripted([5, 6, 7]), ToyChunks(8, 2, 8)
    assert not run(tmp_path / "short", settings, step=step, validation=held_out)[1].warm
    settings = config(length={"epochs": 50, "patience": 2}, truncation={"k1": 64}, optimization={"warmup": 2})
    assert run(tmp_path / "long", settings, step=Scripted([5, 6, 7]), validation=held_out)[1].warm


def test_a_model_that_was_never_trained_is_not_left(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    step = make_step()
    with torch.no_grad():
        step.head.bias.fill_(float("nan"))
    trainer = make_trainer(
        tmp_path / "run", config(), step=step, export=lambda: folder.model.write_text("a model", encoding="utf-8")
    )
    with pytest.raises(TrainingError) as caught:
        trainer.fit()
    assert str(caught.value) == (
        "at update 1 the loss became nan; no update has been made, so look at the data and the equations"
    )
    assert [path for path in (tmp_path / "run").rglob("*") if path.is_file()] == [folder.failure]
    assert folder.read_json(folder.failure) == {"update": 0, "message": str(caught.value)}


def test_a_time_limit_ends_a_run_with_an_evaluation(tmp_path):
    settings = config(length={"epochs": 10_000, "time_limit": 0.3})
    _, outcome = run(tmp_path / "run", settings, validation=ToyChunks(8, 2, 8))
    assert outcome.reason == "time limit"
    assert 0.3 <= outcome.position.seconds < 10
    assert outcome.position.best_loss is not None
    again = make_trainer(tmp_path / "run", settings)
    again.resume()
    assert again.fit().position.update == outcome.position.update  # no time is left


class Signalling(Diary):
    def observe(self, report):
        super().observe(report)
        if report.update == 3:
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_ends_a_run_after_an_update_with_a_checkpoint(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    settings = config(length={"updates": 20})
    trainer, outcome = run(tmp_path / "run", settings, observers=[Signalling()])
    assert (outcome.reason, outcome.position.update) == ("interrupted", 4)
    assert signal.getsignal(signal.SIGTERM) is before
    again = make_trainer(tmp_path / "run", settings)
    again.resume()
    assert again.position == outcome.position
    assert same(weights(again), weights(trainer))


def test_training_works_outside_of_the_main_thread(tmp_path):
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(run(tmp_path / "run", config())[1]))
    thread.start()
    thread.join()
    assert outcomes[0].reason == "complete"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(tmp_path, value):
    class Bad(ToyStep):
        calls = 0

        def forward(self, chunk, state):
            result = super().forward(chunk, state)
            self.calls += 1
            return result._replace(loss_sum=result.loss_sum * value) if self.calls == 6 else result

    settings = config(intervals={"save_every": 2})
    trainer = make_trainer(tmp_path / "run", settings, step=Bad())
    with pytest.raises(TrainingError) as caught:
        trainer.fit()
    assert str(caught.value) == (
        f"at update 6 the loss became {value}; try a lower learning rate or stronger clipping, and where the data "
        "are floats look for NaN among them; the last checkpoint stays"
    )
    again = make_trainer(tmp_path / "run", settings)
    again.resume()
    assert again.position.update == 4
    assert all(torch.isfinite(tensor).all() for tensor in weights(again).values())


def test_a_gradient_that_is_not_finite_stops_the_run_before_the_weights_change(tmp_path):
    class Explosive(torch.autograd.Function):
        @staticmethod
        def forward(context, value):
            return value.clone()

        @staticmethod
        def backward(context, gradient):
            return gradient * math.inf

    class Bad(ToyStep):
        def forward(self, chunk, state):
            result = super().forward(chunk, state)
            return result._replace(loss_sum=Explosive.apply(result.loss_sum))

    trainer = make_trainer(tmp_path / "run", config(), step=Bad())
    before = weights(trainer)
    with pytest.raises(TrainingError, match=r"at update 1 the gradient's norm became (nan|inf)"):
        trainer.fit()
    assert same(weights(trainer), before)


def test_nothing_to_train_on_is_said(tmp_path):
    with pytest.raises(TrainingError, match="nothing to train on"):
        make_trainer(tmp_path / "run", config(), chunks=ToyChunks(0, 4, 8))


class FloatStep(ToyStep):
    """The toy over floats [T, B, 4]: targets are made of their signs."""

    def forward(self, chunk, state):
        floats = chunk[0]
        outputs, state = self.gru(floats, state)
        loss = functional.cross_entropy(self.head(outputs).flatten(0, 1), chunk[1].flatten(), reduction="sum")
        return StepResult(loss, chunk[1].numel(), state)


class FloatChunks(ToyChunks):
    """Random floats with a NaN at one step of one lane."""

    def __init__(self, steps, batch_size, chunk, nan_at=None):
        super().__init__(steps, batch_size, chunk)
        self.floats = torch.randn(steps, batch_size, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
        if nan_at is not None:
            self.floats[nan_at, 1, 2] = math.nan

    def chunk(self, index):
        begin = index * self.chunk_steps
        return self.floats[begin : begin + self.chunk_steps], super().chunk(index)[1]


ADVICE = (
    "try a lower learning rate or stronger clipping, and where the data are floats look for NaN among them; "
    "the last checkpoint stays"
)


def test_a_nan_in_the_data_ends_the_run_at_its_update_and_before_the_weights(tmp_path):
    settings = config(intervals={"save_every": 1})
    trainer = make_trainer(tmp_path / "run", settings, step=FloatStep(), chunks=FloatChunks(64, 4, 8, nan_at=35))
    with pytest.raises(TrainingError) as caught:
        trainer.fit()
    assert str(caught.value) == f"at update 5 the loss became nan; {ADVICE}"  # step 35 is in the fifth 8 steps
    again = make_trainer(tmp_path / "run", settings, step=FloatStep(), chunks=FloatChunks(64, 4, 8))
    again.resume()
    assert again.position.update == 4
    assert same(weights(again), weights(trainer))
    folder = RunFolder(tmp_path / "run")
    assert folder.read_json(folder.failure) == {"update": 4, "message": str(caught.value)}
    again.fit()
    assert not folder.failure.exists()  # without the NaN it goes on


def test_a_nan_in_the_held_out_data_ends_the_run_and_is_not_the_best_loss(tmp_path):
    settings = config(intervals={"evaluate_every": 3, "save_every": 1})
    chunks, held_out = FloatChunks(64, 4, 8), FloatChunks(16, 2, 8, nan_at=9)
    trainer = make_trainer(tmp_path / "run", settings, step=FloatStep(), chunks=chunks, validation=held_out)
    with pytest.raises(TrainingError) as caught:
        trainer.fit()
    assert str(caught.value) == f"at update 3 the held-out loss became nan; {ADVICE}"
    again = make_trainer(tmp_path / "run", settings, step=FloatStep(), chunks=chunks)
    again.resume()
    assert (again.position.update, again.position.best_loss) == (2, None)
