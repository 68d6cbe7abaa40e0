"""ONNX Runtime in a browser: files run by onnxruntime-web, its WebAssembly, in headless Chromium.

A file in the step form is run by the class that the documentation gives to JavaScript callers.
"""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.export.onnx import OnnxFile

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs" / "how-to" / "export-to-onnx.md"
RUNTIME = ROOT / "frontend" / "node_modules" / "onnxruntime-web" / "dist"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ORIGIN = "http://runtime.test/"  # never asked for: every file of it is answered from the disk

PAGE = """<!doctype html>
<script type="importmap">{"imports": {"onnxruntime-web": "/ort.wasm.bundle.min.mjs"}}</script>
<script type="module">
import * as ort from "onnxruntime-web";
import { Stream } from "/stream.js";
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = "/";
const tensor = ({ kind, data, shape }) => kind === "token"
  ? new ort.Tensor("int64", BigInt64Array.from(data.map(BigInt)), shape)
  : new ort.Tensor("float32", Float32Array.from(data), shape);
const tensors = (row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, tensor(value)]));
window.step = async (file, rows, names) => {
  const stream = await Stream.open(file);
  const found = [];
  for (const row of rows) {
    const outputs = await stream.step(tensors(row));
    found.push(names.map((name) => Array.from(outputs[name].data)));
  }
  await stream.session.release();
  return found;
};
window.run = async (file, chunks, states) => {
  const session = await ort.InferenceSession.create(file);
  const found = [];
  let state = tensors(states);
  for (const chunk of chunks) {
    const outputs = await session.run({ ...tensors(chunk), ...state });
    state = Object.fromEntries(Object.keys(state).map((name) => [name, outputs[name.replace(/_in$/, "_out")]]));
    found.push(Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, Array.from(data)])));
  }
  await session.release();
  return found;
};
window.ready = true;
</script>"""


def stream_class() -> str:
    """Return the JavaScript of the documentation."""
    found = re.search(r"```js\n(import .*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert found, DOCS
    return found[1]


class WebRuntime:
    """A page with onnxruntime-web, which runs files and answers as `OnnxStream.feed` does.

    Args:
        page: of Playwright, fresh.
    """

    def __init__(self, page: Any) -> None:
        self._page = page
        self._files = {"": PAGE.encode(), "stream.js": stream_class().encode()}
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.route("**/*", self._answer)
        page.goto(ORIGIN)
        page.wait_for_function("window.ready")

    def _answer(self, route: Any) -> None:
        name = route.request.url.removeprefix(ORIGIN)
        content = self._files.get(name)
        kinds = {".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm", "": "text/html"}
        kind = kinds.get(Path(name).suffix, "application/octet-stream")
        if content is not None:
            route.fulfill(body=content, content_type=kind)
        elif (RUNTIME / name).is_file():
            route.fulfill(path=RUNTIME / name, content_type=kind)
        else:
            self.complaints.append(f"{route.request.url} was asked for")
            route.abort()

    def feed(self, content: bytes, inputs: Mapping[str, npt.NDArray[Any]], cuts: list[int]) -> dict[str, Any]:
        """Run a file over a sequence of one row, and return its outputs [T, n].

        Args:
            content: the file, in either form.
            inputs: by name, [T, n], or [T] of tokens.
            cuts: where the chunks of a file in the sequence form begin and end.
        """
        file = OnnxFile(content, "the file")
        self._files["model.onnx"] = content
        step = file.metadata.form == "step"
        chunks = [(at, at + 1) for at in range(cuts[-1])] if step else list(itertools.pairwise(cuts))
        rows = [{name: _plain(value[a:b], step=step) for name, value in inputs.items()} for a, b in chunks]
        facts = file.metadata.outputs
        if step:
            given = ["model.onnx", rows, [one.output for one in facts]]
            found = self._page.evaluate("(given) => window.step(...given)", given)
            parts = {one.name: [row[at] for row in found] for at, one in enumerate(facts)}
        else:
            states = {
                f"{name}_in": _plain(np.zeros((1, size), np.float32), step=True) for name, size in file.states.items()
            }
            found = self._page.evaluate("(given) => window.run(...given)", ["model.onnx", rows, states])
            parts = {one.name: [row[one.output] for row in found] for one in facts}
        return {
            one.name: np.concatenate([np.float64(part).reshape(-1, one.size) for part in parts[one.name]])
            for one in facts
        }


def _plain(value: npt.NDArray[Any], *, step: bool) -> dict[str, Any]:
    """Return an array [t, n] or tokens [t] as what the page makes a tensor of, for one row."""
    token = value.dtype.kind in "iu"
    shape = list(value.shape) if step else [len(value), 1, *value.shape[1:]]
    return {"kind": "token" if token else "number", "data": value.reshape(-1).tolist(), "shape": shape}


@contextmanager
def web_runtime() -> Iterator[WebRuntime]:
    """Open a browser with the runtime."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None or not RUNTIME.is_dir():
        raise SystemExit("Chromium and the front end's tools are needed: npm ci --prefix frontend")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield WebRuntime(browser.new_context().new_page())
        browser.close()
