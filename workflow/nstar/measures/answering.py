"""Judge what trained networks answer: the answer, the steps, and whether they came to an end."""

from collections import Counter

import numpy as np
import torch
from torch import Tensor

from nstar.measures.answers import answer
from nstar.models import StackedModel
from nstar.models.stacked import Parameters
from nstar.tasks import Supervision
from nstar.tasks.questions.question import END, QuestionTask, first_place


def measure_answers(
    task: QuestionTask,
    supervision: Supervision,
    model: StackedModel,
    parameters: Parameters,
    tokens: Tensor,
    labels: Tensor,
    rows: Tensor,
) -> dict[str, np.ndarray]:
    """Let a pack answer, and measure how well.

    Parameters
    ----------
    task : QuestionTask
    supervision : {"outcome", "chain_of_thought"}
    model : StackedModel
    parameters : mapping of str to Tensor, each of shape (R, ...)
    tokens, labels : Tensor of int64, shape (S, n, T) and (S, n, T')
        As `Task.supervise` makes them, a set for each seed.
    rows : Tensor of int64, shape (R,)
        Which of the sets each replicate answers.

    Returns
    -------
    dict of str to ndarray of float64, shape (R,)
        ``answer_accuracy``, ``chain_accuracy``, ``exact_accuracy``, ``token_accuracy`` (share of labels
        right after its own answers), ``end_rate`` and ``chance``; see `nstar.tables.ANSWERS`. All but
        chance are NaN where an output is NaN or infinite.
    """
    read_from = tokens.shape[2] - labels.shape[2]
    said, known = answer(model, parameters, tokens, rows, read_from, task.separator, END)
    said, sets = said.cpu().numpy(), rows.cpu().numpy()
    wanted = _whole_texts(tokens, labels).cpu().numpy()
    asked = labels.cpu().numpy() >= 0
    checked = supervision == "chain_of_thought" and not task.unique_steps
    answers = [[_answer_of(task, text) for text in texts] for texts in wanted]
    rates = []
    for texts, number in zip(said, sets, strict=True):
        true_texts, true_answers = wanted[number], answers[number]
        given = [_answer_of(task, text) for text in texts]
        exact = (texts == true_texts).all(axis=1)
        right = (texts == true_texts)[:, read_from + 1 :][asked[number]]
        valid = [
            same
            or (checked and one is not None and task.is_valid(text[: first_place(text, END) + 1]))
            for same, one, text in zip(exact, given, texts, strict=True)
        ]
        agrees = [one == true for one, true in zip(given, true_answers, strict=True)]
        ends = [one is not None for one in given]
        rates.append([np.mean(part) for part in (agrees, valid, exact, right, ends)])
    names = ("answer_accuracy", "chain_accuracy", "exact_accuracy", "token_accuracy", "end_rate")
    unknown = np.where(known.cpu().numpy(), 0.0, np.nan)
    measured = {
        name: column + unknown for name, column in zip(names, np.array(rates).T, strict=True)
    }
    likeliest = [Counter(part).most_common(1)[0][1] / len(part) for part in answers]
    return measured | {"chance": np.array(likeliest)[sets]}


def _whole_texts(tokens: Tensor, labels: Tensor) -> Tensor:
    """Return the texts (S, n, T + 1), to their `END`, of which tokens were read and asked for."""
    texts = torch.nn.functional.pad(tokens, (0, 1))
    asked_for = texts[..., texts.shape[2] - labels.shape[2] :]
    asked_for[...] = torch.where(labels >= 0, labels, asked_for)
    return texts


def _answer_of(task: QuestionTask, text: np.ndarray) -> bytes | None:
    """Return what stands between the last separator and the `END` of a text (m,); None without END."""
    end = first_place(text, END)
    if end == len(text):
        return None
    start = np.flatnonzero(text[:end] == task.separator)[-1] + 1
    return text[start:end].tobytes()
