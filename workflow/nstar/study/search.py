"""Which budgets of a curve to train next, from what its runs did at those trained so far."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["STRATEGIES", "RunCounts", "Search", "next_budgets", "replay"]

MARGIN = 2  # neighbouring budgets that confirm a side of the threshold
TOLERATED = 5  # one run in so many may do the other thing, rounded down
MULTIPLIER, MOST_BUDGETS = 1000, 20  # M and S of arXiv:2602.18333, appendix A.1


@dataclass(frozen=True)
class RunCounts:
    """What the runs of a curve did at one budget; a run is a seed, over its learning rates.

    Attributes
    ----------
    n_learnt : int
        Runs that learnt.
    n_fitted : int
        Runs that at least fitted their training set, those that learnt included; all runs where demand
        is not of data, so that one that did not fit has failed.
    n_runs : int
        All runs; ``0 <= n_learnt <= n_fitted <= n_runs`` and ``n_runs >= 1``.

    Raises
    ------
    ValueError
        If the counts are not in that order.
    """

    n_learnt: int
    n_fitted: int
    n_runs: int

    def __post_init__(self):
        if not (0 <= self.n_learnt <= self.n_fitted <= self.n_runs and self.n_runs >= 1):
            raise ValueError(
                f"{self}: 0 <= n_learnt <= n_fitted <= n_runs and n_runs >= 1 is needed"
            )

    @property
    def tells(self) -> bool:
        """Whether at least half of the runs fitted: short of steps, a run says nothing about data."""
        return 2 * self.n_fitted >= self.n_runs

    @property
    def learnt(self) -> bool:
        """Whether at least half of the runs that fitted learnt, in a budget that tells."""
        return self.tells and 2 * self.n_learnt >= self.n_fitted

    @property
    def failed(self) -> bool:
        """Whether more than half of the runs that fitted did not learn, in a budget that tells."""
        return self.tells and not self.learnt

    def confirms_learnt(self) -> bool:
        """Whether (nearly) all runs learnt of those that fitted, or nothing can be told."""
        return not self.tells or self.n_fitted - self.n_learnt <= self.n_fitted // TOLERATED

    def confirms_failed(self) -> bool:
        """Whether (nearly) no run learnt, or nothing can be told."""
        return not self.tells or self.n_learnt <= self.n_fitted // TOLERATED


@dataclass(frozen=True)
class Search:
    """How far the search of a curve has come.

    Attributes
    ----------
    used : tuple of int
        Budgets the search asked for and whose counts are known, increasing.
    missing : tuple of int
        Budgets of the present round whose counts are not known, increasing; empty when the
        search has ended.
    n_round : int
        Rounds begun, the present one included.
    """

    used: tuple[int, ...]
    missing: tuple[int, ...]
    n_round: int


def next_budgets(
    budgets: Sequence[int], counts: Mapping[int, RunCounts], strategy: str
) -> tuple[int, ...]:
    """Return the budgets of the next round.

    Parameters
    ----------
    budgets : sequence of int, shape (n,)
        The grid of the curve, in training examples: positive and increasing, at least one.
    counts : Mapping of int to RunCounts
        What runs did at each budget, of all rounds of this search so far; empty before the first.
    strategy : {"all", "bracket", "binary_geometric"}
        How to search; see Notes.

    Returns
    -------
    tuple of int
        Budgets of the grid whose counts are not known, increasing; empty when the search has
        ended.

    Raises
    ------
    ValueError
        If the grid is empty, not positive or not increasing, a counted budget is not one of its
        budgets, or there is no such strategy.

    Notes
    -----
    ``all`` asks for the grid, in one round.

    ``bracket`` closes in on the budgets at which runs begin to learn, a few at a time:

    1. *Approach.*  Between the smallest budget at which most runs learnt and the largest below it
       at which most failed, it asks for the budgets at one half and three quarters of the open
       stretch, or for all of it when it has two.  Before the first round the whole grid is open.
    2. *Reversals.*  Where success is not monotone, so that some budget failed above one that
       learnt, it asks for every budget between these two.
    3. *Margins.*  From there it goes outward, until two neighbouring budgets have (nearly) no run
       that learnt on the lower side and (nearly) none that did not on the upper side, or the grid
       ends.  Nearly: one run in five may differ.

    A run that did not fit even its training set is left out.  A budget where most runs did not
    *tells nothing*, and is no evidence that N* is larger: it is no end of the open stretch.  Where
    the stretch holds such budgets, the approach goes on above the largest of them, since what is
    short of steps will not learn from less, and then below the smallest, where a training set is
    easier to fit.  In a margin such a budget counts as confirming: nothing is to be had beyond it.

    ``binary_geometric`` is the search of the reference with its "any replicate learnt", on the
    grid: the largest budget; while it succeeds, the largest budget at most a 1000th of it, where
    there is one; after the first failure, or where there is none, the middle of the open stretch
    of the grid.  One budget a round, at most 20.  A failure at the largest budget ends it.  This
    is a reconstruction: the text gives M = 1000, S = 20 and these phases, its pseudo-code was not
    at hand, and the source searches whole numbers where this searches a grid.

    References
    ----------
    Ebrahimi et al. (2026), arXiv:2602.18333, appendix A.1.

    Examples
    --------
    >>> grid = [100, 200, 400, 800, 1600, 3200, 6400, 12800]
    >>> next_budgets(grid, {}, "bracket")
    (1600, 6400)
    >>> learnt, failed = RunCounts(5, 5, 5), RunCounts(0, 5, 5)
    >>> next_budgets(grid, {1600: failed, 6400: learnt}, "bracket")
    (3200,)
    >>> next_budgets(grid, {1600: failed, 3200: failed, 6400: learnt}, "bracket")
    (12800,)
    """
    _check_grid(budgets)
    unknown = sorted(set(counts) - set(budgets))
    if unknown:
        raise ValueError(f"budget {unknown[0]} is not of the grid {list(budgets)}")
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy is {strategy!r}: it must be one of {', '.join(STRATEGIES)}")
    known = {i: counts[budget] for i, budget in enumerate(budgets) if budget in counts}
    asked = _PLANNERS[strategy](budgets, known)
    return tuple(budgets[i] for i in sorted(asked))


def replay(budgets: Sequence[int], counts: Mapping[int, RunCounts], strategy: str) -> Search:
    """Search a curve from the first round on, as far as the known counts go.

    Parameters
    ----------
    budgets, strategy
        As `next_budgets`.
    counts : Mapping of int to RunCounts
        All counts that are known.  Those the search does not ask for are ignored: what happens
        to be trained already does not change the result.

    Returns
    -------
    Search
        What the search used, what its present round still misses, and the number of that round.

    Raises
    ------
    ValueError
        As `next_budgets`.

    Examples
    --------
    >>> learnt, failed = RunCounts(5, 5, 5), RunCounts(0, 5, 5)
    >>> replay([1, 2, 4, 8], {1: failed, 2: failed, 4: failed, 8: learnt}, "bracket")
    Search(used=(2, 4, 8), missing=(), n_round=2)
    >>> replay([1, 2, 4, 8], {1: failed, 4: failed}, "bracket")
    Search(used=(4,), missing=(8,), n_round=1)
    """
    used: dict[int, RunCounts] = {}
    n_round, missing = 0, ()
    while not missing and (asked := next_budgets(budgets, used, strategy)):
        n_round += 1
        missing = tuple(budget for budget in asked if budget not in counts)
        used |= {budget: counts[budget] for budget in asked if budget in counts}
    return Search(tuple(sorted(used)), missing, n_round)


def _check_grid(budgets: Sequence[int]) -> None:
    """Refuse a grid that is empty, not positive or not increasing."""
    increasing = all(low < high for low, high in pairwise(budgets))
    if len(budgets) == 0 or budgets[0] <= 0 or not increasing:
        raise ValueError(f"budgets is {list(budgets)}: at least one, positive and increasing")


# The planners take the grid and the counts by position in it, and return positions to try.


def _ask_all(budgets: Sequence[int], known: Mapping[int, RunCounts]) -> list[int]:
    return [i for i in range(len(budgets)) if i not in known]


def _ask_bracket(budgets: Sequence[int], known: Mapping[int, RunCounts]) -> list[int]:
    """Return the positions of the next round of ``bracket``; steps as in `next_budgets`."""

    def open_between(low: int, high: int) -> list[int]:
        return [i for i in range(low + 1, high) if i not in known]

    learnt = [i for i in known if known[i].learnt]
    failed = [i for i in known if known[i].failed]
    first_learnt = min(learnt, default=len(budgets))
    failed_below = max((i for i in failed if i < first_learnt), default=-1)
    last_failed = max(failed, default=-1)
    silent = [i for i in sorted(known) if failed_below < i < first_learnt]

    asked = open_between(first_learnt, last_failed)
    ends = [failed_below, *silent, first_learnt]
    approach = open_between(*ends[-2:]) or open_between(*ends[:2])
    if approach:
        return asked + _thin(approach)
    top = max(first_learnt, last_failed + 1)
    asked += _ask_margin(range(failed_below, -1, -1), known, RunCounts.confirms_failed)
    asked += _ask_margin(range(top, len(budgets)), known, RunCounts.confirms_learnt)
    return asked


def _thin(stretch: list[int]) -> list[int]:
    """Return what lies at one half and at three quarters of a stretch, or a short one whole.

    Both lie high, since a budget that fails costs more: its runs go to the limit of steps.
    """
    n = len(stretch)
    return stretch if n <= 2 else [stretch[n // 2], stretch[3 * n // 4]]


def _ask_margin(
    outward: range, known: Mapping[int, RunCounts], confirms: Callable[[RunCounts], bool]
) -> list[int]:
    """Return the fewest positions that may complete a margin of neighbours that confirm."""
    asked, n_confirming = [], 0
    for i in outward:
        if n_confirming == MARGIN:
            break
        if i not in known:
            asked.append(i)
        n_confirming = n_confirming + 1 if i not in known or confirms(known[i]) else 0
    return asked


def _ask_binary_geometric(budgets: Sequence[int], known: Mapping[int, RunCounts]) -> list[int]:
    """Return the one position that the search of arXiv:2602.18333 tries next, if any."""
    largest = len(budgets) - 1
    if not known:
        return [largest]
    learnt = [i for i in known if known[i].n_learnt > 0]
    if not learnt or len(known) == MOST_BUDGETS:
        return []
    low, high = max(known.keys() - learnt, default=-1), min(learnt)
    divided = [i for i in range(high) if budgets[i] * MULTIPLIER <= budgets[high]]
    if low < 0 and divided:
        return [divided[-1]]
    return [(low + high) // 2] if high - low > 1 else []


_PLANNERS = {
    "all": _ask_all,
    "bracket": _ask_bracket,
    "binary_geometric": _ask_binary_geometric,
}
STRATEGIES = tuple(_PLANNERS)
"""Names of the strategies, see `next_budgets`."""
