"""The projects that loopcell's classes are put into: what is installed for each, and what its program does."""

from __future__ import annotations

from typing import NamedTuple


class Client(NamedTuple):
    """One project.

    Attributes:
        package: its distribution, whose version stands in the results.
        requirements: what pip installs, beside PyTorch and what loopcell itself needs.
        what: what the program does.
        tolerance: how far numbers may lie apart, relative to the largest of their list. Both sides compute in float32
            and sum in another order, and training carries that on.
    """

    package: str
    requirements: tuple[str, ...]
    what: str
    tolerance: float = 1e-4


CLIENTS = {
    "skorch": Client("skorch", ("skorch",), "NeuralNetClassifier trains a two-layer GRU: losses, probabilities"),
    "sb3-contrib": Client(
        "sb3-contrib", ("sb3-contrib",), "RecurrentPPO learns CartPole: losses, values, weights after it"
    ),
    "torchrl": Client("torchrl", ("torchrl",), "LSTMModule, GRUModule, step by step and over sequences with resets"),
    "darts": Client("darts", ("darts[torch]",), "RNNModel and BlockRNNModel are trained: their forecasts"),
    "pytorch-forecasting": Client(
        "pytorch-forecasting", ("pytorch-forecasting",), "RecurrentNetwork, DeepAR, TFT are trained: forecasts, weights"
    ),
    "neuralhydrology": Client("neuralhydrology", ("neuralhydrology",), "CudaLSTM and GRU are trained: losses, outputs"),
    "flair": Client("flair", ("flair",), "SequenceTagger with a CRF, language model: losses; document embeddings"),
    "stanza": Client("stanza", ("stanza",), "character model, highway LSTM and PackedLSTM are trained: losses, scores"),
    "speechbrain": Client(
        "speechbrain", ("speechbrain",), "RNN, LSTM, GRU over rows of different lengths, CRDNN: losses"
    ),
    "pytorch-crf": Client("pytorch-crf", ("pytorch-crf",), "a bidirectional LSTM under a CRF: losses and decoded tags"),
    "captum": Client("captum", ("captum",), "six kinds of attributions of an LSTM's answer"),
    "pyro": Client("pyro-ppl", ("pyro-ppl",), "a deep Markov model with a GRU and an RNN as guide: losses of SVI"),
}
