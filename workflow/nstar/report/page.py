"""Pages made from the templates of the package."""

from functools import cache
from typing import Any

import jinja2


def render_page(template: str, **values: Any) -> str:
    """Return a template filled with values, which are escaped; a name without a value is an error."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> jinja2.Environment:
    """Return where templates are found and how they are read; they are compiled once."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("nstar", "report/templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
