"""Running a script of the project in this process, without the seconds that a new one takes to import."""

import contextlib
import io
import runpy
import subprocess
import sys
from unittest import mock

from support.workflow import ROOT

from nstar.plan.job_files import job_name, job_path, save_job


def run_script(name, *arguments, folder="."):
    """Run a script as its command line does, in a folder; return exit code and output.

    An error that the script does not turn into a message is raised.
    """
    command = [str(ROOT / "scripts" / name), *map(str, arguments)]
    out, err, code = io.StringIO(), io.StringIO(), None
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", command),
    ):
        try:
            runpy.run_path(command[0], run_name="__main__")
        except SystemExit as ended:
            code = ended.code
    return subprocess.CompletedProcess(command, code or 0, out.getvalue(), err.getvalue())


def job_file(results, verb, work):
    """Write what a script or a step is told, as the workflow does, and return the file."""
    name = job_name(verb, work)
    save_job(results, name, {"work": work})
    return job_path(results, name)
