"""Does a tree of results bear out the second study? One function per claim, tables in, verdict out.

The claims A1 to A16 are those of Hahn and Rofin (2024), arXiv:2402.09963; values are from its tables and
figures, bands around them are ours. What is claimed of its own networks is judged at its configuration,
what is claimed of sizes or orders wherever lengths reach far enough; anything else is not covered.
S1 to S3 are no claims of the paper but what a reduced run is expected to show.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from results.claims import Part, Verdict, combine, read_study

from nstar.stats import fit_linear
from nstar.subjects.functions.selection import PAPER_SHARPNESS, with_sharpness
from nstar.tables import read_table

PAPER_ENCODER = {
    "kind": "transformer",
    "width": 128,
    "depth": 2,
    "heads": 2,
    "perceptron_width": 128,
    "embedding": "concatenated",
    "norm": "post",
    "activation": "relu",
    "causal": False,
    "initialisation": "torch",
}
FUNCTIONS = ("parity", "majority", "first", "mean")
FAR, LONGEST = 20, 30
"""Lengths that a claim about growth has to reach, at least; the longest of the paper's figure 5."""

ATTENTION = ("transformer", "encoder_decoder")
"""Kinds of models that the claims are about."""

ENOUGH_RUNS, ENOUGH_SETTINGS = 10, 3
"""Runs of one function and length that a correlation rests on, and their weight decays and rates."""


@dataclass(frozen=True)
class Results:
    """The tables of a tree; `runs` has a row per replicate and measured step, with its sharpness.

    Where sharpness was measured on training sets, this is `training_sharpness`; else it is NaN.
    Columns beside those of the tables: `function` (parity, majority, ..., random, learnt), `taught_by`
    (training-set size of the network whose function it is), `decay`, `architecture` (the
    options of the model but its decay), `encoder` (a transformer that is not causal), `attention`.
    """

    study: Mapping[str, Any]
    runs: pd.DataFrame
    regressions: pd.DataFrame

    @classmethod
    def of(cls, study, measures, sharpness, regressions) -> "Results":
        """Return the tables of a study with what its configuration says of models and tasks."""
        (runs, name), models = with_sharpness(measures, sharpness), study["models"]
        decay = study["training"]["optimiser"]["weight_decay"]
        named = {
            "function": {name: _function(task) for name, task in study["tasks"].items()},
            "taught_by": {name: task.get("budget", 0) for name, task in study["tasks"].items()},
        }
        architectures = {
            name: json.dumps(
                {k: v for k, v in options.items() if k != "weight_decay"}, sort_keys=True
            )
            for name, options in models.items()
        }
        encoders = {name: not options.get("causal", True) for name, options in models.items()}
        runs = runs.assign(
            **{key: runs["task"].map(names) for key, names in named.items()},
            decay=runs["model"].map({k: _decay(v, decay) for k, v in models.items()}),
            architecture=runs["model"].map(architectures),
            encoder=runs["model"].map(encoders),
            attention=runs["model"].map({k: v["kind"] in ATTENTION for k, v in models.items()}),
            log_blowup=np.log10(runs["plain_blowup"]),
        )
        runs[PAPER_SHARPNESS] = runs["sharpness"] if name == PAPER_SHARPNESS else np.nan
        if "training_sharpness" not in runs:
            runs["training_sharpness"] = np.nan
        regressions = regressions.assign(
            function=regressions["task"].map(named["function"]),
            encoder=regressions["model"].map(encoders),
        )
        return cls(study, runs, regressions)

    @classmethod
    def read(cls, folder: Path) -> "Results":
        """Read the tree that a run of the workflow leaves in the folder of its study."""
        study = read_study(folder)
        names = ("measures", "sharpness", "regressions")
        tables = (read_table(folder / "tables" / f"{name}.csv", name) for name in names)
        return cls.of(study, *tables)

    @property
    def outcome(self) -> pd.DataFrame:
        """Final weights of encoders that learnt, asked for the outcome."""
        runs = self.runs
        return runs[
            runs["final"] & runs["learnt"] & runs["encoder"] & (runs["supervision"] == "outcome")
        ]

    def as_published(self, width: int = 128, batch: int = 1024, steps: int = 10_000) -> list[str]:
        """Return the models that are trained as the paper trains its own, of a width."""
        training, replicates = self.study["training"], self.study["replicates"]
        success = {"measure": "loss", "threshold": 1e-3, "over": "mean", "at": "final"}
        success |= {"confirm": False}
        trained = (training["batch_size"], training["max_steps"], replicates["learning_rates"])
        judged = (training["objective"], training["success"])
        if trained != (batch, steps, [3e-4]) or judged != ("squared_error", success):
            return []
        wanted = {**PAPER_ENCODER, "width": width, "perceptron_width": width}
        decay = training["optimiser"]["weight_decay"]
        return [
            name
            for name, options in self.study["models"].items()
            if wanted.items() <= options.items() and _decay(options, decay) == 0.1
        ]

    def coefficient(self, regression: str, models, function: str, quantity=PAPER_SHARPNESS):
        """Return the coefficient of n of a regression of final weights, or None."""
        table = self.regressions
        rows = table[
            (table["regression"] == regression)
            & (table["supervision"] == "outcome")
            & table["model"].isin(models)
            & (table["function"] == function)
            & (table["moment"] == "final")
            & (table["quantity"] == quantity)
            & table["coefficient"].isin(["n", "log_n"])
            & table["identified"]
        ]
        return rows.iloc[0] if len(rows) else None


