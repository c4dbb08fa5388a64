"""Initial values of the weights: random, but for a few heads given as a starting point.

To look a row up, a model must find an earlier mention of the town it has just written and go on as the text went on
there. Transformers learn this as an induction circuit [Olsson et al. 2022]: a head of one layer writes the previous
token into each place, and a head of the next layer looks for the place whose previous token is the current one. From
random weights a model of this size finds the circuit only after long training, if at all. So the first two layers
begin with it, twice: one key head for any distance, one for nearby places. The second is what comparing two counts
needs: at the end of "was 31 and is 31" it finds the " and" behind the first 31, and after "was 28 and is 31" it finds
none. These are initial values and no more: every number of them is trained on like all others.
"""

import math

import torch
from torch import nn

from model import rotary_frequencies

CLOCK = 0          # the hidden channel that is the same in every embedding, so a head can ignore the token
CLOCK_LEVEL = 0.3  # its value
CLOCK_PAIRS = 4    # fastest rotary pairs, those by which a look-back head tells neighbouring places apart


def initialise(model):
    """Sets all weights of a DemoModel from torch's random generator."""
    with torch.no_grad():
        random_weights(model)
        model.embed_tokens.weight[:, CLOCK] = CLOCK_LEVEL
        token_reader, writer = look_back_heads(model)
        slow, near = model.config.head_dim // 4, CLOCK_PAIRS
        induction_heads(model, 0, slow, (3.0, 1.5), token_reader, writer)
        induction_heads(model, 1, near, (3.0,), token_reader, writer)


def random_weights(model):
    """Unit gain for matrices that read the stream, little for those that write to it: what the first layer adds must
    not drown the token itself."""
    nn.init.normal_(model.embed_tokens.weight, std=0.05)
    for number, layer in enumerate(model.layers):
        for name, weight in layer.named_parameters():
            if weight.dim() == 2:
                writes = name.endswith(("o_proj.weight", "down_proj.weight"))
                gain = 1.0 if not writes else 0.05 if number == 0 else 0.15
                nn.init.normal_(weight, std=gain / math.sqrt(weight.shape[1]))


def look_back_heads(model, sharpness=1.6, write_scale=0.12):
    """Layer 0, the query heads of key head 0: head i attends to the place i + 1 before.

    Keys are constant (the clock channel) in the fastest rotary pairs; the query is the same constant turned back by
    i + 1 places, so the product is largest at that distance. Returns how the head reads a token, (head_dim, hidden),
    and where it writes it to, (hidden, head_dim), for the next layer to find.
    """
    config, attention = model.config, model.layers[0].self_attn
    size, half, level = config.head_dim, config.head_dim // 2, math.sqrt(sharpness)
    frequencies = rotary_frequencies(config.head_dim, config.rope_theta)[:CLOCK_PAIRS]
    keys = attention.k_proj.weight[:size]
    keys *= 0.3
    keys[:, CLOCK] = 0
    keys[:CLOCK_PAIRS, CLOCK] = level
    for head in range(config.queries_per_key):
        queries = attention.q_proj.weight[head * size:(head + 1) * size]
        queries *= 0.3
        queries[:, CLOCK] = 0
        queries[:CLOCK_PAIRS, CLOCK] = level * torch.cos((head + 1) * frequencies)
        queries[half:half + CLOCK_PAIRS, CLOCK] = -level * torch.sin((head + 1) * frequencies)
    token_reader = torch.randn(size, config.hidden_size) / math.sqrt(config.hidden_size)
    token_reader[:, CLOCK] = 0
    writer = orthogonal(config.hidden_size, size)
    attention.v_proj.weight[:size] = token_reader
    attention.o_proj.weight[:, :size] = writer * write_scale
    return token_reader, writer


def induction_heads(model, key_head, first_pair, sharpness, token_reader, writer, write_scale=0.06):
    """Layer 1, query heads of one key head: attend to places whose previous token is the current token, copy theirs.

    The key is the previous token as layer 0 wrote it, the query the current token read in the same way, both in the
    rotary pairs from first_pair on: in the slow half of the pairs distance hardly matters, with faster ones nearby
    places come before distant ones. One number of sharpness per query head; further query heads stay random.
    """
    config, attention = model.config, model.layers[1].self_attn
    size, half, group = config.head_dim, config.head_dim // 2, config.queries_per_key
    pairs = torch.cat([torch.arange(first_pair, half), torch.arange(half + first_pair, size)])
    code = torch.linalg.qr(torch.randn(size, size))[0][:len(pairs)]
    keys, queries = code @ writer.T, code @ token_reader
    copied = orthogonal(config.hidden_size, size)
    rows = slice(key_head * size, (key_head + 1) * size)
    attention.v_proj.weight[rows] = copied.T
    attention.k_proj.weight[rows] = 0
    attention.k_proj.weight[pairs + key_head * size] = keys / keys.norm(dim=1).mean() * 1.5
    for head, sharp in enumerate(sharpness, start=key_head * group):
        rows = slice(head * size, (head + 1) * size)
        attention.q_proj.weight[rows] = 0
        attention.q_proj.weight[pairs + head * size] = queries / queries.norm(dim=1).mean() * sharp
        attention.o_proj.weight[:, rows] = copied * write_scale


def orthogonal(rows, columns):
    """A random matrix with orthonormal columns that leaves the clock channel alone."""
    matrix, _ = torch.linalg.qr(torch.randn(rows, columns))
    matrix[CLOCK] = 0
    return matrix
