"""One training of `more_than_memory`, in a process of its own; its last line is what it took, as JSON."""

from __future__ import annotations

import hashlib
import json
import re
import resource
import sys
import time
from pathlib import Path
from typing import Any

from loopcell import SequenceClassifier
from loopcell.tasks.core.from_files.config import FileExamples
from loopcell.tasks.core.from_files.examples import load_examples

COLUMNS: dict[str, dict[str, Any]] = {
    "rows": {"input": "values"},
    "units": {"input": "x0..x63", "by": "unit", "window": 64},
}
SETTINGS: dict[str, Any] = {
    "cell": "gru",
    "hidden_size": 4,
    "epochs": 1,
    "batch_size": 64,
    "summaries": False,
    "random_state": 1,
    "device": "cpu",
}


def learn(path: Path, layout: str) -> SequenceClassifier:
    """Train on a file as the shell does, and score what was held out."""
    loaded = load_examples(FileExamples(files=(path,), target="label", **COLUMNS[layout]))
    model = SequenceClassifier(**SETTINGS).fit(loaded.X, loaded.y)
    model.score_held_out(loaded.X, loaded.y)
    return model


def status(name: str) -> int:
    """Return a line of what Linux says of this process, in bytes."""
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    return 1024 * int(found[1])


def limit(margin: int) -> None:
    """Let the process take so much more than it ever took: address space (`ulimit -v`), and data of its own (`-d`)."""
    for kind, name in ((resource.RLIMIT_AS, "VmPeak"), (resource.RLIMIT_DATA, "VmData")):
        resource.setrlimit(kind, (status(name) + margin, resource.RLIM_INFINITY))


def weights(model: SequenceClassifier) -> str:
    """Return a hash of all weights, bit for bit."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.network_.state_dict().items()):
        digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def main(asked: dict[str, Any]) -> dict[str, Any]:
    """Train on a few examples, and then on the data, within the limit."""
    learn(Path(asked["few"]), asked["layout"])
    if asked["margin"] is not None:
        limit(asked["margin"])
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak of resident memory begins anew
    before, space, started = status("VmRSS"), status("VmPeak"), time.perf_counter()
    try:
        model = learn(Path(asked["data"]), asked["layout"])
    except Exception as error:  # noqa: BLE001 - whatever a library raises where memory ends
        return {"error": f"{type(error).__name__}: {error}"[:200]}
    return {
        "resident": status("VmHWM") - before,
        "address space": max(0, status("VmPeak") - space),
        "seconds": round(time.perf_counter() - started, 1),
        "weights": weights(model),
        "notes": model.notes_,
    }


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
