"""German to English: Multi30k, 29,000 captions of pictures, tested on the 1,000 of 2016; with and without attention.

Lower-cased and cut into words as the data set gives them, then into BPE pieces. BLEU is that of sacrebleu over these
words. The picture shows where the context vector becomes a bottleneck: BLEU by the length of the German sentence.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from recipe import ROOT, Known, Models, Result, main

from loopcell import ScoreTable, Seq2Seq
from loopcell.data import fetch, read
from loopcell.tasks.seq2seq.metrics import bleu

SETTINGS = {
    "random_state": 1,
    "cell": "gru",
    "hidden_size": 512,
    "embedding_size": 256,
    "tokens": "bpe",
    "vocabulary_size": 6000,
    "dropout": 0.4,
    "batch_size": 64,
    "epochs": 12,
    "learning_rate": 1e-3,
    "warmup": 400,
    "patience": 3,
    "precision": "bf16-mixed",  # products of bfloat16, sums and weights in fp32: 1.6 times as fast with AVX512-BF16
}
SMALL = {
    "precision": "32-true",
    "hidden_size": 16,
    "embedding_size": 16,
    "vocabulary_size": 500,
    "epochs": 1,
    "beam": 2,
    "max_length": 20,
}
LENGTHS = (0, 8, 10, 12, 14, 17, 100)  # words of a German sentence: the bounds of the picture's bars
KNOWN = Known(
    "BLEU 13.8 (plain Seq2Seq), 20.6 (GRU, context vector at each step), 28.3 (attention, 20.5 million weights)",
    "github.com/bentrevett/pytorch-seq2seq, notebooks 1 to 3: words of another tokeniser, written greedily",
)
PICTURES = ROOT / "benchmarks" / "results" / "recipes"


def run(small: bool) -> Result:
    """Train both models on the official training part, choose weights by the official validation part, and test."""
    files = fetch("multi30k")
    learned, held_out, test = (part(files, name, small) for name in ("train", "val", "test_2016_flickr"))
    settings = {**SETTINGS, **SMALL} if small else SETTINGS
    rows, written, facts = {}, {}, {}
    for name, attention in (("model", "general"), ("context vector alone", "none")):
        model = Seq2Seq(**settings, attention=attention, progress=True)
        model, seconds = Models.fitted(model, *learned, name=attention, validation=held_out)
        table = model.evaluate(*test, training=learned)
        rows[name], written[name] = dict(table.model), model.predict(test[0])
        weights = sum(parameter.numel() for parameter in model.network_.parameters())
        facts[name] = {"weights": weights, "seconds": round(seconds, 1)}
        if attention == "general" and not small:
            model.attention_map(test[0][0]).save(PICTURES / "german_english_attention.svg")
    rows |= {name: dict(table.rows[name]) for name in ("copy", "most frequent")}
    parts = {name: by_length(*test, text) for name, text in written.items()}
    if not small:
        draw(parts)
    samples = [
        {"German": x, "English": y, **{name: text[at] for name, text in written.items()}}
        for at, (x, y) in enumerate(zip(*test, strict=True))
        if at < 10
    ]
    facts = {"models": facts, "BLEU by source length": parts, "samples": samples, "pairs": len(learned[0])}
    about = f"{len(test[0]):,} sentences of the test of 2016"
    return Result(dict(rows["model"]), ScoreTable(about, rows), settings, facts)


def part(files: object, name: str, small: bool) -> tuple[list[str], list[str]]:
    """Read German and English sentences of one part."""
    every = {"train": 100, "val": 50, "test_2016_flickr": 50}[name] if small else 1
    german, english = (
        list(read(files[f"tok_{name}.lc.norm.tok.{language}"]).column("text"))[::every] for language in ("de", "en")
    )
    return german, english


def by_length(sources: list[str], true: list[str], given: list[str]) -> dict[str, float]:
    """Return the BLEU of the sentences whose sources have so many words."""
    lengths = np.array([len(source.split()) for source in sources])
    found = {}
    for low, high in pairwise(LENGTHS):
        chosen = np.flatnonzero((lengths >= low) & (lengths < high))
        label = f"{low}-{high - 1}" if high < LENGTHS[-1] else f"{low} and more"
        if len(chosen):
            found[label] = round(bleu([true[at] for at in chosen], [given[at] for at in chosen]), 2)
    return found


def draw(parts: dict[str, dict[str, float]]) -> None:
    """Write the picture: BLEU against the length of the source, with attention and without."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3.5))
    for shift, (name, found) in zip((-0.2, 0.2), parts.items(), strict=True):
        label = "attention" if name == "model" else name
        axes.bar(np.arange(len(found)) + shift, list(found.values()), 0.4, label=label)
    axes.set_xticks(range(len(found)), list(found))
    axes.set_xlabel("words of the German sentence")
    axes.set_ylabel("BLEU")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)  # above, so that no bar is hidden
    figure.tight_layout()
    figure.savefig(PICTURES / "german_english.png", dpi=150)
    plt.close(figure)


if __name__ == "__main__":
    main(run, KNOWN)
