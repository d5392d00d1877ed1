"""Random changes of configurations: each is refused in plain words, or is a study that can be planned."""

import copy
import random
import resource
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml
from support.refusals import JARGON
from support.studies import EXTREMES, QUESTIONS, TINY

from nstar.cells import cells_of
from nstar.errors import ConfigError
from nstar.plan.forecast import forecast
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.reading.file import read_config

ROOT = Path(__file__).parents[2]
BASES = [
    *(yaml.safe_dump(study, sort_keys=False) for study in (TINY, EXTREMES, QUESTIONS)),
    *(path.read_text() for path in sorted((ROOT / "workflow/studies").glob("*.yaml"))),
    (ROOT / "config.yaml").read_text(),
]

VALUES = [
    *(None, True, False, 0, 1, 2, 3, -1, 7, 10**6, 10**9, 2**31, 2**63, 10**40, -(10**400)),
    *(0.0, -0.0, 0.5, 8.0, 1e-9, 5e-324, -5e-324, 1e-300, 1e308, float("inf"), float("nan")),
    *("", " ", "nan", "null", "1e5", "true", "~", "0x10", "fresh", "2x", "lstm", "parity", "S_99"),
    *("\ud800", "a\u202eb", "a\u2028b", "\x85", "\x00", "\ufeff", "e\u0301", "x" * 5000),
    *([], [[]], [[1]], [8, 8.0], [8, 8], [True, 8], [None], [{}], [{"a": [1]}], [1e400, 2]),
    *([8] * 1001, list(range(1, 1001)), [list(range(9))] * 9, {}, {"a": 1}, {1: 2}, {None: [8]}),
    *({"kind": "lstm", "width": [8, 16]}, {"smallest": 1, "largest": 10**9}, ["fresh"]),
    [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],
]
SIGNS = [*"\t\x00\x0b\x85\u2028\ufeff'\"{}[]:,&*!|>%@`#-? \n", "<<: ", "&a ", "*a", "!!set "]
MOST_SECONDS, MOST_MIB, MOST_CELLS = 5, 500, 500
"""Of a change: processor time; memory of all changes; cells of a legal study that is planned."""


def nodes_of(node, above=()):
    """Yield the path of everything in a study."""
    entries = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in list(entries):
        yield (*above, key)
        if isinstance(value, dict | list):
            yield from nodes_of(value, (*above, key))


def change_value(text, draw):
    """Put another value, another key, or a copy of another part in the place of some node."""
    study = yaml.safe_load(text)
    paths = list(nodes_of(study))
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        *above, last = draw.choice(paths)
        node = study
        try:
            for key in above:
                node = node[key]
            match draw.randrange(4):
                case 0 | 1:
                    node[last] = copy.deepcopy(draw.choice(VALUES))
                case 2:
                    node[last] = copy.deepcopy(study[draw.choice(list(study))])
                case 3 if isinstance(node, dict):
                    node[draw.choice([*"abc", "nan", "\ud800", "a\u202e", 3, None])] = node.pop(
                        last
                    )
        except (KeyError, IndexError, TypeError):  # another change has replaced the node
            continue
    return yaml.safe_dump(study, sort_keys=False)


def change_text(text, draw):
    """Take, double, exchange or indent lines, and strew signs of YAML."""
    lines = text.split("\n")
    for _ in range(draw.randrange(1, 4)):
        i, j = draw.randrange(len(lines)), draw.randrange(len(lines))
        match draw.randrange(5):
            case 0:
                lines[i] = ""
            case 1:
                lines.insert(i, lines[j])
            case 2:
                lines[i], lines[j] = lines[j], lines[i]
            case 3:
                lines[i] = draw.choice([" ", "  ", "\t"]) + lines[i]
            case 4:
                place = draw.randrange(len(lines[i]) + 1)
                lines[i] = lines[i][:place] + draw.choice(SIGNS) + lines[i][place:]
    return "\n".join(lines)


def change_bytes(text, draw):
    """Put some bytes in the place of others."""
    content = bytearray(text.encode())
    for _ in range(draw.randrange(1, 6)):
        content[draw.randrange(len(content))] = draw.randrange(256)
    return bytes(content)


def grow(text, draw):
    """Add aliases of aliases, by lists or by merge keys, up to a random height."""
    wide, high, merged = draw.randrange(1, 12), draw.randrange(1, 25), draw.random() < 0.5
    lines = ["b0: &b0 {ha: 1}" if merged else "b0: &b0 [1]"]
    for level in range(1, high):
        aliases = ", ".join([f"*b{level - 1}"] * wide)
        lines.append(
            f"b{level}: &b{level} " + (f"{{<<: [{aliases}]}}" if merged else f"[{aliases}]")
        )
    return text + "\n" + "\n".join(lines) + "\n"


CHANGES = (change_value, change_value, change_value, change_text, change_text, change_bytes, grow)


def outcome_of(path, results):
    """Return the class that a configuration falls into; raise what is no refusal."""
    try:
        study = load_study(read_config(path))
    except ConfigError as error:
        assert not JARGON.search(str(error).replace(str(path), "")), str(error)
        return "refused"
    if len(cells_of(study)) <= MOST_CELLS:
        plan = make_plan(study, results)
        forecast(plan, plan_jobs(plan))
    return "legal"


@pytest.mark.parametrize("n", [210, pytest.param(2000, marks=pytest.mark.long)])
def test_random_changes_are_refused_or_legal(n, tmp_path):
    """No traceback, no hang, no more than a bound of memory; the seed is the number of the change."""
    counts, faults = Counter(), []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(n):
        draw = random.Random(seed)
        change = CHANGES[seed % len(CHANGES)]
        changed = change(draw.choice(BASES), draw)
        path = tmp_path / "config.yaml"
        path.write_bytes(
            changed if isinstance(changed, bytes) else changed.encode(errors="replace")
        )
        start = time.process_time()
        try:
            counts[change.__name__, outcome_of(path, tmp_path)] += 1
        except Exception as error:
            faults.append(f"change {seed} ({change.__name__}): {error!r:.300}")
        if (seconds := time.process_time() - start) > MOST_SECONDS:
            faults.append(f"change {seed} ({change.__name__}) took {seconds:.1f} s")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(dict(counts))
    assert not faults, "\n".join(faults)
    assert grown < MOST_MIB
    assert {"refused", "legal"} == {outcome for _, outcome in counts}
