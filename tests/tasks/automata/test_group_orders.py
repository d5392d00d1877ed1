"""Running products in both orders, against products written from the definition of each group."""

import itertools

import numpy as np
import pytest
from support.scripts import run_script

from nstar.errors import DataError
from nstar.tasks import build_task
from nstar.tasks.automata.word_problem import agreements, read_word_problems


def permutations(degree):
    return list(itertools.permutations(range(degree)))


def n_cycles(permutation):
    left, count = set(range(len(permutation))), 0
    while left:
        start = element = left.pop()
        count += 1
        while (element := permutation[element]) != start:
            left.remove(element)
    return count


def even(degree):
    """Permutations that are products of an even number of swaps: degree less cycles is even."""
    return [p for p in permutations(degree) if (degree - n_cycles(p)) % 2 == 0]


def compose(a, b):
    """Return i -> a(b(i))."""
    return tuple(a[b[i]] for i in range(len(b)))


GROUPS = {
    "S_3": (permutations(3), compose),
    "A_5": (even(5), compose),
    "S_5": (permutations(5), compose),
    "Z_60": (list(range(60)), lambda a, b: (a + b) % 60),
    "A_4 x Z_5": (
        list(itertools.product(even(4), range(5))),
        lambda a, b: (compose(a[0], b[0]), (a[1] + b[1]) % 5),
    ),
}
"""Elements in lexicographic order, and the product of two, the second being applied first."""

N_SEQUENCES, LENGTH = 1000, 10


def labels_by_definition(name, symbols, order):
    elements, product = GROUPS[name]
    number = {element: i for i, element in enumerate(elements)}
    labels = []
    for sequence in symbols:
        state, row = elements[0], []
        for symbol in sequence:
            x = elements[symbol]
            state = product(x, state) if order == "first_applied_first" else product(state, x)
            row.append(number[state])
        labels.append(row)
    return np.array(labels)


def drawn(n_symbols):
    return np.random.default_rng(1).integers(0, n_symbols, (N_SEQUENCES, LENGTH))


def group(name, **options):
    return build_task({"kind": "group_product", "group": name, **options})


@pytest.mark.parametrize("order", ["first_applied_first", "last_applied_first"])
@pytest.mark.parametrize("name", GROUPS)
def test_labels_are_products_by_definition(name, order):
    task, symbols = group(name, order=order), drawn(len(GROUPS[name][0]))
    expected = labels_by_definition(name, symbols, order)
    np.testing.assert_array_equal(task.labels(symbols), expected)
    if order == "first_applied_first":
        np.testing.assert_array_equal(group(name).labels(symbols), expected)


@pytest.mark.parametrize("order", ["first_applied_first", "last_applied_first"])
def test_permutations_and_swaps_have_the_same_orders(order):
    options = {"degree": 5, "order": order}
    task = build_task({"kind": "permutation_composition", **options})
    symbols = drawn(120)
    np.testing.assert_array_equal(task.labels(symbols), labels_by_definition("S_5", symbols, order))
    swaps = build_task({"kind": "swap_composition", "identity": True, **options})
    moved = [[(i, x) for i, x in enumerate(p) if i != x] for p in permutations(5)]
    of_pairs = {tuple(i for i, _ in m): k for k, m in enumerate(moved) if len(m) == 2}
    numbers = np.array([*(of_pairs[pair] for pair in itertools.combinations(range(5), 2)), 0])
    assert swaps.n_symbols == 11 == len(numbers)
    symbols = drawn(11)
    np.testing.assert_array_equal(
        swaps.labels(symbols), labels_by_definition("S_5", numbers[symbols], order)
    )


def test_the_orders_are_each_other_by_inverses():
    symbols = drawn(60)
    elements, product = GROUPS["A_5"]
    inverse = np.array(
        [next(j for j, b in enumerate(elements) if product(a, b) == elements[0]) for a in elements]
    )
    first, last = (group("A_5", order=f"{name}_applied_first") for name in ("first", "last"))
    np.testing.assert_array_equal(first.labels(inverse[symbols]), inverse[last.labels(symbols)])


