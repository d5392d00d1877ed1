"""What the text of a configuration says: YAML without its traps, every refusal with its line.

YAML 1.1 takes the last of two equal keys, reads ``no`` as false, ``010`` as 8 and ``12:30`` as 750.
What would be read as something else than it looks like is refused. One trap is undone: ``1e-3`` is a
number here, where YAML 1.1 reads text.
"""

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from nstar.errors import ConfigError, all_mistakes
from nstar.files import read_at_most
from nstar.reading.check import REQUIRED_KEYS
from nstar.reading.messages import show

LARGEST_FILE = 100_000
"""Bytes; PyYAML reads about as many in a second. The default study has 2,000."""

MOST_VALUES = 1_000_000
"""Values of a file after every alias is written out; checking them takes about two seconds."""

MOST_LEVELS = 30
"""Blocks and lists inside of each other; the deepest option of a study is at the seventh level."""

STUDIES = Path(__file__).parents[2] / "studies"
"""Where the studies lie that come with nstar."""

_TAG = "tag:yaml.org,2002:"
_UNMISTAKABLE = {
    "str": re.compile(r".*", re.DOTALL),
    "null": re.compile(r".*"),
    "bool": re.compile(r"(?i:true|false)"),
    "int": re.compile(r"[-+]?(0|[1-9][0-9_]{0,999})"),  # Python reads no more than 4300 digits
    "float": re.compile(r"[^:]+"),
}
"""How a value of each type is written where everybody reads it as YAML does."""

_REMEDIES = {
    "mapping values are not allowed": "a ': ' too many (text with a colon belongs in quotes), or the "
    "line is indented too far, or a line above has no ': '",
    "expected <block end>": "it is not indented as the other lines of its block; use the same spaces",
    "could not find expected ':'": "it is no 'key: value'; add the colon and a space",
    "expected ',' or": "a bracket is not closed, or a comma is missing",
    "node content": "a bracket is not closed, or a value is missing",
    "unexpected end of stream": "a quotation mark is not closed",
    "cannot start any token": "text that begins with a special character belongs in quotes",
    "undefined alias": "the alias *name needs an anchor &name above it",
    "for merging": "'<<' takes a block, or an alias of one",
    "expected '<document start>'": "the document ends above this line; all keys of the top level "
    "begin in the column of the first one, and '...' ends a document; remove it",
    "single document": "'---' begins a second document; a configuration is one document, remove it",
}
"""What to do, by words in an error of PyYAML."""


def read_config(path: Path | str) -> dict[str, Any]:
    """Return the configuration in a file as plain values; `load_study` checks what they mean.

    Parameters
    ----------
    path : path
        A YAML file in UTF-8 of at most `LARGEST_FILE` bytes.

    Raises
    ------
    ConfigError
        With file, line, dotted key and what to do: a file that is missing, empty or too large, text
        that is not YAML, keys written twice, values that YAML reads as something else than they look.
    """
    text = _read_text(Path(path))
    subject = f"configuration {path}"
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None or not node.value:
            raise ConfigError(f"{subject} is empty; it needs {', '.join(REQUIRED_KEYS)}")
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError(
                f"{subject} is no block of 'key: value' lines; begin with 'name: ...'"
            )
        mistakes = [
            f"line {line}: {words}" for line, words in (*outgrown(node), *loader.traps(node))
        ]
        if mistakes:
            raise all_mistakes(subject, mistakes)
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        raise all_mistakes(subject, [_syntax(text, error)]) from None
    except RecursionError:
        raise all_mistakes(
            subject, ["blocks or brackets are nested too deeply; no option lies so deep"]
        ) from None


