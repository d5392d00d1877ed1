"""What a study still needs: which stores are there, which are missing, and the jobs that make them.

The name of a store holds the digest of its specification, so "is it there?" is the whole question of
caching, and a listing of files answers it. Missing stores are gathered into batches, one job each,
because a process pays seconds of start-up before it trains or evaluates anything.
"""

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
    """Compare a study with what lies in `results`; reads names of files and nothing else."""
    results = Path(results)
    states = tuple(_state_of(study, cell, results) for cell in cells_of(study))
    blocks = [block for state in states for block in (*state.finished, *state.missing)]
    return Plan(
        study=study,
        results=results,
        cells=states,
        generation=tuple(_generation_batches(study, states, results)),
        training=tuple(_training_batches(study, states, results)),
        evaluation=tuple(_evaluation_batches(study, blocks, results)),
        cell_stores=tuple(cell_store(study, block, results) for block in blocks),
        evaluation_stores=tuple(evaluation_store(study, block, results) for block in blocks),
    )


def cell_store(study: Study, block: Block, results: Path) -> str:
    """Return the path of the trained replicates of a block."""
    name = digest(training_specification(study, block.cell))
    return str(store_path(results, "cells", block.coordinates, name))


def evaluation_store(study: Study, block: Block, results: Path) -> str:
    """Return the path of the evaluation of a block."""
    training = digest(training_specification(study, block.cell))
    options = study.evaluation.model_dump(mode="json")
    name = digest(evaluation_specification(training, options))
    return str(store_path(results, "evaluations", block.coordinates, name))


def data_store(task_options: dict[str, Any], piece: Slice, results: Path) -> str:
    """Return the path of a stretch of sequences."""
    name = digest(data_specification(task_options, piece))
    return str(store_path(results, "data", piece.coordinates, name))


def _state_of(study: Study, cell: Cell, results: Path) -> CellState:
    wanted = frozenset(
        (seed, rate) for seed in study.replicates.seeds for rate in study.replicates.learning_rates
    )
    (whole, *rest) = product_blocks(cell, wanted)
    assert not rest  # seeds x learning rates is one product
    if Path(cell_store(study, whole, results)).exists():
        return CellState(cell, (whole,), ())
    finished, missing = [], wanted
    for block in _blocks_on_disk(study, cell, results):
        if block.replicates & missing:
            finished.append(block)
            missing -= block.replicates
    return CellState(cell, tuple(finished), tuple(product_blocks(cell, missing)))


def _blocks_on_disk(study: Study, cell: Cell, results: Path) -> list[Block]:
    """Return the blocks of a cell that are there, the largest first."""
    name = f"{digest(training_specification(study, cell))}{STORE_SUFFIX}"
    folder = results / "cells" / encode(vars(cell))
    blocks = []
    for path in folder.glob(f"seeds~*/learning_rates~*/{name}"):
        found = decode(path.relative_to(folder))
        blocks.append(Block(cell, found["seeds"], found["learning_rates"]))
    return sorted(blocks, key=lambda b: (-len(b.replicates), b.seeds, b.learning_rates))


def _generation_batches(
    study: Study, states: Iterable[CellState], results: Path
) -> Iterable[Batch]:
    """Yield one batch of missing data per task."""
    slices = dict.fromkeys(
        piece for state in states for piece in slices_of(study, state.cell, study.replicates.seeds)
    )
    for name, task in study.tasks.items():
        options = task.model_dump(mode="json")
        missing = [
            piece
            for piece in slices
            if piece.task == name and not Path(data_store(options, piece, results)).exists()
        ]
        if missing:
            specification = {"task": options, "slices": [vars(piece) for piece in missing]}
            outputs = tuple(data_store(options, piece, results) for piece in missing)
            yield Batch(name, canonical_json(specification), (), outputs)


def _training_batches(study: Study, states: Iterable[CellState], results: Path) -> Iterable[Batch]:
    """Yield one batch of missing blocks per curve (model, task, length), the costliest budgets last.

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
                specification=canonical_json(_training_job(study, blocks)),
                inputs=_data_of(study, blocks, results, ("validation", "train")),
                outputs=tuple(cell_store(study, block, results) for block in blocks),
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


def _data_of(
    study: Study, blocks: Iterable[Block], results: Path, splits: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the stores of data that the blocks read, each once."""
    stores: dict[str, None] = {}
    for block in blocks:
        options = study.tasks[block.cell.task].model_dump(mode="json")
        for piece in slices_of(study, block.cell, block.seeds):
            if piece.split in splits:
                stores[data_store(options, piece, results)] = None
    return tuple(stores)


def _evaluation_batches(study: Study, blocks: list[Block], results: Path) -> Iterable[Batch]:
    """Yield one batch of missing evaluations per model and task."""
    groups: dict[tuple[str, str], list[Block]] = {}
    for block in blocks:
        if not Path(evaluation_store(study, block, results)).exists():
            groups.setdefault((block.cell.model, block.cell.task), []).append(block)
    for (model, task), missing in groups.items():
        job = {
            "model": model,
            "task": task,
            "evaluation": study.evaluation.model_dump(mode="json"),
            "blocks": [
                {
                    "length": block.cell.length,
                    "budget": block.cell.budget,
                    "seeds": block.seeds,
                    "learning_rates": block.learning_rates,
                    "training": digest(training_specification(study, block.cell)),
                }
                for block in missing
            ],
        }
        yield Batch(
            name=str(encode({"model": model, "task": task})),
            specification=canonical_json(job),
            inputs=(
                *(cell_store(study, block, results) for block in missing),
                *_data_of(study, missing, results, ("validation", "test")),
            ),
            outputs=tuple(evaluation_store(study, block, results) for block in missing),
        )
