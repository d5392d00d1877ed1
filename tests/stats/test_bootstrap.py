"""The bootstrap of studies: it repeats the fit's interval where the fit is right, and says why not."""

import numpy as np
import pytest
from passage_coverage import simulate_passages
from statistics_coverage import scaling_data, simulate_runs

from nstar.stats import bootstrap_scaling, fit_scaling


def bootstrap(data, n_replicates=200, seed=0, **options):
    fit = fit_scaling(**data, **options)
    generator = np.random.default_rng(seed)
    return fit, bootstrap_scaling(fit, **data, generator=generator, n_replicates=n_replicates)


def test_it_repeats_the_interval_of_the_fit():
    fit, drawn = bootstrap(scaling_data(simulate_runs(0, lengths=tuple(range(4, 20)))))
    one, two = fit.coefficient("length"), drawn.coefficient("length")

    assert two.estimate == one.estimate
    # The drawn studies have the scatter of the fit, whatever the residuals of this one study are.
    expected = one.standard_error / np.sqrt(fit.dispersion)
    assert two.standard_error == pytest.approx(expected, rel=0.2)
    assert (two.lower, two.upper) == pytest.approx((one.lower, one.upper), abs=0.1)
    assert abs(drawn.bias[1]) < 0.3 * one.standard_error
    assert (drawn.identified, drawn.n_failed, drawn.reason) == (True, 0, "")
    assert (drawn.n_used, drawn.confidence) == (fit.n_used, 0.95)


def test_runs_seen_at_several_budgets_are_drawn_whole():
    data, _ = simulate_passages(0, lengths=tuple(range(4, 16)), evaluate_every=20)
    fit, drawn = bootstrap(data)
    # Were every look drawn for itself, the drawn studies would be far surer than the fit.
    expected = fit.coefficient("length").standard_error / np.sqrt(fit.dispersion)
    assert drawn.coefficient("length").standard_error == pytest.approx(expected, rel=0.2)
    assert drawn.n_failed == 0


def test_the_same_generator_gives_the_same_interval():
    data = scaling_data(simulate_runs(1))
    assert bootstrap(data, 50)[1] == bootstrap(data, 50)[1]
    assert bootstrap(data, 50)[1] != bootstrap(data, 50, seed=1)[1]


def test_a_fit_without_interval_has_no_bootstrap():
    data = scaling_data(simulate_runs(2))
    data["n_learnt"] = np.zeros_like(data["n_learnt"])
    fit, drawn = bootstrap(data)

    assert (drawn.identified, drawn.reason) == (False, fit.reason)
    assert np.isnan([drawn.coefficient("length").lower, *drawn.bias]).all()


@pytest.mark.parametrize(
    ("scale", "n_replicates", "message"),
    [
        (True, 100, "covariates of ln s: only fits with one scatter"),
        (False, 1, "at least 2 studies"),
    ],
)
def test_what_cannot_be_drawn_is_refused(scale, n_replicates, message):
    data = scaling_data(simulate_runs(4))
    fit = fit_scaling(**data, scale_covariates=data["covariates"] if scale else None)
    with pytest.raises(ValueError, match=message):
        bootstrap_scaling(
            fit, **data, generator=np.random.default_rng(0), n_replicates=n_replicates
        )


def test_studies_that_lose_their_curves_are_counted():
    # Three curves with two runs at each of two budgets: often all of a curve's runs learn, or none.
    data = {
        "budget": np.tile([40, 80], 3),
        "n_learnt": [1, 2, 1, 1, 0, 1],
        "n_runs": np.full(6, 2),
        "curve": np.repeat([4, 8, 16], 2),
        "covariates": {"length": np.log(np.repeat([4, 8, 16], 2))},
    }
    fit, drawn = bootstrap(data)

    assert fit.converged
    assert drawn.n_failed > 20
    assert not drawn.identified
    assert drawn.reason == f"{drawn.n_failed} of 200 drawn studies have no fit."
