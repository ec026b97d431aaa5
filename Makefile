# Conveniences; everything here is a command of the README or of .ci/run.
PYTHON ?= python3
VENV ?= .venv

.PHONY: run test matrix lint docs pictures bench ci clean

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install -q -e '.[test,dev,speed]'

run: $(VENV)/bin/python ## the gateway on port 8080
	$(VENV)/bin/mitmdump -s addon/gateway.py

test: $(VENV)/bin/python
	$(VENV)/bin/pytest

matrix: $(VENV)/bin/python ## every kind of outbound proxy with every kind of request
	FULL_MATRIX=1 $(VENV)/bin/pytest tests/end_to_end/test_real_proxies.py -rs

lint: $(VENV)/bin/python
	$(VENV)/bin/ruff format --check addon tests benchmarks
	$(VENV)/bin/ruff check addon tests benchmarks
	$(VENV)/bin/mypy

docs: $(VENV)/bin/python ## write the generated parts of the README
	$(VENV)/bin/cog -r README.md docs/*.md

pictures: $(VENV)/bin/python ## of the dashboard, for the README
	cd tests && PYTHONPATH=../addon ../$(VENV)/bin/python -m dashboard.shots ../docs/img --readme

bench: $(VENV)/bin/python
	$(VENV)/bin/python -m benchmarks

ci:
	bash .ci/run

clean:
	rm -rf $(VENV) .venv-newest .venv-wheel build dist
