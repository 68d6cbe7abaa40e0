"""ONNX Runtime's WebAssembly in Chromium, called as the documentation calls it: the same numbers as the native one."""

import numpy as np
import pytest

from benchmarks.onnx_web import WebRuntime
from loopcell.export import OnnxFile, OnnxStream, step_model_of
from loopcell.export.onnx.write import onnx_model
from tests.export.onnx.models import network_of, sequences_of
from tests.export.onnx.test_forms import whole_inputs, whole_model

FORMS = ("step", "sequence")


@pytest.fixture(scope="module")
def web(browser, modules):
    """A page of its own; what it complains of is looked at when all is done."""
    context = browser.new_context()
    runtime = WebRuntime(context.new_page())
    yield runtime
    context.close()
    assert runtime.complaints == []


def both(web, model, form, inputs, cuts):
    content = onnx_model(model, form).SerializeToString()
    native = OnnxStream(OnnxFile(content, form)).feed(**inputs)
    return native, web.feed(content, inputs, cuts)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["rnn", "lstm", "lstm_coupled", "gru", "gru_lets_before", "ugrnn", "gru_layer_norm"])
def test_a_browser_computes_what_the_native_runtime_does(web, name, form):
    model = step_model_of(network_of(name))
    native, browser = both(web, model, form, sequences_of(model, 9), [0, 1, 4, 9])
    assert np.allclose(native["layer2"], browser["layer2"], atol=5e-5)
    assert np.abs(browser["layer2"]).max() > 0.01


@pytest.mark.parametrize("form", FORMS)
def test_tokens_and_softmax(web, form):
    native, browser = both(web, whole_model(), form, whole_inputs(6), [0, 2, 6])
    for name, value in native.items():
        assert np.allclose(value, browser[name], atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["rnn_relu", "lstm", "gru"])
def test_nan_and_no_step(web, name, form):
    model = step_model_of(network_of(name))
    inputs = sequences_of(model, 5)
    inputs["x"][2, 1] = np.nan
    native, browser = both(web, model, form, inputs, [0, 1, 1, 5] if form == "sequence" else [0, 5])
    assert np.array_equal(np.isnan(native["layer2"]), np.isnan(browser["layer2"]))
    assert np.isnan(browser["layer2"]).any(1).tolist() == [False, False, True, True, True]
