"""Greedy decoding of many prompts at once with a KV cache, with full attention or sink(budget=B)."""

from dataclasses import dataclass

import torch

import task
from model import rotate

SINKS = 4
COMPACT_EVERY = 32


def greedy(model, prompts, cap, budget=None):
    """The token ids each prompt (token ids with <bos>) is continued by: to <eos>, which is included, or to cap tokens.

    budget None is full attention. Else sink(budget=B): the prompt is prefilled densely; each later token attends to
    the first 4 and the last B - 4 tokens, itself among them, with keys and query rotated by their place among these.
    """
    assert budget is None or budget > SINKS
    outputs = [[] for _ in prompts]
    active = torch.arange(len(prompts))
    cache = Cache(model.config, len(prompts), max(map(len, prompts)) + cap)
    with torch.no_grad():
        tokens = torch.stack([prefill(model, cache, i, prompt) for i, prompt in enumerate(prompts)])
        for count in range(1, cap + 1):
            for i, token in zip(active.tolist(), tokens.tolist()):
                if not outputs[i] or outputs[i][-1] != task.EOS:
                    outputs[i].append(token)
            if count % COMPACT_EVERY == 0:
                going = torch.tensor([outputs[i][-1] != task.EOS for i in active.tolist()])
                active, tokens = active[going], tokens[going]
                cache.keep(going)
            if count == cap or all(outputs[i][-1] == task.EOS for i in active.tolist()):
                return outputs
            tokens = decode_step(model, cache, tokens, budget)


class Cache:
    """Keys, rotated by position, and values of all layers, (sequences, heads, tokens, head_dim), filled to `lengths`.
    The first keys of each sequence are kept unrotated as well."""

    def __init__(self, config, sequences, tokens):
        def zeros(count):
            shape = (sequences, config.num_key_value_heads, count, config.head_dim)
            return [torch.zeros(shape) for _ in range(config.num_hidden_layers)]

        self.keys, self.values, self.raw_sinks = zeros(tokens), zeros(tokens), zeros(SINKS)
        self.lengths = torch.zeros(sequences, dtype=torch.long)

    def keep(self, which):
        """Drops all other sequences."""
        for layers in (self.keys, self.values, self.raw_sinks):
            layers[:] = [tensor[which] for tensor in layers]
        self.lengths = self.lengths[which]

    def append(self, layer, keys, values):
        """One token for every sequence, keys and values (sequences, heads, head_dim)."""
        every = torch.arange(len(self.lengths))
        self.keys[layer][every, :, self.lengths] = keys
        self.values[layer][every, :, self.lengths] = values


def prefill(model, cache, sequence, prompt):
    """Runs one prompt with full attention; returns the first token after it."""
    count = len(prompt)
    cos, sin = model.cos[:count], model.sin[:count]
    x = model.embed_tokens(torch.tensor(prompt))[None]
    for number, layer in enumerate(model.layers):
        _, keys, values = layer.self_attn.project(layer.input_layernorm(x))
        cache.keys[number][sequence, :, :count] = rotate(keys[0], cos, sin)
        cache.values[number][sequence, :, :count] = values[0]
        cache.raw_sinks[number][sequence] = keys[0, :, :SINKS]
        x = layer(x, cos, sin)
    cache.lengths[sequence] = count
    return model.logits(model.norm(x[0, -1])).argmax()


@dataclass(frozen=True)
class Window:
    """Which tokens each sequence attends to: those from `first` up to `total`, and, where that leaves some out, the
    sinks, as if these stood right before the window. Only distances enter the scores, so moving the sinks up by
    what is left out between is the same as counting places in the cache."""
    first: torch.Tensor
    total: torch.Tensor

    @staticmethod
    def of(totals, budget):
        left_out = totals - totals if budget is None else (totals - budget).clamp(min=0)
        return Window(torch.where(left_out > 0, left_out + SINKS, 0), totals)

    def span(self):
        """The slots that some sequence attends to."""
        return slice(int(self.first.min()), int(self.total.max()))

    def sink_positions(self):
        return (self.first - SINKS).clamp(min=0)[:, None] + torch.arange(SINKS)

    def outside(self):
        """What is masked out of the sinks followed by the span. (sequences, slots)"""
        span = self.span()
        slots = torch.arange(span.start, span.stop)
        no_sinks = (self.first == 0)[:, None].expand(-1, SINKS)
        return torch.cat([no_sinks, (slots < self.first[:, None]) | (slots >= self.total[:, None])], dim=1)


def decode_step(model, cache, tokens, budget):
    """Appends one token to every sequence and returns the next ones."""
    window = Window.of(cache.lengths + 1, budget)
    span, outside, sink_positions = window.span(), window.outside()[:, None, None], window.sink_positions()
    cos, sin = model.cos[cache.lengths][:, None, None], model.sin[cache.lengths][:, None, None]
    sink_cos, sink_sin = model.cos[sink_positions][:, None], model.sin[sink_positions][:, None]
    x = model.embed_tokens(tokens)[:, None]
    for number, layer in enumerate(model.layers):
        attention = layer.self_attn
        queries, keys, values = attention.project(layer.input_layernorm(x))
        cache.append(number, rotate(keys, cos, sin)[:, :, 0], values[:, :, 0])
        sinks = rotate(cache.raw_sinks[number], sink_cos, sink_sin)
        mixed = attend(rotate(queries, cos, sin), sinks, cache.keys[number][:, :, span],
                       cache.values[number][:, :, :SINKS], cache.values[number][:, :, span], outside)
        x = x + attention.o_proj(mixed)
        x = x + layer.mlp(layer.post_attention_layernorm(x))
    cache.lengths = window.total
    return model.logits(model.norm(x[:, 0])).argmax(-1)


def attend(queries, sink_keys, keys, sink_values, values, outside):
    """One query per head over sinks and window; the queries of a group side by side, so that keys are not repeated."""
    sequences, heads, _, size = queries.shape
    grouped = queries.view(sequences, keys.shape[1], heads // keys.shape[1], size) * size ** -0.5
    scores = torch.cat([grouped @ sink_keys.transpose(-1, -2), grouped @ keys.transpose(-1, -2)], dim=-1)
    weights = scores.masked_fill(outside, float("-inf")).softmax(-1)
    mixed = weights[..., :SINKS] @ sink_values + weights[..., SINKS:] @ values
    return mixed.reshape(sequences, 1, heads * size)
