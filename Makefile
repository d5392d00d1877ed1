# Everything a user runs. Each target sets up what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROFILE ?= default
SNAKEMAKE := $(BIN)/snakemake --workflow-profile workflow/profiles/$(PROFILE)
CONFIG ?= config.yaml

# Only who runs on a cluster installs the plugin for SLURM, which every start of Snakemake pays for.
INSTALLED := $(VENV)/installed$(if $(filter-out default,$(PROFILE)),-slurm)

.PHONY: run plan unlock test check reference

run: $(INSTALLED)  ## Train what is missing, then write tables, figures and the report.
	$(SNAKEMAKE) --configfile $(CONFIG) --quiet host reason
	$(SNAKEMAKE) --configfile $(CONFIG) --quiet all --report results/report.html
	@echo "The report is in results/report.html; its numbers are in results/tables/."

plan: $(INSTALLED)  ## List the jobs a run would start, then cached and missing cells.
	@$(SNAKEMAKE) --configfile $(CONFIG) --dry-run --quiet rules host reason
	@echo
	@$(BIN)/python scripts/plan_study.py --configfile $(CONFIG)

unlock: $(INSTALLED)  ## Free the folder after a run was killed, so that make run goes on.
	$(SNAKEMAKE) --configfile $(CONFIG) --unlock

test: $(VENV)/installed-test check  ## Run the whole test suite.
	$(BIN)/python -m pytest

check: $(VENV)/installed-test  ## Lint, formatting, generated files.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/python scripts/write_reference.py --check

reference: $(VENV)/installed  ## Write the generated pages of the documentation and the schema.
	$(BIN)/python scripts/write_reference.py

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/installed-slurm: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[slurm]'
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,slurm]'
	touch $@
