"""What a model reads and is asked for: the state at the end, all states afterwards, or each at once.

Symbols ``x_1 .. x_n`` lead to states ``s_1 .. s_n``. With S for the separator:

================  =========================================  ==========================
supervision       tokens                                     labels
================  =========================================  ==========================
outcome           ``x_1 .. x_n``                             ``s_n``, at the last token
chain_of_thought  ``x_1 .. x_n S s_1 .. s_{n-1}``            ``s_1 .. s_n``, from S on
aligned           ``x_1 .. x_n``                             ``s_1 .. s_n``
================  =========================================  ==========================

Of a task with questions, whose texts are ``question S steps S answer END``:

================  =========================================  ==========================
outcome           ``question S answer``                      ``answer END``, from S on
chain_of_thought  ``question S steps S answer``              all that follows, from the first S on
================  =========================================  ==========================
"""

from typing import Literal, get_args

import numpy as np

from nstar.tasks.base import Task
from nstar.tasks.questions.question import END, QuestionTask

Supervision = Literal["outcome", "chain_of_thought", "aligned"]
SUPERVISIONS: tuple[Supervision, ...] = get_args(Supervision)

NO_LABEL = -100
"""Label of a token at which nothing is asked for; PyTorch's cross-entropy passes it over."""


def n_tokens(supervision: Supervision, task: Task, length: int) -> int:
    """Return how many tokens a sequence of `length` symbols becomes; of a question, at most."""
    if isinstance(task, QuestionTask):
        if supervision == "chain_of_thought":
            return task.most_tokens(length)
        return task.longest_question(length) + 1 + task.longest_answer(length)
    return 2 * length if supervision == "chain_of_thought" else length


def n_token_kinds(supervision: Supervision, task: Task) -> int:
    """Return the size of a model's input alphabet.

    In a chain of thought the token of state k is that of symbol k, as numbers are the same words on both
    sides of the separator, which is the last token. (The source does not say.) Tasks with questions have
    one vocabulary for all.
    """
    if supervision == "chain_of_thought" and not isinstance(task, QuestionTask):
        return max(task.n_symbols, task.n_states) + 1
    return task.n_symbols


def first_read(supervision: Supervision, shortest: int) -> int:
    """Return the first token at which any sequence of at least `shortest` symbols has a label."""
    return {"outcome": shortest - 1, "chain_of_thought": shortest, "aligned": 0}[supervision]


def supervise(
    supervision: Supervision,
    task: Task,
    symbols: np.ndarray,
    states: np.ndarray,
    lengths: np.ndarray,
    shortest: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return what a model reads of sequences of symbols, and what it is asked for.

    Parameters
    ----------
    supervision : {"outcome", "chain_of_thought", "aligned"}
    task : Task
        One without questions; see `supervise_texts`.
    symbols : ndarray of int, shape (n_sequences, L)
        Anything beyond the length of a sequence.
    states : ndarray of int64 or float, shape (n_sequences, L)
        The label of every beginning, see `Task.labels`; likewise.
    lengths : ndarray of int, shape (n_sequences,)
        In ``shortest .. L``.
    shortest : int
        Lower bound of all lengths that the data may have, so that all sets have one shape.

    Returns
    -------
    tokens : ndarray of int64, shape (n_sequences, T)
        T as `n_tokens` of L; zeros, which a causal model cannot see, after the last token.
    labels : ndarray of int64 (float32 where states are real numbers), shape (n_sequences, T')
        Of the last T' tokens, from `first_read` on; `NO_LABEL` where nothing is asked for.
    """
    if np.issubdtype(states.dtype, np.floating):
        states = states.astype(np.float32)
    n_sequences, longest = symbols.shape
    positions = np.arange(longest)
    inside = positions < lengths[:, None]
    shape = (n_sequences, n_tokens(supervision, task, longest))
    tokens, labels = np.zeros(shape, dtype=np.int64), np.full(shape, NO_LABEL, dtype=states.dtype)
    tokens[:, :longest] = np.where(inside, symbols, 0)
    if supervision == "chain_of_thought":
        rows, steps = np.nonzero(inside)
        read_at = lengths[rows] + steps  # the separator, then the state before
        labels[rows, read_at] = states[rows, steps]
        separator = n_token_kinds(supervision, task) - 1
        before = states[rows, np.maximum(steps - 1, 0)]
        tokens[rows, read_at] = np.where(steps == 0, separator, before)
    else:
        asked = inside if supervision == "aligned" else positions == lengths[:, None] - 1
        labels[asked] = states[asked]
    return tokens, labels[:, first_read(supervision, shortest) :]


def supervise_texts(
    supervision: Supervision, task: QuestionTask, texts: np.ndarray, lengths: range
) -> tuple[np.ndarray, np.ndarray]:
    """Return what a model reads of texts, and what it is asked for: the tokens after the question.

    Parameters
    ----------
    supervision : {"outcome", "chain_of_thought"}
    task : QuestionTask
    texts : ndarray of int64, shape (n_texts, P)
        `END` after every answer, then zeros.
    lengths : range
        Sizes that questions may have, so that all sets have one shape.

    Returns
    -------
    tokens : ndarray of int64, shape (n_texts, T)
        T as `n_tokens` of the largest size; zeros after the answer.
    labels : ndarray of int64, shape (n_texts, T')
        Of the last T' tokens, from the shortest question's separator on; `NO_LABEL` where nothing is
        asked for.
    """
    shape = (len(texts), n_tokens(supervision, task, lengths[-1]) + 1)
    places = np.arange(texts.shape[1])
    separators = texts == task.separator
    question_ends = separators.argmax(axis=1)[:, None]
    taken = places <= (texts == END).argmax(axis=1)[:, None]
    if supervision == "outcome":
        answer_starts = texts.shape[1] - separators[:, ::-1].argmax(axis=1)[:, None]
        taken &= (places <= question_ends) | (places >= answer_starts)
    read = np.zeros(shape, dtype=np.int64)
    counts = taken.sum(axis=1)[:, None]
    read[np.arange(shape[1]) < counts] = texts[taken]  # both row by row
    places = np.arange(shape[1] - 1)
    before_end = places < counts - 1
    asked = before_end & (places >= question_ends)
    labels = np.where(asked, read[:, 1:], NO_LABEL)
    tokens = np.where(before_end, read[:, :-1], 0)
    return tokens, labels[:, task.shortest_question(lengths[0]) :]
