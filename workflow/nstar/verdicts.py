"""Verdicts: what a run has learnt by a rule, judged from its evidence alone.

Training ends runs by `verdicts`, plans and searches judge the headers of stores by it, and tables hold
what it says: there is no second definition that could disagree.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

LEARNT, NOT_GENERALISED, NOT_FITTED = 0, 1, 2

OUTCOMES = ("learnt", "not_generalised", "not_fitted")
"""Names of the codes above, which are in the order of merit.

``learnt``: the success measure passed its threshold on the validation set, and on the confirmation set
where the rule asks for it. ``not_generalised``: the weights of some evaluation passed on the training
set only. ``not_fitted``: those of none did, which says nothing about data.
"""

UNDECIDED = "undecided"
UNDECIDED_NOT_FITTED = "undecided_not_fitted"
"""In place of an outcome in tables, where another rule would have gone on with a run."""

SETS = ("train", "validation", "confirmation")
"""The sets that rules may read."""

Measure = Literal["loss", "token_accuracy", "sequence_accuracy"]
Over = Literal["mean", "every_length", "every_position"]

MEASURES: tuple[Measure, ...] = get_args(Measure)
"""What is measured on every set, and what success and fit may rest on."""

QUANTITIES: tuple[tuple[Measure, Over], ...] = (
    ("loss", "mean"),
    ("loss", "every_length"),
    ("loss", "every_position"),
    ("token_accuracy", "mean"),
    ("token_accuracy", "every_length"),
    ("token_accuracy", "every_position"),
    ("sequence_accuracy", "mean"),
    ("sequence_accuracy", "every_length"),
)
"""What an evaluation says of each set: a measure, and over what it is taken.

``every_length`` is the worst length, and ``every_position`` the worst token position that has labels:
the largest loss or the smallest accuracy.
"""


@dataclass(frozen=True)
class Rule:
    """When a run has learnt, when it has fitted its training set, and when it ends.

    Attributes
    ----------
    measure : {"loss", "token_accuracy", "sequence_accuracy"}
    threshold : float
        Reached from above by a loss, from below by an accuracy; rounded to float32 as the evidence is.
    fitted_measure, fitted_threshold
        The same for the training set.
    max_steps : int
        Steps after which a run ends.
    over : {"mean", "every_length", "every_position"}
        With `measure` and with `fitted_measure` one of `QUANTITIES`.
    at : {"best", "final"}
        Whether some evaluation decides, or the last.
    confirm : bool
        Whether the confirmation set has to pass too.
    patience : int or None
        Evaluations without a new best, once the training set is fitted, that end a run.
    stop_on_success : bool
        Whether a run ends at its first pass.
    """

    measure: Measure
    threshold: float
    fitted_measure: Measure
    fitted_threshold: float
    max_steps: int
    over: Over = "mean"
    at: Literal["best", "final"] = "best"
    confirm: bool = True
    patience: int | None = None
    stop_on_success: bool = True

    def __post_init__(self):
        for measure in (self.measure, self.fitted_measure):
            if (measure, self.over) not in QUANTITIES:
                raise ValueError(f"there is no {measure} over {self.over}; allowed: {QUANTITIES}")

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON holds them; ``Rule(**fields)`` is the inverse."""
        return asdict(self)

    def published(self) -> "Rule":
        """Return the rule of the published studies: means over all labels, unconfirmed."""
        return replace(self, over="mean", confirm=False)

    def strict(self) -> "Rule":
        """Return the rule with confirmation, and for every length where it was for the mean."""
        return replace(
            self, over="every_length" if self.over == "mean" else self.over, confirm=True
        )

    def all_steps(self) -> "Rule":
        """Return the rule under which neither success nor patience ends a run."""
        return replace(self, stop_on_success=False, patience=None)

    def other(self) -> "Rule":
        """Return the form that robustness judges by: the strict one, if this is not it."""
        return self.published() if self == self.strict() else self.strict()

    def ending(self) -> dict[str, Any]:
        """Return the fields that can end a run, and no others."""
        names = {"max_steps"}
        if self.stop_on_success:
            names |= {"measure", "over", "threshold", "confirm"}
        if self.patience is not None:
            names |= {"measure", "over", "fitted_measure", "fitted_threshold", "patience"}
        return {name: value for name, value in asdict(self).items() if name in names}

    def value(self, numbers: np.ndarray, name: str) -> np.ndarray:
        """Return what the rule reads of a set in numbers (..., 3, 8): shape (...)."""
        measure = self.fitted_measure if name == "train" else self.measure
        return numbers[..., SETS.index(name), QUANTITIES.index((measure, self.over))]

    def passes(self, values: np.ndarray) -> np.ndarray:
        """Return where the success measure passes its threshold; NaN does not."""
        return passes(values, self.measure, self.threshold)

    def fits(self, values: np.ndarray) -> np.ndarray:
        """Return where the measure of the training set passes its threshold; NaN does not."""
        return passes(values, self.fitted_measure, self.fitted_threshold)

    def gain(self, values: np.ndarray) -> np.ndarray:
        """Return the success measure with a sign such that more is better, NaN as -inf."""
        signed = -values if self.measure == "loss" else values
        return np.where(np.isnan(signed), -np.inf, signed)


