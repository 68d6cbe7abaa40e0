# make demo     train a small language model on text that every machine has, and sample from it
# make test     the whole test suite (ARGS="-k lstm" or any other pytest options)
# make docs     the documentation as a site, into site/
# make docs-serve  the same, and show it at http://127.0.0.1:8000
# make check    lint, types, import walls and cycles, sizes, words
# make bench    measure beside torch.nn, JAX and ONNX Runtime what is not measured yet (ARGS="--help" for more)
# make bench-gpu  check and measure on the GPU that is here, in ten minutes, with PYTHON's own PyTorch (ARGS="--help" for more)
# make fuzz     give every loader hostile files for ten minutes, and go on with it the next time (ARGS="--help" for more)
# make clients  other projects run with torch.nn and with ours in its place (ARGS="skorch flair"); installs them, slow
# make clean    remove .venv and what the tools leave behind
#
# PYTHON=python3.12      the interpreter that .venv is made with (3.11 or newer)
# JOBS=2                 how many processes run the tests
# TORCH_INDEX=ADDRESS    a further package index for PyTorch, such as its own one without CUDA

PYTHON ?= python3
JOBS ?= 2
ARGS ?=
TORCH_INDEX ?=

VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check install -c constraints.txt

# Runs under any Python, old ones too, so that the sentence can be read.
OLD_ENOUGH := import sys; v = sys.version_info[:2]; v >= (3, 11) or sys.exit( \
	"loopcell needs Python 3.11 or newer, and %s is Python %d.%d: name another, as in make PYTHON=python3.12" % ((sys.argv[1],) + v))

.PHONY: help demo test docs docs-serve check bench bench-gpu fuzz clients lint types walls cycles size words clean
.DELETE_ON_ERROR:

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

demo: $(VENV)/.installed
	$(RUN) examples/demo.py

# Shapes in annotations are checked while tests run, in the modules that have such (a test compares the list); around
# each function of a whole folder the check was a third of the time of a training. torch.compile cannot see through it,
# so what it compiles has a folder and a run of its own.
SHAPES := --jaxtyping-packages=loopcell.runtime.execute,loopcell.backends.lengths,loopcell.backends.reference.sequence,loopcell.layers.sequences,beartype.beartype

test: $(VENV)/.installed-dev
	$(RUN) -m pytest -n $(JOBS) --dist worksteal --durations=10 $(SHAPES) --ignore=tests/compiled $(ARGS)
	$(if $(ARGS),,$(RUN) -m pytest -n $(JOBS) tests/compiled)

docs: $(VENV)/.installed-dev
	$(RUN) scripts/build_site.py

docs-serve: docs
	$(RUN) -m http.server --bind 127.0.0.1 --directory site 8000

check: lint types walls cycles size words

lint: $(VENV)/.installed-dev
	$(RUN) -m ruff check .

types: $(VENV)/.installed-dev
	$(RUN) -m mypy

walls: $(VENV)/.installed-dev
	$(RUN) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'

cycles: $(VENV)/.installed-dev
	$(RUN) scripts/import_cycles.py src

size: $(VENV)/.installed-dev
	$(RUN) scripts/size.py src

words: $(VENV)/.installed-dev
	$(RUN) scripts/words.py src scripts benchmarks examples docs README.md CONTRIBUTING.md

bench: $(VENV)/.installed-bench
	$(RUN) -m benchmarks $(ARGS)

# No environment of its own: a machine with a GPU has the PyTorch that fits its driver, and often no network.
bench-gpu:
	PYTHONPATH=src:. "$(PYTHON)" -m benchmarks.gpu $(ARGS)

fuzz: $(VENV)/.installed-dev
	$(RUN) -m benchmarks.fuzz_files $(ARGS)

clients: $(VENV)/.installed-dev
	$(RUN) -m tests.clients $(ARGS)

clean:
	rm -rf $(VENV) build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .figures_cache
	find src tests scripts examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the environment: installed anew when the pins or the project's own needs change --------------------------------

$(RUN):
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "loopcell needs Python 3.11 or newer, and there is no '$(PYTHON)' here: name another, as in make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c '$(OLD_ENOUGH)' "$(PYTHON)"
	"$(PYTHON)" -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }

# PyTorch first and alone, at the pinned version: asked for through a range, pip may fetch a newer build and its CUDA.
$(VENV)/.installed: pyproject.toml constraints.txt | $(RUN)
	@$(RUN) -c '$(OLD_ENOUGH)' "the one in $(VENV) (remove that folder)"
	$(PIP) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch hatchling
	$(PIP) --no-build-isolation -e '.[train]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) --no-build-isolation -e '.[dev]'
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed
	$(PIP) --no-build-isolation -e '.[bench]'
	@touch $@
