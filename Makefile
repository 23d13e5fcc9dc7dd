# `make sweep` and `make test` set up everything they need. ARGS go to the command: make sweep ARGS="seed=0,1,2"
VENV ?= .venv
PYTHON ?= python3
CONSTRAINTS ?= constraints.txt
WORKERS ?= auto # processes that share the tests, file by file
CODE = $(wildcard src tests benchmarks)
BIN = $(VENV)/bin
READY = $(VENV)/.installed

.PHONY: sweep smoke test test-slow test-cluster test-lowest bench bench-full lint type format clean

sweep: $(READY)
	$(BIN)/python -m vae_lab +experiment=collapse_sweep -m $(ARGS)

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

test-lowest:
	$(MAKE) test VENV=.venv-lowest CONSTRAINTS=constraints-lowest.txt

bench: $(READY)
	$(BIN)/python benchmarks/startup.py --rounds 3
	$(BIN)/python benchmarks/training.py --rounds 3
	$(BIN)/python benchmarks/stacked.py --rounds 1
	$(BIN)/python benchmarks/launchers.py --rounds 1
	$(BIN)/python benchmarks/monitoring.py $(ARGS)

bench-full: bench
	$(BIN)/python benchmarks/training.py --full $(if $(MNIST),--mnist $(MNIST))
	$(BIN)/python benchmarks/stacked.py
	$(BIN)/python benchmarks/launchers.py --rounds 3
	$(BIN)/python benchmarks/gpu.py $(if $(MNIST),--mnist $(MNIST))

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
