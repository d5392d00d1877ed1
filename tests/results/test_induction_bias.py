"""Do the results of a run bear out the claims of arXiv:2602.18333?

``pytest tests/results --results FOLDER -rA`` says of each claim whether it passes, fails, or is not
covered by the grid of the run (skipped), and on what numbers; see `results.claims`.
"""

from pathlib import Path

import pytest
from results.claims import CLAIMS, Results, read_study


@pytest.fixture(scope="module")
def results(request):
    folder = request.config.getoption("--results")
    if folder is None:
        pytest.skip("no results are given: pytest tests/results --results FOLDER")
    if read_study(Path(folder))["evaluation"].get("function") is not None:
        pytest.skip("the results are not about demand")
    return Results.read(Path(folder))


@pytest.mark.parametrize("name", CLAIMS)
def test_claim(name, results):
    verdict = CLAIMS[name](results)
    told = f"{name}, {CLAIMS[name].__doc__.splitlines()[0]}\n{verdict.evidence}"
    if verdict.status == "not covered":
        pytest.skip(f"not covered: {told}")
    print(told)
    assert verdict.status == "pass", told
