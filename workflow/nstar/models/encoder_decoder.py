"""Encoder-decoder transformer: reads the symbols of a chain of thought, and writes its states."""

import torch
import torch.nn.functional as F
from torch import Tensor

from nstar.kinds.encoder_decoder import EncoderDecoderOptions
from nstar.models.attention import SoftmaxAttention, attend, attend_to_past
from nstar.models.layers import (
    Norm,
    beside_positions,
    perceptron,
    project,
    query_key_value,
    recording_norm,
    uniform_specs,
)
from nstar.models.stacked import (
    Dropout,
    Memory,
    Parameters,
    ParameterSpec,
    StackedModel,
    classify,
    embed,
    layer_norm,
    layer_norm_specs,
    linear,
    naive_linear,
    naive_norm,
)


class EncoderDecoder(StackedModel):
    """``torch.nn.Transformer``: the encoder reads the symbols, the decoder the states so far.

    Of tokens ``x_1 .. x_n S s_1 .. s_{m-1}``, where the separator S is the last of the alphabet, the
    encoder reads ``x_1 .. x_n``, each of which sees all of them. The decoder reads ``S s_1 .. s_{m-1}``,
    each of which sees those before it and all that the encoder makes. There are outputs from S on.

    With R = 2, B = 3, four symbols, the separator and three states (T = 8), D = 6, C = 2, shapes go
    ``tokens (2, 3, 8)`` -> encoded ``(2, 3, 4, 6)`` and decoded ``(2, 3, 4, 6)``, each of the latter's
    positions reading all of the former -> logits from the separator on ``(2, 3, 4, 2)``.

    Parameters
    ----------
    options : EncoderDecoderOptions
        ``width``: D, even; must be a multiple of `heads`.
        ``depth``: layers of the encoder, and as many of the decoder.
        ``heads``: attention heads of width ``D / heads``.
        ``perceptron_width``: F, hidden units of a perceptron, at least 2; 4 D where left out.
    **shapes
        As for `StackedModel`; neither encoder nor decoder reads more than half of ``n_positions``,
        rounded up.

    Notes
    -----
    With x and y the streams of encoder and decoder, a layer of the encoder is
    ``x <- LN(x + Attention(x))``; ``x <- LN(x + W_2 relu(W_1 x))``, and after the last one stands
    ``x <- LN(x)``. A layer of the decoder is ``y <- LN(y + Attention(y))``;
    ``y <- LN(y + Attention(y, x))``; ``y <- LN(y + W_2 relu(W_1 y))``, and logits are ``W_u LN(y)``.
    There is no dropout.

    Half of the width holds the token and half its position, as in the encoder of the source, which says
    nothing about the embedding of its encoder-decoder: that encoder and decoder share a table of tokens,
    and that each has ``n_positions / 2`` positions, counted from its own first token, is our choice.

    Parameters: ``V D / 2 + n_positions D / 2 + depth (12 D^2 + 4 D F + 24 D + 2 F) + 4 D + D C + C``;
    an odd n_positions counts as one more.

    Everything starts as in ``torch.nn.Transformer``, ``Embedding`` and ``Linear``: weights of layers as
    U(-b, b), ``b = sqrt(6 / (n_inputs + n_outputs))``, those of queries, keys and values being one matrix
    of 3 D outputs; biases of attention as 0; those of perceptrons, and the head, as U(-b, b),
    ``b = 1 / sqrt(n_inputs)``; embeddings as Normal(0, 1). All layers are drawn independently, while in
    torch the biases of perceptrons are copies of one layer's.

    References
    ----------
    Hahn and Rofin (2024), Why are Sensitive Functions Hard for Transformers?, arXiv:2402.09963 (the
    experiment with a scratchpad); Vaswani et al. (2017), Attention Is All You Need.
    """

    position_parameters = ("encoder_position_embedding", "decoder_position_embedding")

    def __init__(self, options: EncoderDecoderOptions, **shapes: int):
        super().__init__(options, **shapes)
        self.perceptron_width = options.perceptron_width or 4 * options.width

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The parameters in the order of the flat buffer."""
        half = self.width // 2
        specs = [ParameterSpec("token_embedding", (self.n_symbols, half), "normal", 1.0)]
        for name in self.position_parameters:
            shape = (-(-self.n_positions // 2), half)
            specs.append(ParameterSpec(name, shape, "normal", 1.0))
        for part, attentions in (("encoder", [""]), ("decoder", ["", "cross_"])):
            for i in range(self.options.depth):
                for attention in attentions:
                    specs += self._attention_specs(f"{part}{i}.{attention}")
                specs += self._perceptron_specs(f"{part}{i}.perceptron")
            specs += layer_norm_specs(f"{part}_norm", self.width)
        bound = self.width**-0.5
        specs += uniform_specs("head", self.width, self.n_classes, bound, bound)
        return tuple(specs)

    def _attention_specs(self, name: str) -> list[ParameterSpec]:
        width = self.width
        return [
            *_matrix_specs(f"{name}query_key_value", width, 3 * width, bias_bound=0.0),
            *_matrix_specs(f"{name}attention_out", width, width, bias_bound=0.0),
            *layer_norm_specs(f"{name}attention_norm", width),
        ]

    def _perceptron_specs(self, name: str) -> list[ParameterSpec]:
        width, hidden = self.width, self.perceptron_width
        return [
            *_matrix_specs(f"{name}_in", width, hidden, bias_bound=width**-0.5),
            *_matrix_specs(f"{name}_out", hidden, width, bias_bound=hidden**-0.5),
            *layer_norm_specs(f"{name}_norm", width),
        ]

    def forward(
        self,
        parameters: Parameters,
        tokens: Tensor,
        read_from: int = 0,
        dropout: Dropout | None = None,
    ) -> Tensor:
        """Return logits (R, B, T - read_from, C); see `StackedModel.forward`.

        Raises
        ------
        ValueError
            If the tokens have no separator, begin with it or have it at different places, or if
            `read_from` is before it, where there are no outputs.
        """
        logits = classify(parameters, self._hidden(parameters, tokens, read_from))
        return logits.unflatten(1, (tokens.shape[1], -1))

    def read(self, parameters: Parameters, tokens: Tensor, memory: Memory) -> Tensor:
        """Return logits (R, B, C) after the last token; keys and values are kept.

        The first tokens are all symbols and the separator at least.
        """
        if not memory:
            n_encoded = self._place_of_separator(tokens)
            memory["encoded"] = self._encode(parameters, tokens[..., :n_encoded], layer_norm)
            tokens = tokens[..., n_encoded:]
        last = tokens.shape[2] - 1
        hidden = self._decode(parameters, tokens, memory["encoded"], last, layer_norm, memory)
        return classify(parameters, hidden)

    def norm_inputs(
        self, parameters: Parameters, tokens: Tensor, read_from: int
    ) -> dict[str, Tensor]:
        """Return what every LayerNorm is applied to, by its name and in the order of application.

        Parameters
        ----------
        parameters, tokens, read_from
            As for `forward`.

        Returns
        -------
        dict of str to Tensor, each of shape (R, B, T', D)
            T' is n in the encoder and m in the decoder, but in the last layer of the decoder and after
            it, where the positions are those from `read_from` on.
        """
        seen: dict[str, Tensor] = {}
        self._hidden(parameters, tokens, read_from, recording_norm(seen, tokens.shape[1]))
        return seen

    def _hidden(
        self, parameters: Parameters, tokens: Tensor, read_from: int, norm: Norm = layer_norm
    ) -> Tensor:
        """Return what the head reads, (R, B T', D) of the positions from `read_from` on."""
        n_encoded = self._place_of_separator(tokens)
        if read_from < n_encoded:
            raise ValueError(
                f"logits from position {read_from} on: encoder_decoder has some from the separator on, "
                f"which is at {n_encoded}; read from there or later"
            )
        encoded = self._encode(parameters, tokens[..., :n_encoded], norm)
        return self._decode(
            parameters, tokens[..., n_encoded:], encoded, read_from - n_encoded, norm
        )

    def _place_of_separator(self, tokens: Tensor) -> int:
        """Return the position of the separator, which is where the encoder ends."""
        is_separator = tokens == self.n_symbols - 1
        places = is_separator[0, 0].nonzero()
        if not len(places):
            raise ValueError(
                f"no separator (token {self.n_symbols - 1}) in the tokens: an encoder_decoder reads "
                f"chains of thought, symbols before the separator and states after it"
            )
        place = int(places[0])
        if place == 0:
            raise ValueError(
                f"the tokens begin with the separator (token {self.n_symbols - 1}): the encoder of an "
                f"encoder_decoder would have nothing to read; put symbols before it"
            )
        if is_separator[..., :place].any() or not is_separator[..., place].all():
            raise ValueError(
                f"the separator (token {self.n_symbols - 1}) is at {place} in the first sequence and "
                f"elsewhere in others: an encoder_decoder reads sequences of one length together"
            )
        return place

    def _encode(self, parameters: Parameters, tokens: Tensor, norm: Norm) -> Tensor:
        """Return what the encoder makes of tokens (R, B, n): (R, B, n, D)."""
        stream = self._embedded(parameters, "encoder", tokens)
        for i in range(self.options.depth):
            stream = self._look_around(parameters, f"encoder{i}", stream, 0, False, norm)
            stream = self._perceive(parameters, f"encoder{i}", stream, norm)
        return norm(parameters, "encoder_norm", stream.flatten(1, 2)).view(stream.shape)

    def _decode(
        self,
        parameters: Parameters,
        tokens: Tensor,
        encoded: Tensor,
        read_from: int,
        norm: Norm,
        memory: Memory | None = None,
    ) -> Tensor:
        """Return what the decoder makes of tokens (R, B, m), from a position on: (R, B m', D).

        With a memory, the tokens follow those that are in it.
        """
        start = 0
        if memory is not None:
            start = memory.get("n_read", 0)
            memory["n_read"] = start + tokens.shape[2]
        stream = self._embedded(parameters, "decoder", tokens, start)
        for i in range(self.options.depth):
            name, first = f"decoder{i}", read_from if i == self.options.depth - 1 else 0
            kept = None if memory is None else memory.setdefault(name, {})
            stream = self._look_around(parameters, name, stream, first, True, norm, kept)
            stream = self._look_across(parameters, name, stream, encoded, norm, kept)
            stream = self._perceive(parameters, name, stream, norm)
        return norm(parameters, "decoder_norm", stream.flatten(1, 2))

    def _embedded(
        self, parameters: Parameters, part: str, tokens: Tensor, start: int = 0
    ) -> Tensor:
        """Return the stream (R, B, T, D) of the encoder or decoder before its first layer."""
        embedded = embed(parameters["token_embedding"], tokens)
        return beside_positions(embedded, parameters[f"{part}_position_embedding"][:, start:])

    def _look_around(
        self,
        parameters: Parameters,
        name: str,
        stream: Tensor,
        first: int,
        causal: bool,
        norm: Norm,
        memory: Memory | None = None,
    ) -> Tensor:
        """Return positions of the stream (R, B, T, D) from the first on, after attention to itself."""
        projection = f"{name}.query_key_value"
        projected = query_key_value(parameters, projection, stream, self.options.heads, first)
        if memory is not None:
            mixed = SoftmaxAttention().read(*projected, memory)
        else:
            mixed = (attend_to_past if causal else attend)(*projected)
        return self._add(parameters, f"{name}.attention", stream[:, :, first:], mixed, norm)

    def _look_across(
        self,
        parameters: Parameters,
        name: str,
        stream: Tensor,
        encoded: Tensor,
        norm: Norm,
        memory: Memory | None = None,
    ) -> Tensor:
        """Return the stream (R, B, m, D) after attention to what the encoder made, (R, B, n, D)."""
        projection = f"{name}.cross_query_key_value"
        (query,) = project(parameters, projection, stream, self.options.heads, range(1))
        memory = {} if memory is None else memory
        if "encoded" not in memory:
            kept = project(parameters, projection, encoded, self.options.heads, range(1, 3))
            memory["encoded"] = kept
        mixed = attend(query, *memory["encoded"])
        return self._add(parameters, f"{name}.cross_attention", stream, mixed, norm)

    def _add(
        self, parameters: Parameters, name: str, stream: Tensor, mixed: Tensor, norm: Norm
    ) -> Tensor:
        """Return the stream (R, B, T, D) after what its heads have seen, (R B, H, T, D / H)."""
        rows = stream.flatten(1, 2)
        added = linear(parameters, f"{name}_out", mixed.transpose(1, 2).reshape(rows.shape))
        return norm(parameters, f"{name}_norm", rows + added).view(stream.shape)

    def _perceive(self, parameters: Parameters, name: str, stream: Tensor, norm: Norm) -> Tensor:
        """Return the stream (R, B, T, D) after the perceptron of a layer."""
        rows = stream.flatten(1, 2)
        added = perceptron(parameters, name, rows, F.relu)
        return norm(parameters, f"{name}.perceptron_norm", rows + added).view(stream.shape)

    def naive(self, values: Parameters, tokens: Tensor) -> Tensor:
        """Return logits (B, m, C) from the separator on; see `StackedModel.naive`."""
        n_encoded = tokens[0].tolist().index(self.n_symbols - 1)

        def embedded(part, read):
            table = values[f"{part}_position_embedding"][: read.shape[1]]
            return torch.cat(
                [values["token_embedding"][read], torch.stack([table] * len(read))], dim=-1
            )

        def attention(name, stream, seen, visible=None):
            weight, bias = (
                values[f"{name}query_key_value.weight"],
                values[f"{name}query_key_value.bias"],
            )
            query, key, value = (
                inputs @ weight[:, part] + bias[:, part]
                for inputs, part in zip(
                    (stream, seen, seen), torch.arange(3 * self.width).chunk(3), strict=True
                )
            )
            heads = []
            for part in torch.arange(self.width).chunk(self.options.heads):
                scores = query[..., part] @ key[..., part].mT / len(part) ** 0.5
                if visible is not None:
                    scores = scores.masked_fill(~visible, float("-inf"))
                heads.append(scores.softmax(-1) @ value[..., part])
            added = naive_linear(values, f"{name}attention_out", torch.cat(heads, dim=-1))
            return naive_norm(values, f"{name}attention_norm", stream + added)

        def perceptron(name, stream):
            hidden = F.relu(naive_linear(values, f"{name}_in", stream))
            return naive_norm(
                values, f"{name}_norm", stream + naive_linear(values, f"{name}_out", hidden)
            )

        encoded = embedded("encoder", tokens[:, :n_encoded])
        for i in range(self.options.depth):
            encoded = attention(f"encoder{i}.", encoded, encoded)
            encoded = perceptron(f"encoder{i}.perceptron", encoded)
        encoded = naive_norm(values, "encoder_norm", encoded)

        decoded = embedded("decoder", tokens[:, n_encoded:])
        past = torch.ones(decoded.shape[1], decoded.shape[1]).tril().bool()
        for i in range(self.options.depth):
            decoded = attention(f"decoder{i}.", decoded, decoded, past)
            decoded = attention(f"decoder{i}.cross_", decoded, encoded)
            decoded = perceptron(f"decoder{i}.perceptron", decoded)
        return naive_linear(values, "head", naive_norm(values, "decoder_norm", decoded))


def _matrix_specs(
    name: str, n_inputs: int, n_outputs: int, bias_bound: float
) -> list[ParameterSpec]:
    """Return a linear layer with the weights of ``torch.nn.init.xavier_uniform_``."""
    bound = (6 / (n_inputs + n_outputs)) ** 0.5
    return uniform_specs(name, n_inputs, n_outputs, bound, bias_bound)
