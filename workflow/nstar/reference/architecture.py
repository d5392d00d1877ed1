"""The map of the package: one row per room, and a picture of the arrows between rooms.

A room is a package of `nstar`, or one of `nstar.subjects`; the declarations of all subjects
are one room. The loose modules are not rooms: they hold what every room may use, and import none.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import nstar

ROOT = Path(nstar.__file__).parent

Arrows = dict[str, set[str]]

DECLARATIONS = {"columns", "options", "subject"}
"""The modules by which a subject declares itself."""


def room_of(module: str) -> str | None:
    """Return the room that a module lies in, or None for a loose one.

    Examples
    --------
    >>> room_of("nstar.plan.costs"), room_of("nstar.subjects.demand.checks"), room_of("nstar.seeds")
    ('plan', 'subjects.demand', None)
    >>> room_of("nstar.subjects.demand.subject"), room_of("nstar.subjects.registry")
    ('subjects', 'subjects')
    """
    _, *parts = module.split(".")
    if not parts or not (ROOT / parts[0]).is_dir():
        return None
    if parts[0] != "subjects" or len(parts) < 2 or not (ROOT / "subjects" / parts[1]).is_dir():
        return parts[0]
    return parts[0] if parts[-1] in DECLARATIONS else ".".join(parts[:2])


def imported_modules(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, at its top or within functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def modules() -> dict[str, Path]:
    """Return the files of the package by the name of their module."""
    files = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        files[".".join(parts).removesuffix(".__init__")] = path
    return files


def arrows() -> Arrows:
    """Return, for every room, the other rooms that it imports."""
    found: Arrows = {}
    for module, path in modules().items():
        room = room_of(module)
        if room is None:
            continue
        imported = {
            room_of(name) for name in imported_modules(path) if name.partition(".")[0] == "nstar"
        }
        found.setdefault(room, set()).update(imported - {None, room})
    return found


def without_shortcuts(graph: Arrows) -> Arrows:
    """Return a graph without the arrows that a longer way implies.

    Examples
    --------
    >>> without_shortcuts({"jobs": {"plan", "study"}, "plan": {"study"}, "study": set()})
    {'jobs': {'plan'}, 'plan': {'study'}, 'study': set()}
    """

    def reached(room: str) -> set[str]:
        return graph[room].union(*map(reached, graph[room]))

    return {
        room: {other for other in near if not any(other in reached(way) for way in near)}
        for room, near in graph.items()
    }


def architecture_map() -> str:
    """Return the map in Markdown: the table of rooms, and the arrows as a Mermaid diagram."""
    graph = arrows()
    lines = ["| room | its question | imports |", "|---|---|---|"]
    for room in sorted(graph, key=lambda room: (-_height(room, graph), room)):
        question = ast.get_docstring(ast.parse(_init(room).read_text())).splitlines()[0]
        imported = ", ".join(f"`{other}`" for other in sorted(graph[room])) or "no other room"
        lines.append(f"| `{room}/` | {question} | {imported} |".replace("subjects.", "subjects/"))
    lines += ["", "```mermaid", "flowchart TD"]
    drawn = without_shortcuts(graph)
    lines += [
        f"    {_node(room)} --> {_node(other)}"
        for room in sorted(drawn)
        for other in sorted(drawn[room])
    ]
    return "\n".join([*lines, "```", ""])


def _height(room: str, graph: Arrows) -> int:
    """Return the length of the longest way down from a room."""
    return max((1 + _height(other, graph) for other in graph[room]), default=0)


def _init(room: str) -> Path:
    return ROOT / room.replace(".", "/") / "__init__.py"


def _node(room: str) -> str:
    return f"{room.replace('.', '_')}[{room.replace('.', '/')}]"
