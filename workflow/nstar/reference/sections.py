"""Generated sections of pages that are written by hand otherwise."""

from nstar.errors import NstarError


def replace_section(text: str, name: str, content: str) -> str:
    r"""Return a page with the content of one section replaced.

    Parameters
    ----------
    text : str
        A page with the lines ``<!-- generated: NAME -->`` and ``<!-- end of NAME -->``.
    name : str
    content : str
        What is to stand between these lines.

    Raises
    ------
    NstarError
        If the page does not have both lines, each once and in this order.

    Examples
    --------
    >>> replace_section("a\n<!-- generated: map -->\nold\n<!-- end of map -->\nb", "map", "new")
    'a\n<!-- generated: map -->\nnew\n<!-- end of map -->\nb'
    """
    start, end = f"<!-- generated: {name} -->\n", f"\n<!-- end of {name} -->"
    before, found, rest = text.partition(start)
    _, found_end, after = rest.partition(end)
    if not (found and found_end) or start in after or end in after:
        raise NstarError(
            f"section {name}: the page needs the lines {start.strip()} and {end.strip()}, each once and "
            "in this order; add them"
        )
    return f"{before}{start}{content}{end}{after}"