def _decay(options: Mapping[str, Any], default: float) -> float:
    """Return the weight decay of a model: its own, which may be 0, or that of the study."""
    own = options.get("weight_decay")
    return default if own is None else own


def _function(task: Mapping[str, Any]) -> str:
    kinds = {"random_function": "random", "learnt_function": "learnt"}
    if task["kind"] == "modular_addition":
        return "parity" if task["modulus"] == 2 else "other"
    return kinds.get(task["kind"], task["kind"])


def _part(name: str, holds: bool | None, text: str) -> Part:
    holds = None if holds is None else bool(holds)  # numpy's False is not False
    return Part(holds, f"{name}: {text}")


def _missing(why: str) -> Verdict:
    return Verdict("not covered", why)


def _in_band(results: Results, bands: Mapping[str, tuple[float, float]]) -> Verdict:
    """Judge slopes of sharpness in n at the paper's configuration."""
    models, parts = results.as_published(), []
    lengths = set(results.runs.loc[results.runs["model"].isin(models), "length"])
    if not set(range(4, LONGEST + 1)) <= lengths:
        return _missing("the paper's configuration at n = 4 to 30 is not in the grid")
    for function, (low, high) in bands.items():
        found = results.coefficient("growth", models, function)
        slope = None if found is None else found["estimate"]
        holds = None if slope is None else low < slope < high
        parts.append(_part(f"{function}: slope in ({low:g}, {high:g})", holds, f"{slope}"))
    return combine(*parts)


def check_a1(results: Results) -> Verdict:
    """Table 2: the sharpness of PARITY grows by 0.050 per bit."""
    return _in_band(results, {"parity": (0.035, 0.065)})


def check_a2(results: Results) -> Verdict:
    """Table 2: MAJORITY grows by 1.8e-3 per bit, FIRST by 6e-5, MEAN by -2e-5."""
    small = (-2e-4, 2e-4)
    return _in_band(results, {"majority": (-4e-3, 4e-3), "first": small, "mean": small})


def check_a3(results: Results) -> Verdict:
    """Table 2: PARITY grows 27 times as fast as MAJORITY and 786 times as fast as FIRST."""
    runs, parts = results.outcome, []
    for model, rows in runs.groupby("model"):
        if rows.loc[rows["function"] == "parity", "length"].max() < FAR:
            continue
        slopes = {name: results.coefficient("growth", [model], name) for name in FUNCTIONS[:3]}
        if any(slope is None for slope in slopes.values()):
            continue
        parity = slopes["parity"]
        for other, factor in (("majority", 10), ("first", 100)):
            holds = _exceeds(parity, slopes[other], factor)
            text = f"{_told(parity)} and {_told(slopes[other])}"
            parts.append(_part(f"{model}: over {factor} times {other}", holds, text))
    return combine(*parts) if parts else _missing(f"no slopes of three functions to n = {FAR}")


