"""Train cells: jobs for the curves (model, task, length) that are short of cells.

Reads results/data/..., makes results/cells/....
"""

for job in jobs_of("train_cells"):

    rule:
        name:
            job.rule
        input:
            made_in_this_run(job.inputs),
        output:
            kept(job.outputs),
        log:
            f"results/logs/train_cells/{job.rule}.log",
        benchmark:
            f"results/benchmarks/train_cells/{job.rule}.tsv"
        resources:
            runtime=minutes(job),
            mem_mb=job.requested_megabytes,
            gpu=N_GPUS,
        params:
            job=job_file(job),
            device=STUDY.device,
            checkpoint_seconds=STUDY.jobs.checkpoint_seconds,
        message:
            f"Train {len(job.outputs)} cells."
        # A signal ends this shell and tee only after the script, which saves its work first.
        shell:
            "trap : TERM; {PYTHON:q} {SCRIPTS:q}/train_cells.py --results results --device {params.device}"
            " --checkpoint-interval {params.checkpoint_seconds} --job {params.job:q}"
            " 2>&1 | (trap '' INT TERM; exec tee {log:q})"
