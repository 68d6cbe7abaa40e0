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
        "loopcell predict runs/reviews new.csv --id text --output opinions.csv",
        "loopcell predict runs/loads - --state loads.state < loads.csv",
    ),
    "stream": (
        "loopcell stream runs/pump --state pump.state --format csv < pump.csv",
        "loopcell stream runs/sounds word.wav --output word.csv",
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
    "recipe ett": (
        "loopcell recipe ett --set ETTh1 --horizons 96,192,336,720",
        "loopcell recipe ett --horizons 96 --history 720 --seeds 1",
    ),
    "export": (
        "loopcell export runs/novel --to c --name writer --simd vectors --output writer-in-c",
        "loopcell export runs/machines --to onnx --form sequence --output machines.onnx",
    ),
    "tune classify": (
        "loopcell tune classify reviews.csv --input text --label opinion --search hidden_size=16,32 --trials 3",
        "loopcell tune classify X.npy y.npy --trials 2 --epochs 2 -o tuning.csv",
    ),
    "tune regress": (
        "loopcell tune regress machines.jsonl --input readings --label hours --search dropout=0..0.5 --trials 2",
        "loopcell tune regress boxes.csv --input width,height,depth --target weight --trials 2 --epochs 2",
    ),
    "tune tag": (
        "loopcell tune tag sentences.jsonl --input tokens --label tags --search cell=gru,lstm --trials 2",
        "loopcell tune tag steps.csv --by wearer --window 64 --input x,y,z --label freezing --trials 2 --epochs 2",
    ),
    "tune lm": (
        "loopcell tune lm novel.txt --search learning_rate=1e-3..1e-2 --trials 2 --epochs 1",
        "loopcell tune lm novel.txt --cell gru --search hidden_size=16,32 --trials 2 --epochs 1",
    ),
    "tune forecast": (
        "loopcell tune forecast loads.csv --time date --target load --horizon 14 --trials 2 --epochs 2",
        "loopcell tune forecast sales.csv --time date --series shop --target sold --search history=28,56 --trials 2",
    ),
    "compare recall": (
        "loopcell compare recall --distances 10,20,40,80 --cells rnn,gru,lstm --seeds 3 -o recall.html",
        "loopcell compare recall --distances 5 --cells gru,mine.py:leaky --budget parameters -o mine.csv",
    ),
    "compare adding": (
        "loopcell compare adding --distances 100,200 --cells rnn,lstm,min_gru -o adding.html",
        "loopcell compare adding --distances 50 --cells gru,lstm --no-long-memory -o adding.json",
    ),
    "compare copying": (
        "loopcell compare copying --distances 5,10 --cells gru,lstm -o copying.html",
        "loopcell compare copying --distances 5 --cells gru,lstm --hidden 64 --updates 4000 -o copying.csv",
    ),
    "compare classify": (
        "loopcell compare classify reviews.csv --input text --label opinion --cells rnn,lstm -o reviews.html",
        "loopcell compare classify X.npy y.npy --val Xval.npy yval.npy --cells gru,mine.py:leaky --seeds 2",
    ),
    "compare regress": (
        "loopcell compare regress machines.jsonl --input readings --label hours -o machines.html",
        "loopcell compare regress boxes.csv --input width,height,depth --target weight --seeds 2",
    ),
    "compare tag": (
        "loopcell compare tag sentences.jsonl --input tokens --label tags -o tags.html",
        "loopcell compare tag steps.csv --by wearer --window 64 --input x,y,z --label freezing --seeds 2",
    ),
    "compare lm": (
        "loopcell compare lm novel.txt --cells rnn,gru,lstm --budget parameters -o novel.html",
        "loopcell compare lm songs.txt poems.txt --cells gru,min_gru --tokens word --seeds 2",
    ),
    "compare forecast": (
        "loopcell compare forecast loads.csv --time date --target load --horizon 14 -o loads.html",
        "loopcell compare forecast sales.csv --time date --series shop --target sold --known holiday --seeds 2",
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
