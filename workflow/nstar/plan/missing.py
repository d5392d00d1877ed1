"""What a study still needs: what its rule says of the stores that are there, and what is missing.

The name of a store holds the digest of its specification, and its header the evidence of its runs, so
a listing of files and their headers answer the whole question of caching. `nstar.plan.jobs` gathers
what is missing into jobs.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from nstar.cells import Block, Cell, Slice, cells_of, curves_of, sorted_cells, value_of
from nstar.files import check_folders, is_there
from nstar.plan.states import CellState, evaluations_of, state_of
from nstar.plan.stores import Stores, data_of
from nstar.plan.work import EvaluationWork, Work
from nstar.specification import digest
from nstar.study import Role, Study
from nstar.study.search import RunCounts, replay
from nstar.subjects.axis import BUDGET
from nstar.verdicts import LEARNT, NOT_FITTED, OUTCOMES


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
        The cells that the study is made of, by their coordinates: for the demand all of its grid, or
        what its search has asked for so far; and those for extrapolation. A cell may have both roles.
    missing_data : tuple of Slice
        What the training and evaluation of blocks need.
    evaluated : dict of (role, Block) to tuple of int
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
    stores: Stores = field(repr=False)
    cells: tuple[CellState, ...]
    missing_data: tuple[Slice, ...] = field(repr=False)
    evaluated: Mapping[tuple[Role, Block], tuple[int, ...]] = field(repr=False)
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
        parts: dict[Block, list[int]] = {}
        for (_, block), found in self.evaluated.items():
            parts.setdefault(block, []).extend(found)
        for work in self.missing_evaluations:
            parts[work.block].append(work.part)
        paths = (self.stores.evaluation(block, part) for block in parts for part in parts[block])
        return list(dict.fromkeys(paths))

    @property
    def stores_digest(self) -> str:
        """Digest of the stores that tables are made from: all names, and contents of those there."""
        names = [*self.cell_stores, *self.evaluation_stores]
        prefix, checksums = f"{self.results}/", self.stores.checksums
        return digest({name.removeprefix(prefix): checksums.get(name) for name in names})

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
        If `results`, or a folder in it, is something else.
    DamageError
        If the header of a store of the study is damaged, or something else lies in its place.
    MachineError
        If the machine does not say what is there.
    """
    check_folders(Path(results))
    stores = Stores(study, Path(results))
    found: dict[Cell, CellState] = {}
    n_round, searching = 1, False
    for curve in curves_of(study).values():
        of_curve = [state_of(stores, cell) for cell in curve]
        if study.search != "all":
            of_curve, rounds, missing = _searched(stores, of_curve)
            n_round, searching = max(n_round, rounds), searching or missing
        found |= {state.cell: state for state in of_curve}
    states = _with_extrapolation(stores, found)
    works = [work for state in states for work in state.missing]
    evaluated: dict[tuple[Role, Block], tuple[int, ...]] = {}
    unevaluated: list[EvaluationWork] = []
    n_planned: Counter[Block] = Counter()
    for state in states:
        for block in state.blocks:
            parts, lacking = evaluations_of(stores, state, block, n_planned[block])
            evaluated[state.role, block] = parts
            n_planned[block] += len(lacking)
            unevaluated += lacking
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


def _with_extrapolation(stores: Stores, demand: dict[Cell, CellState]) -> list[CellState]:
    """Return the states of cells for the demand and for extrapolation, by their coordinates.

    Where both lack steps of a block, one run of all steps makes these for both.
    """
    study = stores.study
    longer = {
        cell: state_of(stores, cell, "extrapolation") for cell in cells_of(study, "extrapolation")
    }
    for cell in demand.keys() & longer.keys():
        own = {work.block: work for work in demand[cell].missing}
        joint = {
            work.block: work.with_demand(own[work.block])
            for work in longer[cell].missing
            if work.block in own
        }
        for states in (demand, longer):
            works = tuple(joint.get(work.block, work) for work in states[cell].missing)
            states[cell] = replace(states[cell], missing=works)
    return [
        states[cell]
        for cell in sorted_cells(study, {*demand, *longer})
        for states in (demand, longer)
        if cell in states
    ]


def _searched(stores: Stores, states: list[CellState]) -> tuple[list[CellState], int, bool]:
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


def _run_counts(stores: Stores, state: CellState) -> RunCounts:
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


def _missing_data(
    stores: Stores, works: Sequence[Work], evaluations: Sequence[EvaluationWork]
) -> Iterator[Slice]:
    """Yield the data that blocks to be trained or evaluated read and that are not there, each once."""
    seen: set[Slice] = set()
    paths: set[str] = set()
    read: set[tuple] = set()
    for work in (*works, *evaluations):
        _, *place = vars(work.cell).values()  # all models of a place read the same
        key = (*place, work.data_seeds, getattr(work, "tests", None))
        if key in read:
            continue
        read.add(key)
        for piece in data_of(stores.study, work):
            if piece not in seen:
                seen.add(piece)
                path = stores.piece(piece)
                if path not in paths and not is_there(path):
                    paths.add(path)
                    yield piece
