"""Count what a GPU has to do for a step of training and for a chunk of an evaluation, per kind of model.

A small launch spends its time on starting kernels, so that their number says how fast it can be. It is
counted on a pretended GPU, on a CPU build of torch: all dispatched operations but views, the kernels that
CUDA launches for them according to ``workflow/nstar/training/kernels.csv``, and how often the host waits,
copies or makes generators. The table in ``workflow/nstar/training/operations.csv`` is package data.

Run: ``python benchmarks/operations.py`` prints the table; ``--write`` writes it. It needs a C++ compiler.
"""

import argparse
import csv
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "workflow/nstar/training/operations.csv"
KERNELS = ROOT / "workflow/nstar/training/kernels.csv"

TORCH = "2.13"
"""The version that the table was counted with; another one may dispatch other operations."""

N_REPLICATES, BATCH, N_SEQUENCES, N_SYMBOLS, N_CLASSES = 3, 8, 32, 5, 4
LENGTHS = (8, 16)
"""Two, so that the table says what a position adds."""


@dataclass(frozen=True)
class Row:
    """What one stage of one variant takes.

    Attributes
    ----------
    variant, kind : str
    length : int
        T, tokens of a sequence.
    stage : {"step", "evaluation"}
        A step of training, with its update; or the scoring of up to 512 sequences per replicate.
    operations : int
        Dispatched, without views and empty tensors.
    kernels : int
        Estimated.
    synchronisations, host_copies, host_generators : int
        Where the host waits for the device; copies to it; generators that are made for it.
    """

    variant: str
    kind: str
    length: int
    stage: str
    operations: int
    kernels: int
    synchronisations: int
    host_copies: int
    host_generators: int


def read_rows() -> list[dict[str, str]]:
    """Return the rows of the table as it was last written."""
    return _read(TABLE)


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def kernel_costs() -> dict[str, int]:
    """Return the kernels of each operation that launches not just one."""
    return {row["operation"]: int(row["kernels"]) for row in _read(KERNELS)}


def count_variant(name: str, options: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the rows of a variant; needs a pretended GPU."""
    costs = kernel_costs()
    for length in LENGTHS:
        for stage, (operations, host) in _count(options, length).items():
            kernels = sum(costs.get(key, 1) * n for key, n in operations.items())
            totals = {"operations": operations.total(), "kernels": kernels, **host}
            yield Row(name, options["kind"], length, stage, **totals)


def _count(options: Mapping[str, Any], length: int) -> dict[str, tuple[Counter, Counter]]:
    """Return the operations of each stage, and what the host does meanwhile; see `Counts.of_host`."""
    import torch
    from support.pretended_cuda.ledger import COUNTS

    from nstar.measures.accuracy import tally
    from nstar.models import build_model
    from nstar.training.optimiser import AdamState
    from nstar.training.sampler import EpochSampler
    from nstar.training.schedule import Schedule
    from nstar.training.step import Replicate, Rules, train_steps
    from nstar.verdicts import Rule

    def counted(act: Callable[[], object]) -> tuple[Counter, Counter]:
        COUNTS.clear()
        act()
        return COUNTS.operations.copy(), Counter(COUNTS.of_host)

    def steps(n: int) -> Callable[[], object]:
        return lambda: train_steps(model, data, members, rules, parameters, adam, 0, n)

    model = build_model(options, n_symbols=N_SYMBOLS, n_classes=N_CLASSES, n_positions=length)
    data = _data(options, length)
    sampler = EpochSampler(N_SEQUENCES, BATCH, {"seed": 0})
    members = [Replicate(i, 1e-3, i, sampler) for i in range(N_REPLICATES)]
    parameters = model.initialise(range(N_REPLICATES)).to("cuda")
    adam = AdamState.of(parameters)
    rules = Rules(
        batch_size=BATCH,
        evaluate_every=50,
        rule=Rule("loss", 1e-30, "loss", 1e-30, 100),
        optimiser={"weight_decay": 0.01, "gradient_clip": 1.0},
        schedule=Schedule(100, "cosine", 10),
    )
    rows = torch.arange(N_REPLICATES, device="cuda")
    steps(1)()  # what is kept for later, such as masks, is made once
    two, three = counted(steps(2)), counted(steps(3))
    validation = data.validation.tokens, data.validation.labels
    scored = counted(lambda: tally(model, model.views(parameters), *validation, rows))
    for more, less in zip(three, two, strict=True):
        more.subtract(less)
    return {"step": three, "evaluation": scored}


def _data(options: Mapping[str, Any], length: int) -> Any:
    """Return sets of random sequences on the pretended GPU, as the variant reads them."""
    from support.packs import equal_sets
    from support.tokens import labels_for, tokens_for

    tokens = tokens_for(options, N_REPLICATES, N_SEQUENCES, length, N_SYMBOLS)
    labels = labels_for(options, tokens, N_CLASSES)
    return equal_sets(tokens.to("cuda"), labels.to("cuda"))


def counted_variants() -> dict[str, Mapping[str, Any]]:
    """Return the options of all that is counted, by name: every variant of the tests, and dropout."""
    from support.variants import VARIANTS

    return {**VARIANTS, "transformer_dropout": VARIANTS["transformer"] | {"dropout": 0.1}}


def main() -> None:
    """Count all variants; print or write the table."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--write", action="store_true", help=f"write {TABLE.relative_to(ROOT)}")
    options = flags.parse_args()
    sys.path.insert(0, str(ROOT / "tests"))
    from support import pretended_cuda

    with tempfile.TemporaryDirectory() as cache:
        pretended_cuda.install(Path(cache))
    variants = counted_variants()
    rows = [row for name, options in variants.items() for row in count_variant(name, options)]
    with TABLE.open("w", newline="") if options.write else sys.stdout as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, rows))


if __name__ == "__main__":
    main()
