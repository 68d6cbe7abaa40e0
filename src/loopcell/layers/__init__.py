"""Networks over sequences: Recurrent for any cell, replacements of torch.nn's, State."""

from loopcell.layers.branches import branch
from loopcell.layers.drift import Drift
from loopcell.layers.initialisers import chrono_, forget_bias_, orthogonal_
from loopcell.layers.recording import Recording
from loopcell.layers.recurrent import Recurrent
from loopcell.layers.state import State
from loopcell.layers.stepper import Stepper
from loopcell.layers.streaming.pool import StreamPool
from loopcell.layers.streaming.state import StreamState
from loopcell.layers.streaming.stream import NetworkStream
from loopcell.layers.torch_compatible import GRU, LSTM, RNN

__all__ = [
    "Drift",
    "GRU",
    "LSTM",
    "RNN",
    "NetworkStream",
    "Recording",
    "Recurrent",
    "State",
    "Stepper",
    "StreamPool",
    "StreamState",
    "branch",
    "chrono_",
    "forget_bias_",
    "orthogonal_",
]
