"""A recurrent language model: the next token from all that came before it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from loopcell.data.text.kinds import vocabulary_from_json
from loopcell.data.text.vocabulary import Vocabulary
from loopcell.equations import Cell
from loopcell.errors import FileFormatError, LoopcellError, UsageError
from loopcell.files.tensors import FileKind, TensorFile, read_tensor_file, write_tensor_file
from loopcell.layers import Recurrent, State
from loopcell.tasks.config import LanguageModelConfig

MODEL = FileKind("loopcell", 1, "loopcell model")
TASK = "language-model"

# The dtypes that a model can be kept in: one for all of its weights.
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
MOST_TOKENS = 2**53  # counted in training; also what a float64 can tell apart

# What building something from a hostile file may raise: sizes that overflow, names that are no Python, ...
HOSTILE = (
    LoopcellError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


class LanguageModel(nn.Module):
    """Embedding, recurrent layers and a linear head over the vocabulary of V tokens.

    Args:
        cell: the equations of the recurrent layers.
        vocabulary: what a token is.
        config: the sizes.

    Attributes:
        token_counts: int64 [V], how often training saw each token; zeros when nobody counted.

    Raises:
        UsageError: `tied` with an output of another length than the embedding.
    """

    token_counts: Tensor

    def __init__(self, cell: Cell, vocabulary: Vocabulary, config: LanguageModelConfig | None = None) -> None:
        super().__init__()
        self.cell, self.vocabulary, self.config = cell, vocabulary, config or LanguageModelConfig()
        size = self.config.embedding_size or self.config.hidden_size
        self.embedding = nn.Embedding(len(vocabulary), size)
        self.dropout = nn.Dropout(self.config.dropout)
        self.recurrent = Recurrent(
            cell,
            input_size=size,
            hidden_size=self.config.hidden_size,
            num_layers=self.config.num_layers,
            dropout=self.config.dropout,
            sizes=self.config.sizes,
        )
        self.head = nn.Linear(self.recurrent.output_size, len(vocabulary))
        if self.config.tied:
            if self.recurrent.output_size != size:
                lengths = f"{self.recurrent.output_size} and {size}"
                raise UsageError(f"a tied head needs an output as long as the embedding, got {lengths}")
            del self.head.weight
        self.register_buffer("token_counts", torch.zeros(len(vocabulary), dtype=torch.int64))

    def forward(self, tokens: Tensor, state: State | None = None, reset: Tensor | None = None) -> tuple[Tensor, State]:
        """Score the next token after each token.

        Args:
            tokens: int64 [T, B].
            state: the state before the first token; None for a fresh one.
            reset: bool [T, B], true where a new document begins.

        Returns:
            Logits [T, B, V] and the state after the last token.
        """
        inputs = self.dropout(self.embedding(tokens))
        outputs, state = self.recurrent(inputs, state, reset=reset)
        weight = self.embedding.weight if self.config.tied else self.head.weight
        return functional.linear(self.dropout(outputs), weight, self.head.bias), state

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embedding.weight.device

    def save(self, path: str | Path) -> None:
        """Write one self-contained file: weights, equations, vocabulary and sizes.

        Raises:
            FileWriteError: the disk is full, or the folder cannot be written.
        """
        facts = {
            "task": TASK,
            "config": self.config.model_dump(),
            "vocabulary": self.vocabulary.to_json(),
            "cell": json.loads(self.cell.to_json()),
        }
        write_tensor_file(Path(path), MODEL, TensorFile(dict(self.state_dict()), facts))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote, on any machine; the file is checked and runs no code.

        Raises:
            FileFormatError: the file is missing, truncated, foreign, damaged or of a newer format.
        """
        content = read_tensor_file(Path(path), MODEL)
        if content.facts.get("task") != TASK:
            raise FileFormatError(f"{path} holds the model of another task: {content.facts.get('task')!r}")
        try:
            # Without memory until the file's tensors turn out to be the ones that its sizes call for.
            with torch.device("meta"):
                model = cls(*_parts(content.facts))
        except HOSTILE as error:
            raise FileFormatError(f"{path} is damaged: {_first_line(error)}") from error
        _check_tensors(path, content.tensors, model.state_dict())
        _check_values(path, content.tensors)
        model.load_state_dict(content.tensors, assign=True)
        return model.eval()


def _parts(facts: dict[str, Any]) -> tuple[Cell, Vocabulary, LanguageModelConfig]:
    vocabulary = vocabulary_from_json(facts["vocabulary"])
    config = LanguageModelConfig.model_validate(facts["config"])
    return Cell.from_json(json.dumps(facts["cell"])), vocabulary, config


def _check_tensors(path: str | Path, found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Refuse a file whose tensors are not those that its sizes call for."""
    for name in sorted(expected.keys() ^ found.keys()):
        fault = "lacks the tensor" if name in expected else "has a tensor that does not belong to it:"
        raise FileFormatError(f"{path} is damaged: it {fault} {name[:80]}")
    for name, tensor in expected.items():
        same_kind = found[name].dtype in (DTYPES if tensor.is_floating_point() else (tensor.dtype,))
        if tensor.shape != found[name].shape or not same_kind:
            raise FileFormatError(
                f"{path} is damaged: the tensor {name} should be of shape {list(tensor.shape)} "
                f"and is {found[name].dtype} of shape {list(found[name].shape)}"
            )


def _check_values(path: str | Path, found: dict[str, Tensor]) -> None:
    """Refuse weights of several dtypes, and counts that nobody can have counted."""
    kept = sorted({str(tensor.dtype) for name, tensor in found.items() if name != "token_counts"})
    if len(kept) > 1:
        raise FileFormatError(f"{path} is damaged: its weights are of several dtypes, {', '.join(kept)}")
    counts = found["token_counts"]
    if int(counts.min()) < 0 or float(counts.double().sum()) > MOST_TOKENS:
        raise FileFormatError(f"{path} is damaged: its token counts are not those of a text")


def _first_line(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it has no {str(error.args[0])[:80]!r}"
    return str(error).partition("\n")[0] or type(error).__name__
