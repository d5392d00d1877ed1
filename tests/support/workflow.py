"""Running the workflow as a user does: snakemake in a folder with a configuration."""

import gc
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from support.forked_python import customise, interpreter

ROOT = Path(__file__).parents[2]

LOADED = multiprocessing.get_context("forkserver")
"""Its processes are forks of one that has loaded Snakemake, which takes a second and more."""
LOADED.set_forkserver_preload(["snakemake.cli", "pandas", "nstar.plan.forecast_text"])
STABLE_TABLES = tuple(
    f"results/studies/tiny/tables/{name}"
    for name in (
        *("cells.csv", "cells.parquet", "thresholds.csv"),
        *("exponents.csv", "robustness.csv", "checks.csv", "forms.csv", "demand.csv", "fits.json"),
    )
)
"""Tables that are equal to the last byte for the same study; the others hold times and places."""
LAST_OF_TABLES = "fit_exponents"
"""The rule after which all of these are there."""


def snakemake_command(folder, *arguments):
    """Return the command that runs the workflow in a folder, on two cores."""
    return [
        *(Path(sys.executable).parent / "snakemake", "--snakefile", ROOT / "Snakefile"),
        *("--directory", folder, "--workflow-profile", ROOT / "workflow/profiles/default"),
        *("--cores", "2", *arguments),
    ]


def snakemake(folder, *arguments):
    """Run the workflow in a folder and return the finished process.

    It is a fork that has loaded Snakemake, and its jobs are forks that have loaded what they import.
    """
    with tempfile.TemporaryDirectory() as texts:
        streams = [Path(texts, name) for name in ("output", "errors")]
        process = start_snakemake(folder, *arguments, streams=streams)
        process.join()
        texts = [stream.read_text() for stream in streams]
    return subprocess.CompletedProcess(arguments, process.exitcode, *texts)


def start_snakemake(folder, *arguments, streams, leads=False, **environment):
    """Start the same and return the process, which may lead a group of processes: its own and its jobs.

    Its output and errors go to two files, or to one that is given twice.
    """
    command = [str(word) for word in snakemake_command(folder, *arguments)]
    process = LOADED.Process(
        target=_run,
        args=(command, folder, interpreter(), os.environ | environment, streams, leads),
    )
    process.start()
    while leads and process.is_alive() and os.getpgid(process.pid) != process.pid:
        time.sleep(0.01)
    return process


def snakemake_afresh(folder, *arguments):
    """Do the same in a process that loads everything itself, from its own ``PYTHONPATH``."""
    command = snakemake_command(folder, *arguments)
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


def _run(command, folder, python, environment, streams, leads):
    """Be the process of a command of Snakemake, in a fork."""
    gc.freeze()  # as in `forked_python.be`
    if leads:
        os.setpgid(0, 0)
    for number, stream in enumerate(streams, start=1):
        os.dup2(os.open(stream, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    os.environ.clear()
    os.environ.update(environment)
    customise()
    os.chdir(folder)
    sys.argv, sys.executable = command, python
    from snakemake.cli import main  # already there

    sys.exit(main())


def write_config(folder, study):
    """Make the folder of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(study))


def make_run(folder, study, *targets):
    """Run a study in a folder to its end, or to the end of some rules, and return the folder."""
    write_config(folder, study)
    finished = snakemake(folder, *targets)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return folder


def tables_of(folder):
    """Return the content of all tables that are equal for the same study."""
    return {path: (folder / path).read_bytes() for path in STABLE_TABLES}
