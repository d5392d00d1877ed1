"""Own answers: a model that keeps what it has read against one that reads all again for every token.

``python benchmarks/reading.py`` lets networks of each kind write chains of thought in both ways, one
after the other in one process, and compares their answers. It prints the processor time of both beside
that of a single pass over the whole chains, and the ratios. Only these mean anything; the time of reading
all again grows with the square of the length, or faster.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch

from nstar.measures.accuracy import decode
from nstar.models import StackedModel, build_model

TRANSFORMER = {"kind": "transformer", "width": 32, "depth": 2, "heads": 4}
MODELS: dict[str, dict[str, Any]] = {
    "transformer": TRANSFORMER,
    "transformer, sinusoidal": TRANSFORMER | {"positions": "sinusoidal"},
    "transformer, sparse": TRANSFORMER
    | {"attention": {"kind": "sparse", "block_size": 16, "window": 1, "global_tokens": 1}},
    "transformer, linear": TRANSFORMER | {"attention": {"kind": "linear", "feature_map": "elu"}},
    "encoder_decoder": TRANSFORMER | {"kind": "encoder_decoder"},
    "lstm": {"kind": "lstm", "width": 64},
    "gru": {"kind": "gru", "width": 64},
    "elman": {"kind": "elman", "width": 64},
    "dense_ssm": {"kind": "dense_ssm", "width": 32},
    "factored_ssm": {"kind": "factored_ssm", "width": 32, "rank": 64},
    "diagonal_ssm": {"kind": "diagonal_ssm", "width": 32, "positive": False},
    "deltanet": {
        **{"kind": "deltanet", "width": 32, "depth": 2, "heads": 2},
        "negative_eigenvalues": True,
    },
}


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Return the processor time of a run, and what it returned."""
    started = time.process_time()
    found = run()
    return time.process_time() - started, found


def compare(name: str, length: int, n_sequences: int) -> str:
    """Return a row of the table: one network that writes chains of a length."""
    model = build_model(MODELS[name], n_symbols=3, n_classes=2, n_positions=2 * length)
    views = model.views(4 * model.initialise([0]))
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(2, (1, n_sequences, 2 * length), generator=generator)
    tokens[..., length] = 2
    labels = tokens[..., length:] % 2
    rows = torch.tensor([0])

    def written(read: Callable[..., torch.Tensor]) -> Callable[[], Any]:
        model.read = read
        return lambda: decode(model, views, tokens, labels, rows, n_sequences)

    with torch.no_grad():
        one_pass, _ = timed(lambda: model.forward(views, tokens, length))
    kept, answers = timed(written(model.read))
    again, wanted = timed(written(StackedModel.read.__get__(model)))
    if not torch.equal(answers.position_accuracy, wanted.position_accuracy):
        raise SystemExit(f"{name} answers otherwise at length {length} when it reads all again")
    return (
        f"| {name} | {length} | {one_pass:.3f} | {kept:.2f} | {again:.1f} "
        f"| {kept / one_pass:.1f} | {again / kept:.0f} |"
    )


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--lengths", type=int, nargs="+", default=[50, 200])
    parser.add_argument("--sequences", type=int, default=32)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print("| model | length | one pass s | kept s | again s | kept/pass | again/kept |")
    print("|---|---|---|---|---|---|---|")
    for name in options.models:
        for length in options.lengths:
            compare(name, 8, 2)  # starts what is loaded late
            print(compare(name, length, options.sequences), flush=True)


if __name__ == "__main__":
    main()
