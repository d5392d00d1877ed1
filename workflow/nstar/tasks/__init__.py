"""The tasks: one file each, one registry line each; the contract tests run over the registry."""

from collections.abc import Mapping
from typing import Any

from nstar.tasks.arithmetic import Arithmetic
from nstar.tasks.base import Task
from nstar.tasks.cycle_navigation import CycleNavigation
from nstar.tasks.edit_distance import EditDistance
from nstar.tasks.first import First
from nstar.tasks.group_product import GroupProduct
from nstar.tasks.k_parity import KParity
from nstar.tasks.learnt_function import LearntFunction
from nstar.tasks.linear_equations import LinearEquations
from nstar.tasks.longest_increasing_subsequence import LongestIncreasingSubsequence
from nstar.tasks.majority import Majority
from nstar.tasks.mean import Mean
from nstar.tasks.modular_addition import ModularAddition
from nstar.tasks.permutation_composition import PermutationComposition
from nstar.tasks.pool import LENGTH_DISTRIBUTIONS, LengthDistribution, Pool, share_out
from nstar.tasks.question import QuestionTask
from nstar.tasks.random_automaton import RandomAutomaton
from nstar.tasks.random_function import RandomFunction
from nstar.tasks.supervision import SUPERVISIONS, Supervision
from nstar.tasks.swap_composition import SwapComposition
from nstar.tasks.truth_table import TruthTable

TASKS: dict[str, type[Task]] = {
    "modular_addition": ModularAddition,
    "permutation_composition": PermutationComposition,
    "group_product": GroupProduct,
    "swap_composition": SwapComposition,
    "cycle_navigation": CycleNavigation,
    "random_automaton": RandomAutomaton,
    "majority": Majority,
    "first": First,
    "mean": Mean,
    "k_parity": KParity,
    "random_function": RandomFunction,
    "truth_table": TruthTable,
    "learnt_function": LearntFunction,
    "arithmetic": Arithmetic,
    "longest_increasing_subsequence": LongestIncreasingSubsequence,
    "edit_distance": EditDistance,
    "linear_equations": LinearEquations,
}
"""Task classes by their ``kind``."""


def build_task(options: Mapping[str, Any]) -> Task:
    """Return the task that the options of a specification describe.

    Their ``kind`` chooses the class; ``source`` says which cell a learnt function comes from.
    """
    own = {name: value for name, value in options.items() if name != "source"}
    return TASKS[options["kind"]](**own)


__all__ = [
    "LENGTH_DISTRIBUTIONS",
    "SUPERVISIONS",
    "TASKS",
    "Arithmetic",
    "CycleNavigation",
    "EditDistance",
    "First",
    "GroupProduct",
    "KParity",
    "LearntFunction",
    "LengthDistribution",
    "LinearEquations",
    "LongestIncreasingSubsequence",
    "Majority",
    "Mean",
    "ModularAddition",
    "PermutationComposition",
    "Pool",
    "QuestionTask",
    "RandomAutomaton",
    "RandomFunction",
    "Supervision",
    "SwapComposition",
    "Task",
    "TruthTable",
    "build_task",
    "share_out",
]