def passes(values: np.ndarray, measure: str, threshold: float) -> np.ndarray:
    """Return where a measure passes a threshold, both in 32 bits, as evidence is; NaN does not."""
    values, threshold = np.asarray(values, np.float32), np.float32(threshold)
    return values <= threshold if measure == "loss" else values >= threshold


@dataclass(frozen=True)
class Verdicts:
    """What a rule says of R runs; evaluations count from 0, and -1 stands for never.

    Attributes
    ----------
    ended : ndarray of bool, shape (R,)
        Whether the rule ends the run at an evaluation that is known.
    end : ndarray of int64, shape (R,)
        That evaluation, or the last known one of a run that has not ended.
    outcome : ndarray of int8, shape (R,)
        Up to `end`; of a run that has not ended it may change.
    learnt_at : ndarray of int64, shape (R,)
        First pass, or the last evaluation where that decides.
    fitted_at : ndarray of int64, shape (R,)
        First evaluation at which the training set passes.
    best_at : ndarray of int64, shape (R,)
        First evaluation with the best validation measure.
    n_confirmations : ndarray of int64, shape (R,)
        Evaluations at which the confirmation set was looked at.
    diverged : ndarray of bool, shape (R,)
    """

    ended: np.ndarray
    end: np.ndarray
    outcome: np.ndarray
    learnt_at: np.ndarray
    fitted_at: np.ndarray
    best_at: np.ndarray
    n_confirmations: np.ndarray
    diverged: np.ndarray


def verdicts(numbers: np.ndarray, n_known: np.ndarray, every: int, rule: Rule) -> Verdicts:
    """Judge runs from their evidence; nothing after the evaluation that ends a run has a say.

    Parameters
    ----------
    numbers : ndarray of float32, shape (R, E, 3, 8)
        Of each evaluation the `QUANTITIES` of the `SETS`; all NaN where a run has diverged.
    n_known : ndarray of int, shape (R,)
        Evaluations that are known of each run; what stands behind them is not read.
    every : int
        Steps between two evaluations; the first is after as many.
    rule : Rule

    Returns
    -------
    Verdicts
    """
    n_evaluations = numbers.shape[1]
    e = np.arange(n_evaluations)
    known = e < np.asarray(n_known)[:, None]  # (R, E)
    train, validation, confirmation = (rule.value(numbers, name) for name in SETS)
    diverged = known & np.isnan(numbers[:, :, SETS.index("validation"), 0])
    looked = known & rule.passes(validation)
    passed = looked & rule.passes(confirmation) if rule.confirm else looked
    fits = known & rule.fits(train)
    gain = rule.gain(validation)

    ends = diverged | (every * (e + 1) >= rule.max_steps)
    if rule.stop_on_success:
        ends = ends | passed
    if rule.patience is not None:
        ends = ends | (_waited(gain, np.maximum.accumulate(fits, axis=1)) >= rule.patience)
    ends = ends & known
    ended = ends.any(axis=1)
    end = np.where(ended, _first(ends), np.asarray(n_known) - 1)

    within = e <= end[:, None]
    at_end = e == end[:, None]
    learnt_at = _first(passed & (within if rule.at == "best" else at_end))
    fitted_at = _first(fits & within)
    best = np.max(gain, axis=1, initial=-np.inf, where=within)[:, None]
    outcome = np.where(fitted_at >= 0, NOT_GENERALISED, NOT_FITTED)
    return Verdicts(
        ended=ended,
        end=end,
        outcome=np.where(learnt_at >= 0, LEARNT, outcome).astype(np.int8),
        learnt_at=learnt_at,
        fitted_at=fitted_at,
        best_at=_first(within & (gain == best) & (best > -np.inf)),
        n_confirmations=(looked & within).sum(axis=1) * int(rule.confirm),
        diverged=(diverged & within).any(axis=1),
    )


def first_published_pass(numbers: np.ndarray, n_read: np.ndarray, rule: Rule) -> np.ndarray:
    """Return the first evaluation that passes by the published form of a rule, unconfirmed.

    Parameters
    ----------
    numbers : ndarray of float32, shape (R, E, 3, 8)
        As of `verdicts`.
    n_read : ndarray of int, shape (R,)
        Evaluations that are looked at.
    rule : Rule

    Returns
    -------
    ndarray of int64, shape (R,)
        -1 where none passes.
    """
    published = rule.published()
    passed = published.passes(published.value(numbers, "validation"))
    return _first(passed & (np.arange(numbers.shape[1]) < np.asarray(n_read)[:, None]))


def _waited(gain: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """Return the evaluations since the last new best, or since the training set was fitted (R, E)."""
    e = np.arange(gain.shape[1])
    best = np.maximum.accumulate(gain, axis=1)
    before = np.pad(best, ((0, 0), (1, 0)), constant_values=-np.inf)[:, :-1]
    return e - np.maximum.accumulate(np.where((gain > before) | ~fitted, e, -1), axis=1)


def _first(marked: np.ndarray) -> np.ndarray:
    """Return the first marked evaluation of each run of (R, E), -1 where none is."""
    n_evaluations = marked.shape[1]
    found = np.where(marked, np.arange(n_evaluations), n_evaluations)
    first = np.min(found, axis=1, initial=n_evaluations)
    return np.where(first < n_evaluations, first, -1)
