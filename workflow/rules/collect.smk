"""Collect the stores into tables.

Reads results/cells/... and results/evaluations/..., makes results/tables/ but for what is fitted,
and results/config.json.
"""

COLLECTED = {
    "store": directory("results/tables/study.zarr"),
    **{name: report_table(name, "../report") for name in EVERY_STUDY},
    **{
        name: report_table(name, captions_of(subject))
        for subject in STUDY.subject.lineage
        for name in subject.collected
    },
}
COLLECTED |= {
    f"{name}_parquet": f"results/{table_file(name)}" for name in COLLECTED if name != "store"
}


rule collect_results:
    input:
        CELL_STORES,
        EVALUATION_STORES,
    output:
        **COLLECTED,
    log:
        "results/logs/collect_results.log",
    benchmark:
        "results/benchmarks/collect_results.tsv"
    params:
        job=job_file(STEP_JOBS["collect_results"]),
    message:
        "Collect the cells into tables."
    shell:
        "{PYTHON:q} {SCRIPTS:q}/collect_results.py --results results --job {params.job:q}"
        " > {log:q} 2>&1"


rule write_config:
    output:
        "results/config.json",
    log:
        "results/logs/write_config.log",
    benchmark:
        "results/benchmarks/write_config.tsv"
    params:
        job=job_file(STEP_JOBS["write_config"]),
    message:
        "Write the configuration with all defaults."
    shell:
        "{PYTHON:q} {SCRIPTS:q}/write_config.py --results results --job {params.job:q} > {log:q} 2>&1"
