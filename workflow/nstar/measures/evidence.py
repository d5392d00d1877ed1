"""The evidence of one set: what an evaluation leaves of a tally, as counts and as numbers for rules."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nstar.measures.accuracy import Tally


@dataclass(frozen=True)
class Counts:
    """What a store holds of a set, on the host; R replicates, T' positions, L lengths.

    Attributes
    ----------
    numbers : ndarray of float32, shape (R, 8)
        `nstar.verdicts.QUANTITIES`; NaN where a loss is NaN or infinite, or accuracies have no meaning.
    whole_right : ndarray of uint32, shape (R,)
        Sequences with every label right; 0 where an accuracy is NaN, as in all counts.
    position_right, position_loss : ndarray of uint32 and float32, shape (R, T')
        Right labels, and mean loss of a label; NaN at positions without labels.
    length_right, length_whole, length_loss : ndarray of uint32, uint32 and float32, shape (R, L)
        Right labels, sequences all right, and mean loss of a label, by length.
    position_of, length_of, length_labels : ndarray of uint32, shape (R, T'), (R, L), (R, L)
        Labels by position, sequences by length, labels by length.
    """

    numbers: np.ndarray
    whole_right: np.ndarray
    position_right: np.ndarray
    position_loss: np.ndarray
    length_right: np.ndarray
    length_whole: np.ndarray
    length_loss: np.ndarray
    position_of: np.ndarray
    length_of: np.ndarray
    length_labels: np.ndarray


def count(sums: Tally, lengths: np.ndarray, n_lengths: int) -> Counts:
    """Reduce a tally to numbers and counts, in float64 and replicate by replicate.

    Parameters
    ----------
    sums : Tally
    lengths : ndarray of int64, shape (R, n)
        Which of the lengths each sequence has, from 0.
    n_lengths : int
        L; some may occur in no sequence.

    Returns
    -------
    Counts
    """
    host = sums.on_host()
    arrays = {name: value.numpy() for name, value in vars(host).items() if name != "has_accuracy"}

    def by_length(values: np.ndarray) -> np.ndarray:
        pairs = zip(lengths, values, strict=True)
        return np.stack([np.bincount(own, one, n_lengths) for own, one in pairs])

    of_lengths = [by_length(arrays[f"sequence_{name}"]) for name in ("loss", "right", "whole")]
    labels, n_sequences = (
        by_length(values)
        for values in (arrays["sequence_labels"], np.ones_like(arrays["sequence_whole"]))
    )
    finite = np.isfinite(arrays["sequence_loss"]).all(axis=1)
    known = finite & sums.has_accuracy  # argmax of NaN is a guess
    loss, right, whole = of_lengths
    position = [arrays[f"position_{name}"] for name in ("loss", "right", "labels")]
    with np.errstate(invalid="ignore", divide="ignore"):
        position_loss, position_share = (part / position[2] for part in position[:2])
        length_loss, length_share, whole_share = loss / labels, right / labels, whole / n_sequences
        losses = [_total(loss, labels), _worst(length_loss, np.max), _worst(position_loss, np.max)]
        shares = [
            *(_total(right, labels), _worst(length_share, np.min), _worst(position_share, np.min)),
            *(_total(whole, n_sequences), _worst(whole_share, np.min)),
        ]
    numbers = np.stack([*losses, *shares], axis=1)  # (R, 8)
    numbers[~finite] = np.nan
    numbers[~known, len(losses) :] = np.nan

    def counted(values: np.ndarray) -> np.ndarray:
        return np.where(known.reshape(-1, *[1] * (values.ndim - 1)), values, 0).astype(np.uint32)

    return Counts(
        numbers=numbers.astype(np.float32),
        whole_right=counted(whole.sum(axis=1)),
        position_right=counted(position[1]),
        position_loss=position_loss.astype(np.float32),
        length_right=counted(right),
        length_whole=counted(whole),
        length_loss=length_loss.astype(np.float32),
        position_of=position[2].astype(np.uint32),
        length_of=n_sequences.astype(np.uint32),
        length_labels=labels.astype(np.uint32),
    )


def _total(values: np.ndarray, of: np.ndarray) -> np.ndarray:
    return values.sum(axis=1) / of.sum(axis=1)


def _worst(values: np.ndarray, worst: Callable[..., np.ndarray]) -> np.ndarray:
    """Return the largest or least value of each row, NaN passed over."""
    start = -np.inf if worst is np.max else np.inf
    return worst(values, axis=1, where=~np.isnan(values), initial=start)
