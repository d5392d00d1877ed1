"""Snakemake that looks at its jobs every second.

The plugin for SLURM waits 10 s longer after each look at which no job has ended, which suits jobs of
hours. While it looks, Snakemake's own list of jobs is empty, and Ctrl-C at such a moment cancels none of
them. That is rare where looks are minutes apart, and common here, so an interrupted run first lets a look
end. Only the main process is started this way; everything else in it is the plugin's own.

Tables and figures, which are made beside it, use the interpreter ``LOCAL_PYTHON``.
"""

import os
import sys

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

cancel = RemoteExecutor.cancel


def cancel_between_looks(executor):
    """Let the last look end, which puts its jobs back on the list; then cancel."""
    with executor.lock:
        executor.wait = False
    executor.wait_thread.join()
    cancel(executor)


if __name__ == "__main__":
    RemoteExecutor.next_seconds_between_status_checks = property(
        lambda executor: 1, lambda executor, seconds: None
    )
    RemoteExecutor.cancel = cancel_between_looks
    sys.executable = os.environ["LOCAL_PYTHON"]
    main()
