"""Writes a checkpoint of train.py as a Hugging Face model folder: weights in bf16, configuration, tokenizer."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save

import task
from model import ModelConfig


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    weights = torch.load(options.checkpoint)["model"]
    tensors = {f"model.{name}": weight.to(torch.bfloat16).contiguous() for name, weight in weights.items()}
    (options.folder / "model.safetensors").write_bytes(save(tensors, metadata={"format": "pt"}))
    for name, content in (("config", model_config()), ("generation_config", generation_config()),
                          ("tokenizer", tokenizer()), ("tokenizer_config", tokenizer_config())):
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        (options.folder / f"{name}.json").write_text(text, encoding="utf-8")


def model_config():
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **asdict(ModelConfig(vocab_size=len(task.VOCABULARY))),
        "hidden_act": "silu",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "mlp_bias": False,
        "initializer_range": 0.02,
        "pretraining_tp": 1,
        "rope_scaling": None,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "bos_token_id": task.BOS,
        "eos_token_id": task.EOS,
        "pad_token_id": task.PAD,
    }


def generation_config():
    return {"bos_token_id": task.BOS, "eos_token_id": task.EOS, "pad_token_id": task.PAD, "do_sample": False}


def tokenizer():
    """Whole words by a lookup, cut by one pattern; joining the tokens gives the text back. There is no unknown token:
    a word outside of the vocabulary is an error."""
    specials = [{"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
                 "normalized": False, "special": True} for i, token in enumerate(task.SPECIAL_TOKENS)]
    bos = {"SpecialToken": {"id": "<bos>", "type_id": 0}}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": specials,
        "normalizer": None,
        "pre_tokenizer": {"type": "Split", "pattern": {"Regex": task.TOKEN_PATTERN}, "behavior": "Isolated",
                          "invert": False},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [bos, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [bos, {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<bos>": {"id": "<bos>", "ids": [task.BOS], "tokens": ["<bos>"]}},
        },
        "decoder": {"type": "Fuse"},
        "model": {"type": "WordLevel", "vocab": task.TOKEN_IDS, "unk_token": "<unk>"},
    }


def tokenizer_config():
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "pad_token": "<pad>",
        "clean_up_tokenization_spaces": False,
        "model_max_length": ModelConfig.max_position_embeddings,
    }


if __name__ == "__main__":
    main()
