"""Write the configuration with all defaults (rule write_config)."""

import json

from nstar.files import written_whole
from nstar.jobs.command_line import parser, run
from nstar.plan.job_files import read_work


def main(arguments=None):
    """Parse the command line and write."""
    options = parser(__doc__, job=True).parse_args(arguments)
    study = read_work(options.job, "write_config")["study"]
    with written_whole(options.results / "config.json") as temporary:
        temporary.write_text(json.dumps(study, indent=2) + "\n")


if __name__ == "__main__":
    run(main)
