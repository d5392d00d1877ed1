"""The documentation has the published numbers, stale ones are noticed, and a finished run publishes."""

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from support.evidence import learns_at, make
from support.sealed import seal_study

from nstar.cells.paths import study_folder
from nstar.errors import ArtifactError, ConfigError, DataError
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.reading.file import read_config
from nstar.reference.publication import (
    PUBLICATIONS,
    exponents_section,
    find_problems,
    publish,
    study_digest,
    unsupported_quotes,
)
from nstar.reference.sections import fill_sections
from nstar.specification import RECIPES
from nstar.subjects.answers.subject import ANSWERS
from nstar.subjects.demand.subject import DEMAND
from nstar.tables import TABLES, read_table, write_table

ROOT = Path(__file__).parents[2]
DATA = "docs/studies/data/aligned_addition"
FIGURE = "docs/figures/demand.png"
REMEDY = "run: make publish CONFIG=config.yaml"


@pytest.fixture(scope="module")
def tables():
    """Return the published tables of the default study by name."""
    return {path.stem: read_table(path, path.stem) for path in (ROOT / DATA).glob("*.csv")}


@pytest.fixture
def root(tmp_path):
    """Return a copy of what the check reads."""
    pages = {entry.study_page for entry in PUBLICATIONS.values() if entry.study_page}
    copied = [*PUBLICATIONS, *pages, "README.md", FIGURE, "scripts/publish_study.py"]
    for name in copied:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / DATA, tmp_path / DATA)
    return tmp_path


