"""What jobs make of a block: one new part of its trained replicates, or of their evaluation."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from nstar.cells import Block, Cell
from nstar.seeds import AnySeed, read_seed, streams_of
from nstar.study import Role

Replicate = tuple[AnySeed, float]
"""Seed and learning rate."""


@dataclass(frozen=True)
class Work:
    """What a training job makes of a block: one new part.

    Attributes
    ----------
    block : Block
    part : int
        0 of a block that is not there yet.
    stretches : tuple of Stretch
        Of replicates of the block, in their order.
    role : {"demand", "extrapolation"}
        Whose rule ends the runs.
    """

    block: Block
    part: int
    stretches: tuple["Stretch", ...]
    role: Role = "demand"

    @classmethod
    def whole(cls, block: Block, role: Role = "demand") -> "Work":
        """Return the first part of a block: all its replicates from the start."""
        pairs = itertools.product(block.seeds, block.learning_rates)
        return cls(block, 0, tuple(itertools.starmap(Stretch, pairs)), role)

    @classmethod
    def of(cls, fields: Mapping[str, Any], curve: Mapping[str, Any]) -> "Work":
        """Return the work of which a job says `fields`; `curve` has the coordinates but the budget."""
        cell = Cell.of(curve, budget=fields["budget"])
        seeds = tuple(map(read_seed, fields["seeds"]))
        block = Block(cell, seeds, tuple(fields["learning_rates"]))
        return cls(block, fields["part"], tuple(map(Stretch.of, fields["stretches"])))

    def with_demand(self, work: "Work") -> "Work":
        """Return what makes this part, of all steps, and in it all that a work for the demand makes."""
        own = {(part.seed, part.learning_rate): part for part in self.stretches}
        for part in work.stretches:
            pair = part.seed, part.learning_rate
            own[pair] = own[pair].joined(part) if pair in own else part
        pairs = itertools.product(self.block.seeds, self.block.learning_rates)
        return replace(self, stretches=tuple(own[pair] for pair in pairs if pair in own))

    def as_dict(self) -> dict[str, Any]:
        """Return what a job is told of the block, as JSON holds it; `of` is the inverse.

        The role is told of the curve.
        """
        return {
            "budget": self.cell.budget,
            "seeds": list(self.block.seeds),
            "learning_rates": list(self.block.learning_rates),
            "part": self.part,
            "stretches": [stretch.as_dict() for stretch in self.stretches],
        }

    @property
    def cell(self) -> Cell:
        """The cell of the block."""
        return self.block.cell

    @property
    def kinds(self) -> frozenset[str]:
        """What the stretches do: ``train``, ``continue`` or ``replay``."""
        return frozenset(stretch.kind for stretch in self.stretches)

    @property
    def replicates(self) -> list[Replicate]:
        """Seed and learning rate of each stretch."""
        return [(stretch.seed, stretch.learning_rate) for stretch in self.stretches]

    @property
    def data_seeds(self) -> tuple[int, ...]:
        """The seeds of the data of the stretches, each once; the data of no others need be there."""
        return _data_seeds(self.replicates)


@dataclass(frozen=True)
class Stretch:
    """Steps of one replicate that a job makes.

    Attributes
    ----------
    seed : int or Seed
    learning_rate : float
    start : int
        Step of the stored state to go on from, 0 for the initial weights.
    until : int or None
        Step at which a replay ends; None: the rule of the study ends it.
    keep : tuple of int
        Steps whose weights are wanted, beside those that training keeps by itself.
    """

    seed: AnySeed
    learning_rate: float
    start: int = 0
    until: int | None = None
    keep: tuple[int, ...] = ()

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> "Stretch":
        """Return the stretch of these fields, as JSON holds them."""
        seed, keep = read_seed(fields["seed"]), tuple(fields["keep"])
        return cls(**{**fields, "seed": seed, "keep": keep})

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON holds them; `of` is the inverse."""
        return vars(self) | {"keep": list(self.keep)}

    def joined(self, other: "Stretch") -> "Stretch":
        """Return the steps of this stretch and of another one of the same replicate."""
        untils = [part.until for part in (self, other) if part.until is not None]
        return replace(
            self,
            start=min(self.start, other.start),
            until=max(untils) if len(untils) == 2 else None,
            keep=tuple(sorted({*self.keep, *other.keep})),
        )

    def last(self, max_steps: int) -> int:
        """Return the step at which it ends at the latest, under a rule with so many steps at most."""
        return max_steps if self.until is None else self.until

    @property
    def kind(self) -> Literal["replay", "continue", "train"]:
        """What the job does: a replay makes weights alone, the others make evidence."""
        if self.until is not None:
            return "replay"
        return "continue" if self.start else "train"


@dataclass(frozen=True)
class EvaluationWork:
    """What an evaluation job makes of a block: one new part.

    Attributes
    ----------
    block : Block
    part : int
    replicates : tuple of tuple
        Seed and learning rate of those that lack it.
    tests : tuple of int
        Lengths at which they are tested, and `nstar.store.schemas.OWN_SETS`.
    trained, evaluated : tuple of int
        Parts of trained replicates, and of evaluations, that are read.
    role : {"demand", "extrapolation"}
        Whose rule ends the runs.
    """

    block: Block
    part: int
    replicates: tuple[Replicate, ...]
    tests: tuple[int, ...]
    trained: tuple[int, ...]
    evaluated: tuple[int, ...]
    role: Role = "demand"

    @property
    def cell(self) -> Cell:
        """The cell of the block."""
        return self.block.cell

    @property
    def data_seeds(self) -> tuple[int, ...]:
        """The seeds of the data of the replicates, each once."""
        return _data_seeds(self.replicates)


def _data_seeds(replicates: Iterable[Replicate]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(streams_of(seed).data for seed, _ in replicates))
