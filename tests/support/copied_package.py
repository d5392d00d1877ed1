"""A copy of the package to which a test adds files and lines, as a user who extends it does."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nstar

TESTS = Path(__file__).parents[1]


class CopiedPackage:
    """A copy of `nstar` in a folder.

    Attributes
    ----------
    changed : dict of str to int
        Lines that were added, by file of the package.
    """

    def __init__(self, folder):
        self.folder, self.root = folder, folder / "workflow" / "nstar"
        source = Path(nstar.__file__).parents[2]
        without_caches = shutil.ignore_patterns("__pycache__")
        for name in ("workflow", "scripts"):
            shutil.copytree(source / name, folder / name, ignore=without_caches)
        shutil.copy(source / "Snakefile", folder)
        self.changed = {}

    def add_file(self, name, text):
        """Add a file."""
        assert not (self.root / name).exists()
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)
        self.changed[name] = len(text.splitlines())

    def add_line(self, name, before, line):
        """Add a line before the only one that begins with some text."""
        lines = (self.root / name).read_text().splitlines()
        (place,) = [i for i, other in enumerate(lines) if other.startswith(before)]
        lines.insert(place, line)
        (self.root / name).write_text("\n".join(lines) + "\n")
        self.changed[name] = self.changed.get(name, 0) + 1

    def start(self, *arguments, cwd=None):
        """Run Python with the copy in place of the package; return the finished process.

        A script is a path in the copy.
        """
        path = os.pathsep.join([str(self.root.parent), str(TESTS)])
        command = [
            self.folder / argument if str(argument).startswith("scripts/") else argument
            for argument in arguments
        ]
        return subprocess.run(
            [sys.executable, *command],
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            cwd=cwd,
        )

    def run(self, *arguments, cwd=None):
        """Do the same, check that it ended well, and return what it printed."""
        finished = self.start(*arguments, cwd=cwd)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    def snakemake(self, run, *arguments):
        """Run the copied workflow in the folder of a run; return what it printed."""
        finished = self.start(
            *("-m", "snakemake", "--snakefile", self.folder / "Snakefile", "--directory", run),
            *("--workflow-profile", self.folder / "workflow/profiles/default"),
            *("--cores", "2", *arguments),
            cwd=run,
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout + finished.stderr

    def run_tests(self, tests, study, folder):
        """Run tests against the copy, and then train a study, in one process.

        Returns
        -------
        tuple of str, list of str
            The line that counts the tests; the file of the copy and the names in its table of cells.
        """
        settings = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--rootdir={TESTS.parent}"]
        arguments = [study, str(folder), *settings, *map(str, tests)]
        *_, line, made = self.run(
            "-c", TESTS_AND_TRAINING, *arguments, cwd=TESTS.parent
        ).splitlines()
        return line, made.split()


TESTS_AND_TRAINING = """
import sys; from pathlib import Path
import pytest
study, results, *arguments = sys.argv[1:]
failed = pytest.main(arguments)
if failed:
    sys.exit(failed)
import json; import nstar
from support.stores import make_stores
from nstar.jobs.collection import collect_results
from nstar.plan.jobs import plan_jobs; from nstar.plan.missing import make_plan
from nstar.reading.check import load_study; from nstar.tables import read_table
study, results = load_study(json.loads(study)), Path(results)
make_stores(plan_jobs(make_plan(study, results)), results)
collect_results({"study": study.model_dump(mode="json")}, results)
tables = results / "studies" / study.name / "tables"
cells = read_table(tables / "cells.parquet", "cells")
print(nstar.__file__, *cells["model"].unique(), *cells["task"].unique())
"""
