"""Snakemake that looks at its jobs every second.

The plugin for SLURM waits 10 s longer after each look at which no job has ended, which suits jobs of
hours. Only the main process is started this way; everything else in it is the plugin's own.
"""

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

if __name__ == "__main__":
    RemoteExecutor.next_seconds_between_status_checks = property(
        lambda executor: 1, lambda executor, seconds: None
    )
    main()
