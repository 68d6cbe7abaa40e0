"""Two examples of each verb, at the end of its help. A test runs all of them, in this order."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, str]] = {
    "train lm": (
        "loopcell train lm novel.txt --cell gru --run runs/novel",
        "loopcell train lm songs.txt poems.txt --tokens bpe --vocab-size 300 --time-limit 30m",
    ),
    "train classify": (
        "loopcell train classify reviews.csv --input text --label opinion --run runs/reviews",
        "loopcell train classify X.npy y.npy --val Xval.npy yval.npy --bidirectional --pooling max",
    ),
    "train regress": (
        "loopcell train regress machines.jsonl --input readings --label hours --run runs/machines",
        "loopcell train regress boxes.csv --input width,height,depth --target weight --cell gru",
    ),
    "train tag": (
        "loopcell train tag sentences.jsonl --input tokens --label tags --crf --run runs/tags",
        "loopcell train tag steps.csv --by wearer --window 64 --input x,y,z --label freezing",
    ),
    "train translate": (
        "loopcell train translate german.txt english.txt --tokens word --run runs/german",
        "loopcell train translate pairs.tsv --input german --target english --cell gru",
    ),
    "train chat": (
        "loopcell train chat talk.csv --input said --target answer --run runs/talk",
        "loopcell train chat talk.csv --input said --target answer --turns 3 --tokens word",
    ),
    "train caption": (
        "loopcell train caption pictures.csv --input file --target caption --tokens word --run runs/pictures",
        "loopcell train caption pictures.csv --input file --target caption --attention additive --channels 8",
    ),
    "train forecast": (
        "loopcell train forecast loads.csv --time date --target load --horizon 14 --run runs/loads",
        "loopcell train forecast sales.csv --time date --series shop --target sold --known holiday",
    ),
    "train anomaly": (
        "loopcell train anomaly pump.csv --time date --target pressure --run runs/pump",
        "loopcell train anomaly pump.csv --time date --target pressure,heat --anomalies broken --alarm-rate 0.01",
    ),
    "train vectors": (
        "loopcell train vectors novel.txt --lower --run runs/words",
        "loopcell train vectors reviews.csv --input text --char-ngrams 3-6 --val more.csv",
    ),
    "sample": (
        "loopcell sample runs/novel --prime 'The sea '",
        "loopcell sample runs/novel --length 200 --temperature 0.7 --seed 1",
    ),
    "predict": (
        "loopcell predict runs/reviews new.csv --output opinions.jsonl",
        "loopcell predict runs/loads loads.csv",
    ),
    "eval": (
        "loopcell eval runs/reviews more.csv --train reviews.csv",
        "loopcell eval runs/loads loads.csv --start 2024-10-01",
    ),
    "translate": (
        "loopcell translate runs/german < german.txt",
        "loopcell translate runs/german --n-best 3 --beam 8 < german.txt",
    ),
    "chat": (
        "loopcell chat runs/talk",
        "loopcell chat runs/talk --temperature 0.7 --seed 1",
    ),
    "resume": (
        "loopcell resume runs/novel",
        "loopcell resume runs/reviews --epochs 40 --time-limit 2h",
    ),
    "cells": (
        "loopcell cells",
        "loopcell cells lstm gru --hidden 256",
    ),
    "explain": (
        "loopcell explain gru",
        "loopcell explain mine.py:leaky",
    ),
    "inspect": (
        "loopcell inspect runs/novel --text 'The sea ' --no-open",
        "loopcell inspect runs/reviews --output reviews.html --no-open",
    ),
}


def epilog(verb: str) -> str:
    """Return the end of a verb's help; the mark in front keeps its lines as they are."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in EXAMPLES[verb])])
