"""What a study still needs: what its rule says of the stores that are there, and what is missing.

The name of a store holds the digest of its specification, and its header the evidence of its runs, so
a listing of files and their headers answer the whole question of caching. `nstar.plan.jobs` gathers
what is missing into jobs.
"""

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nstar.cells import (
    Block,
    Cell,
    Slice,
    cells_of,
    curves_of,
    data_specification,
    evaluation_specification,
    product_blocks,
    slices_of,
    task_options,
    tested_lengths,
    training_specification,
    value_of,
)
from nstar.cells.paths import (
    STORE_SUFFIX,
    coordinates_of,
    decode,
    encode,
    part_path,
    store_path,
)
from nstar.errors import PathError
from nstar.plan.prefixes import Prefix, Replicate, Stretch
from nstar.specification import digest
from nstar.store.header import read_header
from nstar.store.schemas import OWN_SETS
from nstar.study import Study
from nstar.study.search import RunCounts, replay
from nstar.subjects.axis import BUDGET
from nstar.subjects.registry import SUBJECTS
from nstar.tasks import HELD_OUT
from nstar.verdicts import LEARNT, NOT_FITTED, OUTCOMES

TRAINING_SPLITS = (*HELD_OUT, "train", "table")
EVALUATION_SPLITS = ("validation", "table")
"""The data that training, and evaluation on the own sets, read; tested lengths are read as ``longer``."""


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
    """

    block: Block
    part: int
    stretches: tuple[Stretch, ...]

    @classmethod
    def whole(cls, block: Block) -> "Work":
        """Return the first part of a block: all its replicates from the start."""
        pairs = itertools.product(block.seeds, block.learning_rates)
        return cls(block, 0, tuple(itertools.starmap(Stretch, pairs)))

    @property
    def cell(self) -> Cell:
        """The cell of the block."""
        return self.block.cell

    @property
    def kinds(self) -> frozenset[str]:
        """What the stretches do: ``train``, ``continue`` or ``replay``."""
        return frozenset(stretch.kind for stretch in self.stretches)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the stretches, each once."""
        return tuple(dict.fromkeys(stretch.seed for stretch in self.stretches))


@dataclass(frozen=True)
class Reading:
    """What a study reads of a block that is there.

    Attributes
    ----------
    block : Block
    parts : tuple of int
        Parts of the block that it reads, replicates whose run goes on included.
    replicates : tuple of tuple
        Seed and learning rate of those that the study takes from this block and whose run its rule ends
        within the parts, in the order of the block.
    outcomes : tuple of str
        How they ended.
    n_steps : tuple of int
        Their steps, up to the end by the rule of the study.
    refit : bool
        Whether another rule trained a part of it.
    """

    block: Block
    parts: tuple[int, ...]
    replicates: tuple[Replicate, ...]
    outcomes: tuple[str, ...] = field(repr=False)
    n_steps: tuple[int, ...] = field(repr=False)
    refit: bool = False


@dataclass(frozen=True)
class CellState:
    """What is there of one cell.

    Attributes
    ----------
    cell : Cell
    finished : tuple of Reading
        What the study reads of blocks that are there.
    missing : tuple of Work
        What is to be trained, in blocks that are there or not.
    """

    cell: Cell
    finished: tuple[Reading, ...]
    missing: tuple[Work, ...]

    @property
    def blocks(self) -> tuple[Block, ...]:
        """All its blocks, those that are there first."""
        return tuple(dict.fromkeys(part.block for part in (*self.finished, *self.missing)))

    def parts_of(self, block: Block) -> tuple[int, ...]:
        """Return the parts of a block that the study reads once all is trained."""
        parts = [
            part for reading in self.finished if reading.block == block for part in reading.parts
        ]
        return (*parts, *(work.part for work in self.missing if work.block == block))

    def replicates_of(self, block: Block) -> tuple[Replicate, ...]:
        """Return the replicates that the study takes from a block, in the order of the block."""
        taken = {pair for part in self.finished if part.block == block for pair in part.replicates}
        for work in self.missing:
            if work.block == block:
                taken.update((stretch.seed, stretch.learning_rate) for stretch in work.stretches)
        pairs = itertools.product(block.seeds, block.learning_rates)
        return tuple(pair for pair in pairs if pair in taken)


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
        Lengths at which they are tested, and `OWN_SETS`.
    trained, evaluated : tuple of int
        Parts of trained replicates, and of evaluations, that are read.
    """

    block: Block
    part: int
    replicates: tuple[Replicate, ...]
    tests: tuple[int, ...]
    trained: tuple[int, ...]
    evaluated: tuple[int, ...]

    @property
    def cell(self) -> Cell:
        """The cell of the block."""
        return self.block.cell

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the replicates, each once."""
        return tuple(dict.fromkeys(seed for seed, _ in self.replicates))


