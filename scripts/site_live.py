"""The live pages of the site: small models that run in the reader's browser, made from the files of `docs/live`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from site_pages import ROOT

from loopcell import LanguageModel

MODELS = ROOT / "docs" / "live"
TITLES = {
    ("english", "en"): "A live LSTM that has read Shakespeare",
    ("english", "ko"): "셰익스피어를 읽은 LSTM",
    ("korean", "en"): "A live GRU that has read Korean film reviews, as jamo",
    ("korean", "ko"): "영화 평을 자모로 읽은 GRU",
}


def write_live(language: str, folder: Path) -> None:
    """Write the page of every model into `live/` below a folder."""
    (folder / "live").mkdir(parents=True, exist_ok=True)
    for name, facts in json.loads((MODELS / "models.json").read_text(encoding="utf-8")).items():
        model = LanguageModel.load(MODELS / f"{name}.safetensors")
        target = folder / "live" / f"{name}.html"
        model.live_page(target, text=facts["first"], title=TITLES[name, language], notes=[note(language, facts)])


def note(language: str, facts: dict[str, Any]) -> str:
    """Return what a reader has to know of a model: its size, its text, its score, and how it was made."""
    source, bits, made = facts["source"][language], facts["bits_per_character"], facts["command"]
    weights = f"{facts['parameters']:,}"
    if language == "ko":
        return f"가중치 {weights}개. 학습한 글: {source}. 떼어 둔 글에서 글자당 {bits}비트. 만든 명령: {made}"
    return f"{weights} weights, trained on {source}. On held-out text: {bits} bits a character. Made by {made}"
