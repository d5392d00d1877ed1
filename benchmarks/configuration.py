"""Compare the time in which wrong configurations are refused with that in which the default one is read.

The wrong ones are those of ``tests/reading/test_mutations.py``, with long lists, deep nesting and large
texts among them. A plan has to refuse each at once.

Run: ``python benchmarks/configuration.py``. Times are of the processor.
"""

import argparse
import runpy
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from nstar.errors import ConfigError
from nstar.reading.check import load_study
from nstar.reading.file import read_config

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
# By its path, since a benchmark has the name of its folder.
TESTS = runpy.run_path(str(ROOT / "tests/reading/test_mutations.py"))
MUTATIONS = {
    f"{group}: {name}": text
    for group in (*TESTS["NODES"], *TESTS["WRITTEN"])
    for name, text, _ in TESTS["mutations"](group)
}
N_SHOWN = 10


def seconds_of(act: Callable[[], object]) -> float:
    """Return the processor time of a call."""
    started = time.process_time()
    act()
    return time.process_time() - started


def main() -> None:
    """Time every configuration once, the default one between them; print the slowest and their ratio."""
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()

    def refuse(path: Path) -> None:
        try:
            load_study(read_config(path))
        except ConfigError:
            return
        raise AssertionError(f"{path.read_text()[:200]} is legal")

    def read() -> None:
        load_study(read_config(ROOT / "config.yaml"))

    read()
    legal, refused = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for label, text in MUTATIONS.items():
            path = TESTS["write"](Path(folder), text)
            refused[label] = seconds_of(partial(refuse, path))
            legal.append(seconds_of(read))
    usual = sorted(legal)[len(legal) // 2]
    print(f"{'default':<60}{usual:8.3f} s")
    for label in sorted(refused, key=refused.get, reverse=True)[:N_SHOWN]:
        print(f"{label[:58]:<60}{refused[label]:8.3f} s{refused[label] / usual:8.1f}")


if __name__ == "__main__":
    main()
