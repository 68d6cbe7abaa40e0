"""The arguments of the estimators that write a sequence. No torch here: flags are fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PositiveInt

from loopcell.tasks.core.config import Probability
from loopcell.tasks.core.settings import NetworkSettings, TrainingSettings

AttentionName = Literal["none", "dot", "general", "additive"]
WIDEST_BEAM = 1000
LARGEST_PENALTY = 1000.0  # beyond any use: the longest answer is the best one long before
Share = Annotated[float, Field(ge=0.0, le=1.0)]


@dataclass(kw_only=True, repr=False, eq=False)
class WritingSettings(NetworkSettings, TrainingSettings):
    """The arguments of every estimator with a decoder, beside the network and its training.

    Args:
        attention: what the decoder looks at: "none" for the context vector alone, or all that the encoder gave, with
            the scores of Luong et al. ("dot", "general") or of Bahdanau et al. ("additive").
        tied: the head reuses the embedding's matrix: that of the decoder (Press and Wolf, 2017).
        label_smoothing: the share of a target's probability that all tokens have together, in training.
        teacher_forcing: how many of the tokens that the decoder reads in training are the target's own at its end; it
            falls from 1 along a line, and the others are what the decoder would have written.
        beam: beginnings that go on at each step while writing, the greedy one among them; 1 is the greedy way.
        length_penalty: the exponent of Wu et al.'s penalty; 0 favours short answers, 1 compares means, more long ones.
        ngram_block: no sequence of so many tokens comes twice in an answer; 0 for no such rule.
        min_length: the fewest tokens of an answer; fewer only where none may follow.
        max_length: the most tokens of an answer; None for half as many again as the longest in training, and ten.
    """

    attention: AttentionName = "general"
    tied: bool = True
    label_smoothing: Probability = 0.1
    teacher_forcing: Share = 1.0
    beam: Annotated[int, Field(ge=1, le=WIDEST_BEAM)] = 5
    length_penalty: Annotated[float, Field(ge=0.0, le=LARGEST_PENALTY, allow_inf_nan=False)] = 1.0
    ngram_block: Annotated[int, Field(ge=0)] = 0
    min_length: Annotated[int, Field(ge=0)] = 0
    max_length: PositiveInt | None = None


@dataclass(kw_only=True, repr=False, eq=False)
class Seq2SeqSettings(WritingSettings):
    """The arguments of a `Seq2Seq` beside the above.

    Args:
        bidirectional: read both ways: the encoder does, each with a hidden state of `hidden_size`.
        target_tokens: what one step of a target text is; None for the same as `tokens`.
        target_vocabulary_size: the most tokens of the targets' vocabulary; None for the same as `vocabulary_size`.
    """

    pairs_of_texts: ClassVar[bool] = True

    bidirectional: bool = True
    target_tokens: str | None = None
    target_vocabulary_size: PositiveInt | None = None


@dataclass(kw_only=True, repr=False, eq=False)
class ChatSettings(Seq2SeqSettings):
    """The arguments of a `Chat` beside the above.

    Args:
        history: how many turns of a conversation the encoder reads, the newest last.
    """

    history: PositiveInt = 1


@dataclass(kw_only=True, repr=False, eq=False)
class CaptionerSettings(WritingSettings):
    """The arguments of a `Captioner` beside `WritingSettings`.

    Args:
        attention: what the decoder looks at: "none" for the vector alone, or "general" or "additive" over the places of
            an image.
        channels: of the first layer of the convolution that reads an image.
        encoder: a torch.nn.Module of yours from images [B, C, H, W] (or vectors [B, D]) to vectors [B, V], in place of
            the convolution. It is not in the model file: `Captioner.load(path, encoder=...)` takes it again.
    """

    attention: AttentionName = "none"
    channels: Annotated[int, Field(ge=1, le=4096)] = 16
    encoder: Any = None