def test_with_the_identity_a_state_may_stay():
    task = build_task({"kind": "swap_composition", "degree": 3, "identity": True})
    assert task.labels(np.array([[3, 0, 3, 0]])).tolist() == [[0, 2, 2, 0]]
    assert task.chance(50, 50) == pytest.approx(1 / 6), "every state is possible far out"


def test_defaults_are_left_out_of_specifications():
    options = {"kind": "swap_composition", "degree": 3}
    assert build_task(options).model_dump(mode="json") == options
    other = {"order": "last_applied_first", "identity": True}
    assert build_task(options | other).model_dump(mode="json") == options | other


# Files


def written(path, name, order, symbols):
    """Write word problems as the generator of word-problem does."""
    labels = labels_by_definition(name, symbols, order)
    lines = [
        f"7,{' '.join(map(str, row))},{' '.join(map(str, states))}"
        for row, states in zip(symbols.tolist(), labels.tolist(), strict=True)
    ]
    path.write_text("\n".join(["seed,input,target", *lines, ""]))
    return path


def check(path, name):
    return run_script("check_word_problems.py", path, name)


def test_a_file_says_its_order(tmp_path):
    path = written(
        tmp_path / "S3=6.csv", "S_3", "last_applied_first", np.array([[5, 1, 1, 1, 3, 5]])
    )
    assert path.read_text().splitlines()[1] == "7,5 1 1 1 3 5,5 4 5 4 0 5", "as word-problem has it"
    symbols = drawn(60)
    path = written(tmp_path / "A5=10.csv", "A_5", "last_applied_first", symbols)
    problems = read_word_problems(path)
    np.testing.assert_array_equal(problems.symbols, symbols)
    found = agreements("A_5", problems)
    assert found["last_applied_first"].labels == found["last_applied_first"].sequences == 1
    assert 0.1 < found["first_applied_first"].labels < 0.3
    finished = check(path, "A_5")
    assert finished.returncode == 0, finished.stderr
    task = "{kind: group_product, group: A_5, order: last_applied_first}"
    assert finished.stdout.splitlines()[-1] == f"the file has the labels of {task}"
    assert "1000 sequences of up to 10 symbols" in finished.stdout


def test_sequences_of_several_lengths_and_commuting_elements(tmp_path):
    path = tmp_path / "Z4.csv"
    path.write_text("input,target\n3 2,3 1\n1,1\n2 2 2,2 0 2\n")
    assert read_word_problems(path).lengths.tolist() == [2, 1, 3]
    finished = check(path, "Z_4")
    assert finished.stdout.count("the file has the labels") == 2, "the order makes no difference"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("length,input\n2,1 1\n", "the columns are length, input; input and target are needed"),
        ("seed,input,target\n", "no rows"),
        ("seed,input,target\n0,1 2,1\n", "line 2: 2 symbols and 1 targets"),
        ("seed,input,target\n0,1 2,1 b\n", "line 2: target holds 'b'"),
        ("seed,input,target\n0,,\n", "line 2: input holds nothing"),
    ],
)
def test_another_file_is_refused(tmp_path, text, message):
    path = tmp_path / "S3=2.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_word_problems(path)
    finished = check(path, "S_3")
    assert finished.returncode == 1 and finished.stderr.startswith(f"error: {path}")


def test_another_group_is_refused(tmp_path):
    path = written(tmp_path / "S5=10.csv", "S_5", "last_applied_first", drawn(120))
    finished = check(path, "S_3")
    assert finished.returncode == 1
    assert "and S_3 has the elements 0 to 5" in finished.stderr
    finished = check(path, "D_60")
    assert finished.returncode == 1 and "no order has all labels" in finished.stderr
    assert "did you mean S_5?" in check(path, "S5").stderr
