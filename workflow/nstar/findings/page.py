"""Pages made from the templates of the package."""

from typing import Any

import jinja2


def render_page(template: str, **values: Any) -> str:
    """Return a template filled with values, which are escaped; a name without a value is an error."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("nstar"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)
