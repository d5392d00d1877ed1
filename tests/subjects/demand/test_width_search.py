"""A search for the least width trains fewer cells than the whole grid, and finds the same width."""

from pathlib import Path

import pytest
from support.stores import make_stores
from support.studies import changed, study_in

from nstar.jobs.collection import collect_results
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.reading.file import read_config
from nstar.tables import read_table

PUBLISHED = read_config(Path(__file__).parents[3] / "workflow/studies/least_width_two_cores.yaml")
STUDY = changed(
    PUBLISHED,
    **{
        "models.lstm.width": [2, 3, 4, 6, 8, 12, 16, 24, 32],
        "grid.0.lengths": [4],
        "replicates.seeds": [0, 1],
    },
)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The results of the whole grid."""
    results = tmp_path_factory.mktemp("widths")
    make_stores(plan_jobs(make_plan(load_study(changed(STUDY, search="all")), results)), results)
    return results


def thresholds_of(results, search):
    study = load_study(changed(STUDY, search=search))
    collect_results({"study": study.model_dump(mode="json")}, results)
    table = read_table(study_in(results) / "tables/thresholds.csv", "thresholds")
    return table[["model", "rule", "seed", "n_star", "lower", "upper", "censoring"]]


def test_a_bracket_of_widths_finds_the_same_with_fewer_cells(results):
    whole, searched = (
        make_plan(load_study(changed(STUDY, search=search)), results)
        for search in ("all", "bracket")
    )
    assert whole.finished and searched.finished and not searched.searching
    assert len(searched.cells) <= 0.7 * len(whole.cells)
    found = thresholds_of(results, "bracket")
    assert (found["censoring"] == "interval").all() and set(found["model"]) == {"lstm"}
    assert found.equals(thresholds_of(results, "all"))
