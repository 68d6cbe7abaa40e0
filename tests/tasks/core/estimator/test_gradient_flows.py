import pytest

import loopcell


@pytest.fixture(scope="module")
def texts():
    return ["so good", "not good", "good", "bad"] * 8, ["+", "-", "+", "-"] * 8


def test_an_estimators_loss_is_its_own_where_the_target_is_known(texts):
    model = loopcell.SequenceClassifier(cell="gru", hidden_size=6, epochs=1, random_state=1).fit(*texts)
    known = model.gradient_flow("so good", "+", treatment="chrono")
    assert (known.loss_of, known.treatment, known.untreated.treatment) == ("training loss", "chrono", None)
    assert list(known.steps) == list("so good")
    felt = model.gradient_flow("so good")
    assert felt.loss_of == "last output"
    assert felt.untreated is None
    assert felt.loss != known.untreated.loss
