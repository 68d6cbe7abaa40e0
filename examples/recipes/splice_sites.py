"""Splice sites: 60 nucleotides around a border of exon and intron (EI), of intron and exon (IE), or around neither (N).

Ten folds with equal shares of the three; each segment is scored by the model that did not see it. The border, if there
is one, is in the middle, so a token is a nucleotide with its place: G at the 31st is another token than G at the 5th.
With nucleotides alone a network has to learn to count to 30 first. A step reads the two tokens before it as well.
"""

from __future__ import annotations

from recipe import Known, Result, main

from loopcell import ScoreTable, SequenceClassifier
from loopcell.data import fetch, read, stratified_folds

SETTINGS = {
    "random_state": 1,
    "cell": "gru",
    "hidden_size": 32,
    "embedding_size": 16,
    "ngrams": 3,
    "bidirectional": True,
    "pooling": "mean",
    "dropout": 0.5,
    "epochs": 20,
    "batch_size": 64,
    "learning_rate": 5e-3,
    "warmup": 100,
    "patience": 5,
}
KNOWN = Known(
    "error 5.3% of N, 5.7% of EI, 10.8% of IE (backpropagation), 4.6%, 7.6%, 8.5% (KBANN); 10 folds of 1,000 examples",
    "notes of the data set, UCI Machine Learning Repository, 1992",
)


def run(small: bool) -> Result:
    """Train and score ten times (twice on a tenth of the data, where small), and put the folds together."""
    labels, sequences = read(fetch("dna-splice")["splice.data"]).load("column_1", "column_3")
    every = 10 if small else 1
    X = [[f"{letter}{place}" for place, letter in enumerate(text.strip(), 1)] for text in list(sequences)[::every]]
    y = list(labels)[::every]
    settings = {**SETTINGS, "hidden_size": 16, "epochs": 2} if small else SETTINGS
    tables = []
    for training, test in stratified_folds(y, 2 if small else 10):
        learned = [X[i] for i in training], [y[i] for i in training]
        model = SequenceClassifier(**settings).fit(*learned)
        tables.append(model.evaluate([X[i] for i in test], [y[i] for i in test], training=learned))
        print(f"fold {len(tables)}: accuracy {tables[-1].model['accuracy']:.4f}", flush=True)
    table = mean(tables, f"{len(X):,} sequences in {len(tables)} folds")
    lowest = min(fold.model["accuracy"] for fold in tables)
    return Result({**table.model, "lowest fold": lowest}, table, settings, {"examples": len(X), "folds": len(tables)})


def mean(tables: list[ScoreTable], data: str) -> ScoreTable:
    """Return the mean of each figure over folds."""
    rows = {
        name: {metric: sum(table.rows[name][metric] for table in tables) / len(tables) for metric in row}
        for name, row in tables[0].rows.items()
    }
    return ScoreTable(data, rows)


if __name__ == "__main__":
    main(run, KNOWN)
