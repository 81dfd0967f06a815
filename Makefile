# One environment serves every target. It is made once from pinned dependencies and remade
# only when the pins change; `make clean-env` forgets it.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
STUDY  ?= quick
JOBS   ?= 2
EXAMPLES ?= 20

# One thread a process: methods are compared on one thread, and two-threaded processes on
# two cores are an order of magnitude slower than single-threaded ones.
export OMP_NUM_THREADS = 1
export OPENBLAS_NUM_THREADS = 1
export MKL_NUM_THREADS = 1
export NUMBA_NUM_THREADS = 1

.DEFAULT_GOAL := help
.PHONY: help benchmark train reproduce headline verified test test-slow test-browser check lint types imports instances report bench docs clean-env

help: ## List the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 14

# Before a command that says nothing for long: a dot every three seconds until it ends.
DOTS := while sleep 3; do printf .; done & dots=$$!; trap 'kill $$dots; echo' EXIT;

$(READY): pyproject.toml constraints.txt
	@echo "[satedge] making $(VENV) from constraints.txt (a few minutes, once)"
	@command -v $(PYTHON) >/dev/null || { echo "[satedge] $(PYTHON) not found: install Python 3.11 or set PYTHON=" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "[satedge] 1/2 installing torch (CPU)"
	@$(DOTS) $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	@echo "[satedge] 2/2 installing satedge and everything it can use"
	@$(DOTS) $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(READY)
	@echo "[satedge] environment ready"

# The same with every wheel checked against hashes.txt, which is of one platform.
verified: ## Make the environment anew, every wheel checked by its hash (Linux, x86-64).
	@command -v $(PYTHON) >/dev/null || { echo "[satedge] $(PYTHON) not found: install Python 3.11 or set PYTHON=" >&2; exit 2; }
	@$(PYTHON) -m venv --clear $(VENV)
	@echo "[satedge] installing what hashes.txt lists"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r hashes.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY) $(SITE)
	@echo "[satedge] environment ready"

# Kernels are compiled once after each change of their sources, not inside somebody's time limit.
KERNELS := $(VENV)/.kernels
$(KERNELS): $(READY) $(wildcard minlp/*.py minlp/*/*.py satedge/kernels/*.py satedge/compiled/*.py drl/env/*.py)
	@echo "[satedge] compiling kernels (half a minute, once)"
	@if ! [ -t 2 ]; then $(DOTS) fi; $(BIN)/python -m satedge.kernels
	@touch $(KERNELS)

benchmark: $(KERNELS) ## Run the quick study (STUDY=name for another) and print its table.
	@$(BIN)/satedge benchmark $(STUDY) --jobs $(JOBS)

train: $(KERNELS) ## Train what the learners of STUDY lack; ARGS=--dry-run says what that is.
	@$(BIN)/satedge train --study $(STUDY) $(ARGS)

reproduce: $(KERNELS) ## Make results/paper anew: train, run, tables; ARGS=--dry-run says how long.
	@$(BIN)/satedge reproduce --jobs $(JOBS) $(ARGS)

headline: $(READY) ## Write README's numbers anew from the committed rows.
	@$(BIN)/satedge headline

test: $(KERNELS) ## Run the tests.
	@$(BIN)/pytest -q -n $(JOBS) -m "not slow and not browser"

test-slow: $(KERNELS) ## Run what takes long, and randomised tests with EXAMPLES times as many examples.
	@SATEDGE_EXAMPLES=$(EXAMPLES) $(BIN)/pytest -q -n $(JOBS) -m "slow or randomised"

test-browser: $(KERNELS) ## Run the tests of the report page in headless Chromium.
	@$(BIN)/pytest -q -m browser

lint: $(READY)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(READY)
	@$(BIN)/mypy

imports: $(READY)
	@$(BIN)/lint-imports

check: lint types imports test ## Lint, formatting, types, import order, tests.

instances: $(READY) ## Regenerate every suite and check it against its manifest.
	@$(BIN)/satedge suites --check

report: $(READY) ## Rebuild tables and figures of results/runs/$(STUDY).
	@$(BIN)/satedge report results/runs/$(STUDY)

bench: $(KERNELS) ## Measure speed against peers in the same run.
	@$(BIN)/pytest -q benchmarks/bench_*.py -s --benchmark-disable-gc -p no:xdist

# The tools of the site come on top of the environment, when it is first built.
SITE := $(VENV)/.docs
$(SITE): $(READY)
	@echo "[satedge] installing the tools of the site"
	@$(DOTS) $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $(SITE)

docs: $(SITE) ## Build the documentation into site/ (open site/index.html).
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "[satedge] open site/index.html"

clean-env: ## Remove the environment.
	@rm -rf $(VENV)
