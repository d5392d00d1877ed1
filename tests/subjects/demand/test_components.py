"""The table of variance components, and how the findings show it."""

import itertools

import numpy as np
import pandas as pd

from nstar.stats import divide_variance
from nstar.subjects.demand.columns import VARIANCE_COMPONENTS
from nstar.subjects.demand.components import component_rows
from nstar.subjects.demand.findings.readings import component_table

STREAMS = ("data", "initialisation", "order")
RUNS = pd.DataFrame(itertools.product(range(3), range(2), range(2)), columns=STREAMS)
LENGTHS = (4, 8, 16)


def tables(censored=()):
    """Return cells and thresholds of two models: N* is what the seed of the data says, or noise."""
    generator = np.random.default_rng(0)
    cells = RUNS.add_suffix("_seed").assign(seed=RUNS.index)
    rows = []
    for model, length in itertools.product(("steady", "noisy"), LENGTHS):
        effect = RUNS["data"] if model == "steady" else generator.normal(size=len(RUNS))
        part = pd.DataFrame({"seed": RUNS.index, "n_star": length * np.exp(effect)})
        rows.append(part.assign(model=model, length=length))
    thresholds = pd.concat(rows, ignore_index=True).assign(
        task="parity",
        supervision="aligned",
        length_distribution="fixed",
        n_states=2,
        rule="seed",
        censoring="interval",
    )
    for model, length in censored:
        at = (thresholds["model"] == model) & (thresholds["length"] == length)
        at &= thresholds["seed"] == 5
        thresholds.loc[at, ["n_star", "censoring"]] = [np.nan, "right"]
    of_any = thresholds.drop_duplicates(["model", "length"]).assign(rule="any", seed=pd.NA)
    return pd.concat([cells, cells], ignore_index=True), pd.concat([thresholds, of_any])


def test_rows_are_those_of_the_statistic_for_each_model():
    cells, thresholds = tables()
    rows = pd.DataFrame(component_rows(cells, thresholds, 0.9))
    assert set(rows.columns) == set(VARIANCE_COMPONENTS)
    assert rows.groupby("model").size().tolist() == [7, 7]
    chosen = thresholds[(thresholds["model"] == "noisy") & (thresholds["rule"] == "seed")]
    levels = {name: [*RUNS[name]] * len(LENGTHS) for name in STREAMS}
    wanted = divide_variance(np.log(chosen["n_star"]), chosen["length"], levels, 0.9)
    found = rows[rows["model"] == "noisy"]
    for row, one in zip(found.itertuples(), wanted, strict=True):
        assert (row.component, row.variance) == (one.component, one.variance)
        assert (row.lower, row.upper, row.confidence) == (one.lower, one.upper, 0.9)


def test_a_component_that_is_all_there_is_has_the_whole_share():
    rows = pd.DataFrame(component_rows(*tables(), 0.95)).set_index(["model", "component"])
    data = rows.loc[("steady", "data")]
    assert data["share"] == 1
    np.testing.assert_allclose(data["variance"], np.var([0, 1, 2], ddof=1))
    assert (data["n_curves"], data["n_left_out"]) == (3, 0)


def test_a_censored_combination_takes_its_curve_out():
    cells, thresholds = tables(censored=[("noisy", 8)])
    rows = pd.DataFrame(component_rows(cells, thresholds, 0.95))
    counts = rows.groupby("model")[["n_curves", "n_left_out"]].first()
    assert counts.loc["noisy"].tolist() == [2, 1]
    assert counts.loc["steady"].tolist() == [3, 0]


def test_findings_show_variance_interval_and_share_or_that_nothing_is_known():
    every = [("noisy", length) for length in LENGTHS]
    lines = component_table(pd.DataFrame(component_rows(*tables(censored=every), 0.95)))
    first, *others = (line for line in lines if line["model"] == "steady")
    assert first["component"] == "data" and first["variance"].startswith("1.000 [")
    assert (first["share"], first["curves"]) == ("100%", "3, 0 left out")
    assert others[2]["component"] == "data \u00d7 initialisation"
    assert others[-1]["component"] == "residual" and others[-1]["variance"] == "0.000 no interval"
    unknown = [line for line in lines if line["model"] == "noisy"]
    assert (
        {line["variance"] for line in unknown} == {"\u2013"} == {line["share"] for line in unknown}
    )
    assert {line["curves"] for line in unknown} == {"0, 3 left out"}
