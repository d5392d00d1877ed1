"""Pages made from the templates of the package."""

from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from nstar.files import written_whole
from nstar.files.seals import note_written, stamp


def render_page(template: str, **values: Any) -> str:
    """Return a template filled with values, which are escaped; a name without a value is an error.

    Parameters
    ----------
    template : str
        A file of ``report/templates/``, or of a subject, such as "demand/findings.html".
    **values
        By the names in the template.
    """
    return _environment().get_template(template).render(**values)


def write_page(page: str, path: Path) -> None:
    """Write a page, whole or not at all; it says in its head what it was made from."""
    if stamp():
        page = page.replace("<head>", f'<head>\n<meta name="nstar-seal" content="{stamp()}">', 1)
    with written_whole(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    note_written(path)


@cache
def _environment() -> jinja2.Environment:
    """Return where templates are found and how they are read; they are compiled once."""
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader("nstar", folder) for folder in ("report/templates", "subjects")]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
