"""What the findings say of exponents and differences, and what speaks against it."""

import math
from typing import Any

import pandas as pd

from nstar.report.text import (
    BLANK,
    QUANTITIES,
    has_interval,
    pair_name,
    show_estimate,
    show_interval,
    show_number,
    side_of_zero,
)
from nstar.subjects.axis import Axis
from nstar.subjects.demand.selection import checks_of, contradictions
from nstar.verdicts import MEASURES

CHECKS = {
    "brackets": "brackets of seeds",
    "bootstrap": "bootstrap",
    "seeds": "seeds drawn anew",
    "influence": "without one curve",
    "scatter": "growing scatter",
    "joint": "joint fit",
    "paired": "paired curves",
}


def readings(
    exponents: pd.DataFrame, thresholds: pd.DataFrame, checks: pd.DataFrame, axis: Axis
) -> list[dict[str, str]]:
    """Return model, quantity, value, reading and basis of every exponent."""
    rows = exponents[(exponents["kind"] == "exponent") & exponents["quantity"].isin(QUANTITIES)]
    return [
        {
            "model": row.model,
            "quantity": QUANTITIES[row.quantity][0],
            "value": show_estimate(row),
            "reading": _read_exponent(row, thresholds[thresholds["model"] == row.model], axis)
            + _doubt(row, checks),
            "basis": _basis(row, axis),
        }
        for row in rows.itertuples()
    ]


def _basis(row: Any, axis: Axis) -> str:
    """Return what an exponent is fitted to, and for data what is left out or doubtful."""
    basis = f"{row.n_used} runs on {row.n_curves} curves, {row.n_censored} of them censored"
    if axis.name != "budget":
        return basis
    return (
        f"{basis}; {row.n_not_fitted} runs left out as not fitted; {row.n_limited_by_steps} thresholds "
        f"limited by steps, {row.n_near_space} near the size of the space; {row.n_small_sets} curves "
        "judged on small sets"
    )


def _read_exponent(row: Any, thresholds: pd.DataFrame, axis: Axis) -> str:
    if not has_interval(row):
        return _no_interval(row)
    covariate, values = QUANTITIES[row.quantity][1], sorted(thresholds[row.quantity].unique())
    ratio = 2 if row.quantity == "length" else values[-1] / values[0]
    factor, low, high = (
        show_number(ratio**value) for value in (row.estimate, row.lower, row.upper)
    )
    grows = {
        "above": f"demand grows with {covariate}",
        "below": f"demand shrinks with {covariate}",
    }
    side = side_of_zero(row)
    step = f"Twice {covariate}" if ratio == 2 else f"From {values[0]} to {values[-1]}, {covariate}"
    reading = f"{step} multiplies {axis.symbol} by {factor} (interval {low} to {high}). "
    if len(values) == 2:
        reading += "Two values are a contrast: they do not test the power law. "
    if side == "includes":
        return reading + f"The interval includes 0: the study does not show that {grows['above']}."
    if row.p_value_holm > 1 - row.confidence:
        return (
            f"{reading}The interval excludes 0, but not once the number of tests counts (p = "
            f"{row.p_value_holm:.2g} of {row.n_tests}): the study does not show that {grows[side]}."
        )
    return reading + f"The interval excludes 0: at this size the study shows that {grows[side]}."


def comparisons(exponents: pd.DataFrame, checks: pd.DataFrame) -> list[dict[str, str]]:
    """Return both models, quantity, value and conclusion of every difference."""
    rows = exponents[(exponents["kind"] == "difference") & exponents["quantity"].isin(QUANTITIES)]
    return [
        {
            "models": pair_name(row),
            "quantity": QUANTITIES[row.quantity][0],
            "value": show_estimate(row),
            "p_value": "" if math.isnan(row.p_value_holm) else f"{row.p_value_holm:.2g}",
            "reading": _read_difference(row) + _doubt(row, checks),
        }
        for row in rows.itertuples()
    ]


def _read_difference(row: Any) -> str:
    if not has_interval(row):
        return _no_interval(row)
    covariate = QUANTITIES[row.quantity][1]
    first, second = row.model, row.minus_model
    side = side_of_zero(row)
    if side == "below":
        first, second = second, first
    claim = f"that the demand of {first} grows faster with {covariate} than that of {second}"
    if side == "includes":
        return f"The interval includes 0: at this size the study does not show {claim}, or slower."
    if row.p_value_holm > 1 - row.confidence:
        return (
            f"The interval excludes 0, but not once the number of tests counts (p = "
            f"{row.p_value_holm:.2g} of {row.n_tests}): the study does not show {claim}."
        )
    return f"The interval excludes 0: at this size the study shows {claim}."