def _exceeds(slope, other, factor: float) -> bool | None:
    """Return whether a slope exceeds so many times the size of another; None where intervals overlap."""
    ends = sorted((abs(other["lower"]), abs(other["upper"])))
    least = 0.0 if other["lower"] <= 0 <= other["upper"] else ends[0]
    if slope["lower"] > factor * ends[1]:
        return True
    return False if slope["upper"] <= factor * least else None


def _told(slope) -> str:
    return f"{slope['estimate']:.3g} [{slope['lower']:.3g}, {slope['upper']:.3g}]"


def check_a4(results: Results) -> Verdict:
    """Figure 5: FIRST and MEAN lie at 0.128 to 0.131 and 0.121 to 0.124 at every n."""
    runs = results.outcome
    runs, parts = runs[runs["model"].isin(results.as_published())], []
    for function, (low, high) in {"first": (0.118, 0.141), "mean": (0.111, 0.134)}.items():
        means = (
            runs[runs["function"] == function].groupby("length")[PAPER_SHARPNESS].mean().dropna()
        )
        holds = bool(means.between(low, high).all()) if len(means) else None
        text = f"{means.min():.3f} to {means.max():.3f}"
        parts.append(_part(f"{function} in [{low}, {high}]", holds, text))
    return combine(*parts)


def check_a5(results: Results) -> Verdict:
    """Figure 5: the mean of PARITY reaches 1 at n = 19 to 23."""
    runs = results.outcome
    runs = runs[runs["model"].isin(results.as_published()) & (runs["function"] == "parity")]
    means = runs.groupby("length")[PAPER_SHARPNESS].mean().dropna()
    means = means[means.index <= 25]
    reached = bool((means >= 1).any())
    if not reached and 25 not in means.index:
        return _missing("the paper's configuration does not reach n = 25")
    return combine(_part("1 at some n <= 25", reached, f"{means.round(3).to_dict()}"))


def check_a6(results: Results) -> Verdict:
    """Figure 5: fewer PARITY runs converge as n grows; all of the paper's below about n = 23 do."""
    parts = []
    parity = results.runs[results.runs["encoder"] & (results.runs["function"] == "parity")]
    for model, rows in parity.groupby("model", sort=False):
        if rows["length"].max() < FAR:  # small networks short of steps fail for another reason
            continue
        found = results.coefficient("learning", [model], "parity", "learnt")
        if found is not None:
            holds = True if found["upper"] < 0 else False if found["lower"] > 0 else None
            parts.append(_part(f"{model}: log odds fall", holds, f"{_told(found)} per bit"))
    return combine(*parts) if parts else _missing(f"no logistic slope of PARITY to n = {FAR}")


def check_a7(results: Results) -> Verdict:
    """Figure 7: sharpness of MAJORITY grows with the power 0.51 of n at width 4, up to n = 512."""
    models = results.as_published(width=4, batch=128)
    found = results.coefficient("log_growth", models, "majority")
    runs = results.outcome
    if found is None or runs.loc[runs["model"].isin(models), "length"].max() < 500:
        return _missing("no encoder of width 4 trained as in the paper up to n = 500")
    power = found["estimate"]
    return combine(_part("power in [0.3, 0.7]", bool(0.3 <= power <= 0.7), f"{power:.3g}"))


def _settings(runs: pd.DataFrame) -> int:
    return len(runs[["decay", "learning_rate"]].drop_duplicates())


def check_a8(results: Results) -> Verdict:
    """Figure 10: within a function and a length, norm and log blow-up have r = -0.96 to -0.98."""
    parts = []
    runs = results.outcome.dropna(subset="log_blowup")
    for (_, function, length), rows in runs.groupby(["architecture", "function", "length"]):
        if len(rows) >= ENOUGH_RUNS and _settings(rows) >= ENOUGH_SETTINGS:
            r = float(np.corrcoef(rows["parameter_norm"], rows["log_blowup"])[0, 1])
            parts.append(_part(f"{function}, n = {length}: r < -0.9", r < -0.9, f"{r:.3f}"))
    return (
        combine(*parts)
        if parts
        else _missing(f"not {ENOUGH_SETTINGS} weight decays or rates at a length")
    )


