"""The same networks as plain modules: slow, obvious, one replicate each. Tests compare with them.

A module is filled from the named parameters of one replicate, so that values and gradients of both
forms can be compared; see `build_reference`.
"""

import torch
from torch import Tensor, nn

from nstar.models.dense_ssm import DenseSSM
from nstar.models.lstm import LSTM
from nstar.models.stacked import StackedModel
from nstar.models.transformer import Transformer


class _Block(nn.Module):
    """One pre-LayerNorm layer, attention written as the formula says."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.perceptron_norm = nn.LayerNorm(width)
        self.perceptron_in = nn.Linear(width, 4 * width)
        self.perceptron_out = nn.Linear(4 * width, width)

    def forward(self, stream: Tensor) -> Tensor:
        length, width = stream.shape[1:]
        query, key, value = self.query_key_value(self.attention_norm(stream)).split(width, dim=-1)
        future = torch.ones(length, length).triu(1).bool()
        mixed = []
        for part in torch.arange(width).chunk(self.heads):
            scores = query[..., part] @ key[..., part].mT / len(part) ** 0.5
            weights = scores.masked_fill(future, float("-inf")).softmax(-1)
            mixed.append(weights @ value[..., part])
        stream = stream + self.attention_out(torch.cat(mixed, dim=-1))
        hidden = nn.functional.gelu(self.perceptron_in(self.perceptron_norm(stream)))
        return stream + self.perceptron_out(hidden)


class _Transformer(nn.Module):
    def __init__(self, model: Transformer):
        super().__init__()
        self.token_embedding = nn.Embedding(model.n_symbols, model.width)
        self.position_embedding = nn.Embedding(model.n_positions, model.width)
        self.layers = nn.ModuleList(_Block(model.width, model.heads) for _ in range(model.depth))
        self.final_norm = nn.LayerNorm(model.width)
        self.head = nn.Linear(model.width, model.n_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        positions = torch.arange(tokens.shape[1])
        stream = self.token_embedding(tokens) + self.position_embedding(positions)
        for layer in self.layers:
            stream = layer(stream)
        return self.head(self.final_norm(stream))


class _LSTM(nn.Module):
    """Uses ``nn.LSTM``, whose gates lie in the order i, f, u, o and carry two biases."""

    def __init__(self, model: LSTM):
        super().__init__()
        self.token_embedding = nn.Embedding(model.n_symbols, model.width)
        self.recurrent = nn.LSTM(model.width, model.width, batch_first=True)
        self.head = nn.Linear(model.width, model.n_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.recurrent(self.token_embedding(tokens))[0])


class _DenseSSM(nn.Module):
    """One transition matrix per token, ``A(x)_ij = sum_k W_ijk x_k``, as the paper writes it."""

    def __init__(self, model: DenseSSM):
        super().__init__()
        width = model.width
        self.token_embedding = nn.Embedding(model.n_symbols, width)
        self.bilinear = nn.Parameter(torch.empty(width, width, width))  # W_ijk
        self.initial_state = nn.Parameter(torch.empty(width))
        self.head = nn.Linear(width, model.n_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        inputs = self.token_embedding(tokens)
        state, states = self.initial_state.expand(len(tokens), -1), []
        for t in range(tokens.shape[1]):
            transition = torch.einsum("ijk,bk->bij", self.bilinear, inputs[:, t])
            state = torch.einsum("bij,bj->bi", transition, state)
            state = state / (state.square().mean(-1, keepdim=True) + 1e-12).sqrt()
            states.append(state)
        return self.head(torch.stack(states, dim=1))


def build_reference(model: StackedModel) -> nn.Module:
    """Return the plain module of an architecture, with parameters of its own."""
    kinds = {Transformer: _Transformer, LSTM: _LSTM, DenseSSM: _DenseSSM}
    return kinds[type(model)](model)


@torch.no_grad()
def load_replicate(module: nn.Module, values: dict[str, Tensor]) -> None:
    """Give a module the parameters of one replicate, under their stacked names and shapes."""
    for parameter in module.parameters():
        parameter.zero_()
    if isinstance(module, _LSTM):
        named = dict(module.recurrent.named_parameters())
        named["weight_ih_l0"].copy_(_reorder(values["gates.weight"].T))
        named["weight_hh_l0"].copy_(_reorder(values["recurrence"].T))
        named["bias_ih_l0"].copy_(_reorder(values["gates.bias"][0]))
    targets = stacked_names(module, {name: p.data for name, p in module.named_parameters()})
    for name, target in targets.items():
        if not name.startswith(("gates", "recurrence")):  # these are copies, loaded above
            target.copy_(values[name])


def stacked_names(module: nn.Module, named: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return values or gradients of a module under the names and shapes of the stacked form.

    Parameters
    ----------
    module : nn.Module
        From `build_reference`.
    named : dict of str to Tensor
        Tensors under the names of ``module.named_parameters()``.
    """
    if isinstance(module, _LSTM):
        gates = {key: _reorder(named[f"recurrent.{key}_l0"]) for key in _LSTM_PARTS}
        others = {key: value for key, value in named.items() if not key.startswith("recurrent.")}
        return {
            **_stacked_linear(others),
            "gates.weight": gates["weight_ih"].T,
            "gates.bias": gates["bias_ih"][None],
            "recurrence": gates["weight_hh"].T,
        }
    renamed = {key.replace("layers.", "layer"): value for key, value in named.items()}
    if isinstance(module, _DenseSSM):
        renamed["bilinear"] = renamed["bilinear"].permute(
            2, 1, 0
        )  # the stacked form stores k, j, i
        renamed["initial_state"] = renamed["initial_state"][None]
    return _stacked_linear(renamed)


def _stacked_linear(named: dict[str, Tensor]) -> dict[str, Tensor]:
    """Turn weights of linear layers into (in, out), vectors into (1, D), tables into their name."""
    stacked = {}
    for key, value in named.items():
        if key.endswith("embedding.weight"):
            stacked[key.removesuffix(".weight")] = value
        elif key.endswith(".weight") and value.dim() == 2:
            stacked[key] = value.T
        elif value.dim() == 1:
            stacked[key] = value[None]
        else:
            stacked[key] = value
    return stacked


_LSTM_PARTS = ("weight_ih", "weight_hh", "bias_ih")


def _reorder(gates: Tensor) -> Tensor:
    """Swap the last two quarters: rows in the order i, f, u, o become i, f, o, u, and back."""
    into, keep, third, fourth = gates.chunk(4)
    return torch.cat([into, keep, fourth, third])
