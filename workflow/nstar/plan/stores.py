"""Where each store of a study lies."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from nstar.cells import (
    Block,
    Cell,
    Slice,
    curve_specification,
    data_specification,
    evaluation_specification,
    of_budget,
    slices_of,
    task_options,
)
from nstar.cells.paths import coordinates_of, encode, part_path, store_path
from nstar.plan.work import EvaluationWork, Work
from nstar.specification import digest
from nstar.store.header import read_header
from nstar.store.schemas import OWN_SETS
from nstar.study import FRESH, Role, Study
from nstar.subjects.registry import SUBJECTS
from nstar.tasks import HELD_OUT
from nstar.verdicts import Rule

TRAINING_SPLITS = (*HELD_OUT, "train", "table")
EVALUATION_SPLITS = ("validation", "table")
"""The data that training, and evaluation on the own sets, read; tested lengths are read as ``longer``."""


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
        rule = study.training.rule
        self.rules: dict[Role, Rule] = {"demand": rule, "extrapolation": rule.all_steps()}
        """What ends the runs of each role."""
        self.evaluation_options = study.evaluation.measured
        measured = any(
            subject.measure and subject.option in self.evaluation_options for subject in SUBJECTS
        )
        self.measured_every = study.training.snapshot_every if measured else None
        """Distance of the snapshots that evaluations measure; None where they do not."""
        self._curves: dict[tuple, dict[str, Any]] = {}
        self._cells: dict[Cell, tuple[str, dict[str, Any], str]] = {}
        self._data: dict[Slice, str] = {}
        self._first_parts: dict[tuple[str, Block], str] = {}
        self.checksums: dict[str, str] = {}
        """Checksums of the stores whose headers were read, by path."""

    def _of(self, cell: Cell) -> tuple[str, dict[str, Any], str]:
        """Return the digest of a cell, its coordinates, and the digest of its evaluation."""
        if cell not in self._cells:
            specification = of_budget(self._curve(cell), cell.budget)
            name = digest(specification)
            evaluation = evaluation_specification(
                name,
                self.evaluation_options,
                self.measured_every,
                self.study.models[cell.model].reading,
            )
            self._cells[cell] = name, coordinates_of(specification), digest(evaluation)
        return self._cells[cell]

    def _curve(self, cell: Cell) -> dict[str, Any]:
        """Return what the trajectories of the curve of a cell have in common."""
        key = (*cell.curve, cell.budget == FRESH)
        if key not in self._curves:
            self._curves[key] = curve_specification(self.study, cell)
        return self._curves[key]

    def training_digest(self, cell: Cell) -> str:
        """Return the digest of the specification of a trained cell."""
        return self._of(cell)[0]

    def folder(self, cell: Cell) -> Path:
        """Return the folder of the blocks of a trained cell."""
        return Path(self.results, "cells", encode(self._of(cell)[1]))

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

    def summary(self, path: str) -> dict[str, Any]:
        """Return the summary in the header of a store, and note the checksum beside it."""
        header = read_header(path)
        self.checksums[path] = str(header.get("checksum"))
        return header["summary"]

    def data(self, works: Iterable[Work | EvaluationWork]) -> tuple[str, ...]:
        """Return the paths of the data that works read, each once."""
        pieces = (piece for work in works for piece in data_of(self.study, work))
        return tuple(dict.fromkeys(map(self.piece, pieces)))

    def piece(self, piece: Slice) -> str:
        """Return the path of a stretch of sequences."""
        if piece not in self._data:
            self._data[piece] = data_store(self.tasks[piece.task], piece, self.results)
        return self._data[piece]


def data_of(study: Study, work: Work | EvaluationWork) -> Iterator[Slice]:
    """Yield the data that the training, or the evaluation, of a block reads."""
    for piece in slices_of(study, work.cell, work.data_seeds):
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
