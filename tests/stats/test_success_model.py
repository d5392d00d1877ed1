"""The likelihood of outcomes: limits with a known form, derivatives, quadrature."""

import itertools

import numpy as np
import pytest
from passage_coverage import simulate_passages
from scipy import integrate, stats
from scipy.special import expit
from statistics_coverage import scaling_data, simulate_runs
from statsmodels.api import GLM, families
from statsmodels.tools.numdiff import approx_fprime

from nstar.stats.design import curve_design
from nstar.stats.observations import observe
from nstar.stats.success_model import SuccessModel, find_optimum, success_terms


def model_of(runs, growing=False):
    """Return the likelihood of a simulated study, with or without a scatter that grows."""
    data = scaling_data(runs)
    covariates = data.pop("covariates")
    observations = observe(**data)
    design = curve_design(observations, covariates)
    scale_design = design - [0, design[:, 1].mean()] if growing else None
    return SuccessModel(observations, design, scale_design)


def model_of_passages(seed, **scenario):
    """Return the likelihood of a simulated study of runs seen at every evaluation, with its data."""
    data, _ = simulate_passages(seed, **scenario)
    covariates = data.pop("covariates")
    observations = observe(**data)
    return SuccessModel(observations, curve_design(observations, covariates)), data


@pytest.mark.parametrize("eta", [-800.0, -30.0, -1.0, 0.0, 2.0, 30.0, 800.0])
def test_success_terms_are_exact_in_both_tails(eta):
    lapse = 0.1
    log_probability, by_eta, by_log_lapse = success_terms(
        eta, np.log(lapse), n_learnt=0, n_failed=3, n_runs=3
    )

    assert log_probability == pytest.approx(3 * np.log1p(-(1 - lapse) * expit(eta)), abs=1e-12)
    step = 1e-5
    ahead, behind = (
        success_terms(eta + h, np.log(lapse), n_learnt=0, n_failed=3, n_runs=3)[0]
        for h in (step, -step)
    )
    assert by_eta == pytest.approx((ahead - behind) / (2 * step), abs=1e-6)
    ahead, behind = (
        success_terms(eta, np.log(lapse) + h, n_learnt=0, n_failed=3, n_runs=3)[0]
        for h in (step, -step)
    )
    assert by_log_lapse == pytest.approx((ahead - behind) / (2 * step), abs=1e-6)


def test_without_scatter_and_lapse_it_is_logistic_regression():
    runs = simulate_runs(0)
    design = np.column_stack([np.log(runs["budget"]), np.ones(len(runs)), np.log(runs["length"])])
    fit = GLM(runs["learnt"].astype(float), design, family=families.Binomial()).fit()
    slope, *others = fit.params
    params = np.r_[-np.array(others) / slope, -np.log(slope), np.log(1e-6), -40.0]

    assert model_of(runs).log_likelihood(params) == pytest.approx(fit.llf, abs=1e-4)


@pytest.mark.parametrize(("log_s", "log_tau"), [(-1.0, -1.0), (-3.5, -0.5), (0.0, -4.0)])
def test_curve_effect_is_integrated_out(log_s, log_tau):
    model = model_of(simulate_runs(1, n_budgets=6))
    params = np.array([-1.4, 1.8, log_s, log_tau, -3.0])
    s, tau, lapse = model.scales(params)
    seen, total = model.observations, 0.0
    for curve in range(seen.n_curves):
        rows = seen.curve == curve
        location = model.design[curve] @ params[:2]

        def likelihood(u, rows=rows, location=location):
            p = (1 - lapse) * expit((seen.log_budget[rows] - location - u) / s)
            k, m = seen.n_learnt[rows], seen.n_runs[rows]
            return np.prod(p**k * (1 - p) ** (m - k)) * stats.norm.pdf(u, scale=tau)

        knots = np.linspace(-6 * tau, 6 * tau, 200)
        total += np.log(
            sum(integrate.quad(likelihood, a, b)[0] for a, b in itertools.pairwise(knots))
        )
    assert model.log_likelihood(params) == pytest.approx(total, abs=1e-6)