def _doubt(row: Any, checks: pd.DataFrame) -> str:
    """Return a sentence on the checks that contradict a row, or "" where none does."""
    of_row = contradictions(checks_of(row, checks))
    names = [f"{CHECKS[check.check]} {_show_check(check)}" for check in of_row.itertuples()]
    if not names:
        return ""
    return f" Not explained by the law: {'; '.join(names)}."


def _no_interval(row: Any) -> str:
    what = "Not identified" if not math.isfinite(row.estimate) else "No interval"
    return f"{what}, so nothing is concluded. {row.reason}".strip()


def check_table(exponents: pd.DataFrame, checks: pd.DataFrame) -> dict[str, Any]:
    """Return every exponent and difference beside its other estimates, as text."""
    columns = [name for name in CHECKS if (checks["check"] == name).any()]
    lines = []
    for row in exponents[exponents["quantity"].isin(QUANTITIES)].itertuples():
        found = checks_of(row, checks).set_index("check")
        name = pair_name(row)
        cells = [_mark(found.loc[column]) if column in found.index else BLANK for column in columns]
        lines.append([name, QUANTITIES[row.quantity][0], show_interval(row), *cells])
    return {"columns": [CHECKS[name] for name in columns], "lines": lines if columns else []}


def _mark(check: Any) -> str:
    """Return the value of a check, marked where the law does not explain it."""
    mark = " \u2021" if check.verdict == "marked" else ""
    return _show_check(check) + mark + (f" ({check.curve})" if check.curve else "")


def _show_check(check: Any) -> str:
    """Return the estimate of a check, with its interval if it has one."""
    if math.isfinite(check.estimate) and not math.isfinite(check.lower):
        return f"{check.estimate:.2f}".replace("-", "\u2212")
    return show_interval(check)


_FORMS = {"power": "power law", "exponential": "exponential", "broken_power": "broken power law"}


def form_table(forms: pd.DataFrame) -> list[dict[str, str]]:
    """Return for each model how much worse than its best each form is."""
    lines = []
    for model, rows in forms.groupby("model", sort=False):
        line = {"model": model}
        for row in rows.itertuples():
            text = f"{row.delta_aic:.1f}" if row.identified else "not identified"
            if math.isfinite(row.knot) and row.identified:
                text += f" (bend at n = {row.knot:.3g})"
            line[row.form] = text
        lines.append(line)
    return lines


def component_table(components: pd.DataFrame) -> list[dict[str, str]]:
    """Return the components of the variance of ln N*, a line for each of a model and task."""
    return [
        {
            "model": row.model,
            "task": row.task,
            "component": row.component.replace(" x ", " \u00d7 "),
            "variance": _show_variance(row),
            "share": BLANK if math.isnan(row.share) else f"{row.share:.0%}",
            "curves": f"{row.n_curves}, {row.n_left_out} left out",
        }
        for row in components.itertuples()
    ]


def _show_variance(row: Any) -> str:
    """Return a variance with its interval, or that it is not known."""
    if math.isnan(row.variance):
        return BLANK
    interval = "no interval"
    if not math.isnan(row.lower):
        interval = f"[{row.lower:.3f},\u00a0{row.upper:.3g}]"
    return f"{row.variance:.3f} {interval}" + ("\u2021" if row.negative else "")


_LEFT_OUT = {
    "limited_by_steps": "without the curves with a threshold limited by steps",
    "near_space": "without the lengths at which a threshold is near the size of the space",
    "near_floor": "without the curves with a threshold of at most 2",
    "no_lapse": "no run lapses",
    "fitted_lapse": "with a fitted lapse rate",
    "strict_rule": "by the strict rule",
    "published_rule": "by the published rule",
}


def robustness_table(exponents: pd.DataFrame, robustness: pd.DataFrame) -> dict[str, Any]:
    """Return the exponents of length, and their differences, judged otherwise: see `_LEFT_OUT`."""
    tables = {"all": exponents} | dict(iter(robustness.groupby("left_out", sort=False)))
    columns, lines = [], {}
    for left_out, table in tables.items():
        columns.append(_LEFT_OUT.get(left_out, "all curves"))
        for row in table[table["quantity"] == "length"].itertuples():
            name = pair_name(row)
            lines.setdefault(name, {})[columns[-1]] = show_interval(row)
    filled = {name: [line.get(column, BLANK) for column in columns] for name, line in lines.items()}
    return {"columns": columns, "lines": filled}


def learning_table(learning: pd.DataFrame) -> list[list[str]]:
    """Return the curves whose losses or errors have an exponent with an interval, as lines of text."""
    known = learning[learning["identified"] & learning["lower"].notna()]
    lines = {}
    for row in known.itertuples():
        of_curve = lines.setdefault((row.model, row.task, str(row.length)), {})
        of_curve[row.measure] = show_interval(row)
    return [
        [*curve, *(cells.get(measure, BLANK) for measure in MEASURES)]
        for curve, cells in lines.items()
    ]
