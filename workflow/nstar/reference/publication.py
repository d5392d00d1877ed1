"""Published numbers: tables, figures and sections of pages that come from a finished run.

Everything that the documentation quotes lies in ``docs/studies/data/<study>/``: the tables it needs and
``provenance.json``. `publish` copies them from a results folder; `find_problems` needs no results.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from nstar.cells.naming import stratum_name
from nstar.cells.paths import study_folder
from nstar.errors import ArtifactError, ConfigError, DataError
from nstar.files import written_whole
from nstar.plan.derived import derived_steps
from nstar.plan.missing import Plan, make_plan
from nstar.reading.check import load_study
from nstar.reading.file import read_config
from nstar.reference.sections import fill_sections
from nstar.report.text import BLANK, QUANTITIES, pair_name, show_interval
from nstar.specification import RECIPES, digest
from nstar.study import Study
from nstar.subjects.demand.selection import SMALL_SET, checks_of, contradictions
from nstar.tables import read_table, read_tables
from nstar.tables.selection import STRATUM, stratum_of


@dataclass(frozen=True)
class Publication:
    """What the documentation takes from one study.

    Attributes
    ----------
    tables : tuple of str
        Tables that are copied, by name.
    figures : mapping
        Figures that are copied: name in ``docs/figures/`` -> name in ``figures/`` of the study.
    page : str or None
        Page whose generated sections are filled from the tables, and whose quotes have to occur in them.
    study_page : str or None
        Page of the study, which has none of these sections.
    of_version : str or None
        Version of nstar that the numbers are of, where the study was not run anew since: they are then
        compared with no option or recipe, and the page has to say so before them; see `dated`.
    """

    tables: tuple[str, ...]
    figures: Mapping[str, str]
    page: str | None = None
    study_page: str | None = None
    of_version: str | None = None

    @property
    def dated(self) -> str:
        """What the page says of numbers of an earlier version."""
        return (
            f"Numbers on this page are of nstar {self.of_version}, before verdicts by evidence; they are "
            "not run anew yet."
        )


_BEFORE_EVIDENCE = "0.1.0 (commit e77624f)"


PUBLICATIONS = {
    "config.yaml": Publication(
        ("exponents", "checks", "robustness", "forms", "demand", "extrapolation"),
        {"demand": "demand"},
        page="README.md",
    ),
    "workflow/studies/induction_bias_two_cores.yaml": Publication(
        ("thresholds", "demand", "sharing", "extrapolation"),
        {"induction_bias_demand": "demand", "induction_bias_sharing": "sharing"},
        study_page="docs/studies/induction_bias.md",
    ),
    "workflow/studies/induction_bias_sharing.yaml": Publication(
        ("thresholds", "demand", "lengths", "sharing"),
        {"induction_bias_sharing_strict": "sharing"},
        study_page="docs/studies/induction_bias.md",
    ),
    "workflow/studies/extrapolation_two_cores.yaml": Publication(
        ("extrapolation", "horizons", "longer"),
        {"induction_bias_positions": "positions_aligned_uniform"},
        study_page="docs/studies/induction_bias.md",
    ),
    "workflow/studies/sensitivity_two_cores.yaml": Publication(
        ("regressions", "shapes", "contrasts"),
        {"sensitivity_growth": "growth_outcome_fixed"},
        study_page="docs/studies/sensitivity.md",
        of_version=_BEFORE_EVIDENCE,
    ),
    "workflow/studies/sensitivity_profile.yaml": Publication(
        ("insensitive",), {}, study_page="docs/studies/sensitivity.md"
    ),
    "workflow/studies/efficient_transformers_two_cores.yaml": Publication(
        ("widths", "width_exponents"),
        {"efficient_transformers_accuracy": "width_accuracy_chain_of_thought_fixed"},
        study_page="docs/studies/efficient_transformers.md",
        of_version=_BEFORE_EVIDENCE,
    ),
    "workflow/studies/efficient_transformers_locality.yaml": Publication(
        ("widths", "width_exponents"),
        {},
        study_page="docs/studies/efficient_transformers.md",
        of_version=_BEFORE_EVIDENCE,
    ),
}
"""What each study publishes, by the path of its configuration in the repository."""


def publish(configuration: str, results: Path, root: Path) -> list[str]:
    """Copy what a study publishes from a finished run, and fill the sections of its page.

    Parameters
    ----------
    configuration : str
        Path of the configuration in the repository, a key of `PUBLICATIONS`.
    results : Path
        Results folder of the finished run.
    root : Path
        The repository.

    Returns
    -------
    list of str
        The files that were written, relative to `root`.

    Raises
    ------
    ConfigError
        If the configuration publishes nothing.
    ArtifactError
        If the results are of another study, not finished, or lack a table or figure.
    DataError
        If the page has a section that nobody knows, or lacks one.
    """
    publication = _publication_of(configuration)
    study = load_study(read_config(root / configuration))
    plan = _finished_plan(study, configuration, results)
    folder, sources = study_folder(results, study.name), _sources_of(publication, study)
    if missing := [source for source in sources.values() if not (folder / source).is_file()]:
        raise ArtifactError(
            f"{folder} lacks {', '.join(missing)}; run: make run CONFIG={configuration}"
        )
    provenance = _provenance_of(plan, configuration, folder) | {
        "files": {target: _checksum(folder / source) for target, source in sources.items()}
    }
    texts = {f"{_data_folder(study)}/provenance.json": json.dumps(provenance, indent=2) + "\n"}
    if publication.page:
        page = (root / publication.page).read_text(encoding="utf-8")
        tables = _read_tables(publication, folder / "tables")
        texts[publication.page] = fill_sections(page, sections_of(tables))
    for target, source in sources.items():
        with written_whole(root / target) as temporary:
            shutil.copyfile(folder / source, temporary)
    for target, text in texts.items():
        with written_whole(root / target) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return [*sources, *texts]


def find_problems(root: Path) -> Iterator[str]:
    """Yield why published numbers are stale, each with the command to run; reads no results.

    A study without a folder of published data has no problem, unless a page is filled from it, or does
    not say that its numbers are of an earlier version.

    Parameters
    ----------
    root : Path
        The repository.
    """
    for configuration, publication in PUBLICATIONS.items():
        if publication.of_version:
            yield from _undated(publication, root)
        study = load_study(read_config(root / configuration))
        folder = root / _data_folder(study)
        if folder.is_dir() or publication.page:
            remedy = f"run: make publish CONFIG={configuration}"
            yield from (
                f"{words}; {remedy}" for words in _problems(study, publication, folder, root)
            )


_TOP = 1500
"""Characters of a page without generated sections within which it says of which version it is."""


def _undated(publication: Publication, root: Path) -> Iterator[str]:
    page = publication.page or publication.study_page
    text = (root / page).read_text(encoding="utf-8")
    before = text.partition("<!-- generated")[0] if publication.page else text[:_TOP]
    if publication.dated not in " ".join(before.split()):
        yield f"{page} has to say before its numbers: {publication.dated}"


def _problems(study: Study, publication: Publication, folder: Path, root: Path) -> Iterator[str]:
    record = folder / "provenance.json"
    if not record.is_file():
        yield f"{record.relative_to(root)} is missing"
        return
    provenance = json.loads(record.read_text())
    if (now := study_digest(study)) != provenance["digest"] and not publication.of_version:
        yield (
            f"the published numbers of {provenance['configuration']} are of digest "
            f"{provenance['digest']}, its options and recipes now have {now}"
        )
    if changed := _sources_of(publication, study).keys() ^ provenance["files"].keys():
        names = ", ".join(sorted(changed))
        yield f"{provenance['configuration']} publishes other files than it did: {names}"
        return
    edited = [name for name, sha in provenance["files"].items() if _checksum(root / name) != sha]
    yield from (f"{name} is not the published file" for name in edited)
    if publication.page and not edited and not publication.of_version:
        yield from _page_problems(publication, folder, root)


def _page_problems(publication: Publication, folder: Path, root: Path) -> Iterator[str]:
    text = (root / publication.page).read_text(encoding="utf-8")
    tables = _read_tables(publication, folder)
    try:
        if fill_sections(text, sections_of(tables)) != text:
            yield f"a generated section of {publication.page} differs from its tables"
    except DataError as error:
        yield f"{publication.page}: {error}"
    for quote in unsupported_quotes(text, tables):
        yield (
            f"{publication.page} quotes {quote}, which no table in {folder.relative_to(root)} gives: "
            f"correct the sentence, or publish tables that give it"
        )


def study_digest(study: Study) -> str:
    """Return the digest of all that the tables of a study depend on: its options and the recipes.

    Options of figures, jobs and devices, the title, and the recipes of pages and figures have no part
    in it. Options that came later are left out at their default, as in the names of stores.
    """
    stages = ("data", "training", "evaluation", "tables")
    recipes = {stage: RECIPES[stage] for stage in stages} | study.subject.table_recipes(study)
    options = study.model_dump(mode="json", exclude={"title", "figures", "jobs", "device"})
    return digest({"study": options, "recipes": recipes})


def sections_of(tables: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """Return the generated sections of a page by name."""
    return {"exponents": exponents_section(tables)}


def exponents_section(tables: Mapping[str, pd.DataFrame]) -> str:
    """Return a table in Markdown of exponents and differences.

    ``?`` follows what a check marks, a dagger what rests on curves that small sets judged.
    """
    lines = []
    for stratum, exponents in tables["exponents"].groupby(STRATUM, sort=False):
        doubts = contradictions(stratum_of(tables["checks"], stratum))
        lines += [
            f"| {stratum_name(*stratum)} | alpha (length n) | beta (number of states m) |",
            "|---|---|---|",
        ]
        for _, rows in exponents.groupby(["model", "minus_model"], sort=False):
            texts = {
                row.quantity: show_interval(row)
                + " ?" * bool(len(checks_of(row, doubts)))
                + " \u2020" * bool(row.n_small_sets)
                for row in rows.itertuples()
            }
            cells = [texts.get(quantity, BLANK) for quantity in QUANTITIES]
            lines.append(f"| {' | '.join([pair_name(next(rows.itertuples())), *cells])} |")
        lines.append("")
    if tables["exponents"]["n_small_sets"].any():
        lines += [
            f"\u2020 Some of the curves were judged on a set of fewer than {SMALL_SET} sequences.",
            "",
        ]
    return _plain("\n".join(lines[:-1]) + "\n")


_NUMBER = r"(-?\d+(?:\.\d+)?)"
_QUOTE = re.compile(rf"{_NUMBER}\s\[{_NUMBER},\s{_NUMBER}\]")


def unsupported_quotes(text: str, tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return the quotes ``x [a, b]`` of a page that no row of any table gives, at their own digits.

    Examples
    --------
    >>> row = pd.DataFrame({"estimate": [0.426], "lower": [-0.128], "upper": [0.993]})
    >>> unsupported_quotes("0.43 [-0.13, 0.99], not 0.44 [-0.13, 0.99]", {"exponents": row})
    ['0.44 [-0.13, 0.99]']
    """
    columns = ["estimate", "lower", "upper"]
    rows = [
        row
        for table in tables.values()
        if set(columns) <= set(table.columns)
        for row in table[columns].dropna().itertuples(index=False)
    ]
    return [
        " ".join(quote[0].split())
        for quote in _QUOTE.finditer(_plain(text))
        if not any(all(map(_rounds_to, row, quote.groups())) for row in rows)
    ]