@dataclass(frozen=True)
class Plan:
    """The state of a study against a results folder; see `make_plan`.

    Attributes
    ----------
    study : Study
    results : Path
    stores : Stores
        The paths of the stores of the study.
    cells : tuple of CellState
        The cells that the study is made of: all of its grid, or what its search has asked for so far.
    missing_data : tuple of Slice
        What the training and evaluation of blocks need.
    evaluated : dict of Block to tuple of int
        Parts of evaluations that are there and that the study reads, the missing ones not included.
    missing_evaluations : tuple of EvaluationWork
        Of all cells, trained or not yet.
    n_round : int
        Rounds of the search of the curve that has had most of them.
    searching : bool
        Whether a search waits for cells that are missing, and may ask for others afterwards.
    """

    study: Study
    results: Path
    stores: "Stores" = field(repr=False)
    cells: tuple[CellState, ...]
    missing_data: tuple[Slice, ...] = field(repr=False)
    evaluated: Mapping[Block, tuple[int, ...]] = field(repr=False)
    missing_evaluations: tuple[EvaluationWork, ...] = field(repr=False)
    n_round: int
    searching: bool

    @property
    def blocks(self) -> Iterator[Block]:
        """All blocks of all cells, there or missing."""
        for state in self.cells:
            yield from state.blocks

    @property
    def missing(self) -> Iterator[Work]:
        """What is to be trained; models or tasks of two names have the same."""
        for state in self.cells:
            yield from state.missing

    @property
    def missing_blocks(self) -> Iterator[Block]:
        """The blocks of which something is to be trained."""
        for work in self.missing:
            yield work.block

    @property
    def cell_stores(self) -> list[str]:
        """Paths of all parts of trained replicates that the study reads, there or missing."""
        paths = (
            self.stores.cell(block, part)
            for state in self.cells
            for block in state.blocks
            for part in state.parts_of(block)
        )
        return list(dict.fromkeys(paths))

    @property
    def evaluation_stores(self) -> list[str]:
        """Paths of all parts of evaluations that the study reads, there or missing."""
        parts = {block: list(parts) for block, parts in self.evaluated.items()}
        for work in self.missing_evaluations:
            parts[work.block].append(work.part)
        paths = (self.stores.evaluation(block, part) for block in parts for part in parts[block])
        return list(dict.fromkeys(paths))

    @property
    def finished(self) -> bool:
        """Whether nothing is missing and no search goes on: tables can be made of all cells."""
        return not (self.searching or self.missing_evaluations or any(self.missing))


