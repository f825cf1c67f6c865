"""What probing costs next to plain prompt tuning and full eager autograd: training steps and evaluations per operator.

One random Qwen3-VL text stack, one prompt, one screen; the variants of a table run in turn (A B C, A B C, ...) and a
ratio is the median of the rounds' own ratios. Time on one CPU thread is the process's own. Peak memory is measured
afterwards, each variant alone, as the rise over the model. Full eager is the operator's literal definition.

    python tests/performance/probing_cost.py
    python tests/performance/probing_cost.py --last-layers 0 --eager-batch 1 --operators glimpse
    python tests/performance/probing_cost.py --device cuda --dtype bfloat16 --layers 36 --hidden 2560 --heads 32 \
        --kv-heads 8 --head-dim 128 --intermediate 9728 --vocabulary 151936 --batch 1 4 8
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import importlib.util
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from baselines.probing.registry import create  # noqa: E402
from baselines.probing.relevance import token_relevance  # noqa: E402
from tests.performance import printing  # noqa: E402

_spec = importlib.util.spec_from_file_location("literal", ROOT / "tests" / "baselines" / "probing" / "literal.py")
assert _spec and _spec.loader
literal = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(literal)

SLOTS = 15
OPERATORS = ("rollout", "attnlrp", "attnlrp-stable", "glimpse", "glimpse-first-order", "gaze-heads")
TRAIN_TARGET = {"rollout": 1.5, "attnlrp": 1.05, "attnlrp-stable": 1.05, "glimpse": 3.5, "glimpse-first-order": 2.0}
LAST_TARGET = {"rollout": 1.3, "attnlrp": 1.1, "attnlrp-stable": 1.1, "glimpse": 1.8}
EVAL_TARGET = 1.15
"""Most that a step or an evaluation may cost, in plain ones: of all layers, and of the last quarter."""


class Bench:
    """One model and one batch size."""

    def __init__(self, options: argparse.Namespace, model: Qwen3VLForConditionalGeneration, batch: int) -> None:
        self.model, self.device = model, torch.device(options.device)
        self.dtype = getattr(torch, options.dtype)
        self.parameters = sum(p.numel() for p in model.get_decoder().layers.parameters())
        self.batch, self.length, image = batch, options.length, options.image_tokens
        make = torch.Generator().manual_seed(5)
        width = options.hidden
        self.prompt = (torch.randn(options.prompt, width, generator=make) * 0.5).to(self.device, self.dtype)
        rest = torch.randn(batch, self.length - options.prompt, width, generator=make) * 0.5
        self.rest = rest.to(self.device, self.dtype)
        visual = torch.zeros(batch, self.length, dtype=torch.bool)
        start = options.prompt + 10
        visual[:, start : start + image] = True
        side = max(1, int(image**0.5))
        position = torch.arange(self.length).expand(3, batch, -1).clone()
        patch = torch.arange(image)
        position[0, :, start : start + image] = start
        position[1, :, start : start + image] = start + patch // side
        position[2, :, start : start + image] = start + patch % side
        self.arguments = {
            "position_ids": position.to(self.device),
            "attention_mask": torch.ones(batch, self.length, dtype=torch.bool, device=self.device),
            "visual_pos_masks": visual.to(self.device),
            "deepstack_visual_embeds": [
                (torch.randn(batch * image, width, generator=make) * 0.1).to(self.device, self.dtype)
            ],
        }
        if options.padded:
            self.arguments["attention_mask"][0, :5] = False
        self.slots = torch.zeros(self.length, SLOTS)
        self.slots[start : start + image] = torch.rand(image, SLOTS, generator=make)
        self.slots = self.slots.to(self.device)
        self.gaze = torch.softmax(torch.randn(SLOTS, generator=make), 0).to(self.device)
        self.answer = torch.arange(batch, device=self.device) % SLOTS

    def embeds(self, prompt: Tensor) -> Tensor:
        return torch.cat([prompt.expand(self.batch, -1, -1), self.rest], 1)

    def loss(self, tokens: Tensor | None, logits: Tensor) -> Tensor:
        loss = torch.nn.functional.cross_entropy(logits.float(), self.answer)
        if tokens is None:
            return loss
        attention = (tokens.float().abs() @ self.slots) + 1e-6
        attention = attention / attention.sum(1, keepdim=True)
        return loss - (attention.log() * self.gaze).sum(1).mean()

    def train(self, run: Callable[[Tensor], tuple[Tensor | None, Tensor]]) -> Tensor:
        prompt = self.prompt.clone().requires_grad_()
        tokens, logits = run(self.embeds(prompt))
        self.loss(tokens, logits).backward()
        assert prompt.grad is not None
        return prompt.grad

    def plain(self, embeds: Tensor) -> tuple[None, Tensor]:
        hidden = self.model.get_decoder()(inputs_embeds=embeds, use_cache=False, **self.arguments).last_hidden_state
        return None, self.model.lm_head(hidden[:, -1])

    def probed(self, operator: str, last: int, create_graph: bool) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        more = {"heads": ((0, 0), (1, 1))} if operator == "gaze-heads" else {"last_layers": last}
        built = create(operator, **more)

        def target(logits: Tensor) -> Tensor:
            return logits[:, :SLOTS].max(1).values

        def run(embeds: Tensor) -> tuple[Tensor, Tensor]:
            return token_relevance(
                self.model, built, inputs_embeds=embeds, target=target, create_graph=create_graph, **self.arguments
            )

        return run

    def eager(self, operator: str) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        def run(embeds: Tensor) -> tuple[Tensor, Tensor]:
            attentions, logits, y = literal.run(
                self.model,
                {"inputs_embeds": embeds, **self.arguments},
                lambda z: z[:, :SLOTS].argmax(1, keepdim=True).tolist(),
            )
            return literal.relevance(operator, attentions, y, self.arguments["attention_mask"], True), logits

        return run

    def variants(self, mode: str, options: argparse.Namespace) -> dict[str, Callable[[], object]]:
        """Return name -> a run of it, plain first."""
        found: dict[str, Callable[[], object]] = {}
        if mode == "train":
            found["plain"] = lambda: self.train(self.plain)
        else:
            found["plain"] = torch.no_grad()(lambda: self.plain(self.embeds(self.prompt)))
        for name, last in itertools.product(options.operators, options.last_layers):
            if name == ("gaze-heads" if mode == "train" else "glimpse-first-order") or (name == "gaze-heads" and last):
                continue
            key = f"{name}, last {last}" if last else name
            if mode == "train":
                found[key] = lambda name=name, last=last: self.train(self.probed(name, last, True))
                if self.batch in options.eager_batch and not last:
                    found[f"full eager: {name}"] = lambda name=name: self.train(self.eager(name))
            else:
                found[key] = lambda name=name, last=last: self.probed(name, last, False)(self.embeds(self.prompt))
        return found


def timed(run: Callable[[], object], device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    # On one CPU thread the process's own time: what else the machine does must not count.
    clock = time.process_time if device == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    run()
    if device == "cuda":
        torch.cuda.synchronize()
    return clock() - start


def peak_mib(run: Callable[[], object], device: str) -> float:
    """Return by how much ``run`` raises memory at its worst, MiB."""
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        torch.cuda.synchronize()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    run()
    return (_status("VmHWM") - before) / 1024


def measure_memory(
    bench: Bench, mode: str, variants: dict[str, Callable[[], object]], options: argparse.Namespace
) -> dict[str, float]:
    """Return the peak of each variant, MiB.

    On a CPU in a process of its own, in which the allocator takes every tensor straight from the system and gives it
    back at once: resident memory is then what is alive, which in this process it is not.
    """
    if options.device == "cuda" or options.memory_pass:
        for name, run in variants.items():
            if not name.startswith("full eager"):
                run()
        return {name: peak_mib(run, options.device) for name, run in variants.items()}
    command = [sys.executable, __file__, *sys.argv[1:], "--memory-pass", mode, str(bench.batch)]
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


def table(bench: Bench, mode: str, options: argparse.Namespace, per_session: dict[tuple[str, str, int], float]) -> None:
    variants = bench.variants(mode, options)
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    failed: set[str] = set()
    for repeat in range(options.repeats + 1):
        for name, run in variants.items():
            # A full eager step is slow and its ratio is far from its target: it runs once, after the warm-up round.
            if name.startswith("full eager") and repeat not in (1, 2):
                continue
            if name in failed:
                continue
            try:
                took = timed(run, options.device)
            except torch.OutOfMemoryError:
                failed.add(name)
                continue
            if repeat:
                seconds[name].append(took)
    for name in failed:
        print(f"batch {bench.batch}, {mode}: {name} does not fit into memory")
        del variants[name]
    memory = measure_memory(bench, mode, variants, options) if options.memory else {}
    rows = []
    for name in variants:
        operator, _, last = name.partition(", last ")
        target = EVAL_TARGET if mode == "eval" else (LAST_TARGET if last else TRAIN_TARGET).get(operator)
        ratio = statistics.median(a / b for a, b in zip(seconds[name], seconds["plain"], strict=False))
        took = statistics.median(seconds[name])
        per_session[mode, name, bench.batch] = took / bench.batch
        row = [
            name,
            f"{took:.3f}",
            f"{ratio:.2f}",
            _held(ratio, target if name != "plain" else None),
            f"{bench.batch * bench.length / took:.0f}",
            _rate(bench, mode, took, options.peak_tflops),
        ]
        row += [f"{memory[name]:.0f}", f"{memory[name] / memory['plain']:.2f}"] if memory else ["", ""]
        full = f"full eager: {name}"
        if full in variants:
            row.append(f"{statistics.median(a / b for a, b in zip(seconds[full], seconds[name], strict=False)):.1f}")
            row.append(f"{memory[name] / memory[full]:.3f}" if memory else "")
        else:
            row += ["", ""]
        rows.append(row)
    title = "training step" if mode == "train" else "evaluation"
    head = ["variant", "s", "x plain", "target", "tokens/s", "TFLOP/s", "+MiB", "MiB / plain"]
    head += ["eager s / s", "MiB / eager"]
    print(f"\n{title}, batch {bench.batch}, S {bench.length}{', left padding' if options.padded else ''}")
    print(printing.table(printing.rows(head, rows)))


def _rate(bench: Bench, mode: str, took: float, peak: float | None) -> str:
    """Return the rate of a frozen model's products: once forward, and once more on the way back in training."""
    rate = 2e-12 * bench.parameters * (2 if mode == "train" else 1) * bench.batch * bench.length / took
    return f"{rate:.3g}" + (f" ({rate / peak:.0%})" if peak else "")


