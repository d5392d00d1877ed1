"""A new task is one new file and an entry in the registry; the contract tests then cover it."""

import json

from support.copied_package import TESTS, CopiedPackage
from support.studies import tiny

TASK = '''"""Latch: the last symbol that was not 0."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from nstar.tasks.automata.automaton import Automaton


class Latch(Automaton):
    """The last symbol that was not 0, of three."""

    EXAMPLES: ClassVar = {"latch": {}}

    kind: Literal["latch"] = Field(description="latch; no unit")

    @property
    def n_symbols(self):
        """Return 3."""
        return 3

    @property
    def n_states(self):
        """Return 3."""
        return 3

    @property
    def transitions(self):
        """The next state: the old one for 0, else the symbol; see `Automaton.transitions`."""
        states = np.arange(3)[:, None]
        return np.where(np.arange(3) == 0, states, np.arange(3))
'''


def test_a_new_task_touches_its_file_and_the_registry(tmp_path):
    package = CopiedPackage(tmp_path)
    package.add_file("tasks/automata/latch.py", TASK)
    registry = "tasks/__init__.py"
    package.add_line(
        registry, "from nstar.tasks.automata.mod", "from nstar.tasks.automata.latch import Latch"
    )
    package.add_line(registry, '    "majority": Majority,', '    "latch": Latch,')
    assert package.changed.pop("tasks/automata/latch.py")
    assert package.changed == {registry: 2}, "an import and an entry"

    study = tiny(tasks={"latch": {"kind": "latch"}}, **{"training.max_steps": 20})
    contract = [TESTS / "tasks/test_contract.py", "-k", "latch"]
    line, (file, *names) = package.run_tests(contract, json.dumps(study), tmp_path / "results")
    assert " passed" in line and int(line.split()[0]) > 5, line
    assert file.startswith(str(tmp_path)) and names[-1] == "latch"