def check_a9(results: Results) -> Verdict:
    """Figure 9: at equal blow-up the norm of PARITY grows by 0.25 per bit, of others by under 0.05."""
    parts = []
    for _, runs in results.outcome.dropna(subset="log_blowup").groupby("architecture"):
        slopes = {
            function: _slope_at_equal_blowup(rows)
            for function, rows in runs.groupby("function")
            if function in FUNCTIONS
        }
        slopes = {function: slope for function, slope in slopes.items() if np.isfinite(slope)}
        if "parity" not in slopes or len(slopes) < 2:
            continue
        for function, slope in slopes.items():
            holds = slope > 0.15 if function == "parity" else abs(slope) < 0.08
            wanted = "> 0.15" if function == "parity" else "within 0.08 of 0"
            parts.append(_part(f"{function}: {wanted}", holds, f"{slope:.3f}"))
    if not parts:
        return _missing("no weight decays or rates vary at three lengths of PARITY and another")
    return combine(*parts)


def _slope_at_equal_blowup(runs: pd.DataFrame) -> float:
    """Return what the norm grows by per bit, of lengths with several settings; NaN if not identified."""
    varied = [n for n, part in runs.groupby("length") if _settings(part) >= ENOUGH_SETTINGS]
    if len(varied) < 3:
        return np.nan
    runs = runs[runs["length"].isin(varied)]
    x = runs["log_blowup"].to_numpy()
    covariates = {"x": x, "x2": x**2, "n": runs["length"].to_numpy(float)}
    return fit_linear(runs["parameter_norm"], covariates).coefficient("n").estimate


def check_a10(results: Results) -> Verdict:
    """Figure 10: at a blow-up of 10, PARITY needs a norm 6.5 above that of MEAN at n = 20, 1.3 at 5."""
    parts = []
    for _, runs in results.outcome.dropna(subset="log_blowup").groupby("architecture"):
        excess = _excess_norm(runs)
        if len(excess) > 1 and max(excess) >= FAR:
            values = [excess[n] for n in sorted(excess)]
            holds = all(np.diff(values) > 0) and values[-1] > 3
            parts.append(_part("over 3 at the longest, growing", holds, f"{excess}"))
    if not parts:
        return _missing(f"no blow-ups about 10 of both functions at two lengths to {FAR}")
    return combine(*parts)


def _excess_norm(runs: pd.DataFrame) -> dict[int, float]:
    """Return by n how much larger a norm PARITY needs than MEAN at a blow-up of 10."""
    needed = {}
    for key, rows in runs.groupby(["function", "length"]):
        inside = rows["log_blowup"].min() <= 1 <= rows["log_blowup"].max()
        if inside and _settings(rows) >= ENOUGH_SETTINGS and len(rows) >= ENOUGH_RUNS:
            needed[key] = np.polyval(np.polyfit(rows["log_blowup"], rows["parameter_norm"], 2), 1)
    lengths = [n for function, n in needed if function == "parity" and ("mean", n) in needed]
    return {n: float(needed["parity", n] - needed["mean", n]) for n in lengths}


def _courses(results: Results) -> pd.DataFrame:
    """Return PARITY runs of encoders from n = `FAR` on that converged, with steps `since`."""
    runs = results.runs
    far = (
        (runs["function"] == "parity")
        & (runs["length"] >= FAR)
        & (runs["supervision"] == "outcome")
    )
    runs = runs[far & runs["encoder"] & runs["converged_at"].notna()]
    return runs.assign(since=(runs["step"] - runs["converged_at"]).astype(float))


