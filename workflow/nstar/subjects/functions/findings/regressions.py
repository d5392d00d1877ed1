"""What the findings say of fits to networks as functions: slopes, ratios, shapes, correlations."""

from typing import Any

import pandas as pd

from nstar.report.text import BLANK, is_known, show_fit, show_signed, side_of_zero

MOMENTS = {
    "final": "at the end of training",
    "settled": "the same number of steps after convergence",
}
_CLOSE = 2.0  # a difference of AIC below it says little


def learning_reading(regressions: pd.DataFrame, model: str, task: str) -> str:
    """Return a sentence on whether fewer runs learn as n grows, or "" where that was not fitted."""
    row = _find(regressions, regression="learning", model=model, task=task, coefficient="n")
    if row is None:
        return ""
    if not is_known(row):
        return f" Whether fewer learn as n grows is not identified. {row.reason}".rstrip()
    side = side_of_zero(row)
    if side == "includes":
        return " The study does not show that fewer learn as n grows, or more."
    if side == "above":
        return " At this size the study shows that more learn as n grows."
    return (
        " At this size the study shows that fewer learn as n grows: at long n, what is said of runs that "
        "learnt is said of survivors."
    )


def growth_lines(regressions: pd.DataFrame, quantity: str) -> list[dict[str, str]]:
    """Return for each model and task the slope and exponent of sharpness in n, and their reading."""
    lines = []
    for model, task in _curves(regressions, "growth", quantity):
        where = {"model": model, "task": task, "quantity": quantity}
        slopes = {
            moment: _find(regressions, regression="growth", coefficient="n", moment=moment, **where)
            for moment in MOMENTS
        }
        exponents = {
            moment: _find(
                regressions, regression="log_growth", coefficient="log_n", moment=moment, **where
            )
            for moment in MOMENTS
        }
        final = slopes["final"]
        reading = "Not fitted." if final is None else _read_slope(final, "sharpness", "with n")
        lines.append(
            {
                "model": model,
                "task": task,
                **{f"slope_{moment}": _show(row) for moment, row in slopes.items()},
                **{f"exponent_{moment}": _show(row) for moment, row in exponents.items()},
                "reading": f"{reading} {_compare_moments(slopes)}",
                "basis": BLANK if final is None else _basis(final),
            }
        )
    return lines


def _compare_moments(slopes: dict[str, Any]) -> str:
    """Return whether the conclusion on growth holds with the same time since convergence."""
    final, settled = slopes["final"], slopes["settled"]
    if settled is None:
        return "There is no fit with the same time since convergence."
    if not is_known(settled):
        return (
            f"With the same time since convergence it is not identified. {settled.reason}".rstrip()
        )
    reading = _read_slope(settled, "sharpness", "with n")
    if final is None or not is_known(final):
        return f"With the same time since convergence: {reading}"
    if side_of_zero(final) == side_of_zero(settled):
        return "With the same time since convergence the conclusion is the same."
    return f"With the same time since convergence the conclusion is another: {reading}"


def contrast_lines(contrasts: pd.DataFrame, quantity: str) -> list[dict[str, str]]:
    """Return the ratios of the slopes and levels of sharpness of two tasks, and their reading."""
    rows = contrasts[contrasts["quantity"] == quantity]
    return [
        {
            "model": row.model,
            "tasks": f"{row.task} / {row.over_task}",
            "of": "slope in n" if row.kind == "slope" else f"mean at n = {row.length}",
            "moment": MOMENTS[row.moment],
            "value": show_fit(row),
            "reading": _read_ratio(row),
        }
        for row in rows.itertuples()
    ]


def _read_ratio(row: Any) -> str:
    if not is_known(row):
        return _not_identified(row)
    what = "slope" if row.kind == "slope" else "mean"
    first, second = row.task, row.over_task
    if row.lower > 1 or row.upper < -1:
        size = "greater"
    elif -1 < row.lower and row.upper < 1:
        size = "smaller"
    else:
        return f"The study does not show which {what} is greater in size. {row.reason}".rstrip()
    claim = f"the {what} of {first} is {size} in size than that of {second}"
    return f"At this size the study shows that {claim}."