def replace(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


class TestDocumentation:
    def test_is_fresh(self):
        assert list(find_problems(ROOT)) == []

    def test_readme_has_the_section_and_quotes_numbers(self):
        text = (ROOT / "README.md").read_text()
        assert "<!-- generated: exponents -->" in text
        outside = re.sub(r"<!-- generated.*?<!-- end -->", "", text, flags=re.DOTALL)
        assert len(unsupported_quotes(outside, {})) >= 5

    def test_numbers_without_interval_in_readme_are_those_of_the_tables(self, tables):
        text = " ".join((ROOT / "README.md").read_text().split())
        provenance = json.loads((ROOT / DATA / "provenance.json").read_text())
        exponents, forms = tables["exponents"], tables["forms"]
        slopes = exponents[exponents["quantity"] == "length"].set_index(["model", "minus_model"])
        twice = tables["extrapolation"].assign(own=lambda rows: rows["model"] != "transformer")
        medians = twice.groupby("own")["median"].agg(["min", "max"])
        demand = tables["demand"]
        floor = demand[(demand["task"] == "parity") & (demand["model"] != "transformer")][
            "estimate"
        ]
        gain = forms[forms["form"] == "exponential"].set_index("model")["aic"]
        gain -= forms[forms["form"] == "power"].set_index("model")["aic"]
        sentences = [
            f"from {provenance['n_replicates']:,} replicates in {provenance['n_cells']} cells",
            f"with p = {slopes.loc[('transformer', 'lstm'), 'p_value_holm']:.3f} against the LSTM and "
            f"p = {slopes.loc[('transformer', 'dense_ssm'), 'p_value_holm']:.3f} against the Dense-SSM",
            f"from {floor.min():.1f} to {floor.max():.1f} sequences",
            f"are {medians.loc[True, 'min']:.2f} to {medians.loc[True, 'max']:.2f}",
            f"(least seed {twice[twice['own']]['least'].min():.2f})",
            f"{medians.loc[False, 'min']:.2f} to {medians.loc[False, 'max']:.2f}, where 0",
            f"the power law by {gain['transformer']:.1f} and {gain['lstm']:.1f} for the transformer and "
            f"the LSTM, and the exponential by {-gain['dense_ssm']:.1f} for the Dense-SSM",
        ]
        assert [sentence for sentence in sentences if sentence not in text] == []
        assert "One transformer seed did not fit" in text
        assert slopes.loc[("transformer", ""), "n_not_fitted"] == 1

    def test_figures_have_300_dots_per_inch_and_no_version(self):
        with Image.open(ROOT / FIGURE) as image:
            assert set(map(round, image.info["dpi"])) == {300}
            assert "Software" not in image.info
        for configuration, publication in PUBLICATIONS.items():
            figures = load_study(read_config(ROOT / configuration)).figures
            assert figures.dots_per_inch == 300 or not publication.figures

    def test_every_figure_of_the_documentation_is_published(self):
        published = [name for entry in PUBLICATIONS.values() for name in entry.figures]
        assert sorted(published) == sorted(p.stem for p in (ROOT / "docs/figures").glob("*"))

    def test_published_tables_exist(self):
        assert {name for entry in PUBLICATIONS.values() for name in entry.tables} <= set(TABLES)


class TestStaleness:
    @pytest.mark.parametrize(
        "name, old, new, words",
        [
            ("config.yaml", "max_steps: 3000", "max_steps: 3100", "are of digest"),
            ("README.md", "[0.53, 1.11] \u2020", "[0.53, 1.11]", "section of README.md"),
            ("README.md", "0.80 [0.24, 1.35]", "0.80 [0.25, 1.35]", "quotes 0.80 [0.25, 1.35],"),
            ("README.md", "<!-- generated: exponents -->", "", "has lost its section"),
            (f"{DATA}/forms.csv", "88.25955", "88.25956", "forms.csv is not the published file"),
            (f"{DATA}/provenance.json", f"{DATA}/forms.csv", "forms.csv", "publishes other files"),
        ],
    )
    def test_an_edit_is_named_with_the_command(self, root, name, old, new, words):
        assert list(find_problems(root)) == []
        replace(root / name, old, new)
        (problem,) = find_problems(root)
        assert words in problem
        assert problem.endswith(REMEDY)

    def test_a_figure_of_another_run_is_named(self, root):
        (root / FIGURE).write_bytes((root / FIGURE).read_bytes() + b"\0")
        assert list(find_problems(root)) == [f"{FIGURE} is not the published file; {REMEDY}"]

    def test_lost_data_are_named(self, root):
        shutil.rmtree(root / DATA)
        assert list(find_problems(root)) == [f"{DATA}/provenance.json is missing; {REMEDY}"]

    @pytest.mark.parametrize(
        ("recipes", "stage"),
        [
            *((RECIPES, stage) for stage in ("data", "training", "evaluation", "tables")),
            *((DEMAND.recipes, stage) for stage in ("fit", "comparison")),
        ],
    )
    def test_a_raised_recipe_is_named(self, root, monkeypatch, recipes, stage):
        monkeypatch.setitem(recipes, stage, recipes[stage] + 1)
        (problem,) = find_problems(root)
        assert "are of digest" in problem
        assert problem.endswith(REMEDY)

    @pytest.mark.parametrize(
        ("recipes", "stage"),
        [(DEMAND.recipes, "findings"), (RECIPES, "methods"), (ANSWERS.recipes, "widths")],
    )
    def test_recipes_without_part_in_the_tables_change_nothing(
        self, root, monkeypatch, recipes, stage
    ):
        monkeypatch.setitem(recipes, stage, recipes[stage] + 1)
        assert list(find_problems(root)) == []

    def test_a_page_with_numbers_of_an_earlier_version_says_so(self, root):
        dated = {
            entry.study_page: entry.dated for entry in PUBLICATIONS.values() if entry.of_version
        }
        for page, words in dated.items():
            replace(root / page, words, "")
            problems = list(find_problems(root))
            assert problems and all(page in problem and words in problem for problem in problems)
            path = root / page
            path.write_text(f"{path.read_text()}\n{words}\n")  # far from the top
            assert problems == list(find_problems(root))
            path.write_text(f"{words}\n{path.read_text()}")

    def test_numbers_of_an_earlier_version_are_compared_with_no_recipe(self, root, monkeypatch):
        entry = dataclasses.replace(PUBLICATIONS["config.yaml"], of_version="0.0.1")
        monkeypatch.setitem(PUBLICATIONS, "config.yaml", entry)
        readme = root / "README.md"
        (problem,) = find_problems(root)
        assert problem == f"README.md has to say before its numbers: {entry.dated}"
        readme.write_text(f"# nstar\n\n{entry.dated}\n\n{readme.read_text()}")
        replace(root / "config.yaml", "max_steps: 3000", "max_steps: 3100")
        assert list(find_problems(root)) == []
        table = root / DATA / "forms.csv"
        table.write_bytes(table.read_bytes() + b"\n")
        (problem,) = find_problems(root)
        assert "forms.csv is not the published file" in problem

    def test_looks_of_a_study_change_nothing(self, root):
        replace(root / "config.yaml", "dots_per_inch: 300", "dots_per_inch: 200")
        replace(root / "config.yaml", "title: Data demand", "title: The data demand")
        assert list(find_problems(root)) == []

    def test_the_script_checks_with_its_exit_code(self, root):
        command = [sys.executable, "scripts/publish_study.py", "--check"]
        assert subprocess.run(command, cwd=root).returncode == 0
        replace(root / f"{DATA}/forms.csv", "88.25955", "88.25956")
        finished = subprocess.run(command, cwd=root, capture_output=True, text=True)
        assert finished.returncode == 1
        assert finished.stderr.endswith(f"{REMEDY}\n")


@pytest.fixture
def results(root):
    """Return a results folder that has the published tables, and headers of stores by their names."""
    results = root / "results"
    study = load_study(read_config(root / "config.yaml"))
    empty = make_plan(study, results)
    stores = [(empty.stores.cell(block), block) for block in empty.blocks]
    make(empty, lambda cell, seed, rate: learns_at(30, 2))
    folder = study_folder(results, study.name)
    (folder / "tables").mkdir(parents=True)
    for name in PUBLICATIONS["config.yaml"].tables:
        shutil.copy(root / DATA / f"{name}.csv", folder / "tables")
    collected = pd.DataFrame(
        {
            "store": path,
            "called_model": block.cell.model,
            "called_task": block.cell.task,
            "specification": empty.stores.training_digest(block.cell),
            "n_replicates": len(block.replicates),
            **{"commit": "f00", "device": "cpu", "torch": "2.6", "python": "3.11"},
            "wall_time_s": 1.0,
        }
        for path, block in stores
    )
    write_table(folder / "tables/provenance.csv", "provenance", collected)
    (folder / "figures").mkdir()
    shutil.copy(root / FIGURE, folder / "figures/demand.png")
    seal_study(make_plan(study, results))
    return results


class TestPublishing:
    def test_a_finished_run_makes_what_is_committed(self, root, results, tables):
        committed = {
            name: (root / name).read_bytes()
            for name in (FIGURE, "README.md", *(f"{DATA}/{t}.csv" for t in tables))
        }
        shutil.rmtree(root / DATA)
        replace(root / "README.md", "| 0.82 [0.53, 1.11]", "| 0.83 [0.53, 1.11]")

        written = publish("config.yaml", results, root)

        assert set(written) == {*committed, f"{DATA}/provenance.json"}
        assert {name: (root / name).read_bytes() for name in committed} == committed
        provenance = json.loads((root / DATA / "provenance.json").read_text())
        assert provenance["commit"] == ["f00"]
        assert provenance["n_replicates"] == 1210
        assert list(find_problems(root)) == []

    def test_publishing_twice_gives_the_same_bytes(self, root, results):
        once = [(root / name).read_bytes() for name in publish("config.yaml", results, root)]
        twice = [(root / name).read_bytes() for name in publish("config.yaml", results, root)]
        assert once == twice

    def assert_refused(self, root, results, words):
        shutil.rmtree(root / DATA)
        with pytest.raises(ArtifactError, match=re.escape(words)):
            publish("config.yaml", results, root)
        assert not (root / DATA).exists()

    def test_a_run_that_lacks_an_evaluation_is_refused(self, root, results):
        next((results / "evaluations").rglob("*.zip")).unlink()
        self.assert_refused(root, results, "is not finished; run: make run CONFIG=config.yaml")

    def test_a_run_with_other_options_is_refused(self, root, results):
        replace(root / "config.yaml", "dots_per_inch: 300", "dots_per_inch: 301")
        words = "what write_config makes of config.yaml in"
        self.assert_refused(root, results, words)

    @pytest.mark.parametrize("name", ["tables/exponents.csv", "figures/demand.png"])
    def test_an_edited_file_is_refused(self, root, results, name):
        path = next(results.glob(f"studies/*/{name}"))
        path.write_bytes(path.read_bytes()[:-1])
        self.assert_refused(root, results, f"{name} was edited or damaged after it was made; run:")

    def test_a_folder_without_a_run_is_refused(self, root, results):
        shutil.rmtree(results / "studies")
        self.assert_refused(root, results, "not made yet; run: make run CONFIG=config.yaml")

    def test_a_missing_figure_is_refused(self, root, results):
        next(results.glob("studies/*/figures/demand.png")).unlink()
        self.assert_refused(root, results, "figures/demand.png is missing; run: make run")

    def test_a_configuration_that_publishes_nothing_is_refused(self, results):
        with pytest.raises(ConfigError, match=r"mine\.yaml publishes nothing; these do: config"):
            publish("mine.yaml", results, ROOT)


class TestBlocks:
    def test_contradicted_numbers_have_a_question_mark_in_their_stratum_only(self, tables):
        other = {"supervision": "outcome"}
        exponents = pd.concat([tables["exponents"], tables["exponents"].assign(**other)])
        checks = tables["checks"].copy()
        assert not (checks["verdict"] == "marked").any()  # what README says of the default study
        checks.loc[
            (checks["model"] == "transformer") & (checks["minus_model"] == ""), "verdict"
        ] = "marked"
        block = exponents_section({"exponents": exponents, "checks": checks})
        aligned, outcome, footnote = block.split("\n\n")
        assert aligned.startswith("| aligned, fixed lengths | alpha")
        assert outcome.startswith("| outcome, fixed lengths | alpha")
        assert (
            "| transformer | 0.82 [0.53, 1.11] ? \u2020 | 1.33 [0.84, 1.83] ? \u2020 |" in aligned
        )
        assert "?" not in outcome
        assert footnote.startswith("\u2020 Some of the curves")

    def test_an_exponent_without_an_estimate_says_so(self, tables):
        exponents = tables["exponents"].copy()
        exponents.loc[1, ["estimate", "lower", "upper"]] = float("nan")
        text = exponents_section(tables | {"exponents": exponents})
        assert "| transformer | not identified \u2020 | 1.33" in text

    def test_quotes_count_at_their_own_digits_across_lines(self):
        rows = {"widths": pd.DataFrame({"estimate": [6.72], "lower": [-4.0], "upper": [12.3]})}
        text = "6.7\n[-4.0,\u00a012] 6.72 [\u22124, 12.30] 6.72 [-4, 12.4] 7 [4, 12]"
        assert unsupported_quotes(text, rows) == ["6.72 [-4, 12.4]", "7 [4, 12]"]


def test_digests_of_studies_differ():
    studies = [load_study(read_config(ROOT / name)) for name in PUBLICATIONS]
    assert len(set(map(study_digest, studies))) == len(PUBLICATIONS)


def test_sections_that_are_unknown_or_lost_are_named():
    page = "<!-- generated: exponent -->\n<!-- end -->"
    with pytest.raises(DataError, match="section 'exponent' of the page is unknown; legal are map"):
        fill_sections(page, {"map": ""})
    with pytest.raises(DataError, match="has lost its section '<!-- generated: map -->'"):
        fill_sections("text", {"map": ""})