def read_override(value: Any) -> Any:
    """Return a value of ``--config key=value`` as it would be in a file.

    Snakemake hands entries of brackets and braces over as text.

    Examples
    --------
    >>> read_override({"shortest_minutes": "10", "note": "ten"})
    {'shortest_minutes': 10, 'note': 'ten'}
    """
    if isinstance(value, dict):
        return {key: read_override(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [read_override(entry) for entry in value]
    if not isinstance(value, str):
        return value
    loader = _Loader("")
    tag = loader.resolve(yaml.ScalarNode, value, (True, False))
    return loader.construct_object(yaml.ScalarNode(tag, value))


def outgrown(document: yaml.Node) -> list[tuple[int, str]]:
    """Return line and words of what aliases, merge keys or brackets make too large, before it is made.

    An alias costs a few bytes and stands for a whole block, which may hold aliases itself: nine lines of
    nine aliases each stand for 400 million values.
    """
    extents: dict[
        int, tuple[int, int] | None
    ] = {}  # values and levels of a node; None: inside of it

    def extent(node: yaml.Node) -> tuple[int, int]:
        if id(node) not in extents:
            extents[id(node)] = None
            inner = [extent(child) for child in _children(node)]
            n_values = 1 + sum(n for n, _ in inner)
            n_levels = 1 + max((levels for _, levels in inner), default=0)
            if n_values > MOST_VALUES:
                raise _OutgrownError(
                    node,
                    f"aliases and '<<' make {n_values} values of what is written; at most {MOST_VALUES}, "
                    "because each of them is checked; write less, or divide the study",
                )
            if n_levels > MOST_LEVELS:
                raise _OutgrownError(
                    node,
                    f"blocks or brackets are nested more than {MOST_LEVELS} deep; no option lies so deep",
                )
            extents[id(node)] = n_values, n_levels
        found = extents[id(node)]
        if found is None:
            raise _OutgrownError(
                node, "an alias of this block stands inside of it; remove the alias"
            )
        return found

    try:
        extent(document)
    except _OutgrownError as error:
        node, words = error.args
        return [(_line(node), words)]
    return []


class _OutgrownError(Exception):
    """Ends the search for nodes that are too large at the first of them."""


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        return node.value
    return [part for pair in node.value for part in pair] if isinstance(node.value, list) else []


class _Loader(yaml.SafeLoader):
    """YAML 1.1 that knows what in a document is misread; in it also ``1e-3`` is a number."""

    def traps(self, node: yaml.Node) -> Iterator[tuple[int, str]]:
        """Yield line and words of everything that is not read as it looks."""
        yield from self._inside(node, (), set())

    def _inside(self, node: yaml.Node, key: tuple, seen: set[int]) -> Iterator[tuple[int, str]]:
        if id(node) in seen:  # an alias
            return
        seen.add(id(node))
        if words := self._misread(node):
            yield _line(node), f"{_dotted(key)}: {words}"
        elif isinstance(node, yaml.SequenceNode):
            for i, entry in enumerate(node.value):
                yield from self._inside(entry, (*key, i), seen)
        elif isinstance(node, yaml.MappingNode):
            first: dict[str, yaml.Node] = {}
            for name, value in node.value:
                if not isinstance(name, yaml.ScalarNode):
                    yield _line(name), f"{_dotted(key)}: a bracket stands where a key is expected"
                    continue
                inner = (*key, name.value)
                if name.tag != f"{_TAG}merge" and (words := self._misread(name)):
                    yield _line(name), f"{_dotted(inner)}: the key {words}"
                elif first.setdefault(name.value, name) is not name:
                    line = _line(first[name.value])
                    words = f"the key is written twice, first in line {line}; keep one of them"
                    yield _line(name), f"{_dotted(inner)}: {words}"
                yield from self._inside(value, inner, seen)

    def _misread(self, node: yaml.Node) -> str | None:
        """Return what is wrong with reading a node by its tag, or None."""
        kind = node.tag.removeprefix(_TAG)
        if not isinstance(node, yaml.ScalarNode):
            return (
                None if kind in ("map", "seq") else f"the tag !!{kind} has no use here; remove it"
            )
        plain = node.style is None
        if kind != "str" and node.tag != self.resolve(type(node), node.value, (plain, not plain)):
            return f"the tag !!{kind} has no use here; remove it"
        if kind not in _UNMISTAKABLE:
            kind = {"timestamp": "a date"}.get(kind, "a sign of YAML")
            return f"{node.value} would be read as {kind}; put it in quotes"
        if _UNMISTAKABLE[kind].fullmatch(node.value):
            return None
        if kind == "int" and len(node.value) > 1000:
            return f"a number of {len(node.value)} digits; no number here has more than 1000"
        remedy = "write true or false" if kind == "bool" else "write it in plain decimal digits"
        value = show(self.construct_object(node))
        return f"{node.value} would be read as {value}; {remedy}, or put it in quotes if it is text"


_Loader.add_implicit_resolver(
    f"{_TAG}float",
    re.compile(r"[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9]+)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)


def _read_text(path: Path) -> str:
    try:
        content = read_at_most(path, LARGEST_FILE)
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"configuration {path} does not exist{_alternatives(path)}") from None
    except OSError as error:
        raise ConfigError(f"configuration {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = f"line {line}: it is not text in UTF-8; save the file in this encoding"
        raise all_mistakes(f"configuration {path}", [problem]) from None
    except ValueError:
        raise ConfigError(
            f"configuration {path} has more than {LARGEST_FILE} bytes; no more are read, because they "
            "take seconds; a range {smallest, largest, factor} replaces a list of budgets"
        ) from None


def _alternatives(path: Path) -> str:
    """Return the name that is nearest to a missing file, or all there are."""
    files = {
        file.stem: str(file) for folder in (STUDIES, path.parent) for file in folder.glob("*.yaml")
    }
    if near := difflib.get_close_matches(path.stem, files, n=1):
        return f" (did you mean {files[near[0]]}?)"
    return f"; there are {', '.join(files.values())}" if files else "; write one, or name another"


def _syntax(text: str, error: yaml.YAMLError) -> str:
    """Return one line about text that is not YAML: where, the text itself, what to do."""
    lines = text.splitlines()
    if isinstance(error, yaml.reader.ReaderError):
        number = text.count("\n", 0, error.position)
        return f"line {number + 1}: the sign {chr(error.character)!r} is not allowed; remove it"
    mark, message = error.problem_mark, f"{error.context} {error.problem}"
    if any(words in message for words in ("flow", "quoted", "simple key")):  # noticed far below
        mark = error.context_mark or mark
    number = min(mark.line, len(lines) - 1)
    found = lines[number]
    if "\t" in found[: len(found) - len(found.lstrip())]:
        remedy = "it is indented with a tab; use spaces"
    else:
        remedies = (remedy for words, remedy in _REMEDIES.items() if words in message)
        remedy = next(remedies, error.problem)
    return f"line {number + 1}: {show(found.strip())}: {remedy}"


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _dotted(key: tuple) -> str:
    return ".".join(map(str, key)) or "the configuration"
