"""What a user would write: one `nn.Module`, one `torch.optim.AdamW`, one replicate at a time.

Run as a script it trains one replicate in a process of its own; `benchmarks/training.py` does both.
"""

import argparse
import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    """A pre-LayerNorm layer of GPT-2."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.perceptron_norm = nn.LayerNorm(width)
        self.perceptron_in = nn.Linear(width, 4 * width)
        self.perceptron_out = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return the stream (B, T, D) after the layer."""
        batch, length, width = x.shape
        projected = self.query_key_value(self.attention_norm(x))
        split = projected.view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(*split.unbind(0), is_causal=True)
        x = x + self.attention_out(mixed.transpose(1, 2).reshape(batch, length, width))
        return x + self.perceptron_out(F.gelu(self.perceptron_in(self.perceptron_norm(x))))


class Transformer(nn.Module):
    """GPT-2 with learned positions."""

    def __init__(self, n_symbols: int, length: int, width: int, depth: int, heads: int):
        super().__init__()
        self.tokens = nn.Embedding(n_symbols, width)
        self.positions = nn.Embedding(length, width)
        self.layers = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, n_symbols)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits (B, T, V) of tokens (B, T)."""
        return self.head(self.norm(self.layers(self.tokens(tokens) + self.positions.weight)))


class LSTM(nn.Module):
    """``nn.LSTM`` between an embedding and a linear head."""

    def __init__(self, n_symbols: int, width: int):
        super().__init__()
        self.tokens = nn.Embedding(n_symbols, width)
        self.recurrent = nn.LSTM(width, width, batch_first=True)
        self.head = nn.Linear(width, n_symbols)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits (B, T, V) of tokens (B, T)."""
        return self.head(self.recurrent(self.tokens(tokens))[0])


class DenseSSM(nn.Module):
    """``h_t = A(x_t) h_{t-1}``: one matrix per symbol, picked by token, one product per step."""

    def __init__(self, n_symbols: int, width: int):
        super().__init__()
        self.tokens = nn.Embedding(n_symbols, width)
        self.bilinear = nn.Parameter(torch.randn(width, width, width) / width)
        self.initial = nn.Parameter(torch.randn(width))
        self.head = nn.Linear(width, n_symbols)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits (B, T, V) of tokens (B, T)."""
        matrices = torch.einsum("ijk,vk->vij", self.bilinear, self.tokens.weight)
        state, states = self.initial.expand(len(tokens), -1), []
        for t in range(tokens.shape[1]):
            state = torch.bmm(matrices[tokens[:, t]], state[..., None])[..., 0]
            state = state * torch.rsqrt(state.square().mean(-1, keepdim=True) + 1e-12)
            states.append(state)
        return self.head(torch.stack(states, dim=1))


def build(model: str, width: int, n_symbols: int, length: int) -> nn.Module:
    """Return the plain module of a name in {"transformer", "lstm", "dense_ssm"}."""
    if model == "transformer":
        return Transformer(n_symbols, length, width, depth=2, heads=max(1, width // 16))
    return {"lstm": LSTM, "dense_ssm": DenseSSM}[model](n_symbols, width)


def train(module: nn.Module, tokens: Tensor, labels: Tensor, steps: int, batch: int) -> None:
    """Train on batches drawn from tokens and labels (N, T)."""
    optimiser = torch.optim.AdamW(module.parameters(), lr=1e-3)
    for _ in range(steps):
        chosen = torch.randint(len(tokens), (batch,), device=tokens.device)
        loss = F.cross_entropy(module(tokens[chosen]).flatten(0, 1), labels[chosen].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def parity(n_symbols: int, length: int, n_examples: int) -> tuple[Tensor, Tensor]:
    """Return sequences and the running sum of each, both (N, T)."""
    tokens = torch.randint(n_symbols, (n_examples, length))
    return tokens, tokens.cumsum(1) % n_symbols


def now(device: torch.device) -> float:
    """Return the time of the processor, or of the clock once a GPU has done its work."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("model", choices=["transformer", "lstm", "dense_ssm"])
    for name in ("width", "symbols", "length", "steps", "batch"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = [part.to(options.device) for part in parity(options.symbols, options.length, 4096)]
    network = build(options.model, options.width, options.symbols, options.length)
    device = torch.device(options.device)
    network.to(device)
    train(network, *data, 1, options.batch)  # the first step imports and compiles
    started = now(device)
    train(network, *data, options.steps, options.batch)
    print(now(device) - started)
