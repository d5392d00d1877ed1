"""Find the width that answering questions needs, and how it grows; figures, findings.

Reads results/tables/answers.csv; makes the tables of widths and of their exponents, results/figures/ and
results/findings.html.
"""

MEASURED = STUDY.evaluation.answers
WIDTH_FIGURES = ["width_accuracy", "widths", "operations"]
if len({task.locality for task in STUDY.tasks.values() if getattr(task, "locality", None)}) > 1:
    WIDTH_FIGURES.append("locality")
WIDTH_STEMS = {
    (name, stratum_name(*stratum)): f"results/figures/{name}{stratum_suffix(*stratum)}"
    for stratum in strata_of(STUDY)
    for name in WIDTH_FIGURES
}


def attention_of(model):
    """Return the kind of attention of a model, or nothing."""
    if model.kind != "transformer":
        return ""
    return model.attention.kind if model.attention else "softmax"


rule fit_widths:
    input:
        answers="results/tables/answers.csv",
    output:
        widths=report_table("widths"),
        width_exponents=report_table("width_exponents"),
    log:
        "results/logs/fit_widths.log",
    benchmark:
        "results/benchmarks/fit_widths.tsv"
    params:
        job=part_of_study(
            "widths",
            thresholds=MEASURED.thresholds,
            confidence=STUDY.fit.confidence,
            tasks={name: task.kind for name, task in STUDY.tasks.items()},
            families={
                family_along("width", name, STUDY.models): attention_of(model)
                for name, model in STUDY.models.items()
            },
        ),
    message:
        "Find the widths that are needed, and fit how they grow."
    shell:
        "{PYTHON:q} {SCRIPTS:q}/fit_widths.py --results results --job {params.job:q} > {log:q} 2>&1"


rule draw_width_figures:
    input:
        answers="results/tables/answers.csv",
        widths="results/tables/widths.csv",
        width_exponents="results/tables/width_exponents.csv",
    output:
        [report_figure(stem, *key) for key, stem in WIDTH_STEMS.items()],
        [f"{stem}.png" for stem in WIDTH_STEMS.values()],
    log:
        "results/logs/draw_width_figures.log",
    benchmark:
        "results/benchmarks/draw_width_figures.tsv"
    params:
        job=part_of_study(
            "figures",
            figures=STUDY.figures.model_dump(mode="json"),
            names=WIDTH_FIGURES,
            measure=MEASURED.measure,
            threshold=MEASURED.main_threshold,
        ),
    message:
        "Draw the figures."
    shell:
        "{PYTHON:q} {SCRIPTS:q}/draw_width_figures.py --results results --job {params.job:q}"
        " > {log:q} 2>&1"


rule write_width_findings:
    input:
        answers="results/tables/answers.csv",
        widths="results/tables/widths.csv",
        width_exponents="results/tables/width_exponents.csv",
    output:
        report(
            "results/findings.html",
            category="Findings",
            caption="../report/width_findings.rst",
            labels={"page": "findings"},
        ),
    log:
        "results/logs/write_width_findings.log",
    benchmark:
        "results/benchmarks/write_width_findings.tsv"
    params:
        job=part_of_study(
            "findings",
            title=STUDY.title,
            measure=MEASURED.measure,
            threshold=MEASURED.main_threshold,
        ),
    message:
        "Write what the numbers say."
    shell:
        "{PYTHON:q} {SCRIPTS:q}/write_width_findings.py --results results --job {params.job:q}"
        " > {log:q} 2>&1"


ENDS = [
    *rules.fit_widths.output,
    *rules.draw_width_figures.output,
    *rules.write_width_findings.output,
]


localrules:
    fit_widths,
    draw_width_figures,
    write_width_findings,
