# Every target sets up what it needs on a machine that has only Python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check bench crash soak compatibility clean

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("fogbank needs Python 3.11 or newer, this is %s" % sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

demo: $(READY)
	$(BIN)/fogbank demo

test: $(READY)
	$(BIN)/python -m pytest $(ARGS)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/python -m pytest $(ARGS)

bench: $(READY)
	$(BIN)/python -m bench $(ARGS)

crash: $(READY)
	$(BIN)/python -m tests.e2e.crash $(ARGS)

# How many times the examples of an ordinary run; those that fail are kept and tried first next time.
TIMES ?= 20
soak: $(READY)
	SOAK_TIMES=$(TIMES) $(BIN)/python -m pytest tests/properties/test_dynamodb_machine.py $(ARGS)

compatibility: $(READY)
	$(BIN)/python -m fogbank.gateway.compatibility > COMPATIBILITY.md

clean:
	rm -rf $(VENV) build dist *.egg-info bench-results
