"""nstar: how much data does a sequence model need before it has learnt a task?

    generate_data -> train_cells -> evaluate_cells -> collect_results -> the steps of the study's subject
    write_methods, from the configuration alone

The steps of a study of demand are fit_exponents, compare_curves, draw_figures, write_findings.

A study is what config.yaml says, or the file of --configfile. Every cell (model, task, length, budget)
is one store, named by its coordinates and by the digest of all that its trajectories depend on; what is
added to it later, longer runs or weights that were not kept, is one more part:

    results/data/task~T/length~n/seed~s/split~S/shard~k/<digest>.zarr.zip
    results/cells/model~M/task~T/length~n/budget~N/seeds~S/learning_rates~R/<digest>[-part].zarr.zip
    results/evaluations/... as cells
    results/studies/<name>/tables, figures, findings.html, methods.html, report.html, seals

Only parts that are missing have a rule. What exists is not even an input: no time stamp decides anything.
What is made of the stores has a seal, which says what it was made from; what does not fit is made again.
"""


include: "workflow/rules/common.smk"
include: "workflow/rules/generate.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/collect.smk"
include: "workflow/rules/methods.smk"
include: "workflow/rules/analyse.smk"


report: "workflow/report/study.rst"


# What takes seconds to minutes and no GPU runs beside snakemake itself.
localrules:
    all,
    write_config,
    collect_results,


rule all:
    default_target: True
    input:
        # One store of each job: a job makes all of its own.
        [job.outputs[0] for job in jobs_of("train_cells")],
        # A search decides from the cells of a round which ones are next; tables are made at its end.
        []
        if SEARCHING
        else [
            *(job.outputs[0] for job in jobs_of("evaluate_cells")),
            *(step.seal for step in STEPS.values()),
        ],
    message:
        "All stores, tables and figures are there."


onstart:
    save_jobs()
    limit_retries()


onsuccess:
    took = compare_with_truth(PLAN, PLANNED)
    if took:
        print(took, file=sys.stderr)
    if SEARCHING:
        print(next_round(make_plan(STUDY, "results")), file=sys.stderr)


# Snakemake copies its global names for every text that it formats; those of rules nobody reads.
for job in JOBS:
    globals().pop(f"__{job.rule}", None)
