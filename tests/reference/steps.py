"""The independent steps by the name of the cell that each is the truth of."""

from tests.reference import decays, elman, grus, lstms

STEPS = {
    step.__name__: step
    for step in (
        elman.rnn,
        elman.rnn_relu,
        elman.indrnn,
        lstms.lstm,
        lstms.lstm_peephole,
        lstms.lstm_coupled,
        lstms.lstm_projected,
        lstms.lstm_layer_norm,
        lstms.min_lstm,
        lstms.sru,
        grus.gru,
        grus.gru_keeps_before,
        grus.gru_lets_before,
        grus.gru_lets_after,
        grus.gru_layer_norm,
        grus.mgu,
        grus.light_gru,
        grus.min_gru,
        grus.ugrnn,
        decays.gru_decay,
        decays.gru_d,
        decays.lstm_time_aware,
    )
}
