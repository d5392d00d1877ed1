"""Running the workflow as a user does: snakemake in a folder with a configuration."""

import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
STABLE_TABLES = tuple(
    f"results/tables/{name}"
    for name in (
        *("cells.csv", "cells.parquet", "thresholds.csv"),
        *("exponents.csv", "robustness.csv", "checks.csv", "forms.csv", "demand.csv", "fits.json"),
    )
)
"""Tables that are equal to the last byte for the same study; the others hold times and places."""


def snakemake_command(folder, *arguments):
    """Return the command that runs the workflow in a folder, on two cores."""
    return [
        *(Path(sys.executable).parent / "snakemake", "--snakefile", ROOT / "Snakefile"),
        *("--directory", folder, "--workflow-profile", ROOT / "workflow/profiles/default"),
        *("--cores", "2", *arguments),
    ]


def snakemake(folder, *arguments):
    """Run the workflow in a folder and return the finished process."""
    command = snakemake_command(folder, *arguments)
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


def write_config(folder, study):
    """Make the folder of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(study))


def make_run(folder, study, *targets):
    """Run a study in a folder to its end, or to some files, and return the folder."""
    write_config(folder, study)
    finished = snakemake(folder, *targets)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return folder


def tables_of(folder):
    """Return the content of all tables that are equal for the same study."""
    return {path: (folder / path).read_bytes() for path in STABLE_TABLES}
