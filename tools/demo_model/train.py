"""Trains the demo model on a CPU: processes of one thread each that add up their gradients. See README.md."""

import argparse
import math
import time
from pathlib import Path

import torch
import torch.distributed as distributed
from torch import multiprocessing
from torch.nn import functional

import curriculum
import task
from initial_values import initialise
from model import DemoModel, ModelConfig

MATRIX_RATE, OTHER_RATE = 3e-3, 1.5e-3  # learning rates of Muon and AdamW
WARM_UP_STEPS = 60
CONSTANT_UNTIL, LAST_RATE = 0.35, 0.02  # the rate is constant, then falls along a cosine to this share
LARGEST_GRADIENT = 1.0
LOG_EVERY, SAVE_EVERY = 50, 100


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True, help="written every %d steps" % SAVE_EVERY)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--stop-after", type=int, help="end after this step of the schedule")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--port", type=int, default=29533, help="local port over which the processes meet")
    options = parser.parse_args()
    multiprocessing.spawn(train, (options,), nprocs=options.processes)


def train(rank, options):
    """One of the processes; all hold the same model."""
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{options.port}", rank=rank,
                                   world_size=options.processes)
    model = DemoModel(ModelConfig(vocab_size=len(task.VOCABULARY)))
    initialise(model)
    optimizers = make_optimizers(model)
    first_step = load_checkpoint(options.checkpoint, model, optimizers) if options.resume else 0
    hidden = torch.compile(model.hidden, dynamic=False)
    log = Log() if rank == 0 else None
    if log and not options.resume:
        print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(task.VOCABULARY)} tokens, "
              f"{options.steps} steps, seed {options.seed}, torch {torch.__version__}", flush=True)
    last_step = min(options.steps, options.stop_after or options.steps)
    for step in range(first_step, last_step):
        progress = step / options.steps
        batch = curriculum.draw_batch(options.seed, rank, step, progress)
        outcome = backward(model, hidden, batch)
        norm = share_gradients(model, outcome)
        update(optimizers, step, progress)
        if log:
            log.add(batch, outcome)
            if (step + 1) % LOG_EVERY == 0:
                log.flush(step + 1, norm)
            if (step + 1) % SAVE_EVERY == 0 or step + 1 == last_step:
                save_checkpoint(options.checkpoint, model, optimizers, step + 1)
    distributed.destroy_process_group()


def make_optimizers(model):
    """Muon [Jordan et al. 2024] for the matrices inside the layers, AdamW for embedding and norms."""
    matrices = [p for p in model.layers.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if all(p is not matrix for matrix in matrices)]
    return (torch.optim.Muon(matrices, lr=MATRIX_RATE, momentum=0.95, weight_decay=0.05,
                             adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=OTHER_RATE, betas=(0.9, 0.98), weight_decay=0.0))


class Outcome:
    """What one process found in its batch: the loss summed over weighted tokens, and which were right."""

    def __init__(self, logits, targets, weights, labels):
        losses = functional.cross_entropy(logits.float(), targets, reduction="none")
        self.loss = (losses * weights).sum()
        self.weight = weights.sum()
        self.right = logits.argmax(-1) == targets
        self.labels = labels


def backward(model, hidden, batch):
    """Forward and backward pass in bf16; logits only where there is something to learn."""
    where = batch.weights.flatten().nonzero()[:, 0]
    with torch.autocast("cpu", torch.bfloat16):
        states = hidden(batch.inputs, batch.positions, torch.bfloat16).flatten(0, 1)[where]
        logits = model.logits(states)
    targets, weights, labels = (t.flatten()[where] for t in (batch.targets, batch.weights, batch.labels))
    outcome = Outcome(logits, targets, weights, labels)
    (outcome.loss / curriculum.TOKENS_PER_BATCH).backward()
    return outcome


def share_gradients(model, outcome):
    """Makes every process hold the gradient of the mean loss over all weighted tokens, clipped. Returns its norm."""
    parameters = list(model.parameters())
    summed = torch.cat([p.grad.flatten() for p in parameters] + [outcome.weight[None]])
    distributed.all_reduce(summed)
    gradient = summed[:-1] * (curriculum.TOKENS_PER_BATCH / summed[-1])
    norm = float(gradient.norm())
    gradient *= min(1.0, LARGEST_GRADIENT / (norm + 1e-6))
    for p, part in zip(parameters, gradient.split([p.numel() for p in parameters])):
        p.grad.copy_(part.view_as(p))
    return norm


def update(optimizers, step, progress):
    falling = max(0.0, progress - CONSTANT_UNTIL) / (1 - CONSTANT_UNTIL)
    rate = LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * falling))
    rate *= min(1.0, (step + 1) / WARM_UP_STEPS)
    for optimizer, full_rate in zip(optimizers, (MATRIX_RATE, OTHER_RATE)):
        for group in optimizer.param_groups:
            group["lr"] = full_rate * rate
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


class Log:
    """Sums over the steps since the last line: loss, speed, and the share of right tokens by label."""

    def __init__(self):
        self.begin = time.monotonic()
        self.reset()

    def reset(self):
        self.since, self.tokens, self.loss, self.weight = time.monotonic(), 0, 0.0, 0.0
        self.right, self.seen = torch.zeros(len(task.LABELS)), torch.zeros(len(task.LABELS))

    def add(self, batch, outcome):
        self.tokens += batch.inputs.numel()
        self.loss += outcome.loss.item()
        self.weight += outcome.weight.item()
        self.right += torch.bincount(outcome.labels, outcome.right.float(), minlength=len(task.LABELS))
        self.seen += torch.bincount(outcome.labels, minlength=len(task.LABELS))

    def flush(self, step, norm):
        now = time.monotonic()
        speed = self.tokens * distributed.get_world_size() / (now - self.since)
        shares = " ".join(f"{name} {self.right[i] / self.seen[i]:.3f}"
                          for i, name in enumerate(task.LABELS) if self.seen[i])
        print(f"step {step} minutes {(now - self.begin) / 60:.1f} loss {self.loss / self.weight:.4f} "
              f"gradient {norm:.2f} tokens/s {speed:.0f} | {shares}", flush=True)
        self.reset()


def save_checkpoint(path, model, optimizers, step):
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save({"step": step, "model": model.state_dict(), "optimizers": [o.state_dict() for o in optimizers]}, partial)
    partial.replace(path)


def load_checkpoint(path, model, optimizers):
    """Restores model and optimizers; returns the number of steps done."""
    state = torch.load(path)
    model.load_state_dict(state["model"])
    for optimizer, saved in zip(optimizers, state["optimizers"]):
        optimizer.load_state_dict(saved)
    return state["step"]


if __name__ == "__main__":
    main()
