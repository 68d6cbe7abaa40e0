"""verify: finds what is equal, and what is not: by the way of running, the output and the step."""

import numpy as np
import pytest

from loopcell.errors import CheckFailed, InputError
from loopcell.export import StepRun, step_model_of, verify
from tests.export.onnx.models import network_of, sequences_of

MODEL = step_model_of(network_of("gru"))
X = sequences_of(MODEL, 7)


class Fed(StepRun):
    """A run that takes chunks too, right or wrong."""

    forgets = False

    def feed(self, **inputs):
        if self.forgets:
            self.reset()
        return {"layer2": np.stack([self.step(x=row)["layer2"] for row in inputs["x"]])}


class Forgetful(Fed):
    """Whole sequences are right: between two calls the state is lost."""

    forgets = True


class Drifting(StepRun):
    """Right for five steps."""

    def step(self, **inputs):
        self.count = 0 if not any(value.any() for value in self.state.values()) else self.count + 1
        return {name: value + 0.01 * (self.count >= 5) for name, value in super().step(**inputs).items()}


def test_what_is_equal_passes_and_is_told():
    found = verify(MODEL, Fed(MODEL), X)
    assert found.steps == 7
    assert found.errors == {"stepped": 0, "whole": 0, "chunked": 0}
    assert verify(MODEL, StepRun(MODEL), X).errors == {"stepped": 0}
    assert found.summary().endswith("7 steps, the largest differences 0.0e+00 stepped, 0.0e+00 whole, 0.0e+00 chunked")


def test_a_state_lost_between_chunks_is_found():
    with pytest.raises(CheckFailed, match=r"chunked: the output 'layer2' is .* at step 2 of 7, and the model gives"):
        verify(MODEL, Forgetful(MODEL), X)


def test_a_drift_is_found_at_its_step():
    with pytest.raises(CheckFailed, match=r"stepped: the output 'layer2' is .* at step 6 of 7"):
        verify(MODEL, Drifting(MODEL), X)
    assert verify(MODEL, Drifting(MODEL), X, tolerance=0.1).errors["stepped"] == pytest.approx(0.01)


def test_the_answers_of_the_trained_model_are_compared_too():
    import torch

    net = network_of("gru")
    y = net(torch.from_numpy(X["x"])[:, None])[0][:, 0].detach()
    assert verify(MODEL, StepRun(MODEL), X, original={"layer2": y}).errors["original"] < 1e-6
    with pytest.raises(CheckFailed, match="original: the output 'layer2' is"):
        verify(MODEL, StepRun(MODEL), X, original={"layer2": -y})
    with pytest.raises(CheckFailed, match="original: the output 'layer2' has 0 numbers, and 35 were expected"):
        verify(MODEL, StepRun(MODEL), X, original={})


def test_nan_has_to_be_nan_in_both():
    spoilt = {"x": X["x"].copy()}
    spoilt["x"][3] = np.nan
    assert verify(MODEL, Fed(MODEL), spoilt).errors["whole"] == 0

    class Plausible(StepRun):
        def step(self, **inputs):
            return {name: np.nan_to_num(value) for name, value in super().step(**inputs).items()}

    with pytest.raises(CheckFailed, match="is 0 at step 4 of 7, and the model gives nan"):
        verify(MODEL, Plausible(MODEL), spoilt)


def test_sequences_that_do_not_fit():
    with pytest.raises(InputError, match=r"of equal length for x; got nothing"):
        verify(MODEL, StepRun(MODEL), {})
    with pytest.raises(InputError, match=r"of equal length for x; got x \[\]"):
        verify(MODEL, StepRun(MODEL), {"x": 3.0})
    with pytest.raises(InputError, match="a check needs at least one step"):
        verify(MODEL, StepRun(MODEL), {"x": np.zeros((0, 3))})
