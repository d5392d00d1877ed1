"""Which part of a block each evaluation of a replicate is read from, and how far a prefix goes."""

from collections.abc import Sequence

import numpy as np


class Joint:
    """The evaluations of several parts as one: of each the first part that has it.

    Parameters
    ----------
    n_replicates : int
        R, those of the block.
    rows : sequence of sequence of int
        Of each part, which replicates of the block its own are.
    first, n : sequence of ndarray of int
        Of each part, the first evaluation that it holds of each of its replicates, and how many.

    Attributes
    ----------
    part_of : ndarray of int64, shape (R, E)
        The number of the part, -1 where none has the evaluation.
    n_known : ndarray of int64, shape (R,)
        Evaluations before the first that no part has.
    """

    def __init__(
        self,
        n_replicates: int,
        rows: Sequence[Sequence[int]],
        first: Sequence[np.ndarray],
        n: Sequence[np.ndarray],
    ):
        most = max(int((f + c).max(initial=0)) for f, c in zip(first, n, strict=True))
        self.part_of = np.full((n_replicates, most), -1)
        self._places = []
        for part, (of_block, f, c) in enumerate(zip(rows, first, n, strict=True)):
            own, entry = np.nonzero(np.arange(c.max(initial=0)) < c[:, None])
            row, evaluation = np.asarray(of_block, dtype=np.int64)[own], f[own] + entry
            new = self.part_of[row, evaluation] < 0
            self.part_of[row[new], evaluation[new]] = part
            self._places.append((row[new], evaluation[new], own[new], entry[new]))
        self.n_known = np.logical_and.accumulate(self.part_of >= 0, axis=1).sum(axis=1)

    def join(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """Return what parts hold of their replicates and evaluations (.., ..) + S as one (R, E) + S.

        Parameters
        ----------
        arrays : sequence of ndarray
            One of each part; entry i of a replicate is its evaluation ``first + i``.

        Returns
        -------
        ndarray
            NaN, or 0 of whole numbers, where no part has an evaluation.
        """
        blank = np.nan if arrays[0].dtype.kind == "f" else 0
        shape = (*self.part_of.shape, *arrays[0].shape[2:])
        joined = np.full(shape, blank, dtype=arrays[0].dtype)
        for values, (row, evaluation, own, entry) in zip(arrays, self._places, strict=True):
            joined[row, evaluation] = values[own, entry]
        return joined
