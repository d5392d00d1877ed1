"""The budgets that a search asks for: traces by hand, what holds for any outcomes, what it costs."""

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from search import SCENARIOS, assess_study, summarise

from nstar.study.search import STRATEGIES, RunCounts, Search, next_budgets, replay

GRID = tuple(2**k for k in range(12))
LEARNT, FAILED, SILENT = RunCounts(5, 5, 5), RunCounts(0, 5, 5), RunCounts(0, 2, 5)
LETTERS = {"+": LEARNT, "-": FAILED, "?": SILENT}
LETTERS |= {str(k): RunCounts(k, 5, 5) for k in range(1, 5)}


def curve(letters):
    """Return a grid and its counts: all runs learnt (+), none (-), so many of five, unfitted (?)."""
    grid = tuple(2**k for k in range(len(letters)))
    return grid, dict(zip(grid, map(LETTERS.get, letters), strict=True))


def trace(letters, strategy):
    """Return the positions in the grid that every round asks for."""
    grid, counts = curve(letters)
    known, rounds = {}, []
    while asked := next_budgets(grid, known, strategy):
        rounds.append([grid.index(budget) for budget in asked])
        known |= {budget: counts[budget] for budget in asked}
    return rounds


# ----------------------------------------------------------------------------- traces by hand
@pytest.mark.parametrize(
    ("letters", "rounds"),
    [
        # Halfway and three quarters; the same of what is open; then what is left of it.
        ("-----+++++++", [[6, 9], [3, 4], [5]]),
        # A margin has two neighbours on each side of the threshold.
        ("------++++++", [[6, 9], [3, 4], [5], [7]]),
        ("-------+++++", [[6, 9], [7, 8], [5]]),
        ("--------++++", [[6, 9], [7, 8]]),
        # Every budget of a shallow transition, and two beyond each of its ends.
        ("----1234++++", [[6, 9], [3, 4], [5], [7, 8]]),
        ("-1-124434+++", [[6, 9], [3, 4], [5], [2]]),
        ("--2232334+++", [[6, 9], [3, 4], [1, 2, 5, 7, 8], [0]]),
        # A reversal: all from the first that learnt to the last that failed.
        ("------+++-++", [[6, 9], [3, 4, 7, 8], [5], [10, 11]]),
        ("--++-+++++++", [[6, 9], [3, 4], [1, 2], [0, 5]]),
        # One run that lapses moves nothing.
        ("-----+++4+++", [[6, 9], [3, 4], [5]]),
        # The threshold lies beyond an end of the grid.
        ("------------", [[6, 9], [10, 11]]),
        ("++++++++++++", [[6, 9], [3, 4], [1, 2], [0]]),
        # Short of steps above the threshold, and instead of it.
        ("-----+++????", [[6, 9], [3, 4], [5]]),
        ("-----+??????", [[6, 9], [10, 11], [3, 4], [5]]),
        ("-----???????", [[6, 9], [10, 11], [3, 4], [5]]),
        ("????????????", [[6, 9], [10, 11], [3, 4], [1, 2], [0]]),
        ("-----???++++", [[6, 9], [7, 8], [3, 4], [5]]),
        # Few budgets.
        ("+", [[0]]),
        ("-", [[0]]),
        ("-+", [[0, 1]]),
        ("?+", [[0, 1]]),
        ("--+", [[1, 2], [0]]),
        ("-+++", [[2, 3], [0, 1]]),
    ],
)
def test_rounds_of_bracket(letters, rounds):
    assert trace(letters, "bracket") == rounds


@pytest.mark.parametrize(
    ("letters", "rounds"),
    [
        ("-----+++++++", [[11], [1], [6], [3], [4], [5]]),  # 2048, then 2048 / 1000, then halves
        ("++++++++++++", [[11], [1], [0]]),  # nothing failed, and 2 / 1000 is off the grid
        ("-+++++++++++", [[11], [1], [0]]),
        ("------------", [[11]]),
        ("-----1------", [[11]]),
        ("-----1111111", [[11], [1], [6], [3], [4], [5]]),  # any run is enough
        ("--++", [[3], [1], [2]]),
        ("-", [[0]]),
        ("+", [[0]]),
        ("???+", [[3], [1], [2]]),  # the source knows success and failure only
    ],
)
def test_rounds_of_binary_geometric(letters, rounds):
    assert trace(letters, "binary_geometric") == rounds


def test_binary_geometric_divides_by_1000_until_it_fails_and_tries_20_budgets_at_most(monkeypatch):
    grid = tuple(4**k for k in range(12))  # 4^5 > 1000: five positions down
    counts = {budget: LEARNT for budget in grid}
    assert replay(grid, counts, "binary_geometric") == Search((1, 4, 4096, 4**11), (), 4)
    grid, counts = curve("-----+++++++")
    monkeypatch.setattr("nstar.study.search.MOST_BUDGETS", 4)
    assert replay(grid, counts, "binary_geometric") == Search((2, 8, 64, 2048), (), 4)


