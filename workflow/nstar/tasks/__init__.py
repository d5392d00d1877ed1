"""The tasks: one file each, one registry line each; the contract tests run over the registry."""

from collections.abc import Mapping
from typing import Any

from nstar.tasks.base import Task
from nstar.tasks.cycle_navigation import CycleNavigation
from nstar.tasks.group_product import GroupProduct
from nstar.tasks.modular_addition import ModularAddition
from nstar.tasks.permutation_composition import PermutationComposition
from nstar.tasks.pool import LENGTH_DISTRIBUTIONS, LengthDistribution, Pool, share_out
from nstar.tasks.random_automaton import RandomAutomaton
from nstar.tasks.supervision import SUPERVISIONS, Supervision
from nstar.tasks.swap_composition import SwapComposition

TASKS: dict[str, type[Task]] = {
    "modular_addition": ModularAddition,
    "permutation_composition": PermutationComposition,
    "group_product": GroupProduct,
    "swap_composition": SwapComposition,
    "cycle_navigation": CycleNavigation,
    "random_automaton": RandomAutomaton,
}
"""Task classes by their ``kind``."""


def build_task(options: Mapping[str, Any]) -> Task:
    """Return the task that the options (with their ``kind``) of a specification describe."""
    return TASKS[options["kind"]](**options)


__all__ = [
    "LENGTH_DISTRIBUTIONS",
    "SUPERVISIONS",
    "TASKS",
    "CycleNavigation",
    "GroupProduct",
    "LengthDistribution",
    "ModularAddition",
    "PermutationComposition",
    "Pool",
    "RandomAutomaton",
    "Supervision",
    "SwapComposition",
    "Task",
    "build_task",
    "share_out",
]
