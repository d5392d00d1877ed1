"""Does a tree of results bear out the third study? One function per claim, tables in, verdict out.

W1 to W5 are what figure 1 of Yang et al. (2024), arXiv:2402.13934, shows of sizes and orders; they are
judged on any widths, as claims of orders are. W6 is the figure itself, W7 the public logs of its
predecessor, arXiv:2305.15408, and W8 what the figure leaves of exponents; they are judged at that scale
alone. S1 is no claim of a paper but what a reduced run is expected to show. Bands and shares are ours.

D* is that of the mean over seeds at 90 % of the chains, of arithmetic at 90 % of the answers, in its
bracket (lower, upper]. Of two, one is the larger where the brackets do not overlap, and they are equal
where the brackets are the same and neither is open. What is not decided may go either way.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from results.claims import Holds, Part, Verdict, combine, count_share, read_study
from results.figure_1 import ACCURACIES, SIZES, SLOPES

from nstar.tables import read_table

LIS, DISTANCE, ARITHMETIC = "longest_increasing_subsequence", "edit_distance", "arithmetic"
EFFICIENT = ("linear", "sparse")
SOLVED, CLOSE, LOG_ODDS_WITHIN = 0.5, 1.05, (0.005, 0.995)
"""Accuracy of a size that counts as solved; ratio of two sizes that says nothing; accuracies beyond
these are cut before log odds are taken."""

COMPARABLE = 1.25
"""Ratio of tokens up to which two problem sizes are comparable; in figure 1 it is 1.21 at most."""

FAR_BETTER = 0.2
"""By how much answers with a chain of thought are better than direct ones, in the mean."""

BAND, FEWEST_IN_BAND = 10.0, 0.8
"""Points about the accuracies of figure 1, and the share of its cells that lie within."""

QUESTIONS, BATCH, STEPS = 1_000_000, 512, 195_000
"""The scale of the predecessor's code, at least."""

PREDECESSOR = {
    (ARITHMETIC, 4): 0.9996,
    (ARITHMETIC, 5): 0.9996,
    (ARITHMETIC, 6): 0.9996,
    (LIS, 50): 0.989,
    (LIS, 80): 0.995,
    (LIS, 100): 0.9995,
    (DISTANCE, 12): 0.9998,
    (DISTANCE, 16): 0.9998,
    (DISTANCE, 20): 0.9998,
}
"""Least accuracy over four seeds at width 256, three layers, with a chain of thought."""


@dataclass(frozen=True)
class Results:
    """The tables of a tree; rows have the `kind` of their task, and the `attention` of their family.

    `answers` has one row per seed, with its best learning rate, and its `accuracy` as figure 1 counts it;
    `exponents` are those of the width in tokens. `attention` is empty for what is no transformer.
    """

    study: dict[str, Any]
    answers: pd.DataFrame
    widths: pd.DataFrame
    exponents: pd.DataFrame

    @classmethod
    def of(cls, study, answers, widths, exponents) -> "Results":
        """Return the tables of a study with what its configuration says of models and tasks."""
        kinds = {
            name: options["kind"] if options.get("locality") is None else "local"
            for name, options in study["tasks"].items()
        }
        attention = {
            options.get("family") or name: (options.get("attention") or {}).get("kind", "softmax")
            for name, options in study["models"].items()
            if options["kind"] == "transformer"
        }

        def known(table: pd.DataFrame) -> pd.DataFrame:
            return table.assign(
                kind=table["task"].map(kinds), attention=table["family"].map(attention)
            )

        def as_in_figure(table: pd.DataFrame) -> pd.DataFrame:
            measure = np.where(table["kind"] == ARITHMETIC, "answer", "chain")
            chosen = (table["threshold"] == 0.9) & (table["measure"] == measure)
            return table[chosen & (table["supervision"] == "chain_of_thought")]

        answers, widths, exponents = known(answers), known(widths), known(exponents)
        by_answer = answers["kind"] == ARITHMETIC
        answers["accuracy"] = answers["chain_accuracy"].where(
            ~by_answer, answers["answer_accuracy"]
        )
        of_width = (exponents["quantity"] == "width") & (exponents["covariate"] == "n_tokens")
        keys = ["family", "task", "supervision", "budget", "length", "width", "seed"]
        best = (
            answers.fillna({"accuracy": 0.0, "answer_accuracy": 0.0})
            .sort_values("accuracy")
            .drop_duplicates(keys, keep="last")
        )
        return cls(
            study,
            best.sort_index(),
            as_in_figure(widths[widths["rule"] == "mean"]),
            as_in_figure(exponents[of_width & (exponents["minus_family"] == "")]),
        )

    @classmethod
    def read(cls, folder: Path) -> "Results":
        """Read the tree that a run of the workflow leaves in the folder of its study."""
        names = ("answers", "widths", "width_exponents")
        tables = (read_table(folder / "tables" / f"{name}.csv", name) for name in names)
        return cls.of(read_study(folder), *tables)

    def means(self, supervision: str = "chain_of_thought") -> pd.DataFrame:
        """Return mean accuracies over seeds by kind, attention, length, width and budget."""
        rows = self.answers[self.answers["supervision"] == supervision]
        keys = ["kind", "attention", "length", "width", "budget"]
        return rows.groupby(keys, sort=False)[["accuracy", "answer_accuracy"]].mean().reset_index()

    @property
    def at_scale(self) -> bool:
        """Whether training has the scale of the predecessor's code."""
        training = self.study["training"]
        return training["batch_size"] == BATCH and training["max_steps"] >= STEPS


