"""Fit the scaling exponents, and compare curves.

Reads the tables of cells, thresholds and learning curves; makes those of exponents, their robustness and
their checks, of the forms of the law, of the demand of every curve and of the exponents of learning curves,
and the fit cards. From these and the cells it makes the tables of sharing factors, ratios, fewer steps,
extrapolation and composition.
"""


rule fit_exponents:
    input:
        cells="results/tables/cells.parquet",
        thresholds="results/tables/thresholds.csv",
        learning_curves="results/tables/learning_curves.csv",
    output:
        exponents=report_table("exponents"),
        robustness=report_table("robustness"),
        checks=report_table("checks"),
        forms=report_table("forms"),
        demand=report_table("demand"),
        learning_exponents=report_table("learning_exponents"),
        cards="results/tables/fits.json",
    log:
        "results/logs/fit_exponents.log",
    benchmark:
        "results/benchmarks/fit_exponents.tsv"
    params:
        job=part_of_study(
            "fit",
            models=list(STUDY.models),
            success=STUDY.training.success.model_dump(mode="json"),
            fit=STUDY.fit.model_dump(mode="json"),
        ),
    message:
        "Fit the exponents of the data demand."
    shell:
        "{PYTHON:q} {SCRIPTS:q}/fit_exponents.py --results results --job {params.job:q} > {log:q} 2>&1"


rule compare_curves:
    input:
        cells="results/tables/cells.parquet",
        thresholds="results/tables/thresholds.csv",
        demand="results/tables/demand.csv",
    output:
        sharing=report_table("sharing"),
        ratios=report_table("ratios"),
        steps=report_table("steps"),
        extrapolation=report_table("extrapolation"),
        composition=report_table("composition"),
    log:
        "results/logs/compare_curves.log",
    benchmark:
        "results/benchmarks/compare_curves.tsv"
    params:
        job=part_of_study(
            "comparison",
            models=list(STUDY.models),
            shortest_length=STUDY.data.shortest_length,
            training={
                "max_steps": STUDY.training.max_steps,
                "evaluate_every": STUDY.training.evaluate_every,
                "decay": STUDY.training.schedule.decay,
                "at": STUDY.training.success.at,
            },
        ),
    message:
        "Compare the curves."
    shell:
        "{PYTHON:q} {SCRIPTS:q}/compare_curves.py --results results --job {params.job:q}"
        " > {log:q} 2>&1"