def shape_lines(shapes: pd.DataFrame, quantity: str) -> list[dict[str, str]]:
    """Return for each model, task and moment the shapes that are not worse than 2 by AIC."""
    rows = shapes[shapes["quantity"] == quantity]
    lines = []
    for (model, task, moment), fits in rows.groupby(["model", "task", "moment"], sort=False):
        known = fits[fits["identified"].astype(bool)].sort_values("delta_aic", kind="stable")
        close = known[known["delta_aic"] < _CLOSE]
        worse = known[known["delta_aic"] >= _CLOSE]
        reading = "Not identified, so nothing is concluded."
        if len(close) == 1 and len(worse):
            reading = "The others are worse by 2 or more."
        elif len(close) == 1:
            reading = "No other shape could be fitted."
        elif len(close):
            reading = "These are not told apart."
        lines.append(
            {
                "model": model,
                "task": task,
                "moment": MOMENTS[moment],
                "close": ", ".join(f"{row.shape} ({row.formula})" for row in close.itertuples())
                or BLANK,
                "worse": ", ".join(
                    f"{row.shape} by {show_signed(row.delta_aic)}" for row in worse.itertuples()
                )
                or BLANK,
                "reading": reading + _reasons(fits[~fits["identified"].astype(bool)]),
            }
        )
    return lines


def _reasons(unknown: pd.DataFrame) -> str:
    return "".join(f" {row.shape}: {row.reason}" for row in unknown.itertuples())


def tradeoff_lines(regressions: pd.DataFrame) -> list[dict[str, str]]:
    """Return the coefficient of n in norm given blow-up, and in blow-up given norm."""
    claims = {
        "tradeoff": ("norm given blow-up", "at the same blow-up the parameter norm"),
        "reverse_tradeoff": ("blow-up given norm", "at the same norm the blow-up"),
    }
    rows = regressions[
        regressions["regression"].isin(list(claims)) & (regressions["coefficient"] == "n")
    ]
    return [
        {
            "model": row.model,
            "task": row.task or "all",
            "of": claims[row.regression][0],
            "moment": MOMENTS[row.moment],
            "value": show_fit(row),
            "reading": _read_slope(row, claims[row.regression][1], "with n"),
            "basis": _basis(row),
        }
        for row in rows.itertuples()
    ]


def sensitivity_lines(regressions: pd.DataFrame, quantity: str) -> list[dict[str, str]]:
    """Return the slope of sharpness in average sensitivity, and its correlation."""
    rows = regressions[
        (regressions["regression"] == "sensitivity")
        & (regressions["quantity"] == quantity)
        & (regressions["coefficient"] != "intercept")
    ]
    return [
        {
            "model": row.model,
            "length": "all" if pd.isna(row.length) else str(row.length),
            "moment": MOMENTS[row.moment],
            "value": show_fit(row),
            "r": f"{row.r:.2f}".replace("-", "\u2212") if is_known(row) else BLANK,
            "reading": _read_slope(row, "sharpness", "with the average sensitivity of networks"),
            "basis": _basis(row),
        }
        for row in rows.itertuples()
    ]


def other_growth(regressions: pd.DataFrame, quantity: str) -> list[list[str]]:
    """Return the slopes in n of all other quantities: model, task, quantity, and both moments."""
    rows = regressions[
        (regressions["regression"] == "growth") & (regressions["coefficient"] == "n")
    ]
    rows = rows[rows["quantity"] != quantity]
    lines = []
    for (name, model, task), fits in rows.groupby(["quantity", "model", "task"], sort=False):
        by_moment = {row.moment: show_fit(row) for row in fits.itertuples()}
        lines.append([name, model, task, *(by_moment.get(moment, BLANK) for moment in MOMENTS)])
    return lines


def _curves(regressions: pd.DataFrame, regression: str, quantity: str) -> list[tuple[str, str]]:
    rows = regressions[
        (regressions["regression"] == regression) & (regressions["quantity"] == quantity)
    ]
    return list(dict.fromkeys(zip(rows["model"], rows["task"], strict=True)))


def _find(table: pd.DataFrame, **values: str) -> Any:
    """Return the first row with these values, None where there is none."""
    rows = table[(table[list(values)] == list(values.values())).all(axis=1)]
    return next(rows.itertuples(), None)


def _show(row: Any) -> str:
    return BLANK if row is None else show_fit(row)


def _read_slope(row: Any, what: str, along: str) -> str:
    """Return whether `what` grows `along` something, as far as the interval goes."""
    if not is_known(row):
        return _not_identified(row)
    side = side_of_zero(row)
    if side == "includes":
        return (
            f"The interval includes 0: the study does not show that {what} grows {along}, or falls."
        )
    verb = "grows" if side == "above" else "falls"
    return f"The interval excludes 0: at this size the study shows that {what} {verb} {along}."


def _not_identified(row: Any) -> str:
    return f"Not identified, so nothing is concluded. {row.reason}".rstrip()


def _basis(row: Any) -> str:
    return f"{row.n_used} runs in {row.n_clusters} clusters; {row.n_left_out} left out, not learnt"
