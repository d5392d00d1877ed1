"""A short form of `benchmarks/statistics_coverage.py` with fixed seeds: intervals cover the truth."""

import numpy as np
import pytest
from learning_curve_coverage import CURVES, assess_curve
from statistics_coverage import EXPONENT, SCENARIOS, assess_difference, assess_study

N_STUDIES = 200
LEAST_COVERED = 180  # at a true coverage of 95 % the count falls below it once in 1,000
SHORT = (
    "run noise",
    "seed thresholds",
    "lack of fit",
    "lack of fit, right-censored",
    "left-censored, lapse 10 %",
)


@pytest.fixture(scope="module")
def found():
    return {
        name: [assess_study(seed, SCENARIOS[name])[0] for seed in range(N_STUDIES)]
        for name in SHORT
    }


def covered(studies, method):
    intervals = np.array([study[method] for study in studies])
    return int(((intervals[:, 1] <= EXPONENT) & (EXPONENT <= intervals[:, 2])).sum())


@pytest.mark.parametrize("scenario", SHORT)
def test_intervals_of_the_exponent_cover(found, scenario):
    assert covered(found[scenario], "fit") >= LEAST_COVERED
    estimates = [study["fit"][0] for study in found[scenario]]
    error = np.std(estimates) / np.sqrt(N_STUDIES)
    assert abs(np.mean(estimates) - EXPONENT) < max(0.06, 4 * error)


def test_intervals_are_no_wider_than_five_curves_make_them(found):
    # Five equally well known curves and t(3): a width of about 0.5 without lack of fit.
    widths = [study["fit"][2] - study["fit"][1] for study in found["run noise"]]
    assert np.median(widths) < 0.6, "covered by being useless"


def test_what_is_done_elsewhere_covers_less_or_is_biased(found):
    studies = found["lack of fit, right-censored"]
    assert covered(studies, "seeds") < 160
    assert np.mean([study["seeds"][0] for study in studies]) < EXPONENT - 0.1
    assert covered(studies, "crossing") >= LEAST_COVERED


@pytest.mark.parametrize("shared_scale", [0.0, 0.4])
def test_intervals_of_differences_cover(shared_scale):
    studies = [assess_difference(seed, shared_scale) for seed in range(100)]
    widths = {}
    for method in ("separate", "paired"):
        intervals = np.array([study[method] for study in studies])
        assert ((intervals[:, 1] <= 0.83) & (0.83 <= intervals[:, 2])).sum() >= 88
        widths[method] = np.median(intervals[:, 2] - intervals[:, 1])
    # What the models share cancels in pairs; separate fits pay for it.
    assert (widths["paired"] < 0.8 * widths["separate"]) == (shared_scale > 0)


@pytest.mark.parametrize(
    ("scenario", "widest"),  # the interval of ln b: covered by being useless is not enough
    [("loss", 1.3), ("loss, five budgets, a floor", 2.5), ("loss, steep", 0.3), ("errors", 1.0)],
)
def test_intervals_of_the_exponent_of_a_learning_curve_cover(scenario, widest):
    estimates, lower, upper = np.array([assess_curve(s, CURVES[scenario]) for s in range(100)]).T
    fitted, truth = np.isfinite(lower), CURVES[scenario].get("exponent", 0.8)
    assert fitted.sum() >= 95
    assert ((lower <= truth) & (truth <= upper)).sum() >= 88  # of 95 %, below once in 500
    assert np.median(np.log(upper / lower)[fitted]) < widest
    assert abs(np.median(estimates[fitted]) / truth - 1) < 0.25
