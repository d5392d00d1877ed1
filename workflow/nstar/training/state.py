"""The state of a pack: what changes during a run, cut into blocks and joined again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nstar.models import StackedModel
from nstar.models.stacked import pad_to_lanes
from nstar.training.evidence import COUNTED, COUNTED_BY_LENGTH, Evidence
from nstar.training.optimiser import AdamState
from nstar.verdicts import QUANTITIES, SETS

TESTED = ("numbers", *COUNTED, *COUNTED_BY_LENGTH)
"""What the test set says of weights that are kept: fields of `nstar.measures.evidence.Counts`."""


@dataclass
class PackState:
    """All that changes during a run, on the replicates' full axis R unless it says `active`.

    Attributes
    ----------
    n_steps : ndarray of int64, shape (R,)
        Steps taken so far.
    active : ndarray of int64, shape (R',)
        Replicates still training, those furthest behind first; the rows of `parameters` and of `adam`.
    parameters : Tensor, shape (R', P')
        The flat buffer; see `StackedModel.initialise`.
    adam : AdamState
        Of R' replicates.
    evidence : Evidence
    kept : list of dict, length R
        By step, what is kept of a replicate: its ``weights`` (P,), and once it has ended what the test
        set says of them (`TESTED`).
    best_step : ndarray of int64, shape (R,)
        Step whose weights are kept only as long as they are the best; -1 for none.
    moments : list of dict or None, length R
        ``first_moment`` and ``second_moment`` (P,) at the end of a replicate that can go on.
    wall_time_s : ndarray of float64, shape (R,)
        Time of training and evaluation; replicates that ran together share it equally.
    """

    n_steps: np.ndarray
    active: np.ndarray
    parameters: Tensor
    adam: AdamState
    evidence: Evidence
    kept: list[dict[int, dict[str, np.ndarray]]]
    best_step: np.ndarray
    moments: list[dict[str, np.ndarray] | None]
    wall_time_s: np.ndarray

    @property
    def step(self) -> int:
        """Steps taken by the replicate furthest behind, or by the longest run once all have ended."""
        return int(self.n_steps[self.active].min() if len(self.active) else self.n_steps.max())

    @property
    def differs(self) -> np.ndarray:
        """First evaluation of each replicate that repeats a known one and differs from it; -1: none."""
        return self.evidence.differs

    def part(self, rows: slice) -> "PackState":
        """Return the state of some rows of R, as if they had been a pack of their own."""
        chosen = (self.active >= rows.start) & (self.active < rows.stop)
        places = torch.from_numpy(np.flatnonzero(chosen)).to(self.parameters.device)
        return PackState(
            n_steps=self.n_steps[rows],
            active=self.active[chosen] - rows.start,
            parameters=self.parameters[places],
            adam=self.adam[places],
            evidence=self.evidence.part(rows),
            kept=self.kept[rows],
            best_step=self.best_step[rows],
            moments=self.moments[rows],
            wall_time_s=self.wall_time_s[rows],
        )

    def select(self, places: np.ndarray) -> None:
        """Keep these of the active rows, in this order."""
        on_device = torch.from_numpy(places).to(self.parameters.device)
        self.parameters = self.parameters[on_device]
        self.adam = self.adam[on_device]
        self.active = self.active[places]


def join_states(states: Sequence[PackState]) -> PackState:
    """Return one state of the replicates of several, one after the other, however far each has come."""
    starts = np.cumsum([0, *(len(state.n_steps) for state in states)])
    active = [state.active + start for state, start in zip(states, starts[:-1], strict=True)]
    joined = PackState(
        n_steps=np.concatenate([state.n_steps for state in states]),
        active=np.concatenate(active),
        parameters=torch.cat([state.parameters for state in states]),
        adam=AdamState.join([state.adam for state in states]),
        evidence=Evidence.join([state.evidence for state in states]),
        kept=[kept for state in states for kept in state.kept],
        best_step=np.concatenate([state.best_step for state in states]),
        moments=[moments for state in states for moments in state.moments],
        wall_time_s=np.concatenate([state.wall_time_s for state in states]),
    )
    joined.select(np.argsort(joined.n_steps[joined.active], kind="stable"))
    return joined


def initial_state(
    model: StackedModel,
    seeds: Sequence[int],
    device: torch.device,
    known: Sequence[np.ndarray] | None = None,
) -> PackState:
    """Return the state before the first step.

    Parameters
    ----------
    model : StackedModel
    seeds : sequence of int, length R
        Of the initial weights of each replicate.
    device : torch.device
    known : sequence of ndarray of float32, each of shape (n, 3, 8), optional
        Numbers of evaluations that are known of each replicate already: they are compared, not
        recorded again.
    """
    parameters = model.initialise(seeds).to(device)
    return _state(np.zeros(len(seeds), np.int64), parameters, AdamState.of(parameters), known)


def stored_state(
    steps: Sequence[int],
    weights: np.ndarray,
    first_moment: np.ndarray,
    second_moment: np.ndarray,
    known: Sequence[np.ndarray],
    device: torch.device,
) -> PackState:
    """Return the state of replicates that go on from stored weights and moments.

    Parameters
    ----------
    steps : sequence of int, length R
        Steps taken when they were stored.
    weights, first_moment, second_moment : ndarray of float32, shape (R, P)
    known : sequence of ndarray of float32, each of shape (n, 3, 8)
        Numbers of all evaluations that are known, at least those up to the step of the replicate.
    device : torch.device
    """
    stored = weights, first_moment, second_moment
    buffers = [pad_to_lanes(torch.from_numpy(np.array(one))).to(device) for one in stored]
    n_steps = torch.tensor(steps, dtype=torch.float64, device=device)
    state = _state(np.array(steps, np.int64), buffers[0], AdamState(n_steps, *buffers[1:]), known)
    state.select(np.argsort(state.n_steps, kind="stable"))
    return state


def _state(
    n_steps: np.ndarray, parameters: Tensor, adam: AdamState, known: Sequence[np.ndarray] | None
) -> PackState:
    n = len(n_steps)
    if known is None:
        known = [np.zeros((0, len(SETS), len(QUANTITIES)), np.float32)] * n
    return PackState(
        n_steps=n_steps,
        active=np.arange(n),
        parameters=parameters,
        adam=adam,
        evidence=Evidence.after(known),
        kept=[{} for _ in range(n)],
        best_step=np.full(n, -1),
        moments=[None] * n,
        wall_time_s=np.zeros(n),
    )


def arrays_of(state: PackState) -> dict[str, np.ndarray]:
    """Return what a store holds of replicates that have all ended, by the names of its variables.

    Row i of a replicate, on the axis of evaluations, is its evaluation ``first_evaluation + i``; rows
    from ``n_evaluations`` on are 0 or NaN. Kept weights and states are in the order of replicates and
    steps.
    """
    evidence = state.evidence
    n = evidence.n_known - evidence.first
    longest = int(n.max())
    numbers = np.full((len(n), longest, len(SETS), len(QUANTITIES)), np.nan, np.float32)
    for r, (first, count) in enumerate(zip(evidence.first, n, strict=True)):
        numbers[r, :count] = evidence.numbers[r, first : first + count]
    last = evidence.numbers[np.arange(len(n)), evidence.n_known - 1]
    kept = [(r, step, one) for r, own in enumerate(state.kept) for step, one in sorted(own.items())]
    states = [(r, one) for r, one in enumerate(state.moments) if one is not None]
    n_parameters = kept[0][2]["weights"].shape[0] if kept else 0

    def moments(name: str) -> np.ndarray:
        found = [one[name] for _, one in states]
        return np.stack(found) if found else np.zeros((0, n_parameters), np.float32)

    found: dict[str, Any] = {
        "first_evaluation": evidence.first,
        "n_evaluations": n,
        "numbers": numbers,
        **{name: rows[:, :longest] for name, rows in evidence.rows.items()},
        **evidence.of,
        "n_sequences": evidence.of["length_of"].sum(axis=2, dtype=np.uint32),
        "diverged": np.isnan(last[:, SETS.index("validation"), 0]),
        "wall_time_s": state.wall_time_s,
        "kept_replicate": np.array([r for r, _, _ in kept], np.int32),
        "kept_step": np.array([step for _, step, _ in kept], np.int64),
        "weights": np.stack([one["weights"] for _, _, one in kept]),
        **{f"test_{name}": np.stack([one[name] for _, _, one in kept]) for name in TESTED},
        "state_replicate": np.array([r for r, _ in states], np.int32),
        "first_moment": moments("first_moment"),
        "second_moment": moments("second_moment"),
    }
    return found
