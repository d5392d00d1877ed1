"""Every benchmark can be imported, and says what it measures when asked."""

import runpy
import sys
from pathlib import Path

import pytest

FILES = sorted(Path(__file__).parents[1].glob("benchmarks/*.py"))
COMMANDS = [path for path in FILES if "argparse" in path.read_text()]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_benchmark_can_be_imported(path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])  # which some of them make longer
    runpy.run_path(str(path), run_name="imported")


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_a_command_shows_its_help(path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "argv", [path.name, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(path), run_name="__main__")
    assert ended.value.code == 0 and "usage" in capsys.readouterr().out
