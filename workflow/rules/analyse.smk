"""Analyse the tables: a rule for each step of the study's subject and its base, of the same name.

Reads results/tables/, makes tables, results/figures/ and pages, as results/findings.html. The report itself
is made from these by `snakemake --report` once a run is over.
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


def report_page(name, captions):
    """Return the path of a page, as an output that the report shows."""
    return report(
        f"results/{name}.html",
        category="Findings",
        caption=f"{captions}/{name}.rst",
        labels={"page": name},
    )


STEPS = STUDY.subject.steps_of(STUDY)

for subject, step in STEPS:
    figures = figures_of(step)
    captions = captions_of(subject)

    rule:
        name:
            step.name
        input:
            **{name: f"results/{table_file(name)}" for name in STUDY.subject.reads_of(step, STUDY)},
        output:
            [report_table(name, captions) for name in step.makes],
            [f"results/{table_file(name)}" for name in step.makes],
            [f"results/{name}" for name in step.files],
            [report_figure(stem, captions, *key) for key, stem in figures.items()],
            [f"{stem}.png" for stem in figures.values()],
            [report_page(step.page, captions)] if step.page else [],
        log:
            f"results/logs/{step.name}.log",
        benchmark:
            f"results/benchmarks/{step.name}.tsv"
        localrule: True
        params:
            job=job_file(STEP_JOBS[step.name]),
            step=f"{subject.name}.{step.name}",
        message:
            step.message
        shell:
            "{PYTHON:q} {SCRIPTS:q}/analyse_study.py {params.step} --results results"
            " --job {params.job:q} > {log:q} 2>&1"


ENDS = [end for _, step in STEPS for end in workflow.get_rule(step.name).output]