def make_plan(study: Study, results: Path | str) -> Plan:
    """Compare a study with what lies in a results folder.

    Reads names of files, and the headers of trained and evaluated cells.

    Parameters
    ----------
    study : Study
    results : path
        Need not exist.

    Returns
    -------
    Plan

    Raises
    ------
    PathError
        If `results` is a file.
    ArtifactError
        If the header of a store of the study is damaged.
    """
    if Path(results).exists() and not Path(results).is_dir():
        raise PathError(f"{results} is no folder; move it away, results are written there")
    stores = Stores(study, Path(results))
    found: dict[Cell, CellState] = {}
    n_round, searching = 1, False
    for curve in curves_of(study).values():
        of_curve = [_state_of(stores, cell) for cell in curve]
        if study.search != "all":
            of_curve, rounds, missing = _searched(stores, of_curve)
            n_round, searching = max(n_round, rounds), searching or missing
        found |= {state.cell: state for state in of_curve}
    states = [found[cell] for cell in cells_of(study) if cell in found]
    works = [work for state in states for work in state.missing]
    evaluated: dict[Block, tuple[int, ...]] = {}
    unevaluated: list[EvaluationWork] = []
    for state in states:
        for block in state.blocks:
            evaluated[block], works_of_block = _evaluations(stores, state, block)
            unevaluated += works_of_block
    return Plan(
        study=study,
        results=stores.results,
        stores=stores,
        cells=tuple(states),
        missing_data=tuple(_missing_data(stores, works, unevaluated)),
        evaluated=evaluated,
        missing_evaluations=tuple(unevaluated),
        n_round=n_round,
        searching=searching,
    )


def _searched(stores: "Stores", states: list[CellState]) -> tuple[list[CellState], int, bool]:
    """Return the states of a curve that its search has asked for, rounds, and whether it goes on.

    The search is replayed from its first round, so that a study does not depend on cells that happen
    to be there for another reason.
    """
    by_value = {value_of(stores.study, state.cell): state for state in states}
    counts = {
        value: _run_counts(stores, state) for value, state in by_value.items() if not state.missing
    }
    found = replay(list(by_value), counts, stores.study.search)
    asked = {*found.used, *found.missing}
    return (
        [state for value, state in by_value.items() if value in asked],
        found.n_round,
        bool(found.missing),
    )


def _run_counts(stores: "Stores", state: CellState) -> RunCounts:
    """Return what the runs of a cell did; a run is a seed, and learns if any of its rates does."""
    of_data = stores.study.axis is BUDGET  # of a width, a run that does not even fit has failed
    best: dict[int, int] = {}  # the codes of outcomes are in the order of merit
    for reading in state.finished:
        codes = map(OUTCOMES.index, reading.outcomes)
        for (seed, _), outcome in zip(reading.replicates, codes, strict=True):
            best[seed] = min(best.get(seed, NOT_FITTED), outcome)
    return RunCounts(
        n_learnt=sum(outcome == LEARNT for outcome in best.values()),
        n_fitted=sum(outcome != NOT_FITTED or not of_data for outcome in best.values()),
        n_runs=len(best),
    )


