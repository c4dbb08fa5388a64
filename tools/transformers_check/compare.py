#!/usr/bin/env python3
"""Compares Lil's models with Hugging Face transformers on the same folders.

    python3 compare.py --lil-logits build/release/bin/lil_logits FOLDER… [--text TEXT] [--dtype fp32]

For each model folder, with greedy decoding by transformers from a prompt (TEXT, or the begin-of-sentence token):

  stream   whether Lil's own greedy tokens are the same, or after how many they part
  forced   the largest difference of any logit when both read prompt and stream (Lil: the prompt at once, then
           token by token), and when both read random ids
  spread   the standard deviation of the logits, and the smallest gap between the best two along the stream
  off fp32 for narrower types: how far each is from transformers in fp32 on the random ids

Exits with 1 where a logit differs by more than --tolerance or a stream parts (fp32 only: narrower types round in
other places, and are shown for information). Needs torch and transformers in the Python that runs it, nothing
of this in the tests.
"""
import argparse
import dataclasses
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TQDM_DISABLE", "1")

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

TORCH_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclasses.dataclass
class Lil:
    """The program that prints what the recorder computes."""

    program: pathlib.Path
    dtype: str
    threads: int

    def _run(self, folder: pathlib.Path, ids: list[int], options: list[str]) -> bytes:
        with tempfile.TemporaryDirectory() as scratch:
            out = pathlib.Path(scratch) / "out"
            command = [self.program, folder, "-", out, "--dtype", self.dtype, "--threads", self.threads, *options]
            given = torch.tensor(ids, dtype=torch.int32).numpy().tobytes()
            subprocess.run(list(map(str, command)), input=given, check=True)
            return out.read_bytes()

    def logits(self, folder: pathlib.Path, ids: list[int], prompt: int) -> torch.Tensor:
        raw = self._run(folder, ids, ["--prompt", str(prompt)])
        return torch.frombuffer(bytearray(raw), dtype=torch.float32).view(len(ids) - prompt + 1, -1)

    def stream(self, folder: pathlib.Path, ids: list[int], tokens: int) -> list[int]:
        raw = self._run(folder, ids, ["--prompt", str(len(ids)), "--greedy", str(tokens)])
        return torch.frombuffer(bytearray(raw), dtype=torch.int32).tolist()


@torch.no_grad()
def greedy(model, ids: list[int], tokens: int) -> list[int]:
    """The most likely token each time, end of sentence or not."""
    output = model(torch.tensor([ids]), use_cache=True)
    stream = []
    for _ in range(tokens):
        stream.append(int(output.logits[0, -1].argmax()))
        output = model(torch.tensor([stream[-1:]]), past_key_values=output.past_key_values, use_cache=True)
    return stream


@torch.no_grad()
def forced(model, ids: list[int], prompt: int) -> torch.Tensor:
    return model(torch.tensor([ids])).logits[0, prompt - 1 :].float()


def prompt_ids(folder: pathlib.Path, text: str | None, model) -> list[int]:
    if text is None:
        return [model.config.bos_token_id or 0]
    return AutoTokenizer.from_pretrained(folder)(text, add_special_tokens=False)["input_ids"]


def common_prefix(a: list[int], b: list[int]) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))


def load(folder: pathlib.Path, dtype: str):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=TORCH_TYPES[dtype]).eval()
    if getattr(model.config, "num_experts", 0):
        model.set_experts_implementation("eager")  # the others sum experts in another order
    return model


def compare(folder: pathlib.Path, lil: Lil, args: argparse.Namespace) -> bool:
    model = load(folder, lil.dtype)
    prompt = prompt_ids(folder, args.text, model)
    stream = greedy(model, prompt, args.tokens)
    same = common_prefix(stream, lil.stream(folder, prompt, args.tokens))

    ids = prompt + stream
    expected = forced(model, ids, len(prompt))
    along = (lil.logits(folder, ids, len(prompt)) - expected).abs().max().item()
    best = expected[:-1].topk(2).values
    gap = (best[:, 0] - best[:, 1]).min().item()

    random = torch.Generator().manual_seed(args.seed)
    vocabulary = expected.shape[-1]
    ids = torch.randint(vocabulary, (args.random_tokens,), generator=random).tolist()
    expected_random = forced(model, ids, len(ids) // 2)
    own_random = lil.logits(folder, ids, len(ids) // 2)
    on_random = (own_random - expected_random).abs().max().item()
    off = ""
    if lil.dtype != "fp32":
        exact = forced(load(folder, "fp32"), ids, len(ids) // 2)
        errors = [(logits - exact).abs().max().item() for logits in (own_random, expected_random)]
        off = f"  off fp32: lil {errors[0]:.1e}, transformers {errors[1]:.1e}"

    print(
        f"{folder.name:24} {lil.dtype}  stream {same:4}/{len(stream)}  forced {along:.1e} along it, "
        f"{on_random:.1e} random  spread {expected.std().item():5.2f}, least gap {gap:.1e}{off}",
        flush=True,
    )
    return same == len(stream) and max(along, on_random) <= args.tolerance


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=pathlib.Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--lil-logits", type=pathlib.Path, required=True, help="the program lil_logits")
    parser.add_argument("--text", help="the prompt; without it, the begin-of-sentence token alone")
    parser.add_argument("--tokens", type=int, default=256, help="length of the greedy stream")
    parser.add_argument("--random-tokens", type=int, default=300, help="length of the random sequence")
    parser.add_argument("--dtype", choices=list(TORCH_TYPES), default="fp32")
    parser.add_argument("--tolerance", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    lil = Lil(args.lil_logits, args.dtype, args.threads)
    agree = [compare(folder, lil, args) for folder in args.folders]
    return 0 if args.dtype != "fp32" or all(agree) else 1


if __name__ == "__main__":
    sys.exit(main())
