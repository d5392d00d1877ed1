"""Compare a CSV file of word-problem or DeltaProduct with the labels of group_product, in both orders.

Prints which order has the labels of the file, and the task for a configuration; exit code 1 if none has.
"""

import argparse
from pathlib import Path

from pydantic import ValidationError

from nstar.errors import ConfigError, DataError
from nstar.jobs.command_line import run
from nstar.tasks.automata.word_problem import agreements, read_word_problems


def main(arguments=None):
    """Parse the command line, compare, and print."""
    flags = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    flags.add_argument("file", type=Path, help="CSV with the columns input and target")
    flags.add_argument("group", help="the group of the file as a task names it: S_5, 'A_4 x Z_5'")
    options = flags.parse_args(arguments)
    problems = read_word_problems(options.file)
    try:
        found = agreements(options.group, problems)
    except ValidationError as error:
        raise ConfigError(f"group: {error.errors()[0]['ctx']['error']}") from None
    print(f"{len(problems.lengths)} sequences of up to {problems.lengths.max()} symbols")
    print("order                labels equal  sequences equal")
    for order, share in found.items():
        print(f"{order:19}  {share.labels:12.1%}  {share.sequences:15.1%}")
    equal = [order for order, share in found.items() if share.labels == 1]
    if not equal:
        raise DataError(
            f"{options.file}: no order has all labels of the file; it was made from another group, "
            "numbers elements otherwise, or shifts its targets"
        )
    for order in equal:
        task = f"{{kind: group_product, group: {options.group}, order: {order}}}"
        print(f"the file has the labels of {task}")


if __name__ == "__main__":
    run(main)