def _pairs(rows: pd.DataFrame, keys: list[str], first: str, second: str) -> Iterator[tuple]:
    """Yield rows of two kinds of attention that agree in all keys."""
    one, two = (rows[rows["attention"] == name] for name in (first, second))
    yield from one.merge(two, on=keys, suffixes=("", "_2")).itertuples()


def _at_most(row) -> Holds:
    """Return whether the first D* is at most the second, as far as their brackets tell."""
    same = (row.lower, row.upper) == (row.lower_2, row.upper_2)
    if row.upper <= row.lower_2 or (same and row.censoring == row.censoring_2 == "interval"):
        return True
    return False if row.lower >= row.upper_2 else None


def _told(row, first: str, second: str) -> str:
    ends = (row.lower, row.upper, row.lower_2, row.upper_2)
    return "{} n={}: {} ({:g}, {:g}], {} ({:g}, {:g}]".format(
        row.kind, row.length, first, *ends[:2], second, *ends[2:]
    )


def _order(results: Results, first: str, second: str, kinds: tuple[str, ...] = ()) -> Part:
    """Return whether D* of one kind of attention is at most that of another at every size."""
    rows = results.widths[results.widths["kind"].isin(kinds or (ARITHMETIC, LIS, DISTANCE))]
    keys = ["kind", "task", "length", "budget"]
    cells = [
        (_at_most(row), _told(row, first, second)) for row in _pairs(rows, keys, first, second)
    ]
    return count_share(f"D*({first}) <= D*({second})", cells, least=1.0)


def check_w1(results: Results) -> Verdict:
    """(i) At fixed width, accuracy falls with the size faster for efficient transformers.

    Judged by the size at which accuracy crosses one half, where both solve half of the smallest size: who
    starts higher has further to fall. Between two sizes the log odds are a line in the logarithm of the
    size. Who stays above one half crosses later than who does not; where both stay, nothing follows.
    """
    means = results.means()
    parts = []
    for name in EFFICIENT:
        cells = []
        for (kind, width, _), part in means.groupby(["kind", "width", "budget"]):
            grid = part.pivot(index="length", columns="attention", values="accuracy")
            if not {"softmax", name} <= set(grid):
                continue
            grid = grid[["softmax", name]].dropna()
            if len(grid) > 1 and grid.iloc[0].min() >= SOLVED:
                one, other = _crossing(grid[name]), _crossing(grid["softmax"])
                text = f"{kind} D={width}: {name} at n = {one:.3g}, softmax at {other:.3g}"
                if np.isfinite(min(one, other)):
                    cells.append((_crosses_earlier(one, other), text))
        parts.append(count_share(f"{name} crosses one half at smaller sizes", cells))
    return combine(*parts)


