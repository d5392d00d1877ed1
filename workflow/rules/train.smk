"""Train cells: jobs for the curves (model, task, length) that are short of cells.

Reads results/data/..., makes results/cells/....
"""

for batch in jobs_of("train_cells"):

    rule:
        name:
            batch.rule
        input:
            batch.inputs,
        output:
            batch.outputs,
        log:
            f"results/logs/train_cells/{batch.rule}.log",
        benchmark:
            f"results/benchmarks/train_cells/{batch.rule}.tsv"
        resources:
            runtime=minutes(batch),
            mem_mb=batch.requested_megabytes,
            gpu=N_GPUS,
        params:
            job=job_file(batch),
            device=STUDY.device,
            checkpoint_seconds=STUDY.jobs.checkpoint_seconds,
        message:
            f"Train {len(batch.outputs)} cells."
        # A signal ends this shell and tee only after the script, which saves its work first.
        shell:
            "trap : TERM; {PYTHON:q} {SCRIPTS:q}/train_cells.py --results results --device {params.device}"
            " --checkpoint-interval {params.checkpoint_seconds} --job {params.job:q}"
            " 2>&1 | (trap '' INT TERM; exec tee {log:q})"
