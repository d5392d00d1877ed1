"""The report of a study: sealed like every other file, and the one that results/report.html points to."""

import html
import os
from pathlib import Path

from nstar.cells.paths import study_folder
from nstar.errors import ArtifactError
from nstar.files import written_whole
from nstar.plan.missing import make_plan
from nstar.plan.steps import REPORT, report_digest, stale_steps, steps_of
from nstar.seals import check_read, note_written, sealing
from nstar.study import Study

POINTER = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="0; url={target}">
<title>{title}</title>
</head>
<body>
<p>The last report is that of the study <a href="{target}">{name}</a>: {title}</p>
</body>
</html>
"""


def seal_report(study: Study, results: Path, report: Path) -> Path:
    """Move a report into the folder of its study, and seal it.

    Parameters
    ----------
    study : Study
        As it is configured now.
    results : Path
    report : Path
        What ``snakemake --report`` has made, on the same file system as the results.

    Returns
    -------
    Path
        The folder of the study.

    Raises
    ------
    ArtifactError
        If the report is not of this study and of the sealed files that are there now.
    """
    folder = study_folder(results, study.name)
    again = "run the workflow again, which makes tables and report anew"
    for step, reason in stale_steps(make_plan(study, results)).items():
        raise ArtifactError(f"report {report} is not sealed: {step} is stale ({reason}); {again}")
    if not report.is_file():
        raise ArtifactError(f"report {report} is missing; make it with snakemake --report {report}")
    seal = report_digest(study, folder)
    if f"{study.name} {seal}" not in report.read_text(encoding="utf-8"):
        raise ArtifactError(
            f"report {report} was made before the configuration or a table of study {study.name} changed, "
            f"or is of another study; {again}"
        )
    with sealing(folder, REPORT, {"seal": seal}):
        for step in steps_of(study).values():
            for name in step.makes:
                if (folder / name).is_file():
                    check_read(folder / name, (folder / name).read_bytes())
        os.replace(report, folder / "report.html")
        note_written(folder / "report.html")
    with written_whole(results / "report.html") as temporary:
        target = f"studies/{study.name}/report.html"
        temporary.write_text(
            POINTER.format(target=target, name=study.name, title=html.escape(study.title)),
            encoding="utf-8",
        )
    return folder
