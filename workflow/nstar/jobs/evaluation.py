"""Evaluate trained blocks: on validation sets and, where tasks extrapolate, at longer lengths."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from nstar.cells import Slice, evaluation_specification, held_slice, longer_slice
from nstar.errors import ArtifactError
from nstar.files import is_there, remove
from nstar.jobs.generation import task_of_seed
from nstar.jobs.networks import model_of
from nstar.jobs.sequences import read_sets, specified_pool
from nstar.jobs.turns import in_turns
from nstar.measures.accuracy import Decoded, Score, decode, in_packs, score
from nstar.measures.answering import measure_answers
from nstar.models import StackedModel, lengthen
from nstar.plan.attempts import checkpoints_of
from nstar.progress import Progress
from nstar.seeds import Seed, read_seed, streams_of
from nstar.specification import canonical_json, digest
from nstar.store.archive import specification_of, write_store
from nstar.store.evaluations import ends_of, read_ends
from nstar.store.header import read_header
from nstar.store.parts import read_parts
from nstar.store.provenance import provenance
from nstar.store.replicates import pairs_of, replicate_coordinates
from nstar.store.schemas import EVALUATION, LONGER, OWN_SETS
from nstar.store.view import view
from nstar.study import FRESH
from nstar.subjects.registry import SUBJECTS
from nstar.subjects.subject import load
from nstar.tasks import Pool
from nstar.training.device import describe_device, memory_errors_named, prepare_device, reduced
from nstar.verdicts import MEASURES, Rule

DECODED = ("decoded_token_accuracy", "decoded_sequence_accuracy")
"""Accuracies of a chain of thought that reads its own answers; of others, those of `MEASURES`."""


def evaluate_cells(job: Mapping[str, Any], results: Path, device_name: str) -> None:
    """Evaluate the last weights of runs, and write a part for each block.

    Parameters
    ----------
    job : mapping
        ``evaluation`` (options), ``rule`` (fields of `nstar.verdicts.Rule`), ``keep_every``, and
        ``blocks``, of each ``called`` (names of model and task), ``replicates`` (those wanted),
        ``tests`` (lengths, and `nstar.store.schemas.OWN_SETS`), ``trained`` and ``evaluated`` (paths of
        the parts to read), and ``output``; ``rule``, where it is another one; where the task is a learnt
        function also ``source_sets``, the sets of the pool that its source learnt from.
    results : Path
    device_name : str
        As in the configuration.

    Notes
    -----
    The ends of runs that train just before are not known when the job is planned, so the job judges by
    the rule itself, and evaluates the ends that no part has on all of the tests.

    Checkpoints of the parts are removed: that a block is evaluated means that its training has ended
    well. An evaluation that another run has made since is left as it is.
    """
    device = prepare_device(device_name)
    blocks = {Path(fields["output"]): fields for fields in job["blocks"]}
    progress = Progress("cells", len(blocks))
    for done, path in enumerate(in_turns(results, list(blocks)), start=1):
        fields = blocks[path]
        pairs = [(read_seed(seed), rate) for seed, rate in fields["replicates"]]
        rule = Rule(**fields.get("rule", job["rule"]))
        trained = view(read_parts(fields["trained"], pairs), rule, job["keep_every"])
        trained = _without(trained, read_ends(fields["evaluated"]), fields["tests"])
        specification = specification_of(trained)
        reading = model_of(specification).options.reading
        summary = {"rows": ends_of(trained), "tests": fields["tests"]}
        if not _is_there(path, summary):
            write_store(
                path,
                _evaluate(trained, fields, job["evaluation"], results, device),
                EVALUATION,
                evaluation_specification(
                    digest(specification), job["evaluation"], job["keep_every"], reading
                ),
                provenance(device=describe_device(device)),
                summary=summary,
            )
        for part in fields["trained"]:
            for checkpoint in checkpoints_of(results, part):
                remove(checkpoint)
        progress.update(done)
    progress.finish()


def _is_there(path: Path, summary: Mapping[str, Any]) -> bool:
    """Return whether another run has made an evaluation since this one was planned.

    Raises
    ------
    ArtifactError
        If it has evaluated other ends of the same block.
    """
    if not is_there(path):
        return False
    if canonical_json(read_header(path)["summary"]) != canonical_json(summary):
        raise ArtifactError(
            f"evaluation {path} has just been made by another run, of other ends or tests; run the "
            "workflow again, which plans anew"
        )
    return True


def _without(trained: xr.Dataset, evaluated: Collection[list], tests: Sequence[int]) -> xr.Dataset:
    """Return the runs of a view whose ends lack one of the tests; all where none is left."""
    new = [any([*end, test] not in evaluated for test in tests) for end in ends_of(trained)]
    return trained.isel(replicate=np.flatnonzero(new)) if any(new) else trained


@dataclass(frozen=True)
class _Networks:
    """The last weights of the runs of a view, and what they are tested on.

    Attributes
    ----------
    trained : xarray.Dataset
        See `nstar.store.parts.view`.
    fields : mapping
        What the job says of the block.
    results : Path
    device : torch.device
    """

    trained: xr.Dataset
    fields: Mapping[str, Any]
    results: Path
    device: torch.device

    @property
    def task(self) -> str:
        """The name of their task."""
        return self.fields["called"]["task"]

    @cached_property
    def specification(self) -> dict[str, Any]:
        """What the runs depend on."""
        return specification_of(self.trained)

    @cached_property
    def pool(self) -> Pool:
        """The sequences that they drew from."""
        return specified_pool(self.specification)

    @cached_property
    def streams(self) -> list[Seed]:
        """The seeds of each of them."""
        return [streams_of(seed) for seed, _ in pairs_of(self.trained)]

    @cached_property
    def seeds(self) -> list[int]:
        """The seeds of their data, each once."""
        return sorted({seed.data for seed in self.streams})

    @cached_property
    def model(self) -> StackedModel:
        """Their architecture, for the trained length."""
        return model_of(self.specification)

    def sets(self, pieces: Sequence[Slice]) -> tuple:
        """Return model, parameters, tokens, labels and rows: what measures take; a slice for each seed.

        A model that reads longer sequences is lengthened.
        """
        n_tokens = self.pool.task.n_tokens(self.specification["supervision"], pieces[0].length)
        flat = torch.from_numpy(self.trained["parameters"].values)
        initialised = [seed.initialisation for seed in self.streams]
        model, flat = lengthen(self.model, flat, n_tokens, initialised)
        read = read_sets(
            self.specification,
            [[piece] for piece in pieces],
            self.results,
            pieces[0].stop,
            self.device,
        )
        rows = torch.tensor([self.seeds.index(seed.data) for seed in self.streams])
        parameters = model.views(flat.to(self.device))
        return model, parameters, read.tokens, read.labels, rows.to(self.device)


def _evaluate(
    trained: xr.Dataset,
    fields: Mapping[str, Any],
    options: Mapping[str, Any],
    results: Path,
    device: torch.device,
) -> xr.Dataset:
    """Return what the store of an evaluation holds; see `nstar.store.schemas.EVALUATION`."""
    precision, tests = specification_of(trained)["precision"], fields["tests"]
    device = prepare_device(device.type, precision)
    networks = _Networks(trained, fields, results, device)
    steps = {"step": ("replicate", trained["n_steps"].values)}
    dataset = xr.Dataset(steps, coords=dict(replicate_coordinates(trained)))
    length = networks.specification["length"]
    work = f"evaluating {fields['called']['model']} of length {length}"
    with memory_errors_named(device, work), reduced(precision, device):
        if OWN_SETS in tests:
            dataset = dataset.merge(_on_own_sets(networks))
        if longer := [length for length in tests if length != OWN_SETS]:
            dataset = dataset.merge(_on_longer(networks, longer, options["test_examples"]))
    if OWN_SETS in tests:
        dataset = dataset.merge(_for_subjects(networks, options))
    return dataset


def _on_own_sets(networks: _Networks) -> xr.Dataset:
    """Return what networks do on the validation sets of their seeds."""
    pool, supervision = networks.pool, networks.specification["supervision"]
    pieces = [held_slice(pool, networks.task, seed, "validation") for seed in networks.seeds]
    sets = networks.sets(pieces)
    found, variables = score(*sets), {}
    said = found.token_accuracy, found.sequence_accuracy
    if pool.task.is_text:
        answers = measure_answers(pool.task, supervision, *sets)
        said = answers.pop("token_accuracy"), answers["exact_accuracy"]
        variables |= {name: ("replicate", values) for name, values in answers.items()}
    elif supervision == "chain_of_thought":
        own = decode(*sets)
        said = own.token_accuracy, own.sequence_accuracy
    values = {name: _on_host(getattr(found, name)) for name in MEASURES}
    values |= dict(zip(DECODED, map(_on_host, said), strict=True))
    for name, value in values.items():
        variables[f"validation_{name}"] = ("replicate", value)
    for name in ("position_loss", "position_accuracy"):
        value = _on_host(getattr(found, name))
        variables[f"validation_{name}"] = (("replicate", "position"), value)
    tokens, labels = sets[2:4]
    n_read = tokens.shape[2]
    return xr.Dataset(
        variables, coords={"position": np.arange(n_read - labels.shape[2], n_read) + 1}
    )


def _on_longer(networks: _Networks, lengths: Sequence[int], n_examples: int) -> xr.Dataset:
    """Return what networks do at lengths beyond that of training; see `nstar.store.schemas.LONGER`."""
    supervision, task = networks.specification["supervision"], networks.task
    n_replicates, longest = networks.trained.sizes["replicate"], max(lengths)
    decoded = supervision == "chain_of_thought"
    variables: dict[str, Any] = {
        name: np.full((n_replicates, len(lengths), longest)[: len(variable.dimensions)], np.nan)
        for name, variable in LONGER.items()
        if variable.dimensions[0] == "replicate" and (decoded or "decoded" not in name)
    }
    n_longer = []
    for i, length in enumerate(lengths):
        pieces = [
            longer_slice(networks.pool, task, seed, length, n_examples) for seed in networks.seeds
        ]
        sets = networks.sets(pieces)
        results: dict[str, Score | Decoded] = {"longer_": in_packs(score, *sets)}
        if decoded:
            results["longer_decoded_"] = in_packs(decode, *sets)
        for prefix, found in results.items():
            for name, values in vars(found).items():
                if name.startswith("position_"):  # states are the last ones of the sequence
                    states = slice(length - values.shape[1], length)
                    name = name.replace("position", "state")
                    variables[prefix + name][:, i, states] = _on_host(values)
                else:
                    variables[prefix + name][:, i] = _on_host(values)
        n_longer.append(pieces[0].stop)
    dimensions = {name: LONGER[name].dimensions for name in variables}
    return xr.Dataset(
        {
            "tested_length": ("tested", np.array(lengths)),
            "n_longer": ("tested", np.array(n_longer)),
            **{name: (dimensions[name], values) for name, values in variables.items()},
        }
    )


def _for_subjects(networks: _Networks, options: Mapping[str, Any]) -> xr.Dataset:
    """Return what the subject of the study measures on networks, if it does."""
    measured = xr.Dataset()
    specification, pool = networks.specification, networks.pool
    sources = networks.fields.get("source_sets")
    for subject in SUBJECTS:
        if subject.option in options:
            tasks = {
                seed: task_of_seed(specification["task"], networks.task, seed, networks.results)
                for seed in networks.seeds
            }
            added = load(subject.measure)(
                options[subject.option],
                networks.trained,
                tasks,
                networks.model,
                specification,
                networks.device,
                partial(_training_set, pool, specification["budget"], sources),
            )
            measured = measured.merge(added)
    return measured


def _on_host(values: torch.Tensor | np.ndarray) -> np.ndarray:
    return values.cpu().numpy() if isinstance(values, torch.Tensor) else values


def _training_set(
    pool: Pool, budget: int, source_sets: list[list[int]] | None, seed: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return symbols and lengths of what taught a network, or its source; None if batches were fresh."""
    if budget != FRESH:
        return pool.training(seed, 0, budget)
    source = pool.task.source
    if source is None:
        return None
    own = Pool(pool.task, "fixed", source.length, tuple(map(tuple, source_sets)))
    return own.training(seed, 0, source.budget)