class Stores:
    """The paths of all stores of a study, each worked out once, and what their headers say.

    Parameters
    ----------
    study : Study
    results : Path
    """

    def __init__(self, study: Study, results: Path):
        self.study = study
        self.results = results
        self.tasks = {name: task_options(study, name) for name in study.tasks}
        self.rule = study.training.rule
        self.evaluation_options = study.evaluation.measured
        measured = any(
            subject.measure and subject.option in self.evaluation_options for subject in SUBJECTS
        )
        self.measured_every = study.training.snapshot_every if measured else None
        """Distance of the snapshots that evaluations measure; None where they do not."""
        self._cells: dict[Cell, tuple[str, dict[str, Any], str]] = {}
        self._data: dict[Slice, str] = {}
        self._first_parts: dict[tuple[str, Block], str] = {}

    def _of(self, cell: Cell) -> tuple[str, dict[str, Any], str]:
        """Return the digest of a cell, its coordinates, and the digest of its evaluation."""
        if cell not in self._cells:
            specification = training_specification(self.study, cell)
            name = digest(specification)
            evaluation = evaluation_specification(
                name, self.evaluation_options, self.measured_every
            )
            self._cells[cell] = name, coordinates_of(specification), digest(evaluation)
        return self._cells[cell]

    def training_digest(self, cell: Cell) -> str:
        """Return the digest of the specification of a trained cell."""
        return self._of(cell)[0]

    def folder(self, cell: Cell) -> Path:
        """Return the folder of the blocks of a trained cell."""
        return self.results / "cells" / encode(self._of(cell)[1])

    def cell(self, block: Block, part: int = 0) -> str:
        """Return the path of a part of the trained replicates of a block."""
        return self._path("cells", block, part)

    def evaluation(self, block: Block, part: int = 0) -> str:
        """Return the path of a part of the evaluation of a block."""
        return self._path("evaluations", block, part)

    def _path(self, stage: str, block: Block, part: int) -> str:
        first = self._first_parts.get((stage, block))
        if first is None:
            training, coordinates, evaluation = self._of(block.cell)
            own = {"seeds": block.seeds, "learning_rates": block.learning_rates}
            name = training if stage == "cells" else evaluation
            first = str(store_path(self.results, stage, {**coordinates, **own}, name))
            self._first_parts[stage, block] = first
        return part_path(first, part)

    def data(self, works: Iterable[Work | EvaluationWork]) -> tuple[str, ...]:
        """Return the paths of the data that works read, each once."""
        pieces = (piece for work in works for piece in data_of(self.study, work))
        return tuple(dict.fromkeys(map(self.piece, pieces)))

    def source(self, cell: Cell, seed: int) -> dict[str, Any]:
        """Return what the network of a seed is read from, that of the first of its learning rates.

        Its ``stores`` are the parts of its block, its ``rule`` ends the run.
        """
        state, rate = _state_of(self, cell), self.study.replicates.learning_rates[0]
        for block in state.blocks:
            if (seed, rate) in state.replicates_of(block):
                stores = [self.cell(block, part) for part in state.parts_of(block)]
                rule = self.rule.as_dict()
                return {"stores": stores, "seed": seed, "learning_rate": rate, "rule": rule}
        raise ValueError(f"seed {seed} is none of the study")

    def piece(self, piece: Slice) -> str:
        """Return the path of a stretch of sequences."""
        if piece not in self._data:
            self._data[piece] = data_store(self.tasks[piece.task], piece, self.results)
        return self._data[piece]


def data_of(study: Study, work: Work | EvaluationWork) -> Iterator[Slice]:
    """Yield the data that the training, or the evaluation, of a block reads."""
    for piece in slices_of(study, work.cell, work.seeds):
        if isinstance(work, Work):
            is_read = piece.split in TRAINING_SPLITS
        elif piece.split == "longer":
            is_read = piece.length in work.tests
        else:
            is_read = piece.split in EVALUATION_SPLITS and OWN_SETS in work.tests
        if is_read:
            yield piece


def data_store(task_options: dict[str, Any], piece: Slice, results: Path) -> str:
    """Return the path of a stretch of sequences of a task given by its options."""
    specification = data_specification(task_options, piece)
    coordinates = coordinates_of(specification)
    return str(store_path(results, "data", coordinates, digest(specification)))


def _state_of(stores: Stores, cell: Cell) -> CellState:
    replicates = stores.study.replicates
    wanted = frozenset(itertools.product(replicates.seeds, replicates.learning_rates))
    (whole,) = product_blocks(cell, wanted)
    there = [whole] if os.path.exists(stores.cell(whole)) else _blocks_on_disk(stores, cell)
    readings, works = [], []
    for block in there:
        taken = block.replicates & wanted
        if taken:
            reading, work = _read(stores, block, taken)
            readings.append(reading)
            works += [work] if work else []
            wanted -= taken
    works += map(Work.whole, product_blocks(cell, wanted))
    return CellState(cell, tuple(readings), tuple(works))


