"""What networks answer: greedy decoding of texts, each row to its own end."""

import torch
from torch import Tensor

from nstar.models import StackedModel
from nstar.models.stacked import Memory, Parameters

LARGEST_MEMORY = 2**21
"""Positions times width that are read together, for each replicate; it depends on nothing else."""


@torch.no_grad()
def answer(
    model: StackedModel,
    parameters: Parameters,
    tokens: Tensor,
    rows: Tensor,
    read_from: int,
    separator: int,
    end: int,
) -> tuple[Tensor, Tensor]:
    """Let every replicate of a pack answer the questions of its own set.

    Parameters
    ----------
    model : StackedModel
        A causal one.
    parameters : mapping of str to Tensor, each of shape (R, ...)
    tokens : Tensor of int64, shape (S, n, T)
        S sets of n texts; of each, what follows the first separator is not looked at.
    rows : Tensor of int64, shape (R,)
        Which of the S sets each replicate answers.
    read_from : int
        A position that no question's separator comes before.
    separator, end : int
        The tokens that end a question and a text.

    Returns
    -------
    texts : Tensor of int64, shape (R, n, T + 1)
        Question, separator, and the likeliest next token after each, up to `end` or to the last place;
        zeros follow.
    known : Tensor of bool, shape (R,)
        False where an output was NaN or infinite.

    Notes
    -----
    A row ends by itself: what it holds does not depend on its neighbours.
    """
    n_texts, length = tokens.shape[1:]
    at_once = max(1, LARGEST_MEMORY // (length * model.width))
    parts = [
        _answer_part(
            model, parameters, tokens[rows, start : start + at_once], read_from, separator, end
        )
        for start in range(0, n_texts, at_once)
    ]
    texts, known = zip(*parts, strict=True)
    return torch.cat(texts, dim=1), torch.stack(known).all(0)


def _answer_part(
    model: StackedModel,
    parameters: Parameters,
    read: Tensor,
    read_from: int,
    separator: int,
    end: int,
) -> tuple[Tensor, Tensor]:
    """Return texts (R, B, T + 1) of what replicates read (R, B, T), and which outputs are finite (R,)."""
    length = read.shape[-1]
    question_ends = (read == separator).int().argmax(-1)
    places = torch.arange(length, device=read.device)
    question = torch.where(places <= question_ends[..., None], read, 0)
    texts = torch.nn.functional.pad(question, (0, 1))
    ended = torch.zeros_like(question_ends, dtype=torch.bool)
    known = torch.ones(len(read), dtype=torch.bool, device=read.device)
    memory: Memory = {}
    logits = model.read(parameters, texts[..., : read_from + 1], memory)  # (R, B, C)
    for place in range(read_from + 1, length + 1):
        known &= (logits.isfinite().all(-1) | ended).all(-1)
        inside = place <= question_ends
        said = torch.where(ended, 0, logits.argmax(-1))
        texts[..., place] = torch.where(inside, texts[..., place], said)
        ended |= ~inside & (said == end)
        if place == length or ended.all():
            break
        logits = model.read(parameters, texts[..., place : place + 1], memory)
    return texts, known
