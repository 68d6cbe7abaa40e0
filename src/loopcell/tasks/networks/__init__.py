"""The networks of the estimators: a reader of sequences, and what stands on top of it."""

from loopcell.tasks.networks.aligned import Aligned
from loopcell.tasks.networks.crf import LinearChainCRF
from loopcell.tasks.networks.many_to_one import ManyToOne
from loopcell.tasks.networks.reader import SequenceReader
from loopcell.tasks.networks.shrinkage import kept_shares
from loopcell.tasks.networks.temperature import fitted_temperature

__all__ = ["Aligned", "LinearChainCRF", "ManyToOne", "SequenceReader", "fitted_temperature", "kept_shares"]
