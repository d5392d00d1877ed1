"""Compare shares of a length for validation, confirmation and test set.

Simulated runs say how often a run counts as learnt whose accuracy on unseen sequences is below the
threshold, with and without a confirmation set. A table in Markdown is printed, in about a minute:

    python benchmarks/shares.py

True accuracy on unseen sequences rises along a logistic curve to a plateau, with a correlated wobble: of
35 % of the runs the plateau lies above .97, of 40 % between .6 and .95, of the others lower. There are 30
evaluations. The sequences of a set keep 70 % of their difficulty from one evaluation to the next. The
threshold is .9, and no set has more than 500 sequences.
"""

import numpy as np

N_EVALUATIONS, THRESHOLD, LARGEST_SET = 30, 0.9, 500
SPACES = (243, 1024, 4096)
SHARES = (
    *((0.2, 0, 0), (0.1, 0.1, 0.1), (0.15, 0.05, 0.1), (0.05, 0.15, 0.1)),
    *((0.15, 0.1, 0.05), (0.05, 0.05, 0.05), (0.2, 0.1, 0.1), (0.15, 0.15, 0.1)),
)


def true_accuracies(generator: np.random.Generator, n_runs: int) -> np.ndarray:
    """Return accuracies on unseen sequences, of shape (n_runs, N_EVALUATIONS)."""
    kind = generator.random(n_runs)
    plateau = np.where(
        kind < 0.35,
        generator.uniform(0.97, 1, n_runs),
        np.where(
            kind < 0.75, generator.uniform(0.6, 0.95, n_runs), generator.uniform(0, 0.6, n_runs)
        ),
    )
    middle, width = generator.uniform(3, 22, n_runs), generator.uniform(1, 4, n_runs)
    evaluations = np.arange(N_EVALUATIONS)
    rise = plateau[:, None] / (1 + np.exp((middle[:, None] - evaluations) / width[:, None]))
    steps, wobble = (
        generator.normal(0, 1, (n_runs, N_EVALUATIONS)),
        np.zeros((n_runs, N_EVALUATIONS)),
    )
    for i in range(1, N_EVALUATIONS):
        wobble[:, i] = 0.7 * wobble[:, i - 1] + steps[:, i]
    rise = np.clip(rise, 1e-4, 1 - 1e-4)
    return 1 / (1 + np.exp(-(np.log(rise / (1 - rise)) + 0.35 * wobble)))


def shares_right(generator: np.random.Generator, accuracy: np.ndarray, size: int) -> np.ndarray:
    """Return the share of one set of sequences that is right, of each run at each evaluation."""
    n_runs = len(accuracy)
    lasting = generator.random((n_runs, 1, size))
    passing = generator.random((n_runs, N_EVALUATIONS, size))
    changes = generator.random((n_runs, N_EVALUATIONS, size)) < 0.3
    return (np.where(changes, passing, lasting) < accuracy[:, :, None]).mean(axis=2)


def first(passed: np.ndarray) -> np.ndarray:
    """Return the first evaluation that passed, -1 where none did."""
    return np.where(passed.any(axis=1), passed.argmax(axis=1), -1)


def main() -> None:
    """Print the table."""
    generator = np.random.default_rng(1)
    print("| sequences | validation / confirmation / test | rule | false | far | missed | delay |")
    print("|---|---|---|---|---|---|---|")
    for space in SPACES:
        n_runs = 3000 if space <= 1024 else 600
        truth = true_accuracies(generator, n_runs)
        able = np.lib.stride_tricks.sliding_window_view(truth >= 0.92, 3, axis=1).all(2).any(1)
        for shares in SHARES:
            sizes = [min(LARGEST_SET, round(share * space)) for share in shares]
            looked, confirmed = (
                shares_right(generator, truth, size) >= THRESHOLD if size else None
                for size in sizes[:2]
            )
            rules = {"validation": looked}
            if confirmed is not None:
                rules["confirmed"] = looked & confirmed
            for rule, passed in rules.items():
                learnt_at = first(passed)
                learnt, knew_at = learnt_at >= 0, first(truth >= THRESHOLD)
                there = truth[np.arange(n_runs), learnt_at][learnt]
                delay = (learnt_at - knew_at)[learnt & (knew_at >= 0)].mean()
                cells = (
                    *(f"{np.mean(there < bound):.3f}" for bound in (THRESHOLD, THRESHOLD - 0.05)),
                    f"{np.mean(~learnt[able]):.3f}",
                    f"{delay:+.1f}",
                )
                names = " / ".join(f"{share:g}" for share in shares)
                print(f"| {space} | {names} | {rule} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
