"""Analyse the tables: a rule for each step of the study's subject and its base, of the same name.

Reads tables/ in the folder of the study, makes tables, figures/ and pages there, as findings.html. The report
itself is made from these by `snakemake --report` once a run is over.
"""

for subject, step in STUDY.subject.steps_of(STUDY):
    derived, captions = STEPS[step.name], captions_of(subject)

    rule:
        name:
            step.name
        input:
            inputs_of(derived),
        output:
            [report_table(name, captions) for name in step.makes],
            [report_figure(stem, captions, *key) for key, stem in derived.figures.items()],
            report_page(step.page, "Findings", captions) if step.page else [],
            seal=update(derived.seal),
        log:
            f"{FOLDER}/logs/{step.name}.log",
        benchmark:
            f"{FOLDER}/benchmarks/{step.name}.tsv"
        localrule: True
        params:
            job=job_file(derived.job),
            unless=unless_sealed(derived),
            step=f"{subject.name}.{step.name}",
            folder=FOLDER,
        message:
            step_message(derived, step.message)
        shell:
            "{PYTHON:q} {SCRIPTS:q}/analyse_study.py {params.step} --results {params.folder:q}"
            " --job {params.job:q} --seal {output.seal:q} {params.unless} > {log:q} 2>&1"