@pytest.mark.parametrize(
    "scenario",
    [
        {"lapse": 0.2},
        {"max_steps": 60},
        {"evaluate_every": 80},
        {"n_seeds": 30, "evaluate_every": 2, "run_scale": 0.1, "lengths": (4, 8)},
    ],
)
def test_a_run_seen_at_several_budgets_counts_once_for_where_it_learnt(scenario):
    model, data = model_of_passages(1, **scenario)
    params = np.array([3.0, 0.5, np.log(scenario.get("run_scale", 0.3)), -0.7, -2.0])
    s, tau, lapse = model.scales(params)
    total = 0.0
    for curve in range(model.observations.n_curves):
        brackets = []
        for run in range(scenario.get("n_seeds", 5)):
            rows = (data["curve"] == curve) & (data["run"] == run)
            steps, learnt = data["budget"][rows], data["n_learnt"][rows]
            brackets.append(
                (np.where(~learnt, steps, 0).max(), np.where(learnt, steps, np.inf).min())
            )
        low, high = np.log(np.maximum(np.array(brackets).T, 1e-300))

        def likelihood(u, low=low, high=high, location=model.design[curve] @ params[:2]):
            below, above = ((1 - lapse) * expit((end - location - u) / s) for end in (low, high))
            chances = np.where(np.isfinite(high), above - below, 1 - below)
            return np.prod(chances) * stats.norm.pdf(u, scale=tau)

        knots = np.linspace(-6 * tau, 6 * tau, 200)
        total += np.log(
            sum(integrate.quad(likelihood, a, b)[0] for a, b in itertools.pairwise(knots))
        )
    assert model.log_likelihood(params) == pytest.approx(total, abs=1e-6)


@pytest.mark.parametrize(
    ("log_s", "log_tau", "logit_lapse"), [(-3.0, 0.5, -6.0), (-1.0, -3.0, -1.0)]
)
def test_gradient_with_runs_seen_at_several_budgets(log_s, log_tau, logit_lapse):
    model, _ = model_of_passages(2, lapse=0.2, max_steps=100)
    params = np.array([3.0, 0.5, log_s, log_tau, logit_lapse])
    numerical = approx_fprime(params, lambda p: model.objective(p)[0], centered=True)
    assert model.objective(params)[1] == pytest.approx(numerical, rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("log_s", [-3.0, -1.0])
@pytest.mark.parametrize("log_tau", [-3.0, 0.5])
@pytest.mark.parametrize("logit_lapse", [-6.0, -1.0])
@pytest.mark.parametrize("growth", [None, 0.4])
def test_gradient_is_the_derivative_of_the_objective(log_s, log_tau, logit_lapse, growth):
    model = model_of(simulate_runs(2, n_budgets=8, lapse=0.1), growing=growth is not None)
    scale = [log_s] if growth is None else [log_s, growth]
    params = np.array([1.2, 1.7, *scale, log_tau, logit_lapse])

    numerical = approx_fprime(params, lambda p: model.objective(p)[0], centered=True)
    assert model.objective(params)[1] == pytest.approx(numerical, rel=1e-5, abs=1e-4)
    by_location = approx_fprime(
        np.zeros(1),
        lambda shift: -model.objective(params + np.r_[shift, np.zeros(len(params) - 1)])[0],
    )
    assert model.location_score(params).sum() == pytest.approx(
        by_location.item(), rel=1e-3, abs=1e-3
    )


def test_all_starts_agree_on_an_optimum_with_a_vanishing_gradient():
    optimum = find_optimum(model_of(simulate_runs(3, curve_scale=0.3)))

    assert optimum.converged
    assert optimum.n_starts_agreeing == optimum.n_starts == 3
    assert optimum.score_norm < 1e-3
