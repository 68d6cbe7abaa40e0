import pytest
import torch
from captum.attr import IntegratedGradients
from torch import nn

import loopcell
from loopcell.errors import InputError
from loopcell.insight import attribute


class Classifier(nn.Module):
    def __init__(self, recurrent):
        super().__init__()
        self.recurrent = recurrent
        self.head = nn.Linear(recurrent.hidden_size, 4)

    def forward(self, x):
        return self.head(self.recurrent(x)[0][-1])


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Classifier(loopcell.LSTM(3, 8, num_layers=2)).double().eval()


X = torch.randn(6, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(5))


def test_integrated_gradients_explain_the_whole_answer_in_evaluation(model):
    found = attribute(model, X, target=2, steps=200)
    assert found.values.shape == X.shape
    torch.testing.assert_close(found.answer, model(X)[:, 2].detach())
    assert found.gap.abs().max() < 1e-5
    torch.testing.assert_close(found.by_step.sum(0), found.answer - found.base, atol=1e-5, rtol=0)


def test_captum_gives_the_same_numbers_on_our_modules_in_evaluation(model):
    batch_first = lambda x: model(x.transpose(0, 1))  # noqa: E731 - captum takes the rows from the first axis
    expected = IntegratedGradients(batch_first).attribute(
        X.transpose(0, 1), target=2, n_steps=64, method="riemann_middle"
    )
    found = attribute(model, X, target=2, steps=64)
    torch.testing.assert_close(found.values, expected.transpose(0, 1), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("dtype", "share"), [(torch.bfloat16, 2e-3), (torch.float16, 2e-4)])
def test_the_sum_over_points_loses_nothing_in_half_precision(dtype, share):
    torch.manual_seed(0)
    half = loopcell.LSTM(3, 8).to(dtype)
    full = loopcell.LSTM(3, 8)
    full.load_state_dict({name: weight.float() for name, weight in half.state_dict().items()})
    x = torch.randn(10, 4, 3).to(dtype)
    found, expected = attribute(half, x), attribute(full, x.float())
    assert found.values.dtype == found.answer.dtype == torch.float32
    assert (found.values - expected.values).abs().max() < share * expected.values.abs().max()


def test_gradient_times_input_is_what_it_says(model):
    x = X.clone().requires_grad_()
    model(x)[:, 1].sum().backward()
    found = attribute(model, X, target=torch.tensor([1, 1]), method="gradient_x_input")
    torch.testing.assert_close(found.values, x.grad * X)
    assert found.gap is None


def test_occlusion_is_the_loss_of_each_step(model):
    found = attribute(model, X, target=0, method="occlusion", baseline=0.5)
    without = X.clone()
    without[4] = 0.5
    torch.testing.assert_close(found.by_step[4], (model(X) - model(without))[:, 0].detach())


def test_a_recurrent_layer_by_itself_with_a_function_and_batch_first():
    net = loopcell.GRU(3, 5, batch_first=True)
    x = torch.randn(2, 7, 3)
    found = attribute(net, x, lambda y: y[:, -1, 0], batch_axis=0, steps=50)
    assert found.gap.abs().max() < 1e-3
    assert attribute(net, x, batch_axis=0).answer.shape == (2,)


def test_what_does_not_fit_is_one_sentence(model):
    with pytest.raises(InputError, match="one number a row"):
        attribute(model, X)
    with pytest.raises(InputError, match="of their embedding"):
        attribute(model, torch.zeros(3, 2, dtype=torch.int64))
    with pytest.raises(InputError, match="a method is"):
        attribute(model, X, target=0, method="guess")
    with pytest.raises(InputError, match="does not depend on the input"):
        attribute(lambda x: torch.ones(2), X)


def test_the_gap_is_a_row_each_where_there_are_as_many_steps_as_rows(model):
    square = torch.randn(4, 4, 3, dtype=torch.float64)
    assert attribute(model, square, target=1).gap.abs().max() < 1e-4
    batch_first = lambda x: model(x.transpose(0, 1))  # noqa: E731
    assert attribute(batch_first, square, target=1, batch_axis=0).gap.abs().max() < 1e-4


@pytest.mark.parametrize("target", [4, -1, 1.5, True, torch.tensor([0, 1, 2]), torch.tensor([0, 9]), "a"])
def test_a_target_that_is_no_column_is_one_sentence(model, target):
    with pytest.raises(InputError, match="a column from 0 to 3, or 2 of them, one a row"):
        attribute(model, X, target=target)


def test_an_input_without_steps_and_a_baseline_of_another_shape(model):
    with pytest.raises(InputError, match="has no step"):
        attribute(model, X[:0], target=0)
    with pytest.raises(InputError, match=r"a baseline of \[5\] is no input"):
        attribute(model, X, target=0, baseline=torch.zeros(5))
