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
    "skorch": Client("skorch", ("skorch",), "NeuralNetClassifier trains a two-layer GRU: losses of every pass, probabilities"),
    "sb3-contrib": Client("sb3-contrib", ("sb3-contrib",), "RecurrentPPO learns CartPole: actions' values and losses"),
    "torchrl": Client("torchrl", ("torchrl",), "LSTMModule and GRUModule in a rollout and over a sequence with resets"),
    "darts": Client("darts", ("darts[torch]",), "RNNModel, BlockRNNModel: losses and forecasts"),
    "pytorch-forecasting": Client(
        "pytorch-forecasting", ("pytorch-forecasting",), "RecurrentNetwork, DeepAR, TFT: losses and forecasts"
    ),
    "neuralhydrology": Client("neuralhydrology", ("neuralhydrology",), "CudaLSTM and EA-LSTM beside it: outputs, gradients"),
    "flair": Client("flair", ("flair",), "SequenceTagger with a CRF: losses while it trains"),
    "stanza": Client("stanza", ("stanza",), "the part-of-speech tagger's PackedLSTM and highway LSTM: outputs, gradients"),
    "speechbrain": Client("speechbrain", ("speechbrain",), "LSTM, GRU, RNN, CRDNN: outputs and gradients with lengths"),
    "pytorch-crf": Client("pytorch-crf", ("pytorch-crf",), "a bidirectional LSTM under a CRF: losses and decoded tags"),
    "captum": Client("captum", ("captum",), "Integrated Gradients, Saliency, DeepLift of an LSTM: attributions"),
    "pyro": Client("pyro-ppl", ("pyro-ppl",), "a deep Markov model with a GRU guide: losses of stochastic variational inference"),
}