def _read(stores: Stores, block: Block, taken: frozenset[Replicate]) -> tuple[Reading, Work | None]:
    """Return what the study reads of replicates of a block that is there, and what they lack."""
    paths = _parts_there(block, stores.cell)
    summaries = [read_header(path)["summary"] for path in paths]
    training = stores.study.training
    prefix = Prefix(block, paths, summaries)
    judged = prefix.judge(training.evaluate_every, stores.rule, training.snapshot_every)
    chosen = [
        (pair, found)
        for pair, found in zip(prefix.replicates, judged, strict=True)
        if pair in taken
    ]
    parts = sorted(set().union(*(found.parts for _, found in chosen)))
    ended = [(pair, found) for pair, found in chosen if found.ended]
    stretches = tuple(found.stretch for _, found in chosen if found.stretch)
    own = stores.rule.as_dict()
    reading = Reading(
        block=block,
        parts=tuple(parts),
        replicates=tuple(pair for pair, _ in ended),
        outcomes=tuple(found.outcome for _, found in ended),
        n_steps=tuple(found.n_steps for _, found in ended),
        refit=any(prefix.rules[part] != own for part in parts),
    )
    return reading, Work(block, len(paths), stretches) if stretches else None


def _parts_there(block: Block, path_of: Any) -> list[str]:
    """Return the paths of the parts of a block that are there, up to the first that is not."""
    paths = map(path_of, itertools.repeat(block), itertools.count())
    return list(itertools.takewhile(os.path.exists, paths))


def _blocks_on_disk(stores: Stores, cell: Cell) -> list[Block]:
    """Return the blocks of a cell that are there, the largest first."""
    folder = stores.folder(cell)
    if not folder.is_dir():
        return []
    blocks = []
    for path in folder.glob(
        f"seeds~*/learning_rates~*/{stores.training_digest(cell)}{STORE_SUFFIX}"
    ):
        found = decode(path.relative_to(folder))
        blocks.append(Block(cell, found["seeds"], found["learning_rates"]))
    return sorted(blocks, key=lambda b: (-len(b.replicates), b.seeds, b.learning_rates))


def _evaluations(
    stores: Stores, state: CellState, block: Block
) -> tuple[tuple[int, ...], list[EvaluationWork]]:
    """Return which parts of the evaluation of a block are read, and what is missing of it.

    The ends of runs that are trained first are not known yet, and no part can have them. Replicates
    that lack the same tests share a new part.
    """
    paths = _parts_there(block, stores.evaluation)
    part_of: dict[tuple, int] = {}
    for part, path in enumerate(paths):
        summary = read_header(path)["summary"]
        for row, test in itertools.product(summary["rows"], summary["tests"]):
            part_of.setdefault((*row, test), part)
    ends = {
        pair: step
        for reading in state.finished
        if reading.block == block
        for pair, step in zip(reading.replicates, reading.n_steps, strict=True)
    }
    tests, read = (OWN_SETS, *tested_lengths(stores.study, block.cell)), set()
    lacking: dict[tuple[int, ...], list[Replicate]] = {}
    for pair in state.replicates_of(block):
        found = {test: part_of.get((*pair, ends.get(pair), test)) for test in tests}
        read.update(part for part in found.values() if part is not None)
        if missing := tuple(test for test, part in found.items() if part is None):
            lacking.setdefault(missing, []).append(pair)
    there, trained = tuple(range(len(paths))), state.parts_of(block)
    works = [
        EvaluationWork(block, part, tuple(pairs), missing, trained, there)
        for part, (missing, pairs) in enumerate(lacking.items(), start=len(paths))
    ]
    return tuple(sorted(read)), works


def _missing_data(
    stores: Stores, works: Sequence[Work], evaluations: Sequence[EvaluationWork]
) -> Iterator[Slice]:
    """Yield the data that blocks to be trained or evaluated read and that are not there, each once."""
    seen: set[Slice] = set()
    paths: set[str] = set()
    for work in (*works, *evaluations):
        for piece in data_of(stores.study, work):
            if piece not in seen:
                seen.add(piece)
                path = stores.piece(piece)
                if path not in paths and not os.path.exists(path):
                    paths.add(path)
                    yield piece
