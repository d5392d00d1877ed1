"""Published numbers, from published points."""

import numpy as np
import pytest
from support.published import points

from nstar.stats import compare_shapes, find_slope_range, find_threshold, fit_linear, fit_scaling

# Hahn and Rofin (2024), arXiv:2402.09963, Table 2: sharpness against input length, figure 5.


def figure_5(function):
    table = points("sensitivity_figure_points.csv")
    rows = table[(table["figure"].astype(str) == "5") & (table["function"] == function)]
    return rows["n"].to_numpy(float), rows["sharpness_pm1_scale"].to_numpy()


@pytest.mark.parametrize(
    ("function", "slope", "r", "p_value"),
    [
        ("PARITY", "5.0e-02", "0.88", "6e-72"),
        ("MAJORITY", "1.8e-03", "0.67", "2e-36"),
        ("FIRST", "6.4e-05", "0.16", "8e-03"),
        ("MEAN", "-1.9e-05", "-0.07", "2e-01"),
    ],
)
def test_table_2_of_the_sensitivity_paper(function, slope, r, p_value):
    n, sharpness = figure_5(function)
    fit = fit_linear(sharpness, {"n": n})

    assert f"{fit.coefficient('n').estimate:.1e}" == slope
    assert f"{fit.r:.2f}" == r
    assert f"{fit.p_values[1]:.0e}" == p_value


def test_runs_of_one_length_are_not_independent():
    # The p values of Table 2 take them so; clusters of length widen the interval of PARITY.
    n, sharpness = figure_5("PARITY")
    rows, lengths = fit_linear(sharpness, {"n": n}), fit_linear(sharpness, {"n": n}, cluster=n)

    assert (rows.n_used, lengths.n_clusters) == (224, 27)
    assert lengths.coefficient("n").standard_error > 1.15 * rows.coefficient("n").standard_error
    assert lengths.p_values[1] > 1e-20


def test_sharpness_of_parity_is_not_best_described_by_a_line():
    # Own fits to the published points; the paper fits a line only.
    shapes = {shape.shape: shape for shape in compare_shapes(*figure_5("PARITY"))}

    assert {name: round(shape.aic, 1) for name, shape in shapes.items()} == {
        "linear": -713.2,
        "square_root": -721.1,
        "power": -713.1,
        "saturating": -721.5,
        "logistic": -721.0,
    }
    assert shapes["power"].params[1] == pytest.approx(0.98, abs=0.005)


# Yang et al. (2024), arXiv:2402.13934, figure 1: accuracy by width and problem size.

NAN, INF = np.nan, np.inf
WIDTHS = {
    ("Arithmetic", "Standard"): [64, 128, 128, 128],
    ("Arithmetic", "Sparse"): [128, 256, 256, 256],
    ("Arithmetic", "Linear"): [128, 256, 256, 512],
    ("ED", "Standard"): [64, 128, 128, 128],
    ("ED", "Sparse"): [128, 1024, 1024, NAN],
    ("ED", "Linear"): [128, 256, 256, 512],
    ("LIS", "Standard"): [256, 256, 256, 256],
    ("LIS", "Sparse"): [NAN] * 4,
    ("LIS", "Linear"): [512, 512, 1024, 1024],
}
"""Smallest width with an accuracy of at least 90 %, by size; NaN where none has it."""

SLOPES = {
    ("Arithmetic", "Standard"): [(0.00, 0.79), (0.00, 0.49), (0.00, 0.49)],
    ("Arithmetic", "Sparse"): [(0.00, 0.79), (0.49, 1.18), (0.00, 0.49)],
    ("Arithmetic", "Linear"): [(0.39, 0.99), (0.00, 0.74), (0.49, 1.18)],
    ("ED", "Standard"): [(0.00, 0.71), (0.00, 0.71), (0.00, 0.71)],
    ("ED", "Sparse"): [(1.30, 1.42), (0.65, 0.79), (1.94, INF)],
    ("ED", "Linear"): [(0.36, 0.89), (0.36, 0.89), (0.36, 0.89)],
    ("LIS", "Standard"): [(-0.39, 0.39), (0.00, 0.77), (-0.39, 0.39)],
    ("LIS", "Sparse"): [(-INF, INF), (0.00, INF), (-INF, INF)],
    ("LIS", "Linear"): [(0.00, 0.70), (NAN, NAN), (0.70, INF)],
}
"""Slopes of ln D in ln size that pass through every bracket, at 90, 50 and 99 %; NaN: none does."""


def width_thresholds(task, model, accuracy):
    """Return the sizes of a panel of figure 1 and the threshold of each."""
    table = points("efficient_figure1.csv")
    panel = table[(table["task"] == task) & (table["model"] == model)]
    found = {
        size: find_threshold(rows["dim"], (rows["acc"] >= accuracy).to_numpy())
        for size, rows in panel.groupby("size")
    }
    return np.log(list(found)), list(found.values())


@pytest.mark.parametrize(("task", "model"), WIDTHS)
def test_width_thresholds_of_the_efficient_transformers_paper(task, model):
    _, found = width_thresholds(task, model, accuracy=90)
    assert [one.n_star for one in found] == pytest.approx(WIDTHS[task, model], nan_ok=True)


@pytest.mark.parametrize(("task", "model"), SLOPES)
def test_slopes_that_the_widths_of_the_paper_allow(task, model):
    for accuracy, expected in zip((90, 50, 99), SLOPES[task, model], strict=True):
        log_size, found = width_thresholds(task, model, accuracy)
        with np.errstate(divide="ignore"):
            ends = np.log([[one.lower, one.upper] for one in found]).T
        slopes = find_slope_range(log_size, *ends)
        assert (slopes.lower, slopes.upper) == pytest.approx(expected, abs=0.0051, nan_ok=True)


@pytest.mark.parametrize(("task", "model"), WIDTHS)
def test_widths_of_one_seed_identify_an_exponent_or_say_why_not(task, model):
    table = points("efficient_figure1.csv")
    rows = table[(table["task"] == task) & (table["model"] == model)]
    fit = fit_scaling(
        rows["dim"],
        rows["acc"] >= 90,
        np.ones(len(rows)),
        rows["size"],
        {"size": np.log(rows["size"].to_numpy())},
    )
    slope = fit.coefficient("size")
    if (task, model) == ("LIS", "Sparse"):
        assert fit.reason.startswith("Only 0 of 4 curves")
        return
    if not fit.identified:
        assert fit.reason.startswith("Only ")
        return
    # One seed and widths a factor of 2 apart: the interval holds most of what the bounds allow.
    low, high = SLOPES[task, model][0]
    assert fit.quantised
    assert slope.lower < low + 0.05
    assert slope.upper > high - 0.05
