"""What the numbers of a study say, in sentences that claim no more than the intervals allow."""

import math
from typing import Any

import jinja2
import pandas as pd

from nstar.selection import CURVE, chosen_replicates, near_space

_QUANTITIES = {"length": ("length", "the length"), "n_states": ("m", "the number of states m")}
_BLANK = "\u2013"


def write_findings(
    cells: pd.DataFrame,
    thresholds: pd.DataFrame,
    exponents: pd.DataFrame,
    sensitivity: pd.DataFrame,
    study_title: str,
) -> str:
    """Return the findings of a study as one self-contained HTML page.

    Parameters
    ----------
    cells : DataFrame
        One row per cell and replicate.
    thresholds : DataFrame
        One row per curve and rule.
    exponents : DataFrame
        One row per coefficient of a model, or difference of two models.
    sensitivity : DataFrame
        The same for fits that leave doubtful thresholds out, named in `left_out`.
    study_title : str
        Heading of the page.

    Returns
    -------
    str
        The page: exponents, differences, N*, warnings, extrapolation. An exponent or difference
        without an interval is reported with the reason and without a conclusion.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("nstar"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("findings.html").render(
        title=study_title,
        size=_size(cells, thresholds),
        readings=_readings(exponents, thresholds),
        comparisons=_comparisons(exponents),
        robustness=_robustness(exponents, sensitivity),
        demand=_demand_tables(thresholds),
        warnings=_warnings(cells, thresholds, exponents),
        extrapolation=_extrapolation(cells),
    )


def _size(cells: pd.DataFrame, thresholds: pd.DataFrame) -> dict[str, int]:
    return {
        "n_cells": len(cells.drop_duplicates([*CURVE, "budget"])),
        "n_replicates": len(cells),
        "n_curves": len(thresholds.drop_duplicates(CURVE)),
        "n_seeds": cells["seed"].nunique(),
    }


def _readings(exponents: pd.DataFrame, thresholds: pd.DataFrame) -> list[dict[str, str]]:
    """Return model, quantity, value and reading of every exponent."""
    rows = exponents[(exponents["kind"] == "exponent") & exponents["quantity"].isin(_QUANTITIES)]
    return [
        {
            "model": row.model,
            "quantity": _QUANTITIES[row.quantity][0],
            "value": _value(row),
            "reading": _read_exponent(row, thresholds[thresholds["model"] == row.model]),
            "basis": f"{row.n_used} thresholds on {row.n_curves} curves; {row.n_censored} censored, "
            f"{row.n_limited_by_steps} limited by steps, {row.n_near_space} near the size of the space",
        }
        for row in rows.itertuples()
    ]


def _read_exponent(row: Any, thresholds: pd.DataFrame) -> str:
    if not _has_interval(row):
        return _no_interval(row)
    covariate, values = _QUANTITIES[row.quantity][1], sorted(thresholds[row.quantity].unique())
    ratio = values[-1] / values[0]
    factor, low, high = (_number(ratio**value) for value in (row.estimate, row.lower, row.upper))
    grows = {
        "above": f"demand grows with {covariate}",
        "below": f"demand shrinks with {covariate}",
    }
    side = _side_of_zero(row)
    reading = (
        f"From {values[0]} to {values[-1]}, {covariate} multiplies N* by {factor} (interval {low} to "
        f"{high}). "
    )
    if len(values) == 2:
        reading += "Two values are a contrast: they do not test the power law. "
    if side == "includes":
        return reading + f"The interval includes 0: the study does not show that {grows['above']}."
    return reading + f"The interval excludes 0: at this size the study shows that {grows[side]}."


def _comparisons(exponents: pd.DataFrame) -> list[dict[str, str]]:
    """Return both models, quantity, value and conclusion of every difference."""
    rows = exponents[(exponents["kind"] == "difference") & exponents["quantity"].isin(_QUANTITIES)]
    return [
        {
            "models": f"{row.model} \u2212 {row.minus_model}",
            "quantity": _QUANTITIES[row.quantity][0],
            "value": _value(row),
            "reading": _read_difference(row),
        }
        for row in rows.itertuples()
    ]


_LEFT_OUT = {
    "limited_by_steps": "without thresholds limited by steps",
    "near_space": "without thresholds near the size of the space",
    "near_space_lengths": "without the lengths at which a threshold is near the size of the space",
}


def _robustness(exponents: pd.DataFrame, sensitivity: pd.DataFrame) -> dict[str, Any]:
    """Return the exponents of length, and their differences, with doubtful thresholds left out."""
    tables = {"all": exponents} | dict(iter(sensitivity.groupby("left_out", sort=False)))
    columns, lines = [], {}
    for left_out, table in tables.items():
        columns.append(_LEFT_OUT.get(left_out, "all thresholds"))
        for row in table[table["quantity"] == "length"].itertuples():
            name = f"{row.model} \u2212 {row.minus_model}" if row.minus_model else row.model
            lines.setdefault(name, {})[columns[-1]] = _bounds(row)
    filled = {
        name: [line.get(column, _BLANK) for column in columns] for name, line in lines.items()
    }
    return {"columns": columns, "lines": filled}


def _bounds(row: Any) -> str:
    if not _has_interval(row):
        return "not identified"
    return f"{row.estimate:.2f} [{row.lower:.2f}, {row.upper:.2f}]".replace("-", "\u2212")


def _read_difference(row: Any) -> str:
    if not _has_interval(row):
        return _no_interval(row)
    covariate = _QUANTITIES[row.quantity][1]
    first, second = row.model, row.minus_model
    side = _side_of_zero(row)
    if side == "below":
        first, second = second, first
    claim = f"that the demand of {first} grows faster with {covariate} than that of {second}"
    if side == "includes":
        return f"The interval includes 0: at this size the study does not show {claim}, or slower."
    return f"The interval excludes 0: at this size the study shows {claim}."


def _has_interval(row: Any) -> bool:
    ends = (row.estimate, row.lower, row.upper)
    return bool(row.identified and row.converged) and all(map(math.isfinite, ends))


def _no_interval(row: Any) -> str:
    what = "Not identified" if not math.isfinite(row.estimate) else "No interval"
    return f"{what}, so nothing is concluded. {row.reason}".strip()


def _side_of_zero(row: Any) -> str:
    """Return whether an interval lies "above" or "below" 0, or "includes" it."""
    return "above" if row.lower > 0 else "below" if row.upper < 0 else "includes"


def _value(row: Any) -> str:
    if not math.isfinite(row.estimate):
        return "not identified"
    interval = "no interval"
    if _has_interval(row):
        interval = f"{100 * row.confidence:g} % interval {row.lower:.2f} to {row.upper:.2f}"
    return f"{row.estimate:.2f} ({interval})".replace("-", "\u2212")


def _number(value: float) -> str:
    """Return a positive number with two or three digits, as 0.85, 3.5 or 120."""
    if value >= 1e6 or value < 1e-3:
        return f"{value:.0e}"
    return f"{float(f'{value:.2g}'):g}"


def _demand_tables(thresholds: pd.DataFrame) -> list[dict[str, Any]]:
    """Return for each task the table of N* (any replicate), models by lengths, as text."""
    by_any = thresholds[thresholds["rule"] == "any"]
    by_any = by_any.assign(text=[_bound(row) for row in by_any.itertuples()])
    tables = []
    for task, rows in by_any.groupby("task", sort=False):
        lengths = sorted(rows["length"].unique())
        text = rows.set_index(["model", "length"])["text"]
        models = dict.fromkeys(rows["model"])
        lines = [(model, [text.get((model, n), _BLANK) for n in lengths]) for model in models]
        tables.append({"task": task, "lengths": lengths, "lines": lines})
    return tables


def _bound(row: Any) -> str:
    if row.censoring == "unknown":
        text = "?"
    elif row.censoring == "right":
        text = f"> {row.lower:.0f}"
    elif row.censoring == "left":
        text = f"\u2264 {row.n_star:.0f}"
    else:
        text = f"{row.n_star:.0f}"
    return text + ("" if row.monotone else " *") + (" \u2020" if row.limited_by_steps else "")


def _warnings(
    cells: pd.DataFrame, thresholds: pd.DataFrame, exponents: pd.DataFrame
) -> list[dict[str, Any]]:
    """Return title, meaning, unit and one line per curve, replicate or fit of each warning."""
    of_curves = {
        "Right-censored": ("no budget was enough", thresholds["censoring"] == "right"),
        "Left-censored": (
            "no budget below N* is known to be too small",
            thresholds["censoring"] == "left",
        ),
        "Unknown": (
            "no budget succeeded, and none failed with its training set fitted; not in the fit",
            thresholds["censoring"] == "unknown",
        ),
        "Not monotone": ("a budget above N* failed", ~thresholds["monotone"]),
        "Near the size of the space": (
            "N* is at least half of the training sequences that exist at this length, which bound it; "
            "such short lengths can make demand seem to grow faster with length than it does",
            near_space(thresholds),
        ),
        "Limited by steps": (
            "from some budget no replicate fitted its training set; more steps might lower N*",
            thresholds["limited_by_steps"],
        ),
    }
    diverged = [
        f"{row.model}, {row.task}, length {row.length}, budget {row.budget}, seed {row.seed}, "
        f"learning rate {row.learning_rate:g}"
        for row in cells[cells["diverged"]].itertuples()
    ]
    fits = exponents[exponents["kind"] == "exponent"].drop_duplicates("model")
    open_fits = fits[~fits["identified"]]
    failed_fits = fits[fits["identified"] & ~fits["converged"]]
    found = [
        *(
            (title, "curve", meaning, _name_curves(thresholds[mask]))
            for title, (meaning, mask) in of_curves.items()
        ),
        ("Diverged", "replicate", "the loss became NaN or infinite", diverged),
        ("Not identified", "fit", "too few thresholds are bracketed", _name_fits(open_fits)),
        ("Not converged", "fit", "no interval is given", _name_fits(failed_fits)),
    ]
    return [dict(zip(("title", "unit", "meaning", "lines"), entry, strict=True)) for entry in found]


def _name_fits(fits: pd.DataFrame) -> list[str]:
    return [f"{row.model}: {row.reason}" for row in fits.itertuples()]


def _name_curves(thresholds: pd.DataFrame) -> list[str]:
    """Return one line per curve that says for which rule and seeds it is listed."""
    lines = []
    for (model, task, length), rows in thresholds.groupby(CURVE, sort=False):
        seeds = sorted(int(seed) for seed in rows["seed"].dropna())
        parts = ["any replicate"] if (rows["rule"] == "any").any() else []
        if seeds:
            parts.append(f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}")
        lines.append(f"{model}, {task}, length {length}: {'; '.join(parts)}")
    return lines


def _extrapolation(cells: pd.DataFrame) -> list[dict[str, Any]]:
    """Return for each model the spread of accuracy at twice the length, chance mapped to 0."""
    chosen = chosen_replicates(cells)
    lines = []
    for model, rows in chosen.groupby("model", sort=False):
        accuracy = rows["extrapolation_above_chance"].dropna()
        spread = (accuracy.median(), accuracy.min(), accuracy.max())
        texts = [_BLANK if math.isnan(x) else f"{x:.2f}".replace("-", "\u2212") for x in spread]
        lines.append(
            {
                "model": model,
                **dict(zip(("median", "least", "most"), texts, strict=True)),
                "n_measured": len(accuracy),
                "n_missing": len(rows) - len(accuracy),
                "n_learnt": int((rows["outcome"] == "learnt").sum()),
            }
        )
    return lines
