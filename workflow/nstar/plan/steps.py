"""Everything that is made of the stores of a study, and which of it has to be made again.

Tables, figures and pages lie in the folder of their study, with a seal for each step that made some
(`nstar.seals`). They are up to date when the seals fit: to the configuration, to the stores, and to the
files. Snakemake, plans and `verify_results` ask the same function.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from nstar.cells import strata_of
from nstar.cells.naming import stratum_name, stratum_suffix
from nstar.cells.paths import study_folder
from nstar.options import EVERYTHING
from nstar.plan.missing import Plan
from nstar.seals import STORES, Seal, checksum, read_seal, read_seals, seal_path
from nstar.specification import RECIPES, digest
from nstar.study import Study
from nstar.subjects.subject import Step
from nstar.tables import EVERY_STUDY, table_file

COLLECT = "collect_results"
CONFIG = "write_config"
METHODS = "write_methods"
REPORT = "report"
"""Names of the steps that every study has; the others are those of its subject."""


@dataclass(frozen=True)
class DerivedStep:
    """A step that makes files of a study.

    Attributes
    ----------
    name : str
        That of its rule.
    job : dict
        What it is told: its part of the configuration, and the recipe. Ready for JSON.
    reads, makes : tuple of str
        Paths below the folder of the study.
    figures : dict of tuple to str
        Of the figures, by name and what is asked for: the path without ending.
    """

    name: str
    job: dict[str, Any] = field(repr=False)
    reads: tuple[str, ...]
    makes: tuple[str, ...]
    figures: Mapping[tuple[str, str], str] = field(default_factory=dict, repr=False)


def steps_of(study: Study) -> dict[str, DerivedStep]:
    """Return the steps of a study by name, in an order in which they can run."""
    collected = [*EVERY_STUDY, *(name for s in study.subject.lineage for name in s.collected)]
    of_tables = study.model_dump(
        mode="json", exclude={"title", "fit", "figures", "jobs", "device"}
    )
    whole = whole_study(study)
    steps = [
        DerivedStep(
            COLLECT,
            {"recipe": RECIPES["tables"], "study": of_tables},
            (),
            (
                *("tables/cells.parquet", "tables/study.zarr"),
                *(f"tables/{name}.csv" for name in collected),
            ),
        ),
        DerivedStep(CONFIG, {"study": whole}, (), ("config.json",)),
        DerivedStep(
            METHODS,
            {
                "recipe": RECIPES["methods"],
                "study": {key: whole[key] for key in whole if key != "figures"},
            },
            (),
            ("methods.html",),
        ),
    ]
    for subject, step in study.subject.steps_of(study):
        figures = _figures_of(step, study)
        steps.append(
            DerivedStep(
                step.name,
                json.loads(json.dumps({"recipe": subject.recipes[step.recipe], **step.job(study)})),
                tuple(map(table_file, study.subject.reads_of(step, study))),
                (
                    *(f"tables/{name}.csv" for name in step.makes),
                    *step.files,
                    *(f"{stem}.{ending}" for stem in figures.values() for ending in ("svg", "png")),
                    *([f"{step.page}.html"] if step.page else ()),
                ),
                figures,
            )
        )
    return {step.name: step for step in steps}


def whole_study(study: Study) -> dict[str, Any]:
    """Return a study with all defaults, but for what no file of it depends on: jobs and devices."""
    return study.model_dump(mode="json", context=EVERYTHING, exclude={"jobs", "device"})


def steps_for(
    steps: Mapping[str, DerivedStep], targets: Iterable[str], folder: Path | str
) -> set[str]:
    """Return the names of the steps that targets need.

    Parameters
    ----------
    steps : dict of str to DerivedStep
        See `steps_of`.
    targets : iterable of str
        Names of steps, paths of files, or "all".
    folder : path
        The folder of the study, as paths begin with it.
    """
    maker = {name: step.name for step in steps.values() for name in step.makes}
    prefix, needed = f"{folder}/", set[str]()
    waiting = [maker.get(target.removeprefix(prefix), target) for target in targets]
    while waiting:
        name = waiting.pop()
        if name == "all":
            waiting += steps
        elif name in steps and name not in needed:
            needed.add(name)
            waiting += (maker[read] for read in steps[name].reads)
    return needed


def _figures_of(step: Step, study: Study) -> dict[tuple[str, str], str]:
    """Return the path without ending of each figure of a step, by its name and what is asked for."""
    return {
        **{
            (name, stratum_name(*stratum)): f"figures/{name}{stratum_suffix(*stratum)}"
            for stratum in strata_of(study)
            for name in step.figures(study)
        },
        **{(name, "everything"): f"figures/{name}" for name in step.figures_of_all(study)},
    }


def stale_steps(plan: Plan) -> dict[str, str]:
    """Return the steps of a study whose files are missing or not what the study asks for, with a reason.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    dict of str to str
        By the name of the step, in the order of `steps_of`. Reading costs the content of all tables,
        figures and pages once; nothing is written.
    """
    return compare_seals(plan.study, plan.results, plan.stores_digest, finished=plan.finished)


def compare_seals(
    study: Study, results: Path, stores: str, finished: bool = True
) -> dict[str, str]:
    """Return what `stale_steps` does; unfinished, the stores are compared with nothing.

    Parameters
    ----------
    study : Study
    results : Path
    stores : str
        `nstar.plan.missing.Plan.stores_digest`.
    finished : bool
        Whether all stores are there.
    """
    folder, steps = study_folder(results, study.name), steps_of(study)
    known = cache(lambda name: checksum(folder / name))
    maker = {name: step.name for step in steps.values() for name in step.makes}
    stale: dict[str, str] = {}
    for step in steps.values():
        seal = read_seal(seal_path(folder, step.name))
        reason = _unfit(study, step, seal, folder)
        if not (reason or finished) and step.name == COLLECT:
            reason = "stores are missing"
        if not reason and step.name == COLLECT and seal.inputs.get(STORES) != stores:
            reason = "made from other stores"
        reason = reason or next(_changes(folder, step, seal, known), None)
        before = {maker[name]: name for name in step.reads if maker[name] in stale}
        if not reason and before:
            reason = f"made from {next(iter(before.values()))}, which is made again"
        if reason:
            stale[step.name] = reason
    return stale


def _unfit(study: Study, step: DerivedStep, seal: Seal | None, folder: Path) -> str | None:
    """Return why a seal is not of a step as the study has it."""
    if seal is None:
        there = next((name for name in step.makes if (folder / name).exists()), None)
        return f"{there} has no seal" if there else "not made yet"
    if seal.study != study.name:
        return f"made for study {seal.study}"
    if seal.job != digest(step.job):
        return "made from another configuration"
    return None


def _changes(folder: Path, step: DerivedStep, seal: Seal, known: Any) -> Iterator[str]:
    """Yield what is not as it was when the step made its files."""
    for name in step.makes:
        if name not in seal.outputs:
            yield f"{name} has no seal"
        elif known(name) is None:
            yield f"{name} is missing"
        elif known(name) != seal.outputs[name]:
            yield f"{name} was edited or damaged after it was made"
    for name, read in seal.inputs.items():
        if name != STORES and known(name) != read:
            yield f"made from another {name}"


def report_digest(study: Study, folder: Path) -> str:
    """Return the digest of all that a report is made from: the study, and every sealed file.

    Parameters
    ----------
    study : Study
        None of its steps is stale.
    folder : Path
        Its folder.
    """
    seals = read_seals(folder)
    return digest(
        {
            "study": whole_study(study),
            "files": {name: seals[name].outputs for name in steps_of(study)},
        }
    )
