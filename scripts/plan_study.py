"""List what a study has and what a run would make, with its cost; starts nothing, imports no torch.

Reads the configuration, the names of files, and the headers of some stores.
"""

import json
import sys
from pathlib import Path

from nstar.batches import make_batches
from nstar.command_line import parser, run
from nstar.config_check import load_study
from nstar.config_file import read_config
from nstar.forecast import as_text, forecast
from nstar.plan import make_plan


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
        unfinished = plan.searching or plan.missing_evaluations or any(plan.missing_blocks)
        sys.exit(3 if unfinished else 0)
    found = forecast(plan, make_batches(plan))
    print(json.dumps(found, indent=2) if options.json else as_text(found))


if __name__ == "__main__":
    run(main)
