"""Random automata: what is drawn, what is accepted, what is refused."""

import numpy as np
import pytest
from pydantic import ValidationError

from nstar.tasks import RandomAutomaton

TABLE_OF_SEED_0 = [[1, 2], [3, 0], [1, 3], [3, 0]]


def automaton(states, symbols, seed=0):
    return RandomAutomaton(kind="random_automaton", states=states, symbols=symbols, seed=seed)


def reached_from(start, transitions):
    reached = {start}
    for _ in transitions:
        reached |= {int(after) for state in reached for after in transitions[state]}
    return reached


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("states", "symbols"), [(2, 2), (5, 3), (25, 2), (10, 10)])
def test_every_state_leads_to_every_other_and_the_input_matters(states, symbols, seed):
    transitions = automaton(states, symbols, seed).transitions
    assert transitions.shape == (states, symbols)
    for start in range(states):
        assert reached_from(start, transitions) == set(range(states))
    assert any(len(set(row)) > 1 for row in transitions)


def test_the_table_belongs_to_the_seed():
    """A change of the numbers here changes studies that were published."""
    assert automaton(4, 2).transitions.tolist() == TABLE_OF_SEED_0
    assert automaton(4, 2, seed=1).transitions.tolist() != TABLE_OF_SEED_0


def test_entries_are_uniform_where_nearly_all_tables_are_accepted():
    tables = np.array([automaton(10, 10, seed).transitions for seed in range(200)])
    shares = np.bincount(tables.ravel(), minlength=10) / tables.size
    np.testing.assert_allclose(shares, 0.1, atol=0.01)  # 3.3 standard errors of 20,000 entries


def test_a_table_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        automaton(4, 2).transitions[0, 0] = 1


def test_sizes_whose_states_cannot_be_reached_are_refused():
    with pytest.raises(
        ValidationError, match=r"300 states and 2 symbols leads.*use more symbols or fewer"
    ):
        automaton(300, 2)
