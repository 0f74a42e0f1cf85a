# pmcoa-build. `make demo` and `make test` set up their own environment; all else is in README.md.
PYTHON ?= python3
VENV ?= .venv
SPEC ?= manifests/demo.toml
ARGS ?=
RUN = $(VENV)/bin/python -m stages

.PHONY: help demo crawl subfigures shards train detector status verify check test bench setup clean
help:
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

demo: setup ## the whole pipeline on the embedded sample, then funnel, scores and gallery
	@$(RUN) demo manifests/demo.toml $(ARGS)

crawl: setup ## articles, figures, and the images worth having
	@$(RUN) snapshot articles figures screen media $(SPEC) $(ARGS)

subfigures: setup ## panels found and cropped, subcaptions aligned
	@$(RUN) panels align $(SPEC) $(ARGS)

shards: setup ## duplicates, splits, Parquet, the published dataset
	@$(RUN) dedupe shards publish $(SPEC) $(ARGS)

train: setup ## PMC-CLIP on the dataset, then its scores
	@$(RUN) train evaluate $(SPEC) $(ARGS)

detector: setup ## the panel detector trained on drawn figures, with its card (hours on a CPU)
	@$(RUN) detector $(ARGS)

status: setup ## what is done, what is due, and why
	@$(RUN) status $(SPEC) $(ARGS)

verify: setup ## every checksum of a build
	@$(RUN) verify $(SPEC) $(ARGS)

test: setup ## the test suite
	@$(VENV)/bin/python -m pytest -n logical --maxprocesses 8 --dist loadfile $(ARGS)

check: setup ## lint, types, architecture
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

bench: setup ## every benchmark, one line of JSON each
	@for bench in bench/[a-z]*.py; do echo "$$bench: $$($(VENV)/bin/python $$bench $(ARGS))"; done

setup: $(VENV)/.ready
$(VENV)/.ready: pyproject.toml .ci/constraints.txt .ci/setup.sh
	@sh .ci/setup.sh $(VENV) $(PYTHON)

clean: ## remove the environment (builds and manifests stay)
	rm -rf $(VENV)
