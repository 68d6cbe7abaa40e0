"""GRUs for irregular times and missing values: what was known fades with the time since it was seen."""

from loopcell.equations import cell, exp, relu, sigmoid, tanh, where


@cell
def gru_decay(x, dt, /, h, *, W, U, b, d, G):
    """GRU whose state fades between observations: exp(-relu(G dt + b)) of it is left after a time dt.

    dt is one number a step: the time since the step before, in a unit in which gaps are about 1. The decay is that of
    the hidden state in Che et al.: Recurrent Neural Networks for Multivariate Time Series with Missing Values, 2018
    (arXiv 1606.01865), with one time for all features; what follows it is the cell gru.
    """
    gamma = exp(-relu(G.h * dt + b.h))  # what is left of the state, unit by unit
    past = gamma * h
    r = sigmoid(W.r @ x + U.r @ past + b.r)
    z = sigmoid(W.z @ x + U.z @ past + b.z)
    n = tanh(W.n @ x + b.n + r * (U.n @ past + d.n))
    h = (1 - z) * n + z * past
    return h


@cell
def gru_d(x, mask, dt, /, h, x_last: "input", *, W, U, V, b, G):  # noqa: PLR0913 - as the paper has them
    """GRU-D for features that are missing at some steps: a missing one fades from its last value to the mean, 0.

    Che, Purushotham, Cho, Sontag, Liu: Recurrent Neural Networks for Multivariate Time Series with Missing Values, 2018
    (arXiv 1606.01865), "GRU-D: Model with trainable decays". For every feature, mask is 1 where x was observed and 0
    where it is missing, and dt is the time since its last observation before this step. Features are on a scale on
    which their mean is 0. What stands in x where it is missing is not read, NaN included.
    """
    gamma_x = exp(-relu(G.x * dt + b.x))  # a weight a feature, as in the paper
    gamma_h = exp(-relu(G.h @ dt + b.h))
    x_hat = where(mask > 0, x, gamma_x * x_last)
    past = gamma_h * h
    r = sigmoid(W.r @ x_hat + U.r @ past + V.r @ mask + b.r)
    z = sigmoid(W.z @ x_hat + U.z @ past + V.z @ mask + b.z)
    n = tanh(W.n @ x_hat + U.n @ (r * past) + V.n @ mask + b.n)
    h = (1 - z) * past + z * n
    x_last = where(mask > 0, x, x_last)
    return h, x_last
