"""Does a tree of results bear out what the source claims? One function per claim, tables in, verdict out.

The claims are those of Ebrahimi et al. (2026), arXiv:2602.18333, and T10 that of its predecessor,
arXiv:2505.21749. The source gives few numbers: thresholds are ours, but for those marked P.

What counts as decided:

* N* of the rule ``any`` lies in the bracket (lower, upper] of the budgets. Of two, one is the smaller
  where the brackets do not overlap, and they are equal where they are the same; a ratio is at least
  so much where its smallest value is. Censored N* have open brackets and are treated alike.
* kappa is that at which half of the seeds learn, by a rule of success that every length has to pass (or
  by the one of the source, see `strict`). T6 and T9 go by its 95 % interval: a cell holds where all of
  it lies in the band, and does not where none of it does. T8 goes by estimates, for it ranks them.
  Where a demand is censored, kappa counts by its bounds.
* What is not decided for a cell may go either way: a part of a claim holds, or does not, where it
  does for either. A claim holds where all its parts do.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from nstar.columns import DECODED
from nstar.errors import ArtifactError
from nstar.tables import read_table
from nstar.tasks import SUPERVISIONS

FAMILIES = {
    "transformer": ("transformer",),
    "RNN": ("lstm", "gru", "elman", "dense_ssm"),
    "LSTM": ("lstm",),
    "Dense-SSM": ("dense_ssm",),
}
"""Kinds of models by the names that the claims have for them."""

MOST, HALF = 0.8, 0.5
"""Share of the cells in which a claim has to hold; the half where it speaks of most cells."""

MANY_TIMES = 10
"""Ratio of N* that counts as another order of magnitude."""

GENERALISES, LOW, FAILS = 0.95, 0.5, 0.1
"""Accuracy above chance at another length: at least (P about 1), at most, at most (P about 0)."""

SOURCE_LOSS = 1e-4
"""P: loss at which a network has learnt."""

NEAR_ONE = (0.5, 2.0)
INTERFERES, SHARES = 1.2, 2.0
"""Sharing factors: of length-specific solutions (P about 1), at most and more than."""

CORRELATED, FEWEST_POINTS = 0.5, 4
"""Rank correlation of sharing and generalisation, and how many points have one."""

MOST_SHOWN = 4
"""Cells that the evidence of a part tells."""

Holds = bool | None
"""Whether something holds; None where the data do not decide it."""


@dataclass(frozen=True)
class Verdict:
    """What a tree of results says about a claim, with the numbers."""

    status: Literal["pass", "fail", "not covered"]
    evidence: str


@dataclass(frozen=True)
class Results:
    """The tables of a tree, each row with the `kind` of its model and the `task_options` of its task."""

    thresholds: pd.DataFrame
    sharing: pd.DataFrame
    extrapolation: pd.DataFrame
    success: Mapping[str, Any]
    shortest_length: int

    @classmethod
    def of(cls, study: Mapping[str, Any], **tables: pd.DataFrame) -> "Results":
        """Return the tables of a study; N* are those of the rule ``any``, kappa those of ``half``."""
        kinds = {name: options["kind"] for name, options in study["models"].items()}
        named = {}
        for name, table in tables.items():
            if "rule" in table:
                table = table[table["rule"] == ("half" if name == "sharing" else "any")]
            named[name] = table.assign(
                kind_of_model=table["model"].map(kinds),
                task_options=[study["tasks"][task] for task in table["task"]],
            )
        rule, shortest = study["training"]["success"], study["data"]["shortest_length"]
        return cls(**named, success=rule, shortest_length=shortest)

    @classmethod
    def read(cls, folder: Path) -> "Results":
        """Read the tree that a run of the workflow leaves in the folder of its study."""
        study = read_study(folder)
        names = ("thresholds", "sharing", "extrapolation")
        tables = {name: read_table(folder / "tables" / f"{name}.csv", name) for name in names}
        return cls.of(study, **tables)

    @property
    def strict(self) -> pd.DataFrame:
        """The sharing factors whose rule tests the joint model as it tests those of one length.

        A mean over all labels lets a joint model off its longest length: of lengths 4 to 10 the last
        position has 1 of 49 labels, so that at 1e-2 it may lose 0.49 nats, where a guess loses 1.1. At
        the threshold of the source that is 0.005.
        """
        success = self.success
        as_source = success["measure"] == "loss" and success["threshold"] <= SOURCE_LOSS
        tested = self.sharing["over"] != "mean"
        return self.sharing[tested | as_source]

    def tested(self, length_of: Callable[[pd.Series], Any]) -> pd.DataFrame:
        """Return the accuracies of all curves at one test length, which is a function of the longest.

        `decoded` is the median of networks that read their own answers, NaN where they have none. Of
        curves with networks of both roles, those trained for extrapolation stand alone.
        """
        table = self.extrapolation
        table = table[table["test_length"] == length_of(table["length"])]
        keys = ["model", *_PLACE]
        trained = table["role"] == "extrapolation"
        table = table[trained | ~trained.groupby([table[key] for key in keys]).transform("any")]
        decodes = table["reading"] == DECODED
        own = table.loc[decodes, [*keys, "median"]].rename(columns={"median": "decoded"})
        return table[~decodes].merge(own, on=keys, how="left", validate="one_to_one")


def read_study(folder: Path) -> dict[str, Any]:
    """Read what a tree of results is a study of."""
    config = folder / "config.json"
    if not config.is_file():
        raise ArtifactError(
            f"{config} is missing; give the folder `results/studies/<name>` of a finished run"
        )
    return json.loads(config.read_text())


# ------------------------------------------------------------------------------- the claims


def check_t1(results: Results) -> Verdict:
    """Obs. 3.1: transformers need far fewer sequences with a chain of thought than aligned.

    P has 1.7K and 2M at m = 5 and L = 20, and calls that an order of magnitude.
    """
    table = results.thresholds
    table = table[(table["n_states"] == 5) & (table["length"] == 20) & _is(table, _adds)]
    pairs = _pairs(table, "transformer", "supervision", "aligned", "chain_of_thought")
    cells = [(_times(*pair, MANY_TIMES), _told(*pair)) for pair in pairs]
    return combine(
        count_share(
            f"transformer, m = 5, L = 20: N*(aligned) / N*(chain of thought) >= {MANY_TIMES}", cells
        )
    )


def check_t2(results: Results) -> Verdict:
    """Obs. 3.2: recurrent networks need the fewest sequences when states are aligned."""
    parts = []
    for other, order in (("outcome", _at_most), ("chain_of_thought", _less)):
        pairs = _pairs(results.thresholds, "RNN", "supervision", "aligned", other)
        sign = "<=" if order is _at_most else "<"
        cells = [(order(*pair), _told(*pair)) for pair in pairs]
        parts.append(count_share(f"RNN: N*(aligned) {sign} N*({other})", cells))
    return combine(*parts)


def check_t3(results: Results) -> Verdict:
    """Obs. 3.3: by the outcome alone, transformers learn only what is trivial, recurrent ones more."""
    table = results.thresholds
    table = table[
        (table["supervision"] == "outcome") & (table["length"] >= 10) & (table["n_states"] >= 3)
    ]
    transformers, recurrent = (_of_family(table, name) for name in ("transformer", "RNN"))
    cells = [
        (_enough(row), f"{_n_star(row)}{' or few steps' * bool(row.limited_by_steps)}")
        for row in transformers.itertuples()
    ]
    parts = [
        count_share(
            "transformer, outcome, L >= 10, m >= 3: no budget is enough",
            [(None if enough is None else not enough, text) for enough, text in cells],
            least=HALF,
        ),
        count_share(
            "RNN, the same: some budget is enough",
            [(_enough(row), _n_star(row)) for row in recurrent.itertuples()],
            least=HALF,
        ),
    ]
    ratios = [
        (_times(a, b, MANY_TIMES), _told(a, b))
        for a, b in product(transformers.itertuples(), recurrent.itertuples())
        if all(getattr(a, key) == getattr(b, key) for key in _PLACE)
    ]
    decided = [(holds, text) for holds, text in ratios if holds is not None]
    if decided:  # a transformer that fails at too few budgets says nothing about the ratio
        parts.append(
            count_share(f"N*(transformer) / N*(RNN) >= {MANY_TIMES}, where decided", decided)
        )
    return combine(*parts)


def check_t4(results: Results) -> Verdict:
    """Obs. 3.4: aligned, recurrent networks gain from long sequences; transformers with CoT do not."""
    aligned = results.thresholds[results.thresholds["supervision"] == "aligned"]
    thought = results.thresholds[results.thresholds["supervision"] == "chain_of_thought"]
    parts = []
    for first, then in (("fixed", "uniform"), ("uniform", "short_to_long")):
        pairs = _pairs(aligned, "RNN", "length_distribution", first, then)
        cells = [(_at_most(*pair), _told(*pair)) for pair in pairs]
        parts.append(count_share(f"RNN, aligned: N*({first}) <= N*({then})", cells))
    dense, transformers = _by_length(aligned, "Dense-SSM"), _by_length(thought, "transformer")
    falling = [(_at_most(long, short), _told(short, long)) for short, long in dense]
    rising = [(_at_most(short, long), _told(short, long)) for short, long in transformers]
    parts.append(count_share("Dense-SSM, aligned, uniform: N* does not grow with L", falling))
    parts.append(
        count_share("transformer, chain of thought, uniform: N* does not fall with L", rising)
    )
    return combine(*parts)


def check_t5(results: Results) -> Verdict:
    """Obs. 3.5: by the outcome alone, recurrent networks need fewer sequences from short to long."""
    table = results.thresholds[results.thresholds["supervision"] == "outcome"]
    pairs = _pairs(table, "RNN", "length_distribution", "short_to_long", "uniform")
    cells = [(_less(*pair), _told(*pair)) for pair in pairs]
    return combine(count_share("RNN, outcome: N*(short_to_long) < N*(uniform)", cells))


def check_t6(results: Results) -> Verdict:
    """Obs. 4.1-4.3, modular addition: lengths share in recurrent networks, not in transformers.

    kappa of transformers is at most 1.2 in every supervision and below 1 with a chain of thought, that
    of recurrent networks above 2 by the outcome and aligned, and 0.5 to 2 with a chain of thought.
    """
    return _sharing_pattern(results, _adds)


def check_t7(results: Results) -> Verdict:
    """Table 2: aligned recurrent networks are right at twice the length, transformers are not.

    P tests networks of the largest training set that there is, after all steps. Networks that were
    trained for that (`role` extrapolation) are judged where a curve has some, others where it has none;
    the evidence says which, and how chains of thought are read. P validates teacher-forced, so that this
    decides here too; what networks make of their own answers stands beside it.
    """
    table = results.tested(lambda length: 2 * length)
    parts = [
        _accuracies(table, "LSTM", ["aligned"], least=GENERALISES),
        _accuracies(table, "Dense-SSM", ["aligned"], least=GENERALISES),
        _accuracies(table, "transformer", list(SUPERVISIONS), most=FAILS),
        _accuracies(table, "RNN", ["chain_of_thought"], most=LOW),
    ]
    return combine(*parts)


def check_t8(results: Results) -> Verdict:
    """Obs. 4.5: where lengths share, networks are right at twice the length.

    A point is a model and a supervision: medians over tasks and lengths of the sharing factor and of the
    accuracy, both with uniform lengths, of the networks that T7 judges. Where kappa is known by bounds
    alone, it is put at the end that speaks against the claim, then at the one that speaks for it: low
    or high where accuracy is high.
    """
    points = _points(results)
    if len(points) < FEWEST_POINTS:
        return Verdict(
            "not covered",
            f"{len(points)} pairs of model and supervision have a sharing factor and a generalisation "
            f"of networks that learnt, uniform lengths; {FEWEST_POINTS} are needed",
        )
    told = "; ".join(
        f"{point.model} {point.supervision}: kappa {_band(point.lower, point.upper)}, "
        f"accuracy {point.accuracy:.2f} ({point.trained})"
        for point in points.itertuples()
    )
    high = points["accuracy"] >= points["accuracy"].median()
    against = np.where(high, points["lower"], points["upper"])
    in_favour = np.where(high, points["upper"], points["lower"])
    if min(len(set(values)) for values in (against, in_favour, points["accuracy"])) == 1:
        return Verdict("not covered", f"all kappa, or all accuracies, may be equal ({told})")
    least, most = (spearmanr(kappa, points["accuracy"])[0] for kappa in (against, in_favour))
    evidence = (
        f"rank correlation of kappa and accuracy {least:.2f} to {most:.2f}, more than {CORRELATED} "
        f"is needed ({told})"
    )
    if least > CORRELATED:
        return Verdict("pass", evidence)
    return Verdict("fail" if most <= CORRELATED else "not covered", evidence)


def check_t9(results: Results) -> Verdict:
    """Appendix B.2: T6 for the composition of permutations, S_5."""
    return _sharing_pattern(results, _composes_s5)


def check_t10(results: Results) -> Verdict:
    """Predecessor, modular addition, trained on lengths 2 to 10: who is right at length 500.

    How the source supervises is not known to us; a chain of thought, which it does not know, is left
    out.
    """
    table = results.tested(lambda length: 500)
    table = table[
        (table["length"] == 10)
        & (table["length_distribution"] == "uniform")
        & (results.shortest_length == 2)
        & (table["supervision"] != "chain_of_thought")
        & _is(table, _adds)
    ]
    m = table["n_states"]
    formats = ["outcome", "aligned"]
    parts = [
        _accuracies(table[m <= 50], "Dense-SSM", formats, least=GENERALISES, where="m <= 50"),
        _accuracies(table[m <= 10], "LSTM", formats, least=GENERALISES, where="m <= 10"),
        _accuracies(table[m >= 25], "LSTM", formats, most=FAILS, where="m >= 25"),
        _accuracies(table, "transformer", formats, most=FAILS),
    ]
    return combine(*parts)


CLAIMS: Mapping[str, Callable[[Results], Verdict]] = {
    "T1": check_t1,
    "T2": check_t2,
    "T3": check_t3,
    "T4": check_t4,
    "T5": check_t5,
    "T6": check_t6,
    "T7": check_t7,
    "T8": check_t8,
    "T9": check_t9,
    "T10": check_t10,
}


# ------------------------------------------------------------------------------- N* of two curves

_PLACE = ("task", "supervision", "length_distribution", "length")


def _enough(row) -> Holds:
    """Return whether some budget was enough; None where it is not known.

    None was where all budgets failed that were tried, each of them fitted. A budget that was not even
    fitted may have been short of steps.
    """
    if np.isfinite(row.upper):
        return True
    return False if row.censoring == "right" and not row.limited_by_steps else None


def _at_most(a, b) -> Holds:
    """Return whether N* of one curve is at most that of another."""
    same = (a.lower, a.upper) == (b.lower, b.upper) and a.censoring == b.censoring == "interval"
    return True if same else _less(a, b)


def _less(a, b) -> Holds:
    """Return whether N* of one curve is below that of another; equal brackets do not say."""
    if a.upper <= b.lower:
        return True
    return False if b.upper <= a.lower else None


def _times(a, b, factor: float) -> Holds:
    """Return whether N* of one curve is at least so many times that of another."""
    if np.isfinite(b.upper) and a.lower >= factor * b.upper:
        return True
    return False if np.isfinite(a.upper) and a.upper <= factor * b.lower else None


def _pairs(table: pd.DataFrame, family: str, coordinate: str, one: str, other: str) -> list[tuple]:
    """Return pairs of curves of a family that differ in one coordinate, which has these values."""
    keys = [key for key in ("model", *_PLACE) if key != coordinate]
    groups = _of_family(table, family).groupby(keys, sort=False)
    found = []
    for _, rows in groups:
        by_value = {getattr(row, coordinate): row for row in rows.itertuples()}
        if one in by_value and other in by_value:
            found.append((by_value[one], by_value[other]))
    return found


def _by_length(table: pd.DataFrame, family: str) -> list[tuple]:
    """Return pairs of curves, uniform lengths, of which the first has the shorter longest length."""
    chosen = _of_family(table[table["length_distribution"] == "uniform"], family)
    groups = chosen.sort_values("length").groupby(["model", "task"], sort=False)
    return [pair for _, rows in groups for pair in combinations(rows.itertuples(), 2)]


def _of_family(table: pd.DataFrame, family: str) -> pd.DataFrame:
    return table[table["kind_of_model"].isin(FAMILIES[family])]


def _is(table: pd.DataFrame, of_task: Callable[[Mapping], bool]) -> pd.Series:
    return table["task_options"].map(of_task).astype(bool)


def _adds(task: Mapping[str, Any]) -> bool:
    return task["kind"] == "modular_addition"


def _composes_s5(task: Mapping[str, Any]) -> bool:
    return task["kind"] == "permutation_composition" and task["degree"] == 5


# ------------------------------------------------------------------------------- kappa and accuracy


def _sharing_pattern(results: Results, of_task: Callable[[Mapping], bool]) -> Verdict:
    """Compare the sharing factors of some tasks with the pattern of section 4.

    The null, kappa of a learner that shares nothing, and kappa by the mean over all labels stand in the
    evidence and decide nothing.
    """
    table = results.strict
    table = table[(table["length_distribution"] == "uniform") & _is(table, of_task)]
    below_one, above = math.nextafter(1, 0), math.nextafter(SHARES, math.inf)
    wanted = [
        ("transformer", list(SUPERVISIONS), f"<= {INTERFERES}", (0, INTERFERES)),
        ("transformer", ["chain_of_thought"], "< 1", (0, below_one)),
        ("RNN", ["outcome"], f"> {SHARES}", (above, math.inf)),
        ("RNN", ["aligned"], f"> {SHARES}", (above, math.inf)),
        ("RNN", ["chain_of_thought"], "from {} to {}".format(*NEAR_ONE), NEAR_ONE),
    ]
    parts = []
    for family, formats, words, band in wanted:
        rows = _of_family(table, family)
        cells = [
            (_within(row.lower, row.upper, *band), _told_sharing(row, results.sharing))
            for row in rows[rows["supervision"].isin(formats)].itertuples()
        ]
        parts.append(count_share(f"{family}, {' or '.join(formats)}: kappa {words}", cells))
    return combine(*parts)


def _told_sharing(row, table: pd.DataFrame) -> str:
    """Return a sharing factor with its rule, its null, and what it is by the mean over all labels."""
    told = f"{_place(row)}: kappa over {row.over} {_factor(row)}"
    if math.isfinite(row.null):
        told += f", {row.null:.2f} [{row.null_lower:.2f}, {row.null_upper:.2f}] were nothing shared"
    curve = ["model", *_PLACE]
    same = (table[curve] == [getattr(row, name) for name in curve]).all(axis=1)
    means = table[same & (table["over"] == "mean")] if row.over != "mean" else table[:0]
    told += "".join(f", over mean {_factor(mean)}" for mean in means.itertuples())
    return f"{told} {row.reason}".rstrip()


def _factor(row) -> str:
    estimate = "" if math.isnan(row.kappa) else f"{row.kappa:.2f} "
    return f"{estimate}[{row.lower:.2f}, {row.upper:.2f}]"


def _kappa(row) -> tuple[float, float]:
    """Return between which values a sharing factor counts: both the estimate where there is one."""
    return (row.kappa, row.kappa) if row.kind == "estimate" else (row.lower, row.upper)


def _within(lower: float, upper: float, least: float, most: float) -> Holds:
    """Return whether a number known to lie between two others lies in a band."""
    if least <= lower and upper <= most:
        return True
    return False if upper < least or lower > most else None


def _accuracies(
    table: pd.DataFrame,
    family: str,
    formats: list[str],
    least: float = -math.inf,
    most: float = math.inf,
    where: str = "",
) -> "Part":
    """Compare the median accuracy above chance of networks that learnt with a bound."""
    rows = _learnt(_of_family(table, family))
    rows = rows[rows["supervision"].isin(formats)]
    cells = [(bool(least <= row.median <= most), _told_accuracy(row)) for row in rows.itertuples()]
    bound = f">= {least}" if math.isfinite(least) else f"<= {most}"
    name = ", ".join(filter(None, [family, " or ".join(formats), where]))
    return count_share(f"{name}: accuracy above chance {bound}", cells)


_TRAINED = {
    "extrapolation": "trained for all steps",
    "demand": "trained up to the end that the rule of success sets",
}


def _told_accuracy(row) -> str:
    """Return an accuracy with the networks that it is of, and what they read."""
    reads = "" if row.reading == "symbols" else f" {row.reading.replace('_', '-')}"
    own = "" if math.isnan(row.decoded) else f", {row.decoded:.2f} decoded"
    of = f"N = {row.budget}, {_TRAINED[row.role]}"
    return f"{_place(row)} at {row.test_length}: {row.median:.2f}{reads}{own} ({of})"


def _learnt(extrapolation: pd.DataFrame) -> pd.DataFrame:
    """Return the curves most of whose seeds learnt: what does not learn cannot generalise."""
    learnt = 2 * extrapolation["n_learnt"] > extrapolation["n_seeds"]
    return extrapolation[learnt & extrapolation["median"].notna()]


def _points(results: Results) -> pd.DataFrame:
    """Return ends of kappa and the accuracy of each model and supervision: medians, uniform lengths."""
    keys = ["model", "supervision"]
    uniform = {
        name: table[table["length_distribution"] == "uniform"]
        for name, table in (
            ("sharing", results.strict),
            ("accuracy", _learnt(results.tested(lambda length: 2 * length))),
        )
    }
    sharing = uniform["sharing"]
    ends = pd.DataFrame(
        [_kappa(row) for row in sharing.itertuples()],
        columns=["lower", "upper"],
        index=sharing.index,
        dtype="float64",
    )
    known = (ends["lower"] > 0) | np.isfinite(ends["upper"])
    bounds = sharing[known].drop(columns=["lower", "upper"]).join(ends)
    joined = bounds.merge(uniform["accuracy"], on=["model", *_PLACE], suffixes=("", "_other"))
    groups = joined.groupby(keys, sort=False)
    medians = groups[["lower", "upper", "median"]].median()
    trained = groups["role"].agg(
        lambda roles: " or ".join(_TRAINED[role] for role in sorted(set(roles)))
    )
    found = medians.assign(trained=trained).rename(columns={"median": "accuracy"})
    return found.reset_index()


# ------------------------------------------------------------------------------- parts and words


@dataclass(frozen=True)
class Part:
    """One statement of a claim, and whether it holds; None where it is not decided."""

    holds: Holds
    evidence: str


def count_share(name: str, cells: Iterable[tuple[Holds, str]], least: float = MOST) -> Part:
    """Return whether a statement holds in enough cells, whatever the undecided ones would say."""
    cells = [(None if holds is None else bool(holds), text) for holds, text in cells]
    if not cells:
        return Part(None, f"{name}: no such cells")
    n_true = sum(holds is True for holds, _ in cells)
    n_open = sum(holds is None for holds, _ in cells)
    needed = least * len(cells)
    holds = None
    if n_true >= needed:
        holds = True
    elif n_true + n_open < needed:
        holds = False
    shown = sorted(cells, key=lambda cell: _FIRST.index(cell[0]))
    texts = [f"{text} {_WORDS[state]}" for state, text in shown[:MOST_SHOWN]]
    left = f"; {len(cells) - MOST_SHOWN} more" if len(cells) > MOST_SHOWN else ""
    undecided = f", {n_open} undecided" if n_open else ""
    count = f"{n_true} of {len(cells)}{undecided}, {least:.0%} needed"
    return Part(holds, f"{name}: {count} ({'; '.join(texts)}{left})")


_WORDS = {True: "yes", False: "no", None: "undecided"}
_FIRST = [False, None, True]
"""What evidence tells first."""


def combine(*parts: Part, prefix: str = "") -> Verdict:
    """Return the verdict on a claim all of whose parts have to hold."""
    status = "pass"
    if any(part.holds is False for part in parts):
        status = "fail"
    elif any(part.holds is None for part in parts):
        status = "not covered"
    shown = sorted(parts, key=lambda part: _FIRST.index(part.holds))
    evidence = "\n".join(f"[{_WORDS[part.holds]}] {part.evidence}" for part in shown)
    return Verdict(status, f"{prefix}\n{evidence}" if prefix else evidence)


def _told(a, b) -> str:
    """Return two curves and their N*."""
    return f"{_n_star(a)} and {_n_star(b)}"


def _n_star(row) -> str:
    return f"{_place(row)}: N* in {_band(row.lower, row.upper)}"


def _place(row) -> str:
    return f"{row.model} {row.task} {row.supervision} {row.length_distribution} L={row.length}"


def _band(lower: float, upper: float) -> str:
    return f"{lower:.4g}" if lower == upper else f"({lower:.4g}, {upper:.4g}]"
