"""The results that claims are checked on."""

from pathlib import Path

import pytest
from results.claims import read_study


@pytest.fixture(scope="module")
def results_of(request):
    """Return what reads the tree of results, and skips where it is about another question."""

    def read(results_class, subject):
        folder = request.config.getoption("--results")
        if folder is None:
            pytest.skip("no results are given: pytest tests/results --results FOLDER")
        evaluation = read_study(Path(folder))["evaluation"]
        subjects = {"function": "functions", "answers": "answers"}
        found = [name for key, name in subjects.items() if evaluation.get(key) is not None]
        if subject not in (found or ["demand"]):
            pytest.skip(f"the results are about {(found or ['demand'])[0]}")
        return results_class.read(Path(folder))

    return read


@pytest.fixture
def bear_out():
    """Return what tells the verdict on a claim, skips where it is not covered, and fails."""

    def judge(name, check, results):
        verdict = check(results)
        told = f"{name}, {check.__doc__.splitlines()[0]}\n{verdict.evidence}"
        if verdict.status == "not covered":
            pytest.skip(f"not covered: {told}")
        print(told)
        assert verdict.status == "pass", told

    return judge
