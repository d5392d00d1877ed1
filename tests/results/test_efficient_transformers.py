"""Do the results of a run bear out the claims of arXiv:2402.13934?

``pytest tests/results --results FOLDER -rA`` says of each claim whether it passes, fails, or is not
covered by the grid of the run (skipped), and on what numbers; see `results.width_claims`.
"""

import pytest
from results.width_claims import CLAIMS, Results


@pytest.fixture(scope="module")
def results(results_of):
    return results_of(Results, "answers")


@pytest.mark.parametrize("name", CLAIMS)
def test_claim(name, results, bear_out):
    bear_out(name, CLAIMS[name], results)
