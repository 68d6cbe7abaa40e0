"""Train the two small models of the documentation's live pages: `python -m benchmarks.live_models english | korean`.

Writes `docs/live/NAME.safetensors` and, into `docs/live/models.json`, where its text comes from and its score on the
held-out end of that text. One thread of a laptop takes a quarter of an hour for each.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.character_models import write_text
from loopcell import LanguageModel

FOLDER = Path(__file__).parents[1] / "docs" / "live"
USUAL = {"num_layers": 1, "hidden_size": 120, "embedding_size": 32, "batch_size": 32, "chunk": 96, "random_state": 1}


@dataclass(frozen=True)
class LiveModel:
    """A small model, and where its text comes from.

    Attributes:
        text: a text of `benchmarks.character_models`.
        source: of the text, with its licence, by language.
        first: what the page shows before the reader types.
        settings: of the `LanguageModel`.
    """

    text: str
    source: Mapping[str, str]
    first: str
    settings: Mapping[str, Any]


MODELS = {
    "english": LiveModel(
        text="shakespeare",
        source={
            "en": "tinyshakespeare (Shakespeare's plays, in the public domain; github.com/karpathy/char-rnn)",
            "ko": "tinyshakespeare(셰익스피어의 희곡, 퍼블릭 도메인; github.com/karpathy/char-rnn)",
        },
        first="KING RICHARD:\nWhat say you to my suit? shall it be granted?\n\nGLOUCESTER:\nMy lord, ",
        settings={**USUAL, "cell": "lstm", "tokens": "char", "learning_rate": 6e-3, "epochs": 20},
    ),
    "korean": LiveModel(
        text="nsmc",
        source={
            "en": "40,000 film reviews of the Naver Sentiment Movie Corpus (CC0; github.com/e9t/nsmc)",
            "ko": "네이버 영화 평 말뭉치의 평 40,000개(CC0; github.com/e9t/nsmc)",
        },
        first="이 영화는 정말 재미있게 봤습니다. 배우들의 연기도 좋고 ",
        settings={**USUAL, "cell": "gru", "tokens": "jamo", "vocabulary_size": 200, "learning_rate": 6e-3, "epochs": 9},
    ),
}


def train(name: str) -> dict[str, Any]:
    """Train a model, save it, and return what the page tells of it."""
    plan = MODELS[name]
    with tempfile.TemporaryDirectory() as scratch:
        model = LanguageModel(**plan.settings, progress=True).fit(write_text(plan.text, Path(scratch)))
    FOLDER.mkdir(exist_ok=True)
    model.save(FOLDER / f"{name}.safetensors")
    if model.held_out_ is None:
        raise SystemExit("nothing was held out")
    return {
        "command": f"python -m benchmarks.live_models {name}",
        "source": dict(plan.source),
        "first": plan.first,
        "parameters": sum(parameter.numel() for parameter in model.network_.parameters()),
        "bits_per_character": round(model.held_out_.model["bits/char"], 3),
    }


def main(name: str) -> None:
    """Train a model and add its facts to `models.json`."""
    found = train(name)
    path = FOLDER / "models.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    text = json.dumps(dict(sorted({**known, name: found}.items())), ensure_ascii=False, indent=2)
    path.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:] not in [[name] for name in MODELS]:
        raise SystemExit(f"name one of {', '.join(MODELS)}")
    main(sys.argv[1])
