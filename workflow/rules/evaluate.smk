"""Evaluate cells: jobs for the models and tasks that are short of evaluations.

Reads results/cells/... and results/data/..., makes results/evaluations/....
"""

for job in jobs_of("evaluate_cells"):

    rule:
        name:
            job.rule
        input:
            made_in_this_run(job.inputs),
        output:
            kept(job.outputs),
        log:
            f"results/logs/evaluate_cells/{job.rule}.log",
        benchmark:
            f"results/benchmarks/evaluate_cells/{job.rule}.tsv"
        resources:
            runtime=minutes(job),
            mem_mb=job.requested_megabytes,
            gpu=N_GPUS,
        params:
            job=job_file(job),
            device=STUDY.device,
        message:
            f"Evaluate {len(job.outputs)} cells."
        shell:
            "{PYTHON:q} {SCRIPTS:q}/evaluate_cells.py --results results --device {params.device}"
            " --job {params.job:q} > {log:q} 2>&1"
