"""Does a tree of results bear out the third study? One function per claim, tables in, verdict out.

W1 to W5 are what figure 1 of Yang et al. (2024), arXiv:2402.13934, shows of sizes and orders; they are
judged on any widths, as claims of orders are. W6 is the figure itself and W7 the public logs of its
predecessor, arXiv:2305.15408; they are judged at that scale alone. S1 is no claim of a paper but what a
reduced run is expected to show. Bands and shares are ours.

D* is that of the mean over seeds at 90 % of the chains, of arithmetic at 90 % of the answers, in its
bracket (lower, upper]. Of two, one is the larger where the brackets do not overlap.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from results.claims import Holds, Part, Verdict, combine, count_share, read_study
from results.figure_1 import ACCURACIES, SIZES

from nstar.families import family_of
from nstar.tables import read_table

LIS, DISTANCE, ARITHMETIC = "longest_increasing_subsequence", "edit_distance", "arithmetic"
EFFICIENT = ("linear", "sparse")
SOLVED, ROOM = 0.5, 0.05
"""Accuracy of the smaller size from which a fall says something; what two falls may differ by."""

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

    `answers` has one row per seed, with its best learning rate, and its `accuracy` as figure 1 counts it.
    """

    study: dict[str, Any]
    answers: pd.DataFrame
    widths: pd.DataFrame

    @classmethod
    def of(cls, study, answers: pd.DataFrame, widths: pd.DataFrame) -> "Results":
        """Return the tables of a study with what its configuration says of models and tasks."""
        kinds = {
            name: options["kind"] if options.get("locality") is None else "local"
            for name, options in study["tasks"].items()
        }
        attention = {
            family_of(name, options["width"]): (options.get("attention") or {}).get(
                "kind", "softmax"
            )
            for name, options in study["models"].items()
        }

        def known(table: pd.DataFrame) -> pd.DataFrame:
            return table.assign(
                kind=table["task"].map(kinds), attention=table["family"].map(attention)
            )

        answers, widths = known(answers), known(widths)
        by_answer = answers["kind"] == ARITHMETIC
        answers["accuracy"] = answers["chain_accuracy"].where(
            ~by_answer, answers["answer_accuracy"]
        )
        measure = np.where(widths["kind"] == ARITHMETIC, "answer", "chain")
        chosen = (widths["rule"] == "mean") & (widths["threshold"] == 0.9)
        chosen &= (widths["measure"] == measure) & (widths["supervision"] == "chain_of_thought")
        keys = ["family", "task", "supervision", "budget", "length", "width", "seed"]
        best = (
            answers.fillna({"accuracy": 0.0})
            .sort_values("accuracy")
            .drop_duplicates(keys, keep="last")
        )
        return cls(study, best.sort_index(), widths[chosen])

    @classmethod
    def read(cls, folder: Path) -> "Results":
        """Read the tree that a run of the workflow leaves in its folder ``results``."""
        tables = (read_table(folder / f"tables/{name}.csv", name) for name in ("answers", "widths"))
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
    if row.upper <= row.lower_2 or row.upper == row.upper_2 < np.inf:
        return True
    if row.lower >= row.upper_2:
        return False
    # On a grid of widths, equal brackets are a tie, and a first that ends earlier is the smaller.
    return True if row.upper < row.upper_2 else None


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
    """(i) At fixed width, accuracy falls with the size faster for efficient transformers."""
    means = results.means()
    parts = []
    for name in EFFICIENT:
        cells = []
        for (kind, width, _), part in means.groupby(["kind", "width", "budget"]):
            grid = part.pivot(index="length", columns="attention", values="accuracy")
            if {"softmax", name} <= set(grid) and len(grid := grid[["softmax", name]].dropna()) > 1:
                first, last = grid.iloc[0], grid.iloc[-1]
                if first.min() >= SOLVED:
                    fall = first - last
                    text = (
                        f"{kind} D={width}: {name} {fall[name]:.2f}, softmax {fall['softmax']:.2f}"
                    )
                    cells.append((fall[name] >= fall["softmax"] - ROOM, text))
        parts.append(count_share(f"falls of {name}", cells))
    return combine(*parts)


def check_w2(results: Results) -> Verdict:
    """(ii) The standard transformer needs no more width than an efficient one, at every size."""
    return combine(*(_order(results, "softmax", name) for name in EFFICIENT))


def check_w3(results: Results) -> Verdict:
    """(iii) Of three tasks, sparse attention needs most width for subsequences, least for arithmetic."""
    rows = results.widths[results.widths["attention"] == "sparse"]
    longest = {
        kind: part.loc[part["length"].idxmax()] for kind, part in rows.groupby("kind") if len(part)
    }
    needed = {name: SIZES[name] for name in (ARITHMETIC, DISTANCE, LIS)}
    if any(kind not in longest or longest[kind]["length"] < max(needed[kind]) for kind in needed):
        return Verdict("not covered", "the largest sizes of figure 1 are not in the grid")
    parts = []
    for easier, harder in ((ARITHMETIC, DISTANCE), (DISTANCE, LIS)):
        one, two = longest[easier], longest[harder]
        holds = True if one["upper"] <= two["upper"] else None
        if one["lower"] >= two["upper"]:
            holds = False
        parts.append(Part(holds, f"{easier} to {one['upper']:g}, {harder} to {two['upper']:g}"))
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
    models = {
        family_of(name, options["width"])
        for name, options in results.study["models"].items()
        if options.get("depth") == 3 and not options.get("attention")
    }
    rows = results.answers[
        results.answers["family"].isin(models)
        & (results.answers["width"] == 256)
        & (results.answers["budget"] >= QUESTIONS)
    ]
    cells = []
    for row in rows[rows["supervision"] == "chain_of_thought"].itertuples():
        least = PREDECESSOR.get((row.kind, row.length))
        if least is not None and results.at_scale:
            text = f"{row.kind} n={row.length}: {row.accuracy:.4f}, at least {least}"
            cells.append((row.accuracy >= least, text))
    return combine(count_share("accuracies", cells, least=1.0))


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
    "S1": check_s1,
}
"""All claims by name."""
