"""Published data of other fields: the fits give the published numbers, or say why they do not.

Doses of poison take the place of budgets, animals that die that of runs that learn.
"""

import numpy as np
import pytest
from statsmodels.datasets import spector

from nstar.stats import fit_demand, fit_logistic

BUDWORM = {
    "dose": [1, 2, 4, 8, 16, 32],
    "males": [1, 4, 9, 13, 18, 20],
    "females": [0, 2, 6, 10, 12, 16],
}
"""Tobacco budworms killed by trans-cypermethrin, of 20: Collett (1991), Modelling Binary Data, p. 75."""

ROTENONE = {
    "dose": [2.6, 3.8, 5.1, 7.7, 10.2],
    "killed": [6, 16, 24, 42, 44],
    "of": [50, 48, 46, 49, 50],
}
"""Aphids killed by rotenone: Finney (1947), Probit Analysis; LD50 4.83 by logit, 4.85 by probit."""

BEETLES = {
    "log10_dose": [1.6907, 1.7242, 1.7552, 1.7842, 1.8113, 1.8369, 1.8610, 1.8839],
    "killed": [6, 13, 18, 28, 52, 53, 61, 60],
    "of": [59, 60, 62, 56, 63, 59, 62, 60],
}
"""Beetles killed by carbon disulphide: Bliss (1935), Annals of Applied Biology 22, 134-167."""


def curves(dose, by_curve, n_runs, **options):
    """Return the demands of curves that share their doses."""
    budget = np.tile(dose, len(by_curve))
    label = np.repeat(list(by_curve), len(dose))
    found = fit_demand(
        budget,
        np.concatenate(list(by_curve.values())),
        np.tile(n_runs, len(by_curve)),
        label,
        **options,
    )
    return dict(zip(by_curve, found, strict=True))


def budworms(**options):
    by_sex = {sex: BUDWORM[sex] for sex in ("females", "males")}
    return curves(BUDWORM["dose"], by_sex, np.full(6, 20), **options)


def test_budworm_without_lapses_has_the_published_dose():
    """LD50 of females 2^3.2636, standard error 0.2297 of log2: Venables and Ripley (2002), MASS, 7.2."""
    females = budworms(lapses=False)["females"]
    assert np.log2(females.estimate) == pytest.approx(3.2636, abs=0.1 * 0.2297)
    assert females.log_error / np.log(2) == pytest.approx(0.2297, rel=0.15)
    assert females.lapse == 0
    # The penalised lapse rate explains failures at the largest dose, and moves the dose down.
    lapsing = budworms()["females"]
    assert lapsing.lapse > 0.01 and lapsing.estimate < 0.96 * females.estimate


def test_rotenone_without_lapses_has_the_published_dose():
    rows = {"aphids": ROTENONE["killed"]}
    found = curves(ROTENONE["dose"], rows, ROTENONE["of"], lapses=False)["aphids"]
    assert found.estimate == pytest.approx(4.83, abs=0.05)
    assert curves(ROTENONE["dose"], rows, ROTENONE["of"])["aphids"].estimate < 4.7


def test_beetles_have_the_published_dose():
    """10^1.7718 by logit: Dobson (2002), An Introduction to Generalized Linear Models, section 7.3."""
    dose = 10 ** np.array(BEETLES["log10_dose"])
    found = curves(dose, {"beetles": BEETLES["killed"]}, BEETLES["of"])["beetles"]
    assert np.log10(found.estimate) == pytest.approx(1.7718, abs=0.002)


SELENIUM = {
    1: ([100, 200, 300, 400, 500], [40, 31, 85, 102, 112], [146, 116, 159, 150, 140]),
    2: ([100, 200, 300, 400, 500], [30, 59, 82, 62, 85], [153, 142, 139, 154, 155]),
    3: (
        [5, 25, 50, 100, 200, 400, 800],
        [0, 11, 22, 31, 105, 166, 188],
        [106, 63, 145, 127, 140, 172, 188],
    ),
    4: ([5, 25, 50, 100], [7, 11, 45, 74], [152, 150, 153, 125]),
}
"""Flies killed by four kinds of selenium, the untreated left out: Jeske et al. (2009), Environmental
Toxicology and Pharmacology 28, in the R package drc as `selenium`."""


def test_selenium_with_own_slopes_has_the_published_doses():
    """ED50 of drc's own documentation, a log-logistic curve for each kind."""
    for kind, published in ((1, 252.3), (2, 378.5), (3, 119.7), (4, 88.8)):
        dose, killed, n = SELENIUM[kind]
        found = curves(dose, {kind: killed}, n, lapses=False)[kind]
        assert found.estimate == pytest.approx(published, rel=0.03)


def test_spector_has_the_published_coefficients():
    """Greene, Econometric Analysis, table 21.1: Spector and Mazzeo's grades."""
    data = spector.load_pandas()
    fit = fit_logistic(data.endog, {name: data.exog[name] for name in ("GPA", "TUCE", "PSI")})
    published = {"GPA": (2.826, 1.263), "TUCE": (0.0952, 0.1416), "PSI": (2.379, 1.065)}
    for name, (estimate, error) in published.items():
        found = fit.coefficient(name)
        assert (found.estimate, found.standard_error) == pytest.approx((estimate, error), rel=1e-3)


@pytest.mark.parametrize(
    "learnt", [[5, 5, 3, 0, 0, 0], [5, 0, 5, 0, 5, 0]], ids=["falling", "alternating"]
)
def test_success_that_does_not_grow_has_no_bound(learnt):
    """The other curves keep their demand: nothing of such a curve counts as lapses."""
    dose = [1, 2, 4, 8, 16, 32]
    good = {name: [0, 0, 1, 4, 5, 5] for name in "abc"}
    found = curves(dose, good | {"odd": learnt}, np.full(6, 5))
    assert found["odd"].censoring == "unknown" and np.isnan(found["odd"].estimate)
    assert (found["odd"].lower, found["odd"].upper) == (0, np.inf)
    assert found["odd"].reason.startswith("Success does not grow")
    alone = curves(dose, good, np.full(6, 5))
    for name in good:
        assert found[name].estimate == pytest.approx(alone[name].estimate, rel=1e-3)
        assert found[name].reason == ""


def test_a_run_that_lapses_is_no_fall():
    found = curves([1, 2, 4, 8, 16, 32], {"a": [0, 1, 5, 3, 5, 4]}, np.full(6, 5))["a"]
    assert found.censoring == "interval" and found.reason == ""