def check_a11(results: Results) -> Verdict:
    """Figure 3: sharpness rises 8-fold within the 1,000 steps before convergence, at decay 0.1."""
    runs = _courses(results)
    runs = runs[np.isclose(runs["decay"], 0.1)]
    at = runs.loc[runs["since"].between(0, 1000), PAPER_SHARPNESS].median()
    before = runs.loc[runs["since"].between(-1500, -500), PAPER_SHARPNESS].median()
    if not np.isfinite(at / before):
        return _missing(f"no course of PARITY about its convergence from n = {FAR} on")
    return combine(_part("over 4 times", bool(at / before > 4), f"{before:.3g} to {at:.3g}"))


def check_a12(results: Results) -> Verdict:
    """Figure 12: blow-up grows faster the larger the weight decay, and not at all without."""
    runs = _courses(results)
    runs = runs[runs["since"].between(1000, 15_000)].dropna(subset="log_blowup")
    slopes = {
        decay: float(np.polyfit(rows["since"], rows["log_blowup"], 1)[0])
        for decay, rows in runs.groupby("decay")
        if rows["since"].nunique() > 1
    }
    if len(slopes) < 3 or 0.0 not in slopes:
        return _missing(f"not two weight decays and none on PARITY from n = {FAR} on")
    rising = all(np.diff([slopes[decay] for decay in sorted(slopes)]) > 0)
    none = slopes[0.0] <= 0 and all(slope > 0 for decay, slope in slopes.items() if decay)
    return combine(_part("order of the decays, none without", bool(rising and none), f"{slopes}"))


def _by_training_size(results: Results, value: str, learnt: bool) -> dict[str, float]:
    """Return means of learnt functions by the size of their training set, of sources that fitted."""
    runs = results.outcome if learnt else results.runs[results.runs["final"]]
    rows = runs[(runs["function"] == "learnt") & (runs["source_outcome"] != "not_fitted")]
    rows = rows.assign(share=2 * rows["target_sensitivity"] / rows["length"]).dropna(subset=value)
    found = rows.drop_duplicates(["task", "seed", *([] if not learnt else ["model"])])
    return {int(size): float(part[value].mean()) for size, part in found.groupby("taught_by")}


def check_a13(results: Results) -> Verdict:
    """Figure 4: from 128, 256, 512 values of a random function, what is learnt has as = 3.2, 3.7, 4.3."""
    found = _by_training_size(results, "target_sensitivity", learnt=False)
    if len(found) < 2:
        return _missing("no functions that networks learnt from training sets of two sizes")
    rising = all(np.diff([found[size] for size in sorted(found)]) > 0)
    share = _by_training_size(results, "share", learnt=False)
    parts = [
        _part("more sensitive from more data", rising, f"{found}"),
        _part("below n / 2, that of random functions", max(share.values()) < 1, f"{share}"),
    ]
    paper = {128: 3.155, 256: 3.688, 512: 4.273}
    if results.as_published() and set(paper) <= set(found):
        near = all(abs(found[size] - value) < 0.15 for size, value in paper.items())
        parts.append(_part("within 0.15 of the paper's", bool(near), f"{found}"))
    return combine(*parts)


def check_a14(results: Results) -> Verdict:
    """Figure 4: networks that learn these are sharper the more sensitive they are, r = 0.97."""
    found = _by_training_size(results, PAPER_SHARPNESS, learnt=True)
    runs = results.outcome.dropna(subset=PAPER_SHARPNESS)
    random = runs[runs["function"] == "random"]
    random = random[random["budget"] == 0]
    rows = pd.concat([runs[runs["function"] == "learnt"], random])
    if len(found) < 2 or random.empty or len(rows) < ENOUGH_RUNS:
        return _missing("no networks that learnt functions of other networks and random ones")
    means = [*(found[size] for size in sorted(found)), float(random[PAPER_SHARPNESS].mean())]
    r = float(np.corrcoef(rows["target_sensitivity"], rows[PAPER_SHARPNESS])[0, 1])
    return combine(
        _part("sharper in this order", bool(all(np.diff(means) > 0)), f"{means}"),
        _part("r > 0.9", r > 0.9, f"{r:.3f}"),
    )


