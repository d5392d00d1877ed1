"""Linear recurrences ``h_t = A(x_t) h_{t-1}`` whose transition matrix depends on the input symbol.

Shapes, beside those of `stacked`: K blocks on the diagonal of A, each b times b, so D = K b; entry
``k b + i`` of a state is component i of block k.
"""

import math
from abc import abstractmethod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nstar.kinds.linear_rnn import (
    ELEMENTWISE_BLOCK,
    LARGEST_TABLE,
)
from nstar.models.stacked import (
    Dropout,
    Memory,
    Parameters,
    ParameterSpec,
    StackedModel,
    elementwise,
    in_float32,
    linear,
    linear_specs,
)

SMALLEST_SCALE = 1e-6
"""A state whose root mean square is below this is divided by this instead."""


class LinearRNN(StackedModel):
    """``h_t = A(x_t) h_{t-1}`` without additive term, and a linear head.

    A subclass says which matrices A it allows: `transition_spec` and, where the features are not the
    entries of A themselves, `transition_blocks`.

    With R = 2, B = 3, T = 4, V = 5, D = 6 in one block, C = 2, shapes go ``tokens (2, 3, 4)`` -> one
    matrix per symbol ``(2, 5, 1, 6, 6)`` -> each step applies all of them to the state ``(2, 3, 6)`` and
    picks that of the token -> states ``(2, 3, 4, 6)`` -> logits ``(2, 3, 4, 2)``.

    Parameters
    ----------
    options : LinearRNNOptions
        ``normalise``: when the state is divided by its root mean square after each step. Without an
        additive term its scale decides nothing but the size of the logits. ``inference``, as the
        source has it, does so in every evaluation and not in the steps of training, ``always`` in
        both. Losses of the two are then not to be compared; see `without_normalisation`.
    **shapes
        As for `StackedModel`; ``n_positions`` has no meaning here.

    Notes
    -----
    A is linear in features of the symbol, ``features_n(x) = sum_k W_kn x_k`` with x the embedding.
    The initial state h_0 is learnt. The published initialisation is not known; here, x and h_0 start
    as Normal(0, 1), W as each subclass says, and the head as Normal(0, 1 / D) with bias 0.

    The alphabet is finite, so the V matrices are formed once per call. Which form of the recurrence
    applies them depends on b and V alone: all symbols at once and the token's result picked, for b
    above `ELEMENTWISE_BLOCK` and V up to `LARGEST_TABLE`; otherwise the token's matrix picked, then
    multiplied, which holds T B matrices per replicate in memory.

    References
    ----------
    Ebrahimi et al. (2026), arXiv:2602.18333, appendix A.3; Ebrahimi and Memisevic (2025), Revisiting
    Bi-Linear State Transitions in Recurrent Neural Networks, arXiv:2505.21749.
    """

    @property
    @abstractmethod
    def block_size(self) -> int:
        """b, a divisor of D: A is block-diagonal with D / b blocks."""

    @property
    @abstractmethod
    def transition_spec(self) -> ParameterSpec:
        """The weight W (D, ...) that makes features of the embedding of a symbol."""

    def transition_blocks(self, features: Tensor) -> Tensor:
        """Return the blocks (R, V, K, b, b) of A, row i before column j, of features (R, V, n).

        Here, the features are the entries themselves, stored as (K, j, i).
        """
        n_replicates, size = features.shape[0], self.block_size
        return features.view(n_replicates, self.n_symbols, -1, size, size).transpose(3, 4)

    @property
    def in_training(self) -> StackedModel:
        """The model that training steps run: without normalisation, unless that is for ``always``."""
        return without_normalisation(self) if self.options.normalise == "inference" else self

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The parameters in the order of the flat buffer."""
        return (
            ParameterSpec("token_embedding", (self.n_symbols, self.width), "normal", 1.0),
            self.transition_spec,
            ParameterSpec("initial_state", (1, self.width), "normal", 1.0),
            *linear_specs("head", self.width, self.n_classes, gain=math.sqrt(3)),
        )

    @in_float32
    def forward(
        self,
        parameters: Parameters,
        tokens: Tensor,
        read_from: int = 0,
        dropout: Dropout | None = None,
    ) -> Tensor:
        """Return logits (R, B, T - read_from, C); see `StackedModel.forward`."""
        transitions, initial = self._transitions(parameters), self._initial_state(parameters)
        states = self._states(transitions, initial, tokens)
        return states_read_out(parameters, states[:, read_from:].flatten(3))

    @in_float32
    def read(self, parameters: Parameters, tokens: Tensor, memory: Memory) -> Tensor:
        """Return logits (R, B, C) after the last token; the state and the matrices are kept."""
        if not memory:
            memory["transitions"] = self._transitions(parameters)
            memory["state"] = self._initial_state(parameters)
        states = self._states(memory["transitions"], memory["state"], tokens)
        memory["state"] = states[:, -1]
        return states_read_out(parameters, states[:, -1:].flatten(3))[:, :, 0]

    @property
    def _is_tabled(self) -> bool:
        """Whether the matrices of all symbols are applied to each state."""
        return self.block_size > ELEMENTWISE_BLOCK and self.n_symbols <= LARGEST_TABLE

    def _initial_state(self, parameters: Parameters) -> Tensor:
        """Return h_0 (R, 1, K, b)."""
        return parameters["initial_state"].unflatten(2, (-1, self.block_size))

    def _transitions(self, parameters: Parameters) -> Tensor:
        """Return A of all symbols: a table (R, K, j, V i), or blocks (R, V, K, b, b)."""
        embedding = parameters["token_embedding"]
        weight = parameters[self.transition_spec.name].reshape(len(embedding), self.width, -1)
        blocks = self.transition_blocks(torch.bmm(embedding, weight))
        return blocks.permute(0, 2, 4, 1, 3).flatten(3) if self._is_tabled else blocks

    def _states(self, transitions: Tensor, initial: Tensor, tokens: Tensor) -> Tensor:
        """Return the states (R, T, B, K, b) that tokens lead to from initial ones (R, B or 1, K, b)."""
        normalise = self.options.normalise != "never"
        if self._is_tabled:
            return _TableRecurrence.apply(transitions, initial, tokens, normalise)
        return _GatheredRecurrence.apply(_gather(transitions, tokens), initial, normalise)

    @abstractmethod
    def naive_transition(self, values: Parameters, embedded: Tensor) -> Tensor:
        """Return A (B, D, D) of embedded symbols (B, D), by the formula."""

    def naive(self, values: Parameters, tokens: Tensor) -> Tensor:
        """Return logits (B, T, C) of one replicate by the formulas; see `StackedModel.naive`."""
        return recur_naively(self, values, tokens)


class DenseSSM(LinearRNN):
    """Full transition matrix: ``A(x)_ij = sum_k W_ijk x_k``.

    Parameters
    ----------
    options : DenseSSMOptions
    **shapes
        As for `LinearRNN`.

    Notes
    -----
    W, stored as (k, j, i), starts as Normal(0, 1 / D^2): entries of A(x) have variance 1 / D, which
    keeps the norm of a state on average. Parameters: ``D^3 + V D + D + D C + C``.
    """

    @property
    def block_size(self) -> int:
        """D: one block."""
        return self.width

    @property
    def transition_spec(self) -> ParameterSpec:
        """The weight W (k, j, i)."""
        return ParameterSpec("bilinear", (self.width,) * 3, "normal", 1 / self.width)

    def naive_transition(self, values: Parameters, embedded: Tensor) -> Tensor:
        """Return A (B, D, D) of embedded symbols (B, D), by the formula."""
        return torch.einsum("kji,bk->bij", values["bilinear"], embedded)


class BlockSSM(LinearRNN):
    """Block-diagonal transition matrix: block m is ``A_m(x)_ij = sum_k W_mijk x_k``.

    Parameters
    ----------
    options : BlockSSMOptions
    **shapes
        As for `LinearRNN`.

    Notes
    -----
    W, stored as (k, m, j, i), starts as Normal(0, 1 / (D b)): entries of a block have variance 1 / b,
    which keeps the norm of a state on average. Parameters: ``D^2 b + V D + D + D C + C``.
    """

    @property
    def block_size(self) -> int:
        """b, as in the options."""
        return self.options.block_size

    @property
    def transition_spec(self) -> ParameterSpec:
        """The weight W (k, m, j, i)."""
        width, size = self.width, self.block_size
        shape = (width, width // size, size, size)
        return ParameterSpec("bilinear", shape, "normal", 1 / math.sqrt(width * size))

    def naive_transition(self, values: Parameters, embedded: Tensor) -> Tensor:
        """Return A (B, D, D) of embedded symbols (B, D), by the formula."""
        blocks = torch.einsum("kmji,bk->bmij", values["bilinear"], embedded)
        return torch.stack([torch.block_diag(*of_example) for of_example in blocks])


class RotationSSM(LinearRNN):
    """Rotations of D / 2 planes: plane m is turned by the angle ``theta_m(x) = sum_k W_mk x_k``.

    Parameters
    ----------
    options : RotationSSMOptions
        A rotation keeps the norm, so that ``normalise`` only fixes that of h_0.
    **shapes
        As for `LinearRNN`.

    Notes
    -----
    ``A_m = [[cos, -sin], [sin, cos]]`` of theta_m. W, stored as (k, m), starts as Normal(0, 1 / D):
    angles have a standard deviation of 1 radian. Parameters: ``D^2 / 2 + V D + D + D C + C``.
    """

    block_size = 2

    @property
    def transition_spec(self) -> ParameterSpec:
        """The weight W (k, m)."""
        shape = (self.width, self.width // 2)
        return ParameterSpec("angle", shape, "normal", 1 / math.sqrt(self.width))

    def transition_blocks(self, features: Tensor) -> Tensor:
        """Return the rotations (R, V, D / 2, 2, 2) by the angles (R, V, D / 2)."""
        cos, sin = elementwise(torch.cos, features), elementwise(torch.sin, features)
        return torch.stack([cos, -sin, sin, cos], dim=-1).unflatten(-1, (2, 2))

    def naive_transition(self, values: Parameters, embedded: Tensor) -> Tensor:
        """Return A (B, D, D) of embedded symbols (B, D), by the formula."""

        def turned(theta):
            cos, sin = torch.cos(theta), torch.sin(theta)
            return torch.stack([torch.stack([cos, -sin]), torch.stack([sin, cos])])

        angles = torch.einsum("km,bk->bm", values["angle"], embedded)
        return torch.stack([torch.block_diag(*map(turned, thetas)) for thetas in angles])


class DiagonalSSM(LinearRNN):
    """Diagonal transition matrix ``a(x) = W x``, or ``a(x) = sigmoid(W x)``.

    Parameters
    ----------
    options : DiagonalSSMOptions
        ``positive``: whether a is the sigmoid, in (0, 1). It equals ``exp(-softplus(-W x))``,
        the transition of Mamba, without what Mamba adds to the state.
    **shapes
        As for `LinearRNN`.

    Notes
    -----
    W, stored as (k, i), starts as Normal(0, 1 / D): real entries a have mean 0 and variance 1, which
    keeps the norm of a state on average; positive ones have mean 1/2.
    Parameters: ``D^2 + V D + D + D C + C``.
    """

    block_size = 1

    @property
    def transition_spec(self) -> ParameterSpec:
        """The weight W (k, i)."""
        shape = (self.width, self.width)
        return ParameterSpec("diagonal", shape, "normal", 1 / math.sqrt(self.width))

    def transition_blocks(self, features: Tensor) -> Tensor:
        """Return the diagonal as blocks (R, V, D, 1, 1)."""
        if self.options.positive:
            features = elementwise(torch.sigmoid, features)
        return super().transition_blocks(features)

    def naive_transition(self, values: Parameters, embedded: Tensor) -> Tensor:
        """Return A (B, D, D) of embedded symbols (B, D), by the formula."""
        diagonal = torch.einsum("ki,bk->bi", values["diagonal"], embedded)
        return torch.diag_embed(torch.sigmoid(diagonal) if self.options.positive else diagonal)


class _TableRecurrence(torch.autograd.Function):
    """The recurrence with the matrices of all symbols applied to each state.

    Inputs: table (R, K, j, V i), initial state (R, B or 1, K, b), tokens (R, B, T), ``normalise``.
    Output: states (R, T, B, K, b). Backward takes one initial state for all sequences.

    Backward, the gradient of each step is spread over V places: its own in the place of its token,
    zeros in the others. The gradient of the table is then one product over all steps. For
    normalisation, see `tangential`.
    """

    @staticmethod
    def forward(ctx, table: Tensor, initial: Tensor, tokens: Tensor, normalise: bool) -> Tensor:
        n_replicates, batch, length = tokens.shape
        n_blocks, size = initial.shape[2:]
        table = table.flatten(0, 1)  # (R K, j, V i)
        n_matrices, n_symbols = table.shape[0], table.shape[2] // size
        tokens = tokens.transpose(1, 2)[:, None].expand(-1, n_blocks, -1, -1).flatten(0, 1)
        first_rows = torch.arange(n_matrices * batch, device=tokens.device) * n_symbols
        rows = tokens + first_rows.view(n_matrices, 1, batch)
        states = table.new_empty(n_matrices, length + 1, batch, size)  # h_0 .. h_T
        states[:, 0] = initial.transpose(1, 2).flatten(0, 1)
        scales = table.new_empty(n_replicates, 1, length, batch, 1) if normalise else None
        candidates = table.new_empty(n_matrices, batch, n_symbols * size)
        chosen = table.new_empty(n_matrices * batch, size)
        by_block = states.view(n_replicates, n_blocks, length + 1, batch, size)
        chosen_by_block = chosen.view(n_replicates, n_blocks, batch, size)
        steps = zip(rows.unbind(1), states.unbind(1), by_block.unbind(2)[1:], strict=False)
        for t, (rows_now, before, after) in enumerate(steps):
            torch.bmm(before, table, out=candidates)
            torch.index_select(candidates.view(-1, size), 0, rows_now.flatten(), out=chosen)
            if normalise:
                scale = root_mean_square(chosen_by_block, (1, 3), out=scales[:, :, t])
                torch.div(chosen_by_block, scale, out=after)
            else:
                after.copy_(chosen_by_block)
        ctx.save_for_backward(table, tokens, states, scales)
        return by_block[:, :, 1:].permute(0, 2, 3, 1, 4)

    @staticmethod
    def backward(ctx, from_above: Tensor) -> tuple[Tensor | None, ...]:
        table, tokens, states, scales = ctx.saved_tensors
        n_replicates, length, batch, n_blocks, size = from_above.shape
        n_matrices, _, n_columns = table.shape
        from_above = from_above.permute(0, 3, 1, 2, 4)  # (R, K, T, B, b)
        if scales is not None:
            after = states.view(n_replicates, n_blocks, length + 1, batch, size)[:, :, 1:]
            from_above = tangential(from_above, after, (1, 4))
        from_above = from_above.reshape(n_matrices, length, batch, size).unbind(1)
        first_rows = torch.arange(tokens.numel(), device=tokens.device) * (n_columns // size)
        rows = (tokens + first_rows.view(tokens.shape)).unbind(1)
        spread = table.new_zeros(n_matrices, length, batch, n_columns)
        spread_rows, spread_steps = spread.view(-1, size), spread.unbind(1)
        transposed = table.transpose(1, 2)
        gradient = from_above[-1]
        for t in reversed(range(length)):
            if scales is not None:
                gradient = gradient.view(n_replicates, n_blocks, batch, size) / scales[:, :, t]
            spread_rows.index_copy_(0, rows[t].flatten(), gradient.reshape(-1, size))
            if t > 0:
                gradient = torch.baddbmm(from_above[t - 1], spread_steps[t], transposed)
        of_initial = torch.bmm(spread_steps[0], transposed).sum(1)
        before = states[:, :-1].view(n_matrices, length * batch, size)
        of_table = torch.bmm(before.transpose(1, 2), spread.view(n_matrices, -1, n_columns))
        return (
            of_table.view(n_replicates, n_blocks, size, n_columns),
            of_initial.view(n_replicates, 1, n_blocks, size),
            None,
            None,
        )


class _GatheredRecurrence(torch.autograd.Function):
    """The recurrence with one matrix per token.

    Inputs: matrices (T, R, B, K, b, b), initial state (R, B or 1, K, b), ``normalise``.
    Output: states (R, T, B, K, b). For normalisation, see `tangential`.
    """

    @staticmethod
    def forward(ctx, matrices: Tensor, initial: Tensor, normalise: bool) -> Tensor:
        length, n_replicates, batch = matrices.shape[:3]
        states = _zeros_like_columns(matrices, length + 1)  # h_0 .. h_T
        states[0] = initial
        scales = matrices.new_empty(length, n_replicates, batch, 1, 1) if normalise else None
        for t in range(length):
            state = _add_product(states[t + 1], matrices[t], states[t])
            if normalise:
                state /= root_mean_square(state, (2, 3), out=scales[t])
        ctx.save_for_backward(matrices, states, scales)
        return states[1:].transpose(0, 1)

    @staticmethod
    def backward(ctx, from_above: Tensor) -> tuple[Tensor | None, ...]:
        matrices, states, scales = ctx.saved_tensors
        length = matrices.shape[0]
        transposed = matrices.transpose(4, 5)
        gradients = _zeros_like_columns(matrices, length + 1)  # of h_0, then of A(x_t) h_{t-1}
        gradients[1:] = from_above.transpose(0, 1)
        if scales is not None:
            gradients[1:] = tangential(gradients[1:], states[1:], (3, 4))
        for t in reversed(range(length)):
            if scales is not None:
                gradients[t + 1] /= scales[t]
            _add_product(gradients[t], transposed[t], gradients[t + 1])
        of_matrices = torch.empty_like(matrices)
        torch.mul(gradients[1:, ..., None], states[:-1, ..., None, :], out=of_matrices)
        return of_matrices, gradients[0].sum(1, keepdim=True), None


def _gather(blocks: Tensor, tokens: Tensor) -> Tensor:
    """Return the blocks (T, R, B, K, b, b) of tokens (R, B, T), from those (R, V, K, b, b) of symbols.

    Blocks for elementwise products have the index of the block as the last one in memory.
    """
    n_replicates, n_symbols, n_blocks, size, _ = blocks.shape
    innermost = size <= ELEMENTWISE_BLOCK
    rows = (blocks.permute(0, 1, 3, 4, 2) if innermost else blocks).flatten(2).flatten(0, 1)
    offsets = torch.arange(n_replicates, device=tokens.device) * n_symbols
    chosen = F.embedding(tokens.permute(2, 0, 1) + offsets.view(-1, 1), rows)
    if innermost:
        return chosen.unflatten(-1, (size, size, n_blocks)).movedim(-1, 3)
    return chosen.unflatten(-1, (n_blocks, size, size))


def _zeros_like_columns(matrices: Tensor, length: int) -> Tensor:
    """Return vectors (length, R, B, K, b) in the memory order of matrices (T, R, B, K, b, b)."""
    n_replicates, batch, n_blocks, size = matrices.shape[1:5]
    if size <= ELEMENTWISE_BLOCK:
        return matrices.new_zeros(length, n_replicates, batch, size, n_blocks).transpose(3, 4)
    return matrices.new_zeros(length, n_replicates, batch, n_blocks, size)


def _add_product(total: Tensor, matrices: Tensor, vectors: Tensor) -> Tensor:
    """Add the products of matrices (R, B, K, b, b) and vectors (R, B, K, b) to the total, in place.

    A matrix product takes a vector as a row, ``x A^T``: MKL computes ``A x`` in another way where
    there is but one product than where there are several.
    """
    size = vectors.shape[-1]
    if size > ELEMENTWISE_BLOCK:
        rows, transposed = vectors.view(-1, 1, size), matrices.transpose(3, 4).flatten(0, 2)
        total.view(-1, 1, size).baddbmm_(rows, transposed)
        return total
    for j in range(size):
        total.addcmul_(matrices[..., j], vectors[..., j : j + 1])
    return total


def states_read_out(parameters: Parameters, states: Tensor) -> Tensor:
    """Return logits (R, B, T, C) of the states (R, T, B, D) of a linear recurrence."""
    logits = linear(parameters, "head", states.flatten(1, 2))
    return logits.unflatten(1, states.shape[1:3]).transpose(1, 2)


def root_mean_square(states: Tensor, dim: tuple[int, ...], out: Tensor) -> Tensor:
    """Write the root mean square over some axes, at least `SMALLEST_SCALE`, to ``out``."""
    n_entries = math.prod(states.shape[axis] for axis in dim)
    torch.linalg.vector_norm(states, dim=dim, keepdim=True, out=out)
    return out.div_(math.sqrt(n_entries)).clamp_(min=SMALLEST_SCALE)


def tangential(gradient: Tensor, states: Tensor, dim: tuple[int, ...]) -> Tensor:
    """Return the part of the gradient that does not change the root mean square of normalised states.

    With ``h = z / rms(z)`` the gradient is ``dz = (dh - h mean(h dh)) / rms(z)``. What comes from
    the next step has ``mean(h dh) = 0`` already, for the next state does not depend on the scale of
    this one. So the projection is made once for all steps, and within the recurrence ``rms(z)`` is a
    constant. (This is exact unless `SMALLEST_SCALE` is in force.)
    """
    return gradient - states * (gradient * states).mean(dim, keepdim=True)


def without_normalisation(model: StackedModel) -> StackedModel:
    """Return the same linear recurrence without normalised states."""
    return model.with_options(model.options.model_copy(update={"normalise": "never"}))


def recur_naively(model: Any, values: Parameters, tokens: Tensor) -> Tensor:
    """Return logits (B, T, C) of ``h_t = A(x_t) h_{t-1}``, A being the `naive_transition` of a model."""
    state = values["initial_state"].expand(len(tokens), -1)  # (B, D)
    logits = []
    for t in range(tokens.shape[1]):
        embedded = values["token_embedding"][tokens[:, t]]
        state = torch.einsum("bij,bj->bi", model.naive_transition(values, embedded), state)
        if model.options.normalise != "never":
            state = state / state.square().mean(-1, keepdim=True).sqrt()
        logits.append(state @ values["head.weight"] + values["head.bias"][0])
    return torch.stack(logits, dim=1)
