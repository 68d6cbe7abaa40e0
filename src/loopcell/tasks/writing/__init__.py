"""What the estimators share that write a sequence: targets as tokens, the network around a decoder, the search."""

from loopcell.tasks.writing.attention_map import AttentionMap
from loopcell.tasks.writing.estimator import Candidate, WritingEstimator
from loopcell.tasks.writing.network import EncoderDecoder, Writer
from loopcell.tasks.writing.target import TargetText

__all__ = ["AttentionMap", "Candidate", "EncoderDecoder", "TargetText", "Writer", "WritingEstimator"]
