"""What is to be learnt, from which sequences?"""

from collections.abc import Mapping
from typing import Any

from nstar.tasks.automata.cycle_navigation import CycleNavigation
from nstar.tasks.automata.group_product import GroupProduct
from nstar.tasks.automata.modular_addition import ModularAddition
from nstar.tasks.automata.permutation_composition import PermutationComposition
from nstar.tasks.automata.random_automaton import RandomAutomaton
from nstar.tasks.automata.swap_composition import SwapComposition
from nstar.tasks.base import Task
from nstar.tasks.functions.first import First
from nstar.tasks.functions.k_parity import KParity
from nstar.tasks.functions.learnt_function import LearntFunction
from nstar.tasks.functions.majority import Majority
from nstar.tasks.functions.mean import Mean
from nstar.tasks.functions.random_function import RandomFunction
from nstar.tasks.functions.truth_table import TruthTable
from nstar.tasks.pool import HELD_OUT, LENGTH_DISTRIBUTIONS, LengthDistribution, Pool, share_out
from nstar.tasks.questions.arithmetic import Arithmetic
from nstar.tasks.questions.edit_distance import EditDistance
from nstar.tasks.questions.linear_equations import LinearEquations
from nstar.tasks.questions.longest_increasing_subsequence import LongestIncreasingSubsequence
from nstar.tasks.questions.question import QuestionTask
from nstar.tasks.supervision import SUPERVISIONS, Supervision

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
    "HELD_OUT",
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