def _held(value: float, target: float | None) -> str:
    return "" if target is None else f"<= {target:.3g} {'held' if value <= target else 'MISSED'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--kv-heads", type=int, default=2)
    parser.add_argument("--head-dim", type=int, default=64)
    parser.add_argument("--intermediate", type=int, default=768)
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument("--length", type=int, default=700, help="S, soft prompt included")
    parser.add_argument("--prompt", type=int, default=16)
    parser.add_argument("--image-tokens", type=int, default=640)
    parser.add_argument("--batch", type=int, nargs="+", default=[1])
    parser.add_argument("--last-layers", type=int, nargs="+", default=[0, 6], help="0 for all")
    parser.add_argument(
        "--eager-batch", type=int, nargs="*", default=[], help="batch sizes at which full eager runs too"
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--modes", nargs="+", default=["train", "eval"], choices=["train", "eval"])
    parser.add_argument("--operators", nargs="+", default=list(OPERATORS), choices=OPERATORS)
    parser.add_argument("--padded", action="store_true", help="pad one sequence on the left")
    parser.add_argument("--no-memory", dest="memory", action="store_false")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peak-tflops", type=float, help="the card's matmul rate; prints the share of it")
    parser.add_argument("--memory-pass", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    text = dict(
        hidden_size=options.hidden,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        num_key_value_heads=options.kv_heads,
        head_dim=options.head_dim,
        intermediate_size=options.intermediate,
        vocab_size=options.vocabulary,
        initializer_range=0.05,
        rope_parameters=dict(
            rope_type="default", rope_theta=5e6, mrope_section=_sections(options.head_dim), mrope_interleaved=True
        ),
    )
    vision = dict(
        depth=1,
        hidden_size=32,
        intermediate_size=32,
        num_heads=2,
        out_hidden_size=options.hidden,
        deepstack_visual_indexes=[0],
    )
    with torch.device(options.device):
        model = Qwen3VLForConditionalGeneration(Qwen3VLConfig(text_config=text, vision_config=vision))
    model = model.to(getattr(torch, options.dtype)).eval().requires_grad_(False)
    if options.memory_pass:
        mode, batch = options.memory_pass[0], int(options.memory_pass[1])
        bench = Bench(options, model, batch)
        print(json.dumps(measure_memory(bench, mode, bench.variants(mode, options), options)))
        return
    name = torch.cuda.get_device_name() if options.device == "cuda" else f"CPU, {options.threads} thread(s)"
    millions = sum(p.numel() for p in model.get_decoder().parameters()) / 1e6
    print(f"{name}; {options.dtype}; {options.layers} layers, hidden {options.hidden}, {millions:.0f} M parameters")
    per_session: dict[tuple[str, str, int], float] = {}
    for batch in options.batch:
        bench = Bench(options, model, batch)
        for mode in options.modes:
            table(bench, mode, options, per_session)
    if len(options.batch) > 1:
        low, high = min(options.batch), max(options.batch)
        rows = [
            [mode, name, f"{seconds / per_session[mode, name, low]:.2f}"]
            for (mode, name, batch), seconds in per_session.items()
            if batch == high and (mode, name, low) in per_session
        ]
        print(f"\nseconds per session, batch {high} over batch {low}")
        print(printing.table(printing.rows(["", "variant", "ratio"], rows)))


def _sections(head_dim: int) -> list[int]:
    """Split head_dim / 2 rotary frequencies over time, height and width as Qwen3-VL does (24, 20, 20 of 64)."""
    half = head_dim // 2
    side = half * 20 // 64
    return [half - 2 * side, side, side]


if __name__ == "__main__":
    main()
