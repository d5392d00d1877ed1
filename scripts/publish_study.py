"""Write the numbers of a finished study into the documentation, or check that they are fresh.

Copies tables and figures into docs/ and fills the generated sections of the study's page. Afterwards, or
with --check alone, it names each sentence that quotes an old number, and exits with 1 if there is any.
"""

import sys
from pathlib import Path

from nstar.jobs.command_line import parser, run
from nstar.reference.publication import find_problems, publish

ROOT = Path(__file__).resolve().parent.parent


def main(arguments=None):
    """Publish one study unless --check is given; exit with 1 if the documentation is stale then."""
    flags = parser(__doc__)
    flags.add_argument(
        "--configfile", default="config.yaml", help="path in the repository (default: config.yaml)"
    )
    flags.add_argument(
        "--check",
        action="store_true",
        help="write nothing; check all published studies, without their results",
    )
    options = flags.parse_args(arguments)
    if not options.check:
        for name in publish(options.configfile, options.results, ROOT):
            print(f"wrote {name}")
    problems = list(find_problems(ROOT))
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    run(main)
