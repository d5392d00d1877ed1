"""Analyse the tables: a rule for each step of the study's subject, of the same name.

Reads results/tables/, makes tables, results/figures/ and results/findings.html. The report itself is made
from these by `snakemake --report` once a run is over.
"""


def figures_of(step):
    """Return the path without ending of each figure of a step, by its name and what is asked for."""
    return {
        **{
            (name, stratum_name(*stratum)): f"results/figures/{name}{stratum_suffix(*stratum)}"
            for stratum in strata_of(STUDY)
            for name in step.figures(STUDY)
        },
        **{(name, "everything"): f"results/figures/{name}" for name in step.figures_of_all(STUDY)},
    }


def findings_page():
    """Return the path of the page of findings, as an output that the report shows."""
    return report(
        "results/findings.html",
        category="Findings",
        caption=f"{CAPTIONS}/findings.rst",
        labels={"page": "findings"},
    )


for step in STUDY.subject.steps:
    figures = figures_of(step)

    rule:
        name:
            step.name
        input:
            **{name: f"results/{table_file(name)}" for name in step.reads},
        output:
            [report_table(name) for name in step.makes],
            [f"results/{name}" for name in step.files],
            [report_figure(stem, *key) for key, stem in figures.items()],
            [f"{stem}.png" for stem in figures.values()],
            [findings_page()] if step.page else [],
        log:
            f"results/logs/{step.name}.log",
        benchmark:
            f"results/benchmarks/{step.name}.tsv"
        localrule: True
        params:
            job=part_of_study(STUDY.subject.recipes[step.recipe], **step.job(STUDY)),
            step=f"{STUDY.subject.name}.{step.name}",
        message:
            step.message
        shell:
            "{PYTHON:q} {SCRIPTS:q}/analyse_study.py {params.step} --results results"
            " --job {params.job:q} > {log:q} 2>&1"


ENDS = [end for step in STUDY.subject.steps for end in workflow.get_rule(step.name).output]
