"""The demo model: a small decoder of the Llama form. Parameter names are those of Hugging Face's Llama checkpoints."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

QUERY_CHUNK = 128


@dataclass(frozen=True)
class ModelConfig:
    """Sizes under the names of Hugging Face's LlamaConfig."""
    vocab_size: int
    hidden_size: int = 128
    intermediate_size: int = 384
    num_hidden_layers: int = 5
    num_attention_heads: int = 4
    num_key_value_heads: int = 2
    head_dim: int = 32
    max_position_embeddings: int = 2048
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-5

    @property
    def queries_per_key(self):
        return self.num_attention_heads // self.num_key_value_heads


class RMSNorm(nn.Module):
    """x / rms(x) in fp32, times the weight [Zhang and Sennrich 2019]."""

    def __init__(self, size, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x):
        wide = x.float()
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return (wide * scale * self.weight).to(x.dtype)


def rotary_frequencies(head_dim, theta):
    """Angle per position of each rotary pair, fastest first. (head_dim / 2)"""
    return theta ** (-torch.arange(0, head_dim, 2).float() / head_dim)


def rotary_table(config):
    """cos and sin of every position, both halves alike. (max_position_embeddings, head_dim)"""
    positions = torch.arange(config.max_position_embeddings).float()
    angles = torch.outer(positions, rotary_frequencies(config.head_dim, config.rope_theta)).repeat(1, 2)
    return angles.cos(), angles.sin()


def rotate(x, cos, sin):
    """Rotary embedding of queries or keys, channel i paired with i + head_dim / 2 [Su et al. 2021]."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


def causal_attention(queries, keys, values):
    """Softmax attention by chunks of queries, each against the keys up to its end: plain matrix products, which on a
    CPU are faster to train with than the fused kernel. All of (batch, heads, tokens, head_dim)."""
    tokens, scale, chunks = queries.shape[2], queries.shape[3] ** -0.5, []
    for begin in range(0, tokens, QUERY_CHUNK):
        end = min(begin + QUERY_CHUNK, tokens)
        scores = (queries[:, :, begin:end] * scale) @ keys[:, :, :end].transpose(-1, -2)
        future = torch.arange(end)[None, :] > torch.arange(begin, end)[:, None]
        weights = scores.float().masked_fill(future, -1e9).softmax(-1).to(values.dtype)
        chunks.append(weights @ values[:, :, :end])
    return torch.cat(chunks, dim=2)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        query_size = config.num_attention_heads * config.head_dim
        key_size = config.num_key_value_heads * config.head_dim
        self.q_proj = nn.Linear(config.hidden_size, query_size, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, key_size, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, key_size, bias=False)
        self.o_proj = nn.Linear(query_size, config.hidden_size, bias=False)

    def project(self, x):
        """Queries, keys and values before rotation. (batch, heads, tokens, head_dim)"""
        batch, tokens, _ = x.shape
        return tuple(projection(x).view(batch, tokens, -1, self.config.head_dim).transpose(1, 2)
                     for projection in (self.q_proj, self.k_proj, self.v_proj))

    def forward(self, x, cos, sin):
        queries, keys, values = self.project(x)
        queries, keys = rotate(queries, cos, sin), rotate(keys, cos, sin)
        repeats = self.config.queries_per_key
        mixed = causal_attention(queries, keys.repeat_interleave(repeats, 1), values.repeat_interleave(repeats, 1))
        return self.o_proj(mixed.transpose(1, 2).flatten(2))


class GatedMLP(nn.Module):
    """SwiGLU [Shazeer 2020]."""

    def __init__(self, config):
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x):
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = GatedMLP(config)

    def forward(self, x, cos, sin):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class DemoModel(nn.Module):
    """The decoder; the output matrix is the embedding (tied)."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        cos, sin = rotary_table(config)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def hidden(self, ids, positions, dtype=torch.float32):
        """Last hidden states of token ids at positions, both (batch, tokens), with the stream kept in dtype."""
        x = self.embed_tokens(ids).to(dtype)
        cos, sin = self.cos[positions][:, None].to(dtype), self.sin[positions][:, None].to(dtype)
        for layer in self.layers:
            x = layer(x, cos, sin)
        return self.norm(x)

    def logits(self, hidden):
        return functional.linear(hidden, self.embed_tokens.weight)

    def forward(self, ids):
        """Logits of every token, positions from 0. (batch, tokens, vocab_size)"""
        positions = torch.arange(ids.shape[1]).expand_as(ids)
        return self.logits(self.hidden(ids, positions))