def _crossing(accuracy: pd.Series) -> float:
    """Return the size at which an accuracy by size first falls below one half, inf where it does not."""
    below = np.flatnonzero(accuracy < SOLVED)
    if not below.size:
        return np.inf
    part = accuracy.iloc[below[0] - 1 : below[0] + 1].clip(*LOG_ODDS_WITHIN)
    odds, sizes = np.log(part / (1 - part)).to_numpy(), np.log(part.index.to_numpy(float))
    return float(np.exp(sizes[0] + odds[0] / (odds[0] - odds[1]) * (sizes[1] - sizes[0])))


def _crosses_earlier(one: float, other: float) -> Holds:
    """Return whether one size lies below another, where they differ by more than `CLOSE`."""
    if max(one, other) <= CLOSE * min(one, other):
        return None
    return bool(one < other)


def check_w2(results: Results) -> Verdict:
    """(ii) The standard transformer needs no more width than an efficient one, at every size."""
    return combine(*(_order(results, "softmax", name) for name in EFFICIENT))


def check_w3(results: Results) -> Verdict:
    """(iii) Of three tasks, sparse attention needs most width for subsequences, least for arithmetic.

    Compared at sizes of about as many tokens, without those where no width is enough for either task.
    """
    rows = results.widths[results.widths["attention"] == "sparse"]
    parts = []
    for easier, harder in ((ARITHMETIC, DISTANCE), (DISTANCE, LIS), (ARITHMETIC, LIS)):
        one, two = (rows[rows["kind"] == kind] for kind in (easier, harder))
        cells = []
        for row in one.merge(two, on="budget", suffixes=("", "_2")).itertuples():
            tokens = sorted((row.n_tokens, row.n_tokens_2))
            reached = np.isfinite(min(row.upper, row.upper_2))
            if reached and tokens[1] <= COMPARABLE * tokens[0]:
                cells.append((_at_most(row), f"L={tokens[0]}: {_told(row, easier, harder)}"))
        parts.append(count_share(f"D*({easier}) <= D*({harder})", cells, least=1.0))
    return combine(*parts)


def check_w4(results: Results) -> Verdict:
    """(iv) Linear attention needs no more width than sparse for subsequences and edit distance."""
    return combine(_order(results, "linear", "sparse", (LIS, DISTANCE)))


def check_w5(results: Results) -> Verdict:
    """(v) With a chain of thought answers are far better than directly, at equal width."""
    keys = ["kind", "attention", "length", "width", "budget"]
    both = results.means().merge(results.means("outcome"), on=keys, suffixes=("", "_direct"))
    gains = both["answer_accuracy"] - both["answer_accuracy_direct"]
    if both.empty:
        return Verdict("not covered", "no network is asked in both ways")
    cells = [
        (gain > 0, f"{row.kind} n={row.length} D={row.width}: {gain:+.2f}")
        for row, gain in zip(both.itertuples(), gains, strict=True)
    ]
    mean = Part(gains.mean() >= FAR_BETTER, f"mean gain {gains.mean():.2f}, {FAR_BETTER} needed")
    return combine(count_share("gains", cells), mean)


def check_w6(results: Results) -> Verdict:
    """The accuracies of figure 1, by answers for arithmetic and by chains for the others."""
    means = results.means()
    means = means[means["budget"] >= QUESTIONS]
    cells = []
    for row in means.itertuples():
        label = SIZES.get(row.kind, {}).get(row.length)
        published = ACCURACIES.get((row.kind, row.attention), {}).get(label)
        place = np.log2(row.width / 32)
        if published and results.at_scale and place in range(len(published)):
            value = published[int(place)]
            text = f"{row.kind} {row.attention} {label} D={row.width}: {100 * row.accuracy:.1f}, {value}"
            cells.append((abs(100 * row.accuracy - value) <= BAND, text))
    return combine(count_share("cells within the band", cells, least=FEWEST_IN_BAND))


