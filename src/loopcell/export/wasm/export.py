"""Export to WebAssembly: a folder with the model, its JavaScript, and a page; written once it has been proven."""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.export.c.names import model_name
from loopcell.export.c.product import product_form
from loopcell.export.c.source import CSource
from loopcell.export.c.verify import demand_equal, record
from loopcell.export.c.weights import demand_weights
from loopcell.export.step_model import StepModel, step_model_of
from loopcell.export.step_model.checks import Data, covered
from loopcell.export.wasm.build import compile_wasm, demand_compiler, piece
from loopcell.export.wasm.stream import WasmStream
from loopcell.files.html_page import Dress, as_json, html_page
from loopcell.files.whole_folder import demand_free, whole_folder

ANSWER = 10  # what {name}_feed gives when a step was taken
_SHOWN = 8  # steps of the example on the page


@dataclass(frozen=True)
class WasmReport:
    """The cost of an export, and its proof.

    Attributes:
        name: of the model.
        wasm_bytes: of the .wasm file, weights included.
        verified_steps: steps that were compared with the model in double precision.
        largest_error: of all of these steps.
        notes: what the step does not do that the model does.
        data: how much of the user's data was compared, as a sentence; "" where the steps were drawn.
    """

    name: str
    wasm_bytes: int
    verified_steps: int
    largest_error: float
    notes: tuple[str, ...] = ()
    data: str = ""

    def summary(self) -> str:
        """Return it as a sentence."""
        proof = f"{self.verified_steps:,} steps equal to the model's within {self.largest_error:.2g}"
        return ". ".join((f"{self.wasm_bytes:,} bytes of WebAssembly; {proof}", *self.notes))


def to_wasm(
    model: object,
    folder: str | os.PathLike[str],
    *,
    name: str = "",
    data: Data | None = None,
    overwrite: bool = False,
) -> WasmReport:
    """Write a model as WebAssembly that takes one step at a time, for browsers and whatever else runs it.

    The folder gets NAME.wasm; NAME.js, a module with `load`, streams with a state of their own, `save` and `load` of
    these; index.html, a page that runs the model and opens from the disk; NAME.json, which names inputs, outputs,
    labels and tokens; and for sound NAME-worklet.js, an AudioWorklet. The WebAssembly is the model's C, the same that
    `to_c` writes. It is run and compared with the model first, and nothing is written if it is not the same.

    Args:
        model: an estimator that takes steps, a network that reads forward, or a StepModel.
        folder: where the files go; made if it is not there.
        name: of the files, an identifier; "" for the model's own.
        data: inputs by name to verify with, [T, n] numbers or [T] tokens; or what `model.step_check(X)` makes of your
            own data, which the page begins with too. None for random ones.
        overwrite: write into a folder that is not empty.

    Raises:
        UsageError: the model has no step, the name cannot be used, or the folder is not empty.
        MissingExtraError: the compiler, or what runs WebAssembly in Python, is not installed.
        CheckFailed: what came out is not the model.
        FileWriteError: the folder cannot be written.
    """
    demand_free(folder, overwrite=overwrite)
    demand_compiler()
    step = step_model_of(model)
    source = CSource(step, model_name(name or step.name), product_form("vectors"))
    demand_weights(source.arrays)
    recorded = record(source, data, model)
    with tempfile.TemporaryDirectory(prefix="loopcell-") as scratch:
        code = compile_wasm(source, Path(scratch))
    error = demand_equal(WasmStream(code, step), recorded)
    about = covered(data, ranges=False)
    report = WasmReport(source.name, len(code), recorded.steps, error, step.notes, about)
    with whole_folder(folder, overwrite=overwrite) as files:
        (files / f"{source.name}.wasm").write_bytes(code)
        for file, text in _texts(source, recorded.inputs, code).items():
            (files / file).write_text(text, encoding="utf-8")
        (files / "report.json").write_text(json.dumps(asdict(report), indent=1) + "\n", encoding="utf-8")
    return report


def _texts(source: CSource, inputs: Mapping[str, npt.NDArray[Any]], code: bytes) -> dict[str, str]:
    """Return the files beside the WebAssembly, by name."""
    name, manifest, given = source.name, _manifest(source), source.model.inputs
    script = piece("model.js").format(
        name=name,
        manifest=as_json(manifest),
        answer=ANSWER,
        first_output=source.outputs[0].name,
        example=", ".join("0" if one.kind == "token" else f"new Float32Array({one.size})" for one in given),
    )
    texts = {
        f"{name}.js": script,
        f"{name}.json": json.dumps(manifest, ensure_ascii=False, indent=1) + "\n",
        "index.html": _page(source, inputs, code, script),
    }
    rate = manifest["sample_rate"]
    if rate is not None:
        texts[f"{name}-worklet.js"] = piece("worklet.js").format(name=name, sample_rate=rate)
    return texts


def _manifest(source: CSource) -> dict[str, Any]:
    model, quantities = source.model, source.model.quantities
    columns = {name: named for name, named in model.columns.items() if model.quantities[name].kind == "number"}
    frames = None if model.frames is None else asdict(model.frames)
    return {
        "name": source.name,
        "inputs": [
            {"name": one.name, "size": one.size, "kind": one.kind, "columns": columns.get(one.name, [])}
            for one in model.inputs
        ],
        "outputs": [
            {"name": one.name, "size": quantities[one.name].size, "labels": list(one.labels)} for one in model.outputs
        ],
        "tokens": model.facts.get("tokens", []),
        "columns": model.facts.get("columns", []),
        "categories": {**_categories(model, "categories"), **_categories(model, "static categories")},
        "sample_rate": frames["sample_rate"] if frames else model.facts.get("sample_rate"),
        "frames": frames,
        "effect": model.is_effect,
        "notes": list(model.notes),
    }


def _categories(model: StepModel, fact: str) -> dict[str, list[str]]:
    found = model.facts.get(fact, {})
    assert isinstance(found, dict)
    return found


def _page(source: CSource, inputs: Mapping[str, npt.NDArray[Any]], code: bytes, script: str) -> str:
    model = source.model
    about = f"{model.parameters:,} parameters, run in this page as WebAssembly of {len(code):,} bytes"
    facts = {"title": source.name, "about": ". ".join((about, *model.notes)), "example": _example(model, inputs)}
    # One script, as a page from the disk may not import a module: the module's text without its exports.
    whole = script.replace("\nexport ", "\n") + piece("page.js")
    wasm = f'<script type="text/plain" id="wasm">{base64.b64encode(code).decode("ascii")}</script>'
    return html_page(source.name, Dress(whole, piece("page.css")), facts, [wasm], runs_wasm=True)


def _example(model: StepModel, inputs: Mapping[str, npt.NDArray[Any]]) -> str:
    """Return some steps as a user would write them: a text of tokens, or a line of numbers for each step."""
    if [one.kind for one in model.inputs] == ["token"]:
        tokens = model.facts.get("tokens", [])
        assert isinstance(tokens, list)
        ids = [int(step) for step in inputs[model.inputs[0].name][:_SHOWN]]
        return "".join(tokens[one] for one in ids if one < len(tokens))
    rows = [np.concatenate([inputs[one.name][at].reshape(-1) for one in model.inputs]) for at in range(_SHOWN)]
    return "\n".join(", ".join(f"{number:.4g}" for number in row) for row in rows)
