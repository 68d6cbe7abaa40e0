"""Looking into encoders and decoders: what was read, what was written, and where attention was."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from loopcell import Captioner, Seq2Seq
from loopcell.errors import InputError
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK, reversals

__all__ = ["one_thread"]

SMALL = {**QUICK, "hidden_size": 16, "patience": None, "epochs": 6, "beam": 3}


@pytest.fixture(scope="module")
def model():
    return Seq2Seq(**SMALL).fit(*reversals(150))


def test_both_halves_have_their_own_steps_and_the_answer_is_that_of_beam_search(model):
    seen, (best, *_) = model.inspect("abcd"), model.candidates(["abcd"])[0]
    assert list(seen.parts) == ["encoder", "decoder"]
    assert list(seen.steps) == list("abcd")
    decoder = seen.parts["decoder"]
    assert list(decoder.steps) == [*best.text, "■"]
    assert seen.answer[0].label == best.text
    assert seen.answer[0].probability == pytest.approx(math.exp(best.log_probability))
    # The probabilities of the tokens and of the end are together that of the answer.
    assert np.log(decoder.traces["probability"]).sum() == pytest.approx(best.log_probability, abs=1e-4)
    for step, row, share in zip(decoder.steps, decoder.predictions, decoder.traces["probability"], strict=True):
        assert dict(row).get(step, share) == share
        assert [probability for _, probability in row] == sorted((p for _, p in row), reverse=True)


def test_the_values_are_those_of_a_decoder_that_writes_token_by_token(model):
    seen = model.inspect("bca").parts["decoder"]
    network, (_, batch) = model.network_, next(iter(model._batches(model._unlabelled(["bca"]))))
    tokens = [network.decoder.boundary, *model.target_.numbers([model.predict(["bca"])[0]])[0][:-1].tolist()]
    with torch.no_grad():
        encoded = network.encode(batch.inputs, batch.lengths)
        for step, token in enumerate(tokens):
            _, encoded = network.decoder.step(torch.tensor([token]), encoded)
            np.testing.assert_allclose(seen["h"][0][step], encoded.state.h[0, 0].numpy(), atol=1e-5)


def test_attention_is_that_of_the_map(model):
    found, expected = model.inspect("dcb").parts["decoder"].attention, model.attention_map("dcb")
    assert (found.source, found.target) == (expected.source, expected.target) == (list("dcb"), expected.target)
    np.testing.assert_array_equal(found.weights, expected.weights)
    plain = Seq2Seq(**{**SMALL, "epochs": 1}, attention="none").fit(*reversals(20)).inspect("ab")
    assert plain.parts["decoder"].attention is None


def test_an_empty_input_has_nothing_to_look_at(model):
    with pytest.raises(InputError, match="has no step"):
        model.inspect("")


def test_every_form_holds_both_halves_and_attention(model, tmp_path):
    pytest.importorskip("pyarrow")
    seen = model.inspect("abc")
    decoder = seen.parts["decoder"]
    for ending in (".npz", ".svg", ".html"):
        seen.save(tmp_path / f"seen{ending}")
    with np.load(tmp_path / "seen.npz") as arrays:
        assert arrays["decoder/steps"].tolist() == list(decoder.steps)
        np.testing.assert_array_equal(arrays["decoder/attention"], decoder.attention.weights)
        assert arrays["decoder/attention/source"].tolist() == list("abc")
        np.testing.assert_array_equal(arrays["decoder.recurrent, layer 0/h"], decoder["h"][0])
        np.testing.assert_array_equal(arrays["decoder/trace/probability"], decoder.traces["probability"])
    rows = seen.to_table().to_pylist()
    weights = [row["value"] for row in rows if row["layer"] == "attention"]
    np.testing.assert_allclose(np.reshape(weights, decoder.attention.weights.shape), decoder.attention.weights)
    assert {"recurrent, layer 0, forward", "decoder.recurrent, layer 0"} < {row["layer"] for row in rows}
    picture = (tmp_path / "seen.svg").read_text(encoding="utf-8")
    assert all(f"<!-- {name} -->" in picture for name in ("attention", "■"))
    assert seen.window(1).parts["decoder"] is decoder
    assert decoder.window(0, 2).attention.target == list(decoder.steps)[:2]


def test_an_image_is_looked_at_in_places_and_a_vector_in_none():
    drawn = np.random.default_rng(0)
    images = list(drawn.random((30, 12, 20)).astype(np.float32))
    texts = ["ab" if image.mean() > 0.5 else "b" for image in images]
    small = {**SMALL, "epochs": 1, "channels": 4, "max_length": 4, "attention": "general"}
    seen = Captioner(**small).fit(images, texts).inspect(images[0])
    assert seen.part == "decoder"
    assert seen.attention.source == [f"{row},{column}" for row in range(3) for column in range(5)]
    assert seen.attention.weights.sum(1) == pytest.approx(np.ones(len(seen.steps)))
    assert any("row,column" in note for note in seen.notes)
    seen = Captioner(**small).fit(list(drawn.random((30, 3))), texts).inspect(drawn.random(3))
    assert seen.attention is None
    assert seen.answer[0].probability <= 1