def check_w7(results: Results) -> Verdict:
    """The predecessor's accuracies at width 256, and direct answers below them."""
    deep = [
        options.get("family") or name
        for name, options in results.study["models"].items()
        if options.get("depth") == 3
    ]
    rows = results.answers
    rows = rows[(rows["attention"] == "softmax") & rows["family"].isin(deep)]
    rows = rows[(rows["width"] == 256) & (rows["budget"] >= QUESTIONS) & results.at_scale]
    place = pd.MultiIndex.from_frame(rows[["kind", "length"]])
    rows = rows[place.isin(list(PREDECESSOR))]
    thought, direct = (
        rows[rows["supervision"] == name] for name in ("chain_of_thought", "outcome")
    )
    cells = []
    for row in thought.itertuples():
        least = PREDECESSOR[row.kind, row.length]
        text = f"{row.kind} n={row.length}: {row.accuracy:.4f}, at least {least}"
        cells.append((row.accuracy >= least, text))
    keys = ["family", "task", "kind", "budget", "length", "seed"]
    lower = [
        (
            row.answer_accuracy_2 < row.answer_accuracy,
            f"{row.kind} n={row.length}: {row.answer_accuracy_2:.4f}, {row.answer_accuracy:.4f}",
        )
        for row in thought.merge(direct, on=keys, suffixes=("", "_2")).itertuples()
    ]
    return combine(
        count_share("accuracies", cells, least=1.0),
        count_share("direct answers are below", lower, least=1.0),
    )


def check_w8(results: Results) -> Verdict:
    """The slopes of D* in tokens that the brackets of figure 1 leave overlap those of the run."""
    cells = []
    for row in results.exponents.itertuples():
        published = SLOPES.get((row.kind, row.attention))
        if published and row.budget >= QUESTIONS and _has_grid_of_figure(results, row):
            ends = (row.slope_lower, row.slope_upper)
            holds = None
            if np.isfinite(ends).any():
                holds = bool(ends[0] <= published[1] and published[0] <= ends[1])
            text = "{} {}: [{:.2f}, {:.2f}]".format(row.kind, row.attention, *ends)
            cells.append((holds, "{}, [{:.2f}, {:.2f}]".format(text, *published)))
    return combine(count_share("ranges of slopes", cells, least=1.0))


def _has_grid_of_figure(results: Results, row) -> bool:
    """Return whether sizes and widths behind an exponent are those of figure 1, at its scale."""
    rows = results.answers
    rows = rows[(rows["family"] == row.family) & (rows["task"] == row.task)]
    rows = rows[(rows["budget"] == row.budget) & (rows["supervision"] == "chain_of_thought")]
    accuracies = ACCURACIES[row.kind, row.attention].values()
    widths = {32 * 2**place for place in range(len(next(iter(accuracies))))}
    found = set(zip(rows["length"], rows["width"], strict=True))
    return results.at_scale and found == set(product(SIZES[row.kind], widths))


def check_s1(results: Results) -> Verdict:
    """A reduced run: for subsequences of 10, D* of softmax < linear < sparse (own measurement)."""
    rows = results.widths[(results.widths["kind"] == LIS) & (results.widths["length"] == 10)]
    ends = rows.drop_duplicates("attention").set_index("attention")[["lower", "upper"]]
    parts = []
    for first, second in (("softmax", "linear"), ("linear", "sparse")):
        if not {first, second} <= set(ends.index):
            return Verdict("not covered", "subsequences of 10 by three kinds of attention")
        one, two = ends.loc[first], ends.loc[second]
        holds: Holds = True if one["upper"] <= two["lower"] else None
        if one["lower"] >= two["upper"] or ((one == two).all() and np.isfinite(one["upper"])):
            holds = False
        brackets = [f"({ends['lower']:g}, {ends['upper']:g}]" for ends in (one, two)]
        text = f"{first} {brackets[0]}, {second} {brackets[1]}"
        parts.append(Part(holds, text))
    return combine(*parts)


CLAIMS = {
    "W1": check_w1,
    "W2": check_w2,
    "W3": check_w3,
    "W4": check_w4,
    "W5": check_w5,
    "W6": check_w6,
    "W7": check_w7,
    "W8": check_w8,
    "S1": check_s1,
}
"""All claims by name."""