@pytest.mark.parametrize(("most_budgets", "widest"), [(20, 1), (10, 16_000 / 2**8)])
@pytest.mark.parametrize("first_learnt", [1, 2, 15, 16, 17, 999, 1000, 4321, 15_999, 16_000])
def test_binary_geometric_on_whole_numbers(first_learnt, most_budgets, widest, monkeypatch):
    """The source's search: the open stretch holds N*, and halves with all but two of its budgets."""
    monkeypatch.setattr("nstar.study.search.MOST_BUDGETS", most_budgets)
    grid, known = range(1, 16_001), {}
    while asked := next_budgets(grid, known, "binary_geometric"):
        known |= {budget: LEARNT if budget >= first_learnt else FAILED for budget in asked}
    failed = max((budget for budget in known if budget < first_learnt), default=0)
    learnt = min(budget for budget in known if budget >= first_learnt)
    assert failed < first_learnt <= learnt
    assert len(known) <= most_budgets
    assert learnt - failed <= math.ceil(widest)


def test_all_asks_for_what_is_not_known_in_one_round():
    assert next_budgets(GRID, {}, "all") == GRID
    assert next_budgets(GRID, {GRID[3]: FAILED}, "all") == GRID[:3] + GRID[4:]
    assert replay(GRID, {}, "all") == Search((), GRID, 1)


def test_replay_waits_for_the_whole_round():
    grid, counts = curve("-----+++++++")
    some = {budget: counts[budget] for budget in (2**6, 2**3, 2**11)}
    assert replay(grid, {}, "bracket") == Search((), (2**6, 2**9), 1)
    assert replay(grid, some, "bracket") == Search((2**6,), (2**9,), 1)
    some[2**9] = counts[2**9]
    assert replay(grid, some, "bracket") == Search((2**3, 2**6, 2**9), (2**4,), 2)
    assert replay(grid, counts, "bracket") == Search((8, 16, 32, 64, 512), (), 3)


@pytest.mark.parametrize(
    ("outcome", "learnt", "failed", "tells"),
    [
        (RunCounts(3, 5, 5), True, False, True),
        (RunCounts(2, 5, 5), False, True, True),
        (RunCounts(2, 4, 4), True, False, True),
        (RunCounts(2, 3, 5), True, False, True),  # two of three that count
        (RunCounts(2, 2, 5), False, False, False),
        (RunCounts(0, 0, 1), False, False, False),
    ],
)
def test_runs_that_did_not_fit_are_left_out_and_most_must_have(outcome, learnt, failed, tells):
    assert (outcome.learnt, outcome.failed, outcome.tells) == (learnt, failed, tells)


@pytest.mark.parametrize(("n_runs", "n_tolerated"), [(3, 0), (4, 0), (5, 1), (9, 1), (10, 2)])
def test_one_run_in_five_may_differ_in_a_margin(n_runs, n_tolerated):
    for n in range(n_runs + 1):
        assert RunCounts(n, n_runs, n_runs).confirms_failed() == (n <= n_tolerated)
        assert RunCounts(n_runs - n, n_runs, n_runs).confirms_learnt() == (n <= n_tolerated)


@pytest.mark.parametrize(
    ("grid", "counts", "strategy", "message"),
    [
        ([], {}, "all", "at least one"),
        ([0, 1], {}, "all", "positive"),
        ([1, 4, 2], {}, "bracket", "increasing"),
        ([1, 2, 2], {}, "bracket", "increasing"),
        ([1, 2], {3: LEARNT}, "bracket", "budget 3 is not of the grid"),
        ([1, 2], {}, "bisect", "one of all, bracket, binary_geometric"),
    ],
)
def test_wrong_input_is_named(grid, counts, strategy, message):
    with pytest.raises(ValueError, match=message):
        next_budgets(grid, counts, strategy)


@pytest.mark.parametrize("counts", [(-1, 0, 1), (2, 1, 3), (0, 4, 3), (0, 0, 0)])
def test_impossible_outcomes_are_refused(counts):
    with pytest.raises(ValueError, match="n_learnt <= n_fitted"):
        RunCounts(*counts)


# ------------------------------------------------------------------------- whatever the counts
@st.composite
def curves(draw, all_fit=False):
    """Draw a grid of up to 24 budgets and any counts."""
    grid = sorted(draw(st.sets(st.integers(1, 10**7), min_size=1, max_size=24)))
    n_runs = draw(st.integers(1, 10))
    counts = {}
    for budget in grid:
        n_fitted = n_runs if all_fit else draw(st.integers(0, n_runs))
        counts[budget] = RunCounts(draw(st.integers(0, n_fitted)), n_fitted, n_runs)
    return grid, counts


strategies = st.sampled_from(STRATEGIES)


