"""Train the cells of some curves: model, task and length at several budgets (rule train_cells)."""

from nstar.jobs.command_line import StopSignals, parser, run
from nstar.jobs.training import train_cells
from nstar.plan.job_files import read_work


def main(arguments=None):
    """Parse the command line and train."""
    flags = parser(__doc__, job=True, device=True)
    flags.add_argument(
        "--checkpoint-interval",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="longest training time that a kill can cost (default: 60)",
    )
    options = flags.parse_args(arguments)
    work = read_work(options.job, "train_cells")
    with StopSignals() as stop:
        train_cells(
            *(work, options.results, options.device, options.checkpoint_interval),
            stop_asked=stop.asked,
        )


if __name__ == "__main__":
    run(main)
