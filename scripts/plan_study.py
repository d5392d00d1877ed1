"""List what a study has and what a run would make, with its cost; starts nothing, imports no torch.

Reads the configuration, the names of files, and the headers of some stores.
"""

import json
import sys
from pathlib import Path

from nstar.jobs.command_line import parser, run
from nstar.plan.forecast import forecast
from nstar.plan.forecast_text import as_text
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.reading.file import read_config


def main(arguments=None):
    """Parse the command line and print the plan."""
    flags = parser(__doc__)
    flags.add_argument(
        "--configfile", type=Path, default=Path("config.yaml"), help="default: config.yaml"
    )
    flags.add_argument("--json", action="store_true", help="print JSON, for other programs")
    flags.add_argument(
        "--finished",
        action="store_true",
        help="print nothing; exit with 0 if nothing is missing and no search goes on, else with 3",
    )
    options = flags.parse_args(arguments)
    plan = make_plan(load_study(read_config(options.configfile)), options.results)
    if options.finished:
        sys.exit(0 if plan.finished else 3)
    found = forecast(plan, plan_jobs(plan))
    print(json.dumps(found, indent=2) if options.json else as_text(found))


if __name__ == "__main__":
    run(main)
