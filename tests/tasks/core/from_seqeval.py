"""Write from_seqeval.json: tags, and the entities and the F1 that seqeval finds in them.

    pip install seqeval==1.2.2
    python tests/tasks/core/from_seqeval.py

seqeval is no dependency of the tests: it comes as source only, whose build asks for tools of its own, so it would have
to be built in isolation on every machine that runs them. Its answers do not change.
"""

from __future__ import annotations

import json
import random
from importlib.metadata import version
from pathlib import Path

from seqeval.metrics import f1_score
from seqeval.metrics.sequence_labeling import get_entities

TAGS = ("O", "O", *(f"{place}-{kind}" for place in "BIES" for kind in ("PER", "LOC")))
CASES = 60


def case(draw: random.Random) -> dict[str, object]:
    """Up to 4 sequences of up to 12 drawn tags, and others for the same steps; there are entities on both sides."""
    lengths = [draw.randint(1, 12) for _ in range(draw.randint(1, 4))]
    true, given = ([[draw.choice(TAGS) for _ in range(length)] for length in lengths] for _ in range(2))
    given = [  # half of the steps are right, or F1 would be near 0
        [a if draw.random() < 0.5 else b for a, b in zip(one, other, strict=True)]
        for one, other in zip(true, given, strict=True)
    ]
    if not get_entities(true) or not get_entities(given):  # seqeval's F1 is 0 there, with a warning
        return case(draw)
    return {
        "true": [" ".join(tags) for tags in true],
        "given": [" ".join(tags) for tags in given],
        "entities": [" ".join(f"{a}:{b + 1}:{kind}" for kind, a, b in get_entities(tags)) for tags in true],
        "f1": float(f1_score(true, given)),
    }


def main() -> None:
    """Draw the cases and write them."""
    draw = random.Random(1)
    lines = ",\n".join(json.dumps(case(draw)) for _ in range(CASES))
    text = f'{{"seqeval": "{version("seqeval")}", "cases": [\n{lines}\n]}}\n'
    Path(__file__).with_suffix(".json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
