"""Time-aware long short-term memory."""

import math

from loopcell.equations import cell, log, sigmoid, tanh


@cell
def lstm_time_aware(x, dt, /, h, c, *, W, U, b):
    """Time-aware LSTM: the short-term part of the cell state shrinks with the time since the step before.

    Baytas, Xiao, Zhang, Wang, Jain, Zhou: Patient Subtyping via Time-Aware LSTM Networks, 2017 (KDD), section 3.1,
    with the discount 1 / log(e + dt) that the paper has for long elapsed times. dt is one number a step, from 0 on.
    """
    short = tanh(U.d @ c + b.d)  # the short-term part
    past = c - short + short / log(dt + math.e)  # the long-term part stays
    i = sigmoid(W.i @ x + U.i @ h + b.i)
    f = sigmoid(W.f @ x + U.f @ h + b.f)
    g = tanh(W.g @ x + U.g @ h + b.g)
    o = sigmoid(W.o @ x + U.o @ h + b.o)
    c = f * past + i * g
    h = o * tanh(c)
    return h, c
