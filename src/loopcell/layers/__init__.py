"""Networks over sequences: Recurrent for any cell, replacements of torch.nn's, State."""

from loopcell.layers.initialisers import chrono_, forget_bias_, orthogonal_
from loopcell.layers.recurrent import Recurrent
from loopcell.layers.state import State
from loopcell.layers.torch_compatible import GRU, LSTM, RNN

__all__ = ["GRU", "LSTM", "RNN", "Recurrent", "State", "chrono_", "forget_bias_", "orthogonal_"]
