import json
import re

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


def test_unknown_tokens_are_said(tmp_path):
    model = loopcell.LanguageModel(hidden_size=4, epochs=1, batch_size=2, chunk=8).fit("the cat sat on the mat.\n" * 20)
    assert model.unknown(["漢字x", "the cat", ""]) == 3
    assert model.inspect("the cat").notes == ()
    assert model.inspect("漢 cat").notes == ("1 token was never seen in training and read as unknown",)
    model.live_page(tmp_path / "live.html", text="漢字x", notes=["a small model"])
    found = re.search(r'id="facts">(.*?)</script>', (tmp_path / "live.html").read_text(encoding="utf-8"))
    said = "in the text that the page begins with, 3 tokens were never seen in training and read as unknown"
    assert json.loads(found.group(1))["notes"] == ["a small model", said]
    model.live_page(tmp_path / "live.html", text="the cat")
    assert said not in (tmp_path / "live.html").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="x is one text to look at, not a list"):
        model.unknown([["a"]])
