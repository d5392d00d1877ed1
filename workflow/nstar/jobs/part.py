"""One part that a job makes of a block: where it starts, its checkpoint, and what is written."""

import logging
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from nstar.cells import of_budget
from nstar.cells.paths import checkpoint_path, coordinates_of, lease_path, store_path
from nstar.errors import ArtifactError
from nstar.files import is_there, remove
from nstar.models import StackedModel
from nstar.plan.work import Work
from nstar.seeds import seed_text, streams_of
from nstar.specification import canonical_json, digest
from nstar.store.archive import write_store
from nstar.store.header import read_header
from nstar.store.parts import read_parts
from nstar.store.provenance import provenance
from nstar.store.replicates import pairs_of, seed_coordinates
from nstar.store.schemas import CELL
from nstar.store.summaries import cell_summary
from nstar.training.device import describe_device
from nstar.training.state import PackState, arrays_of, initial_state, join_states, stored_state
from nstar.verdicts import Rule

logger = logging.getLogger(__name__)


class Part:
    """Stretches of some replicates of a block, which become one new part of it.

    Parameters
    ----------
    curve : mapping
        What the job is told of the curve; see `nstar.jobs.training.train_cells`.
    fields : mapping
        Its entry of ``blocks``.
    results : Path
    device : torch.device
    """

    def __init__(
        self,
        curve: Mapping[str, Any],
        fields: Mapping[str, Any],
        results: Path,
        device: torch.device,
    ):
        self.specification = of_budget(curve["specification"], fields["budget"])
        self.called = curve["called"]
        self.rule = Rule(**curve["rule"])
        self.keep_every = curve["keep_every"]
        self.keep_end_of = curve.get("keep_end_of")
        self.work = Work.of(fields, self.specification | self.called)
        self.results = results
        self.device = device

    def path(self, number: int | None = None) -> Path:
        """Return the path of this part, or of another one of the block."""
        number = self.work.part if number is None else number
        block = self.work.block
        coordinates = coordinates_of(self.specification, block.seeds, block.learning_rates)
        return store_path(self.results, "cells", coordinates, digest(self.specification), number)

    @property
    def lease(self) -> Path:
        """The path of the lease of this part."""
        return lease_path(self.results, self.path())

    def is_there(self) -> bool:
        """Return whether another job has made this part: of the same runs and by the same rule."""
        if not is_there(self.path()):
            return False
        summary = read_header(self.path())["summary"]
        wanted = {"replicates": [list(pair) for pair in self.work.replicates], **self._made_by}
        made = {name: summary.get(name) for name in wanted}
        return canonical_json(made) == canonical_json(wanted)

    @property
    def _made_by(self) -> dict[str, Any]:
        """What decides where runs end and which weights are kept."""
        made_by = {"rule": self.rule.as_dict(), "keep": self.keep_every}
        return made_by | ({"keep_end_of": self.keep_end_of} if self.keep_end_of else {})

    @cached_property
    def checkpoint(self) -> Path:
        """The path of the checkpoint of this part on this device.

        A part may be begun under one rule and be made under another, which has other stretches to train
        and ends runs elsewhere, or after earlier parts that were made anew, so that its checkpoint is
        another one.
        """
        work = {
            **self._made_by,
            "stretches": [stretch.as_dict() for stretch in self.work.stretches],
            "before": [read_header(path)["summary"]["numbers"] for path in self._before],
        }
        device = f"{describe_device(self.device)} {digest(work)}"
        return checkpoint_path(self.results, self.path(), device)

    @property
    def _before(self) -> list[Path]:
        """The paths of the earlier parts of the block."""
        return [self.path(number) for number in range(self.work.part)]

    def _read_before(self) -> xr.Dataset:
        """Return what the earlier parts of the block hold of the replicates of this one."""
        return read_parts(self._before, self.work.replicates)

    def starting_state(self, model: StackedModel) -> PackState:
        """Return the state before the first step of each stretch, with what is known of its run."""
        stretches = self.work.stretches
        if not self.work.part:
            seeds = [streams_of(stretch.seed).initialisation for stretch in stretches]
            return initial_state(model, seeds, self.device)
        joined = self._read_before()
        places = {pair: place for place, pair in enumerate(pairs_of(joined))}
        counts = joined["n_evaluations"].values
        states = []
        for stretch, pair in zip(stretches, self.work.replicates, strict=True):
            row = places[pair]
            known = [joined["numbers"].values[row, : counts[row]]]
            if stretch.start:
                stored = _state_at(joined, row, stretch.start)
                states.append(stored_state([stretch.start], *stored, known, self.device))
            else:
                seed = streams_of(stretch.seed).initialisation
                states.append(initial_state(model, [seed], self.device, known))
        return join_states(states)

    def write(self, state: PackState, n_tokens: np.ndarray | None = None) -> None:
        """Write the part, whose stretches have all ended.

        Parameters
        ----------
        state : PackState
            Of its replicates.
        n_tokens : ndarray of int, shape (R,), optional
            The most tokens that each has read of a text.
        """
        self._check_replay(state)
        dataset = self._dataset(state)
        if n_tokens is not None:
            dataset["n_tokens"] = ("replicate", n_tokens)
        write_store(
            self.path(),
            dataset,
            CELL,
            self.specification,
            provenance(
                device=describe_device(self.device),
                wall_time_s=round(float(state.wall_time_s.sum()), 3),
                called=self.called,
                **({"differs": True} if (state.differs >= 0).any() else {}),
            ),
            summary={**cell_summary(dataset), **self._made_by},
        )

    def _check_replay(self, state: PackState) -> None:
        """Check that steps that were taken before, for an earlier part, had the same result again."""
        for row in np.flatnonzero(state.differs >= 0):
            before = self._read_before()
            step = (int(state.differs[row]) + 1) * self.specification["evaluate_every"]
            seed, rate = self.work.replicates[row]
            made = " and ".join(
                f"{m['device']} ({m['system']})" for m in before.attrs["provenances"]
            )
            here = provenance()["system"]
            message = (
                f"store {self.path(0)}: seed {seed_text(seed)}, learning rate {rate} was trained on "
                f"{made}; the same steps on {describe_device(self.device)} ({here}) give other numbers "
                f"at step {step}"
            )
            if self.device.type == "cpu":
                remove(self.checkpoint)
                raise ArtifactError(
                    f"{message}. Run it where the store was made, or remove the parts of this block, "
                    "which are then made anew"
                )
            logger.warning("%s: weights that are kept from now on are of the second run", message)

    def _dataset(self, state: PackState) -> xr.Dataset:
        """Return what the part holds; see `nstar.store.schemas.CELL`."""
        arrays = arrays_of(state)
        if arrays["length_of"].shape[-1] == 1:  # the same as over all lengths
            arrays = {name: array for name, array in arrays.items() if "length_" not in name}
        # The provenance has the sum of these: a store is equal whenever it is made.
        del arrays["wall_time_s"]
        if self.specification["schedule"]["decay"] != "constant":  # at its end nothing can go on
            steps = state.n_steps[arrays["state_replicate"]]
            for name in ("state_replicate", "first_moment", "second_moment"):
                arrays[name] = arrays[name][steps < self.rule.max_steps]
        variables = {**CELL.variables, **CELL.optional}
        return xr.Dataset(
            {
                **{name: (variables[name].dimensions, array) for name, array in arrays.items()},
                "evaluate_every": ((), self.specification["evaluate_every"]),
            },
            coords=seed_coordinates(self.work.replicates, self.work.block.seeds),
        )


def _state_at(joined: xr.Dataset, row: int, step: int) -> list[np.ndarray]:
    """Return weights and both moments (1, P) of a replicate at a step."""
    chosen = []
    for axis, names in (("kept", ("weights",)), ("state", ("first_moment", "second_moment"))):
        at = (joined[f"{axis}_replicate"] == row) & (joined[f"{axis}_step"] == step)
        if at.sum() != 1:
            raise ArtifactError(
                f"store {joined.attrs['paths'][0]} and its parts hold no state of step {step} to go on "
                "from; run the workflow again, which plans anew"
            )
        chosen += [joined[name].values[at.values] for name in names]
    return chosen
