"""Write the generated pages of the documentation and the JSON schema, or check that they are fresh."""

import argparse
import sys
from pathlib import Path

from nstar.jobs.command_line import run
from nstar.reference.pages import pages


def main(arguments=None):
    """Write every page; with --check, write nothing and exit with 1 where one is stale."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--check", action="store_true", help="write nothing; exit 1 if one is stale")
    check = flags.parse_args(arguments).check
    root = Path(__file__).resolve().parent.parent
    texts = pages(root)
    stale = [name for name, text in texts.items() if not _is_fresh(root / name, text)]
    if check and stale:
        print(f"stale: {', '.join(stale)}; run: make reference", file=sys.stderr)
        sys.exit(1)
    for name in stale:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(texts[name])
        print(f"wrote {name}")


def _is_fresh(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text() == text


if __name__ == "__main__":
    run(main)
