"""What a study still needs: which stores are there, which are missing, and the jobs that make them.

The name of a store holds the digest of its specification, so "is it there?" is the whole question of
caching, and a listing of files answers it. Missing stores are gathered into batches, one job each,
because a process pays seconds of start-up before it trains or evaluates anything.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nstar.config import Study
from nstar.grid import (
    Block,
    Cell,
    Slice,
    cells_of,
    data_specification,
    evaluation_specification,
    product_blocks,
    slices_of,
    training_specification,
)
from nstar.paths import STORE_SUFFIX, decode, encode, store_path
from nstar.specification import canonical_json, digest


@dataclass(frozen=True)
class Batch:
    """The stores that one job makes.

    Attributes
    ----------
    name : str
        Coordinates that the stores share, as a name for rules, logs and benchmarks.
    specification : str
        Canonical JSON that tells the script what to make.
    inputs, outputs : tuple of str
        Paths.
    """

    name: str
    specification: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


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
    """The state of a study against a results folder; see `make_plan`."""

    study: Study
    results: Path
    cells: tuple[CellState, ...]
    generation: tuple[Batch, ...] = field(repr=False)
    training: tuple[Batch, ...] = field(repr=False)
    evaluation: tuple[Batch, ...] = field(repr=False)
    cell_stores: tuple[str, ...] = field(repr=False)
    evaluation_stores: tuple[str, ...] = field(repr=False)


def make_plan(study: Study, results: Path | str) -> Plan:
    """Compare a study with what lies in a results folder; reads names of files and nothing else.

    Parameters
    ----------
    study : Study
    results : path
        Need not exist.

    Returns
    -------
    Plan
    """
    stores = Stores(study, Path(results))
    states = tuple(_state_of(stores, cell) for cell in cells_of(study))
    blocks = [block for state in states for block in (*state.finished, *state.missing)]
    return Plan(
        study=study,
        results=stores.results,
        cells=states,
        generation=tuple(_generation_batches(stores, states)),
        training=tuple(_training_batches(stores, states)),
        evaluation=tuple(_evaluation_batches(stores, blocks)),
        cell_stores=tuple(stores.cell(block) for block in blocks),
        evaluation_stores=tuple(stores.evaluation(block) for block in blocks),
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
        self.tasks = {name: task.model_dump(mode="json") for name, task in study.tasks.items()}
        self._evaluation_options = study.evaluation.model_dump(mode="json")
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
    blocks = []
    for path in folder.glob(
        f"seeds~*/learning_rates~*/{stores.training_digest(cell)}{STORE_SUFFIX}"
    ):
        found = decode(path.relative_to(folder))
        blocks.append(Block(cell, found["seeds"], found["learning_rates"]))
    return sorted(blocks, key=lambda b: (-len(b.replicates), b.seeds, b.learning_rates))


def _generation_batches(stores: Stores, states: Iterable[CellState]) -> Iterable[Batch]:
    """Yield one batch of missing data per task."""
    seeds = stores.study.replicates.seeds
    missing: dict[str, dict[Slice, None]] = {}
    for state in states:
        for piece in slices_of(stores.study, state.cell, seeds):
            missing.setdefault(piece.task, {})[piece] = None
    for task, pieces in missing.items():
        absent = [piece for piece in pieces if not Path(stores.piece(piece)).exists()]
        if absent:
            job = {"task": stores.tasks[task], "slices": [vars(piece) for piece in absent]}
            yield Batch(task, canonical_json(job), (), tuple(map(stores.piece, absent)))


def _training_batches(stores: Stores, states: Iterable[CellState]) -> Iterable[Batch]:
    """Yield one batch of missing blocks per curve (model, task, length), in the order of budgets.

    Which curve a block belongs to does not depend on what is there, so a job that reads the
    configuration again in the middle of a run finds the same batch.
    """
    curves: dict[tuple, list[Block]] = {}
    for state in states:
        cell = state.cell
        curves.setdefault((cell.model, cell.task, cell.length), []).extend(state.missing)
    for (model, task, length), blocks in curves.items():
        if blocks:
            yield Batch(
                name=str(encode({"model": model, "task": task, "length": length})),
                specification=canonical_json(_training_job(stores.study, blocks)),
                inputs=stores.data(blocks, ("validation", "train")),
                outputs=tuple(map(stores.cell, blocks)),
            )


def _training_job(study: Study, blocks: list[Block]) -> dict[str, Any]:
    first = blocks[0].cell
    shared = training_specification(study, first)
    del shared["budget"]
    return {
        "model": first.model,
        "task": first.task,
        "specification": shared,
        "blocks": [
            {
                "budget": block.cell.budget,
                "seeds": block.seeds,
                "learning_rates": block.learning_rates,
            }
            for block in blocks
        ],
    }


def _evaluation_batches(stores: Stores, blocks: Iterable[Block]) -> Iterable[Batch]:
    """Yield one batch of missing evaluations per model and task."""
    groups: dict[tuple[str, str], list[Block]] = {}
    for block in blocks:
        if not Path(stores.evaluation(block)).exists():
            groups.setdefault((block.cell.model, block.cell.task), []).append(block)
    for (model, task), missing in groups.items():
        job = {
            "model": model,
            "task": task,
            "evaluation": stores.study.evaluation.model_dump(mode="json"),
            "blocks": [
                {
                    "length": block.cell.length,
                    "budget": block.cell.budget,
                    "seeds": block.seeds,
                    "learning_rates": block.learning_rates,
                    "training": stores.training_digest(block.cell),
                }
                for block in missing
            ],
        }
        yield Batch(
            name=str(encode({"model": model, "task": task})),
            specification=canonical_json(job),
            inputs=(
                *map(stores.cell, missing),
                *stores.data(missing, ("validation", "test")),
            ),
            outputs=tuple(map(stores.evaluation, missing)),
        )
