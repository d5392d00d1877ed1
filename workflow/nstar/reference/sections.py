"""Generated sections of pages that are written by hand otherwise."""

import re
from collections.abc import Mapping

from nstar.errors import DataError

_SECTION = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill_sections(text: str, contents: Mapping[str, str]) -> str:
    r"""Return a page with new content in each of its generated sections.

    Parameters
    ----------
    text : str
        The page. A section lies between ``<!-- generated: NAME -->`` and ``<!-- end -->``.
    contents : mapping of str to str
        Content by the name of the section; ends in a newline.

    Raises
    ------
    DataError
        If the page lacks a section, or has one that no content is for.

    Examples
    --------
    >>> fill_sections("a\n<!-- generated: map -->\nold\n<!-- end -->\nb", {"map": "new\n"})
    'a\n<!-- generated: map -->\nnew\n<!-- end -->\nb'
    """
    names = [section[2] for section in _SECTION.finditer(text)]
    if unknown := [name for name in names if name not in contents]:
        raise DataError(
            f"section {unknown[0]!r} of the page is unknown; legal are {', '.join(contents)}"
        )
    if lost := [name for name in contents if name not in names]:
        raise DataError(
            f"the page has lost its section '<!-- generated: {lost[0]} -->' ... '<!-- end -->'; write "
            "both lines again"
        )
    return _SECTION.sub(lambda section: section[1] + contents[section[2]] + section[3], text)
