"""Collect the stores into tables.

Reads results/cells/... and results/evaluations/..., makes results/tables/ but for the fits.
"""

TABLES = [
    "results/tables/cells.csv",
    "results/tables/cells.parquet",
    "results/tables/thresholds.csv",
    "results/tables/provenance.csv",
    "results/tables/study.zarr",
    "results/tables/lengths.csv",
]


rule collect_results:
    input:
        CELL_STORES,
        EVALUATION_STORES,
    output:
        cells=report(
            TABLES[0],
            category="Tables",
            caption="../report/cells_table.rst",
            labels={"table": "cells"},
        ),
        parquet=TABLES[1],
        thresholds=report(
            TABLES[2],
            category="Tables",
            caption="../report/thresholds_table.rst",
            labels={"table": "thresholds"},
        ),
        provenance=report(
            TABLES[3],
            category="Tables",
            caption="../report/provenance_table.rst",
            labels={"table": "provenance"},
        ),
        store=directory(TABLES[4]),
        lengths=report(
            TABLES[5],
            category="Tables",
            caption="../report/lengths_table.rst",
            labels={"table": "lengths"},
        ),
    log:
        "results/logs/collect_results.log",
    benchmark:
        "results/benchmarks/collect_results.tsv"
    params:
        job=part_of_study(
            "tables",
            study=STUDY.model_dump(mode="json", exclude={"fit", "figures", "jobs", "device"}),
        ),
    message:
        "Collect the cells into tables."
    shell:
        "{PYTHON:q} {SCRIPTS:q}/collect_results.py --results results --job {params.job:q}"
        " > {log:q} 2>&1"
