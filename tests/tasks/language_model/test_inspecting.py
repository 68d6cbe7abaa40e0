import numpy as np
import pytest

import loopcell
from loopcell.errors import InputError


def test_a_language_models_loss_is_that_of_the_last_token():
    model = loopcell.LanguageModel(hidden_size=8, num_layers=1, updates=2, batch_size=2, chunk=8, random_state=1)
    model.fit("the cat sat on the mat. " * 40)
    flow = model.gradient_flow("the cat")
    expected = -np.log(model.predict_proba("the ca")[0][model.vocabulary_.encode("t")[0]])
    assert flow.loss == pytest.approx(expected, rel=1e-5)
    assert list(flow.steps) == list("the ca")
    with pytest.raises(InputError, match="fewer than two tokens"):
        model.gradient_flow("t")
    with pytest.raises(InputError, match="not a list"):
        model.gradient_flow(["the cat"])