def _rounds_to(value: float, text: str) -> bool:
    return f"{value:.{len(text.partition('.')[2])}f}" == text


def _plain(text: str) -> str:
    """Return text with a hyphen as minus and plain spaces, as one types a page."""
    return text.replace("\u2212", "-").replace("\u00a0", " ")


def _publication_of(configuration: str) -> Publication:
    if configuration not in PUBLICATIONS:
        legal = ", ".join(PUBLICATIONS)
        raise ConfigError(f"configuration {configuration} publishes nothing; these do: {legal}")
    return PUBLICATIONS[configuration]


def _data_folder(study: Study) -> str:
    return f"docs/studies/data/{study.name}"


def _sources_of(publication: Publication, study: Study) -> dict[str, str]:
    """Return each published file of the repository with the file of the results that it copies."""
    folder = _data_folder(study)
    tables = {f"{folder}/{name}.csv": f"tables/{name}.csv" for name in publication.tables}
    return tables | {
        f"docs/figures/{name}.png": f"figures/{source}.png"
        for name, source in publication.figures.items()
    }


def _read_tables(publication: Publication, folder: Path) -> dict[str, pd.DataFrame]:
    return {name: read_table(folder / f"{name}.csv", name) for name in publication.tables}


def _finished_plan(study: Study, configuration: str, results: Path) -> Plan:
    """Return the plan of a study whose sealed files are those of all its cells, or say what is wrong."""
    remedy = f"run: make run CONFIG={configuration}"
    plan = make_plan(study, results)
    if not plan.finished:
        raise ArtifactError(f"the run of {configuration} in {results} is not finished; {remedy}")
    for step in derived_steps(plan).values():
        if step.stale:
            raise ArtifactError(
                f"what {step.name} makes of {configuration} in {results} is stale: {step.stale}; {remedy}"
            )
    return plan


def _provenance_of(plan: Plan, configuration: str, folder: Path) -> dict[str, Any]:
    (collected,) = read_tables(folder, "provenance")
    return {
        "configuration": configuration,
        "digest": study_digest(plan.study),
        **{key: sorted(set(collected[key])) for key in ("commit", "device", "python", "torch")},
        "n_cells": len({state.cell for state in plan.cells}),
        "n_replicates": len(
            {
                (reading.block, replicate)
                for state in plan.cells
                for reading in state.finished
                for replicate in reading.replicates
            }
        ),
    }


def _checksum(path: Path) -> str:
    """Return the SHA-256 of a file, or "" where it is missing."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