def check_a15(results: Results) -> Verdict:
    """Figure 15: sharpness on what taught a function is 1.02 to 1.06 times that on all inputs."""
    runs, parts = results.outcome, []
    taught = (runs["function"] == "learnt") & (runs["source_outcome"] != "not_fitted")
    runs = runs[taught & (runs["budget"] == 0)].dropna(
        subset=["training_sharpness", PAPER_SHARPNESS]
    )
    for size, rows in runs.groupby("taught_by"):
        if len(rows) >= ENOUGH_RUNS:
            ratio = float(rows["training_sharpness"].mean() / rows[PAPER_SHARPNESS].mean())
            parts.append(
                _part(f"{size}: ratio in [0.9, 1.15]", 0.9 <= ratio <= 1.15, f"{ratio:.3f}")
            )
    if not parts:
        return _missing(f"not {ENOUGH_RUNS} networks measured on what taught their function")
    return combine(*parts)


def check_a16(results: Results) -> Verdict:
    """Figure 11: with a scratchpad PARITY stays at 0.05 to 0.08 up to n = 320; directly 1.27 at 30."""
    runs, direct = results.runs, results.outcome
    runs = runs[runs["final"] & runs["learnt"] & (runs["function"] == "parity") & runs["attention"]]
    written = runs[runs["supervision"] == "chain_of_thought"]
    at_30 = (direct["function"] == "parity") & (direct["length"] == LONGEST)
    direct = direct.loc[at_30, PAPER_SHARPNESS].mean()
    written = written.groupby("length")[PAPER_SHARPNESS].mean().dropna()
    if written.empty or written.index.max() < LONGEST or not np.isfinite(direct):
        return _missing(f"no scratchpad beyond n = {LONGEST} beside PARITY at {LONGEST} without it")
    return combine(
        _part("under 0.2 everywhere", bool((written < 0.2).all()), f"{dict(written)}"),
        _part("a fifth of it, directly", bool((5 * written < direct).all()), f"{direct:.3f}"),
    )


def _parity_and(results: Results, other: str | None) -> tuple[float, float, str] | None:
    """Return sharpness of PARITY at its longest n, and of another there, or its own at the shortest."""
    means = (
        results.outcome.groupby(["model", "function", "length"])[PAPER_SHARPNESS].mean().dropna()
    )
    for model in dict.fromkeys(key[0] for key in means.index):
        at = {key[1:]: value for key, value in means.items() if key[0] == model}
        lengths = sorted(
            n for function, n in at if function == "parity" and (not other or (other, n) in at)
        )
        if len(lengths) > 1 or (other and lengths):
            last, base = lengths[-1], (other, lengths[-1]) if other else ("parity", lengths[0])
            return at["parity", last], at[base], f"{model}, PARITY at n = {last} and {base}"
    return None


def check_s1(results: Results) -> Verdict:
    """Expected of a reduced run: PARITY is over twice as sharp as FIRST at the longest common n."""
    found = _parity_and(results, "first")
    if found is None:
        return _missing("no encoder learnt PARITY and FIRST at one length")
    return combine(
        _part(found[2], bool(found[0] > 2 * found[1]), f"{found[0]:.3f}, {found[1]:.3f}")
    )


def check_s2(results: Results) -> Verdict:
    """Expected of a reduced run: PARITY is over 1.5 times as sharp at its longest n as at its least."""
    found = _parity_and(results, None)
    if found is None:
        return _missing("no encoder learnt PARITY at two lengths")
    return combine(
        _part(found[2], bool(found[0] > 1.5 * found[1]), f"{found[0]:.3f}, {found[1]:.3f}")
    )


def check_s3(results: Results) -> Verdict:
    """Expected of a reduced run: PARITY converges later at its longest n than at its shortest."""
    runs = results.outcome
    for model, rows in runs[runs["function"] == "parity"].groupby("model"):
        steps = rows.groupby("length")["converged_at"].median().dropna()
        if len(steps) > 1:
            later = steps.iloc[-1] > steps.iloc[0]
            return combine(_part(f"{model}, later", later, f"{steps.to_dict()}"))
    return _missing("no encoder learnt PARITY at two lengths")


CLAIMS = {
    name.removeprefix("check_").upper(): check
    for name, check in list(globals().items())
    if name.startswith("check_")
}
"""The claims by their names."""
