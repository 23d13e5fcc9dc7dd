# `make sweep` and `make test` set up everything they need. ARGS go to the command: make sweep ARGS="seed=0,1,2"
VENV ?= .venv
PYTHON ?= python3
LAUNCHER ?= stacked # of make sweep: the fastest for its 24 small models
CONSTRAINTS ?= constraints.txt
WORKERS ?= auto # processes that share the tests, file by file
BENCH = startup scale launchers stacked training breakdown monitor nll # programs of benchmarks/; MNIST=DIR adds MNIST
CODE = $(wildcard src tests benchmarks)
BIN = $(VENV)/bin
READY = $(VENV)/.installed

.PHONY: sweep smoke test test-slow test-cluster test-lowest bench bench-full lint type format clean

sweep: $(READY)
	$(BIN)/python -m vae_lab +experiment=collapse_sweep -m hydra/launcher=$(LAUNCHER) $(ARGS)

smoke: $(READY)
	$(BIN)/python -m vae_lab +experiment=smoke -m $(ARGS)

test: $(READY)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

test-slow: $(READY)
	$(BIN)/python -m pytest -m slow $(ARGS)

test-cluster: $(READY)
	command -v slurmctld >/dev/null || apt-get install -y --no-install-recommends slurmctld slurmd slurm-client munge
	$(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS) --editable ".[dev,ray]"
	$(BIN)/python -m pytest -m cluster tests/cluster $(ARGS)

test-lowest: # old packages among new ones warn of each other
	$(MAKE) test VENV=.venv-lowest CONSTRAINTS=constraints-lowest.txt \
		ARGS="-W ignore::DeprecationWarning -W ignore::FutureWarning $(ARGS)"

bench: $(READY)
	for program in $(BENCH); do $(BIN)/python benchmarks/$$program.py $(if $(MNIST),--mnist $(MNIST)) $(ARGS) || exit; done
	$(BIN)/python benchmarks/table.py

# hours; what has been measured already of the same code on this machine is kept
bench-full:
	$(MAKE) bench BENCH="$(BENCH) compiled gpu" ARGS="--full $(ARGS)"

lint: $(READY)
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

type: $(READY)
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

clean:
	rm -rf .venv .venv-lowest .pytest_cache .mypy_cache .ruff_cache dist

$(READY): pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or later is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS) --editable ".[dev]"
	touch $@
