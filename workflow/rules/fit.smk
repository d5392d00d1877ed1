"""Fit the scaling exponents.

Reads results/tables/thresholds.csv, makes the tables of exponents and of their sensitivity,
and the fit cards.
"""

FITS = [
    "results/tables/exponents.csv",
    "results/tables/sensitivity.csv",
    "results/tables/fits.json",
]


rule fit_exponents:
    input:
        thresholds="results/tables/thresholds.csv",
    output:
        exponents=report(
            FITS[0],
            category="Tables",
            caption="../report/exponents_table.rst",
            labels={"table": "exponents"},
        ),
        sensitivity=FITS[1],
        cards=FITS[2],
    log:
        "results/logs/fit_exponents.log",
    benchmark:
        "results/benchmarks/fit_exponents.tsv"
    params:
        job=part_of_study("fit", models=list(STUDY.models), fit=STUDY.fit.model_dump(mode="json")),
    message:
        "Fit the exponents of the data demand."
    shell:
        "{PYTHON:q} {SCRIPTS:q}/fit_exponents.py --results results --job {params.job:q} > {log:q} 2>&1"
