"""What a study still needs: which stores are there, and which are missing.

The name of a store holds the digest of its specification, so "is it there?" is the whole question of
caching, and a listing of files answers it. `nstar.plan.jobs` gathers what is missing into jobs.
"""

import itertools
from collections.abc import Iterable, Iterator
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
    training_specification,
    value_of,
)
from nstar.cells.paths import STORE_SUFFIX, decode, encode, store_path
from nstar.errors import PathError
from nstar.outcomes import LEARNT, NOT_FITTED, OUTCOMES
from nstar.specification import digest
from nstar.store.header import read_header
from nstar.study import Study
from nstar.study.search import RunCounts, replay
from nstar.subjects.axis import BUDGET

TRAINING_SPLITS = ("validation", "train", "table")
EVALUATION_SPLITS = ("validation", "test", "table")
"""The data that the training and the evaluation of a block read."""


@dataclass(frozen=True)
class CellState:
    """What is there of one cell.

    Attributes
    ----------
    cell : Cell
    finished, missing : tuple of Block
        Blocks of replicates whose store is there, and those still to be trained.
    """

    cell: Cell
    finished: tuple[Block, ...]
    missing: tuple[Block, ...]


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
    missing_evaluations : tuple of Block
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
    missing_evaluations: tuple[Block, ...] = field(repr=False)
    n_round: int
    searching: bool

    @property
    def blocks(self) -> Iterator[Block]:
        """All blocks of all cells, finished or missing."""
        for state in self.cells:
            yield from (*state.finished, *state.missing)

    @property
    def missing_blocks(self) -> Iterator[Block]:
        """The blocks to be trained."""
        for state in self.cells:
            yield from state.missing

    @property
    def finished(self) -> bool:
        """Whether nothing is missing and no search goes on: tables can be made of all cells."""
        return not (self.searching or self.missing_evaluations or any(self.missing_blocks))


def make_plan(study: Study, results: Path | str) -> Plan:
    """Compare a study with what lies in a results folder.

    Reads names of files, and for a search the headers of finished cells.

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
        If a search reads a cell that is damaged.
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
    missing = [block for state in states for block in state.missing]
    blocks = [block for state in states for block in (*state.finished, *state.missing)]
    unevaluated = [block for block in blocks if not Path(stores.evaluation(block)).exists()]
    return Plan(
        study=study,
        results=stores.results,
        stores=stores,
        cells=tuple(states),
        missing_data=tuple(_missing_data(stores, missing, unevaluated)),
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
    replicates = stores.study.replicates
    of_data = stores.study.axis is BUDGET  # of a width, a run that does not even fit has failed
    best: dict[int, int] = {}  # the codes of outcomes are in the order of merit
    for block in state.finished:
        ends = read_header(stores.cell(block))["summary"]["outcome"]
        pairs = itertools.product(block.seeds, block.learning_rates)
        for (seed, rate), outcome in zip(pairs, map(OUTCOMES.index, ends), strict=True):
            if seed in replicates.seeds and rate in replicates.learning_rates:
                best[seed] = min(best.get(seed, NOT_FITTED), outcome)
    return RunCounts(
        n_learnt=sum(outcome == LEARNT for outcome in best.values()),
        n_fitted=sum(outcome != NOT_FITTED or not of_data for outcome in best.values()),
        n_runs=len(best),
    )


class Stores:
    """The paths of all stores of a study, each worked out once.

    Parameters
    ----------
    study : Study
    results : Path
    """

    def __init__(self, study: Study, results: Path):
        self.study = study
        self.results = results
        self.tasks = {name: task_options(study, name) for name in study.tasks}
        self._evaluation_options = study.evaluation.measured
        self._digests: dict[Cell, str] = {}
        self._data: dict[Slice, str] = {}

    def training_digest(self, cell: Cell) -> str:
        """Return the digest of the specification of a trained cell."""
        if cell not in self._digests:
            self._digests[cell] = digest(training_specification(self.study, cell))
        return self._digests[cell]

    def cell(self, block: Block) -> str:
        """Return the path of the trained replicates of a block."""
        name = self.training_digest(block.cell)
        return str(store_path(self.results, "cells", block.coordinates, name))

    def evaluation(self, block: Block) -> str:
        """Return the path of the evaluation of a block."""
        training = self.training_digest(block.cell)
        name = digest(evaluation_specification(training, self._evaluation_options))
        return str(store_path(self.results, "evaluations", block.coordinates, name))

    def data(self, blocks: Iterable[Block], splits: tuple[str, ...]) -> tuple[str, ...]:
        """Return the paths of the data that blocks read from some splits, each once."""
        paths: dict[str, None] = {}
        for block in blocks:
            for piece in slices_of(self.study, block.cell, block.seeds):
                if piece.split in splits:
                    paths[self.piece(piece)] = None
        return tuple(paths)

    def source(self, cell: Cell, seed: int) -> dict[str, Any]:
        """Return the store of the network of a seed, the first of its learning rates, and that rate."""
        state, rate = _state_of(self, cell), self.study.replicates.learning_rates[0]
        for block in (*state.finished, *state.missing):
            if (seed, rate) in block.replicates:
                return {"store": self.cell(block), "learning_rate": rate}
        raise ValueError(f"seed {seed} is none of the study")

    def piece(self, piece: Slice) -> str:
        """Return the path of a stretch of sequences."""
        if piece not in self._data:
            self._data[piece] = data_store(self.tasks[piece.task], piece, self.results)
        return self._data[piece]


def data_store(task_options: dict[str, Any], piece: Slice, results: Path) -> str:
    """Return the path of a stretch of sequences of a task given by its options."""
    name = digest(data_specification(task_options, piece))
    return str(store_path(results, "data", piece.coordinates, name))


def _state_of(stores: Stores, cell: Cell) -> CellState:
    replicates = stores.study.replicates
    wanted = frozenset(itertools.product(replicates.seeds, replicates.learning_rates))
    (whole,) = product_blocks(cell, wanted)
    if Path(stores.cell(whole)).exists():
        return CellState(cell, (whole,), ())
    finished, missing = [], wanted
    for block in _blocks_on_disk(stores, cell):
        if block.replicates & missing:
            finished.append(block)
            missing -= block.replicates
    return CellState(cell, tuple(finished), tuple(product_blocks(cell, missing)))


def _blocks_on_disk(stores: Stores, cell: Cell) -> list[Block]:
    """Return the blocks of a cell that are there, the largest first."""
    folder = stores.results / "cells" / encode(vars(cell))
    if not folder.is_dir():
        return []
    blocks = []
    for path in folder.glob(
        f"seeds~*/learning_rates~*/{stores.training_digest(cell)}{STORE_SUFFIX}"
    ):
        found = decode(path.relative_to(folder))
        blocks.append(Block(cell, found["seeds"], found["learning_rates"]))
    return sorted(blocks, key=lambda b: (-len(b.replicates), b.seeds, b.learning_rates))


def _missing_data(
    stores: Stores, training: Iterable[Block], evaluations: Iterable[Block]
) -> Iterator[Slice]:
    """Yield the data that blocks to be trained or evaluated read and that are not there, each once."""
    seen: set[Slice] = set()
    for blocks, splits in ((training, TRAINING_SPLITS), (evaluations, EVALUATION_SPLITS)):
        for block in blocks:
            for piece in slices_of(stores.study, block.cell, block.seeds):
                if piece.split in splits and piece not in seen:
                    seen.add(piece)
                    if not Path(stores.piece(piece)).exists():
                        yield piece
