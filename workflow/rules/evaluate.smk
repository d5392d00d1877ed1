"""Evaluate cells: jobs for the models and tasks that are short of evaluations.

Reads results/cells/... and results/data/..., makes results/evaluations/....
"""

for batch in jobs_of("evaluate_cells"):

    rule:
        name:
            batch.rule
        input:
            batch.inputs,
        output:
            batch.outputs,
        log:
            f"results/logs/evaluate_cells/{batch.rule}.log",
        benchmark:
            f"results/benchmarks/evaluate_cells/{batch.rule}.tsv"
        resources:
            runtime=minutes(batch),
            mem_mb=batch.requested_megabytes,
            gpu=N_GPUS,
        params:
            job=job_file(batch),
            device=STUDY.device,
        message:
            f"Evaluate {len(batch.outputs)} cells."
        shell:
            "{PYTHON:q} {SCRIPTS:q}/evaluate_cells.py --results results --device {params.device}"
            " --job {params.job:q} > {log:q} 2>&1"
