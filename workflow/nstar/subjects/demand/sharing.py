"""What lengths share: sharing factors by both rules of success, each with its null beside it."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from nstar.stats import (
    IsolatedSharing,
    bracket_ratio,
    bracket_sharing_factor,
    find_isolated_sharing,
    find_ratio,
    find_sharing_factor,
)
from nstar.subjects.demand.columns import SHARING, STUDY
from nstar.subjects.demand.demands import Demands, demands_by_other_rule
from nstar.tables.selection import CURVE_PLACE

Mixtures = Mapping[tuple, list[int]]
"""Training sequences that exist of each length, the shortest first, by task, distribution and L."""


def tabulate_sharing(
    job: Mapping[str, Any],
    cells: pd.DataFrame,
    thresholds: pd.DataFrame,
    demands: Mapping[str, Demands],
    lengths: pd.DataFrame,
) -> list[dict[str, Any]]:
    """Return the rows of the table of sharing factors.

    Parameters
    ----------
    job : mapping
        As `nstar.subjects.demand.comparison.compare_curves`.
    cells : DataFrame
        One row per cell and replicate, along the axis.
    thresholds : DataFrame
        Thresholds by the rule ``any``.
    demands : mapping
        N* of every curve by the rule of the study: ``half`` and ``any``.
    lengths : DataFrame
        The table of this name.
    """
    if job["axis"]["name"] != "budget":  # what lengths share is data
        return []
    mixtures, shortest = mixtures_of(lengths), job["shortest_length"]

    def rows_of(form, demands, n_undecided, least_set) -> list[dict[str, Any]]:
        least_sets = thresholds.set_index(CURVE_PLACE)[least_set].to_dict()
        return [
            {**row, "success": form, "over": job["over"][form]}
            for curve in demands["any"]
            for rule in demands
            for row in sharing_rows(
                curve, shortest, rule, demands[rule], least_sets, n_undecided, mixtures
            )
        ]

    rows = rows_of(STUDY, demands, dict.fromkeys(demands["any"], 0), "least_set")
    if rows and job["other_rule"]:
        found = demands_by_other_rule(job, cells, thresholds)
        rows += rows_of(job["other_rule"], *found, "other_least_set")
    return rows


def mixtures_of(lengths: pd.DataFrame) -> dict[tuple, list[int]]:
    """Return the sequences that each mixture can draw, from the table of lengths."""
    keys = ["task", "length_distribution", "length"]
    one = lengths.drop_duplicates([*keys, "sequence_length"]).sort_values("sequence_length")
    return {key: part["n_available"].tolist() for key, part in one.groupby(keys)}


def sharing_rows(
    curve: tuple,
    shortest: int,
    rule: str,
    demands: Demands,
    least_sets: Mapping[tuple, int],
    n_undecided: Mapping[tuple, int],
    mixtures: Mixtures,
) -> Iterator[dict[str, Any]]:
    """Yield the sharing factor of a joint curve, if there is a curve of some single length for it."""
    place = dict(zip(CURVE_PLACE, curve, strict=True))
    if place["length_distribution"] == "fixed":
        return
    single = place | {"length_distribution": "fixed"}
    lengths = range(shortest, place["length"] + 1)
    keys = {length: tuple((single | {"length": length}).values()) for length in lengths}
    missing = [length for length in lengths if keys[length] not in demands]
    if len(missing) == len(lengths):
        return
    behind = [curve, *(key for key in keys.values() if key in demands)]
    row = {**place, "shortest": shortest, "rule": rule}
    row["least_set"] = min(least_sets[key] for key in behind)
    row["n_undecided"] = sum(n_undecided[key] for key in behind)
    if missing:
        reason = f"No curve of length {', '.join(map(str, missing))} alone."
        known = [demands[keys[length]] for length in lengths if length not in missing]
        n_censored = sum(np.isnan(ends[0]) for ends in [*known, demands[curve]])
        yield (
            row
            | {"kappa": np.nan, "lower": 0.0, "upper": np.inf, "kind": "unknown"}
            | dict.fromkeys(NULL, np.nan)
            | {"n_used": len(known), "n_censored": n_censored, "reason": reason, "method": ""}
        )
        return
    find = find_sharing_factor if rule == "half" else bracket_sharing_factor
    ends = [list(column) for column in zip(*(demands[keys[n]] for n in lengths), strict=True)]
    found = find(list(lengths), *ends, demands[curve])
    row |= {"kappa": found.estimate} | found.rows(SHARING)[0]
    available = mixtures.get(
        tuple(place[name] for name in ("task", "length_distribution", "length"))
    )
    if available is None:  # batches are fresh
        yield row | dict.fromkeys(NULL, np.nan)
        return
    # A causal model reads the beginning of a longer sequence as it reads a shorter one, and is asked
    # the same there; by the outcome, and after the separator of a chain, it is not.
    aligned = place["supervision"] == "aligned"
    null = find_isolated_sharing(*ends, available, place["length_distribution"], aligned)
    yield row | _null_columns(null, demands[curve], rule)


NULL = (
    *("null", "null_lower", "null_upper"),
    *("against_null", "against_null_lower", "against_null_upper"),
)


def _null_columns(null: IsolatedSharing, joint: tuple, rule: str) -> dict[str, float]:
    """Return kappa of the null, and the joint demand of the null over the one that was found."""
    ratio = find_ratio if rule == "half" else bracket_ratio
    found = ratio((null.joint, null.joint_lower, null.joint_upper), joint)
    values = (
        *(null.null, null.null_lower, null.null_upper),
        *(found.estimate, found.lower, found.upper),
    )
    return dict(zip(NULL, values, strict=True))
