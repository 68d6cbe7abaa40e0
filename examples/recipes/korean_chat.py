"""Korean small talk: 11,823 questions and answers of daily life and love, a tenth of them held out.

Questions that are the same to the letter are on one side of the split only. Nobody can foresee an answer to the letter,
so what counts is the perplexity of the held-out answers, and how many of the words that are written are different. The
likeliest answer is the safest one and fits many questions; answers that are drawn differ more.
"""

from __future__ import annotations

import math

import numpy as np
from recipe import Models, Result, main

from loopcell import Chat, ScoreTable
from loopcell.data import fetch, read, split_groups
from loopcell.tasks import SamplingConfig
from loopcell.tasks.seq2seq.metrics import distinct

SETTINGS = {
    "random_state": 1,
    "cell": "gru",
    "hidden_size": 256,
    "embedding_size": 128,
    "tokens": "bpe",
    "vocabulary_size": 4000,
    "dropout": 0.4,
    "epochs": 30,
    "batch_size": 32,
    "patience": 3,
}
DRAWN = SamplingConfig(temperature=0.7)


def run(small: bool) -> Result:
    """Train on nine tenths; perplexity, distinct-1 and -2, and 20 sample turns of the rest."""
    questions, answers = read(fetch("chatbot-ko")["ChatbotData.csv"]).load("Q", "A")
    every = 40 if small else 1
    Q, A = list(questions)[::every], list(answers)[::every]
    training, test = split_groups(Q, 0.1, seed=0)
    learned, rest = (([Q[at] for at in part], [A[at] for at in part]) for part in (training, test))
    settings = {**SETTINGS, "hidden_size": 16, "vocabulary_size": 400, "epochs": 1} if small else SETTINGS
    model, _ = Models.fitted(Chat(**settings, progress=True), *learned)
    table = model.evaluate(*rest, training=learned)
    asked = rest[0][:: max(1, len(rest[0]) // 20)][:20]
    samples = [
        {
            "question": question,
            "likeliest": model.reply(question)[0].text,
            "drawn": [one.text for one in model.reply(question, 3, choice=DRAWN, seed=seed)],
        }
        for seed, question in enumerate(asked)
    ]
    likeliest = model.predict(rest[0])
    drawn = [str(found[0].text) for found in model.sample(rest[0], choice=DRAWN, seed=0)]
    pieces = model.target_.numbers(rest[1])
    letters = sum(map(len, rest[1]))
    bits = math.log2(table.model["perplexity"]) * len(pieces.values) / letters
    figures = {
        "perplexity": table.model["perplexity"],
        "bits per character": bits,
        "distinct-1": table.model["distinct-1"],
        "distinct-2": table.model["distinct-2"],
        "answers that differ": len(set(likeliest)) / len(likeliest),
        "distinct-1, drawn": distinct(drawn, 1),
        "distinct-2, drawn": distinct(drawn, 2),
        "answers that differ, drawn": len(set(drawn)) / len(drawn),
    }
    facts = {"samples": samples, "pairs": {"training": len(learned[0]), "test": len(rest[0])}}
    by_count = {"perplexity": by_count_alone(model.target_.numbers(learned[1]).values, pieces.values)}
    return Result(figures, ScoreTable(table.data, {**table.rows, "pieces by count": by_count}), settings, facts)


def by_count_alone(training: np.ndarray, test: np.ndarray) -> float:
    """Return perplexity of pieces predicted by how often each came in training, and once more."""
    counts = np.bincount(training, minlength=int(test.max()) + 1) + 1.0
    return float(np.exp(-np.log(counts / counts.sum())[test].mean()))


if __name__ == "__main__":
    main(run)