@given(curves(), strategies)
def test_a_search_ends_and_asks_for_each_budget_of_the_grid_once(drawn, strategy):
    grid, counts = drawn
    known = {}
    while asked := next_budgets(grid, known, strategy):
        assert list(asked) == sorted(set(asked))
        assert set(asked) <= set(grid) - set(known)
        known |= {budget: counts[budget] for budget in asked}


@given(curves(), strategies, st.data())
def test_replay_is_the_search_step_by_step_whatever_else_is_known(drawn, strategy, data):
    grid, counts = drawn
    n_rounds = data.draw(st.integers(0, 8))
    known, asked, n_round = {}, next_budgets(grid, {}, strategy), 1
    while asked and n_round <= n_rounds:
        known |= {budget: counts[budget] for budget in asked}
        asked, n_round = next_budgets(grid, known, strategy), n_round + 1
    expected = Search(tuple(sorted(known)), asked, n_round if asked else n_round - 1)
    assert replay(grid, known, strategy) == expected

    others = sorted(set(counts) - set(known) - set(asked))
    chosen = data.draw(st.sets(st.sampled_from(others))) if others else set()
    superfluous = {budget: counts[budget] for budget in chosen} | {10**9: LEARNT}
    assert replay(grid, known | superfluous, strategy) == expected


@pytest.mark.parametrize("n", range(1, 25))
def test_the_threshold_of_a_sharp_curve_is_confirmed_in_few_rounds(n):
    for first_learnt in range(n + 1):
        grid, counts = curve("-" * first_learnt + "+" * (n - first_learnt))
        search = replay(grid, counts, "bracket")
        margins = range(max(first_learnt - 2, 0), min(first_learnt + 2, n))
        assert {grid[i] for i in margins} <= set(search.used)
        assert not search.missing
        assert search.n_round <= 5
        assert len(search.used) <= max(7, n // 2)


@given(curves(all_fit=True))
def test_all_between_the_margins_is_trained_reversals_included(drawn):
    grid, counts = drawn
    used = [i for i, b in enumerate(grid) if b in replay(grid, counts, "bracket").used]
    first = min((i for i in used if counts[grid[i]].learnt), default=len(grid))
    last = max((i for i in used if counts[grid[i]].failed), default=-1)
    assert set(range(first, last)) <= set(used)
    sides = [
        (range(first - 1, -1, -1), RunCounts.confirms_failed),
        (range(max(first, last + 1), len(grid)), RunCounts.confirms_learnt),
    ]
    for outward, confirms in sides:
        confirmed = [confirms(counts[grid[i]]) for i in outward]
        margin = next((k + 2 for k, pair in enumerate(pairwise(confirmed)) if all(pair)), len(grid))
        assert set(outward[:margin]) <= set(used)


@given(curves())
def test_a_budget_that_tells_nothing_never_stands_for_a_failure(drawn):
    """Below the smallest budget that learnt one is trained that failed, or the smallest of all."""
    grid, counts = drawn
    used = replay(grid, counts, "bracket").used
    first = min((budget for budget in used if counts[budget].learnt), default=None)
    if first is not None:
        below = [budget for budget in used if budget < first]
        assert any(counts[budget].failed for budget in below) or grid[0] in used


@given(st.integers(1, 24), st.integers(0, 24), strategies)
def test_binary_geometric_and_bracket_find_the_smallest_success_of_a_sharp_curve(n, at, strategy):
    at = min(at, n)
    grid, counts = curve("-" * at + "+" * (n - at))
    used = replay(grid, counts, strategy).used
    assert [b for b in used if counts[b].learnt][:1] == list(grid[at : at + 1])


# ----------------------------------------------------------- a short form of benchmarks/search.py
@pytest.fixture(scope="module")
def figures():
    return {
        name: summarise(
            *map(
                pd.concat,
                zip(*(assess_study(k, SCENARIOS[name]) for k in range(12)), strict=True),
            )
        )
        for name in ("medium", "lapse 10 %", "20 budgets")
    }


def test_bracket_costs_half_at_the_same_error(figures):
    for found in figures.values():
        assert found.loc["bracket", "cost"] < 0.5
        assert found.loc["bracket", "cost at equal precision"] < 0.55
        assert found.loc["bracket", "rounds"] < 4.5
    assert figures["20 budgets"].loc["bracket", "cost"] < 0.35


def test_bracket_covers_as_the_grid_does(figures):
    covered = pd.concat([found["coverage"] for found in figures.values()], axis=1).mean(axis=1)
    assert covered["bracket"] > 0.92
    assert abs(covered["bracket"] - covered["all"]) < 0.02


def test_the_search_of_the_source_is_less_precise(figures):
    for found in figures.values():
        assert found.loc["binary_geometric", "RMSE"] > 1.1 * found.loc["bracket", "RMSE"]


def test_simulated_studies_are_the_same_each_time():
    first, second = (assess_study(3, SCENARIOS["dips"], ("bracket",))[0] for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    assert np.isfinite(first["error"]).all()
