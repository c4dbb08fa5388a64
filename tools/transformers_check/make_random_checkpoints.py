#!/usr/bin/env python3
"""Small checkpoints with random weights, in the forms that Hugging Face transformers writes, for compare.py.

    python3 make_random_checkpoints.py OUT [--seed N]

Writes OUT/<name> for each name below: config.json, weights and a byte-level tokenizer of 512 pieces. Needs
transformers and tokenizers; a few megabytes in all.
"""
import argparse
import os
import pathlib

os.environ.setdefault("TQDM_DISABLE", "1")

import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast, Qwen2Config, Qwen2MoeConfig

SHAPE = dict(
    vocab_size=512,
    hidden_size=128,
    intermediate_size=352,
    num_hidden_layers=4,
    num_attention_heads=8,
    num_key_value_heads=2,
    max_position_embeddings=4096,
    bos_token_id=0,
    eos_token_id=1,
)
LLAMA3 = dict(
    rope_type="llama3",
    rope_theta=500000.0,
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=64,
)
EXPERTS = dict(
    num_experts=60, num_experts_per_tok=4, moe_intermediate_size=44, shared_expert_intermediate_size=176
)

# How the tokenizers of Qwen 1.5, 2 and 2.5 cut a text.
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)

# name: (config, type of the weights, how they are written)
CHECKPOINTS = {
    "llama3": (LlamaConfig(**SHAPE, head_dim=32, rope_parameters=LLAMA3), "float32", "whole"),
    "llama-biased": (LlamaConfig(**SHAPE, attention_bias=True, mlp_bias=True), "float32", "whole"),
    "qwen2": (Qwen2Config(**SHAPE), "float32", "whole"),
    "qwen2-tied-fp16": (Qwen2Config(**SHAPE, tie_word_embeddings=True), "float16", "whole"),
    "qwen2-sharded-bf16": (Qwen2Config(**SHAPE), "bfloat16", "shards"),
    "qwen2_moe": (Qwen2MoeConfig(**SHAPE, **EXPERTS), "float32", "whole"),
    "qwen2_moe-packed": (
        Qwen2MoeConfig(**SHAPE, **EXPERTS, norm_topk_prob=True, mlp_only_layers=[2]),
        "float32",
        "packed",
    ),
    "qwen2_moe-sparse-bf16": (
        Qwen2MoeConfig(**SHAPE, **EXPERTS, decoder_sparse_step=2, qkv_bias=False),
        "bfloat16",
        "shards",
    ),
}


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE in the form of Qwen's, its merges learnt from numbers and a few words."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=SHAPE["vocab_size"],
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    words = "the answer of this step is then added and taken from what was left before".split()
    lines = [f"{words[i % 15]} {words[i * 7 % 15]} {i * i % 1009} {words[i * 4 % 15]}" for i in range(4000)]
    tokenizer.train_from_iterator(lines, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")


def fill(model: torch.nn.Module, seed: int) -> None:
    """Weights that keep activations at about 1 and spread logits over some units."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            drawn = torch.randn(weight.shape, generator=random)
            if name.endswith("norm.weight"):
                weight.copy_(1 + 0.1 * drawn)
            elif weight.dim() == 1:
                weight.copy_(0.1 * drawn)
            elif "embed_tokens" in name:
                weight.copy_(0.5 * drawn)
            else:
                weight.copy_(drawn * (3 if "lm_head" in name else 1) / weight.shape[-1] ** 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    tokenizer = make_tokenizer()
    for name, (config, dtype, form) in CHECKPOINTS.items():
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        fill(model, args.seed)
        model = model.to(getattr(torch, dtype))
        model.config.dtype = dtype
        folder = args.out / name
        model.save_pretrained(folder, max_shard_size="1MB" if form == "shards" else "5GB")
        if form == "packed":
            weights = {key: value.contiguous() for key, value in model.state_dict().items()}
            save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        tokenizer.save_pretrained(folder)
        print(f"{folder}: {sum(p.numel() for p in model.parameters()):,} parameters, {dtype}, {form}")


if __name__ == "__main__":
    main()
