"""The report of a study: sealed like every other file, and the one that results/report.html points to."""

import html
import os
from pathlib import Path

from nstar.cells.paths import STUDIES, study_folder
from nstar.errors import ArtifactError
from nstar.files import written_whole
from nstar.files.faults import machine_fault
from nstar.files.seals import note_read, note_written, sealing
from nstar.plan.derived import REPORT, derived_steps, report_digest
from nstar.plan.missing import make_plan
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
    folder, steps = study_folder(results, study.name), derived_steps(make_plan(study, results))
    again = "run the workflow again, which makes tables and report anew"
    for step in steps.values():
        if step.stale:
            raise ArtifactError(
                f"report {report} is not that of study {study.name}: {step.name} has to be run "
                f"({step.stale}); {again}"
            )
    if not report.is_file():
        raise ArtifactError(f"report {report} is missing; make it: snakemake --report {report}")
    seal = report_digest(steps)
    if f"{study.name} {seal}" not in report.read_text(encoding="utf-8", errors="replace"):
        raise ArtifactError(
            f"report {report} is of another study than {study.name}, or was made before its "
            f"configuration or a table changed; {again}"
        )
    with sealing(folder, f"{REPORT}-{seal}"):
        for step in steps.values():
            note_read(Path(step.seal))
        try:
            os.replace(report, folder / "report.html")
        except OSError as error:
            raise machine_fault(error, folder / "report.html", "written") from None
        note_written(folder / "report.html")
    with written_whole(results / "report.html") as temporary:
        temporary.write_text(pointer_to(study.name, study.title), encoding="utf-8")
    return folder


def pointer_to(name: str, title: str) -> str:
    """Return the page ``report.html`` of the results folder, which leads to the report of a study."""
    target = f"{STUDIES}/{name}/report.html"
    return POINTER.format(target=target, name=name, title=html.escape(title))
