"""A new subject is a folder of its own and an entry in one registry; the workflow then runs its steps."""

import pandas as pd
import yaml
from support.copied_package import CopiedPackage
from support.studies import tiny

SUBJECT = '''"""Norms of trained weights, and their means."""

from pydantic import Field

from nstar.columns import MODEL, SEED, Column, Table, Variable
from nstar.options import PositiveFloat
from nstar.subjects.subject import Measures, Step, Subject


class NormMeasures(Measures):
    """What is measured of trained weights."""

    order: PositiveFloat = Field(2.0, description="order of the norm; no unit")


NORM = Column("float64", "1", "norm of all weights")

NORMS = Subject(
    name="norms",
    introduction=lambda study: "This study measures the norms of trained weights.",
    mistakes="nstar.subjects.norms.analysis:mistakes",
    option="norms",
    options=NormMeasures,
    option_meaning="what is measured of weights",
    measure="nstar.subjects.norms.analysis:measure",
    variables={"weight_norm": Variable(("replicate",), "norm of all weights")},
    tables={
        "norms": Table("one row per replicate.", {"model": MODEL, "seed": SEED, "norm": NORM}),
        "mean_norms": Table("one row per model.", {"model": MODEL, "norm": NORM}),
    },
    recipes={"norms": 1, "figures": 1, "findings": 1},
    collected=("norms",),
    block_rows="nstar.subjects.norms.analysis:rows",
    steps=(
        Step(
            name="average_norms",
            message="Average the norms.",
            run="nstar.subjects.norms.analysis:average",
            recipe="norms",
            job=lambda study: {"models": list(study.models)},
            reads=("norms",),
            makes=("mean_norms",),
        ),
        Step(
            name="draw_figures",
            message="Draw the figures.",
            run="nstar.subjects.norms.analysis:draw",
            recipe="figures",
            job=lambda study: {"figures": study.figures.model_dump(mode="json")},
            reads=("norms",),
            figures_of_all=lambda study: ("norms",),
        ),
        Step(
            name="write_findings",
            message="Write what the numbers say.",
            run="nstar.subjects.norms.analysis:write",
            recipe="findings",
            job=lambda study: {"title": study.title},
            reads=("mean_norms",),
            page="findings",
        ),
    ),
)
'''

ANALYSIS = '''"""From trained weights to the page of findings."""

import xarray as xr
from matplotlib.figure import Figure

from nstar.report.page import render_page, write_page
from nstar.report.style import save
from nstar.tables import read_tables, write_table


def mistakes(parts):
    if parts["search"] != "all":
        yield "search: norms are measured everywhere; use all"


def measure(options, trained, tasks, model, specification, device, training_set):
    weights = trained["parameters"]
    norms = (abs(weights) ** options["order"]).sum("parameter") ** (1 / options["order"])
    return xr.Dataset({"weight_norm": norms.astype("float64")})


def rows(study, cells, trained, evaluated):
    norms = evaluated["weight_norm"].values[cells.index]
    return {"norms": cells[["model", "seed"]].assign(norm=norms)}


def average(job, results):
    (norms,) = read_tables(results, "norms")
    means = norms.groupby("model", sort=False)["norm"].mean().loc[job["models"]].reset_index()
    write_table(results / "tables/mean_norms.csv", "mean_norms", means)


def draw(job, results):
    (norms,) = read_tables(results, "norms")
    figure = Figure()
    figure.subplots().plot(norms["norm"])
    save(figure, results / "figures/norms", 50)


def write(job, results):
    (means,) = read_tables(results, "mean_norms")
    page = render_page("norms/findings.html", title=job["title"], means=means.itertuples())
    write_page(page, results / "findings.html")
'''

PAGE = """{% extends "page.html" %}
{% block content %}
{% for row in means %}<p>{{ row.model }}: {{ "%.3f" | format(row.norm) }}</p>
{% endfor %}
{% endblock %}
"""

METHODS = """{% extends "methods.html" %}
{% block question %}<p>How large are trained weights?</p>{% endblock %}
"""

FILES = {
    "__init__.py": '"""How large are trained weights?"""\n',
    "subject.py": SUBJECT,
    "analysis.py": ANALYSIS,
    "findings.html": PAGE,
    "methods.html": METHODS,
    "captions/norms.rst": "Norms of all replicates.\n",
    "captions/norms_table.rst": "Norms of all replicates.\n",
    "captions/mean_norms_table.rst": "Mean norms of models.\n",
    "captions/findings.rst": "Mean norms of models.\n",
}


def test_a_new_subject_touches_its_folder_and_the_registry(tmp_path):
    package = CopiedPackage(tmp_path)
    for name, text in FILES.items():
        package.add_file(f"subjects/norms/{name}", text)
    registry = "subjects/registry.py"
    package.add_line(
        registry, "from nstar.subjects.subject", "from nstar.subjects.norms.subject import NORMS"
    )
    package.add_line(registry, "    ANSWERS,", "    NORMS,")
    own = {f"subjects/norms/{name}" for name in FILES}
    assert package.changed.keys() - own == {registry}
    assert package.changed[registry] == 2  # an import and an entry

    run = tmp_path / "run"
    run.mkdir()
    study = tiny(
        **{
            "training.max_steps": 20,
            "evaluation.norms": {"order": 1.0},
            "jobs.shortest_minutes": 1.0,
        }
    )
    (run / "config.yaml").write_text(yaml.safe_dump(study))
    package.snakemake(run)
    norms = pd.read_csv(run / "results/studies/tiny/tables/norms.csv")
    assert len(norms) == 2 * 2 * 2 * 4 and (norms["norm"] > 0).all()
    means = pd.read_csv(run / "results/studies/tiny/tables/mean_norms.csv").set_index("model")[
        "norm"
    ]
    assert means["lstm"] == norms.loc[norms["model"] == "lstm", "norm"].mean()
    page = (run / "results/studies/tiny/findings.html").read_text()
    assert f"<p>lstm: {means['lstm']:.3f}</p>" in page
    folder = run / "results/studies/tiny"
    assert "<p>How large are trained weights?</p>" in (folder / "methods.html").read_text()
    assert (folder / "figures/norms.svg").exists()
    assert not (folder / "tables/thresholds.csv").exists()
    assert "Nothing to be done" in package.snakemake(run, "--dry-run")
    package.snakemake(run, "--report", "report.html")

    (run / "config.yaml").write_text(yaml.safe_dump(study | {"search": "bracket"}))
    refused = package.start("scripts/plan_study.py", cwd=run)
    assert refused.returncode == 1
    assert "search: norms are measured everywhere; use all" in refused.stderr
