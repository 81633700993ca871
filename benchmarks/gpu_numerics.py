"""Whether a device computes what it should: trees, FlexAttention forward and backward, padded batches, windows.

    python benchmarks/gpu_numerics.py cuda

Every path is compared with one plain forward pass a sequence, on the same device and in the same arithmetic; gradients
with those of padded batches. Prints one JSON object; what cannot run on the device is named.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from transformers import AutoModelForCausalLM, Gemma2Config, LlamaConfig, MistralConfig, PretrainedConfig

from tiebreak.engine import attention
from tiebreak.engine.batch import ScoredGroup, group_of
from tiebreak.engine.influence import gradient_difference, leaks
from tiebreak.engine.layout import build_padded, build_tree, lengthened, round_length
from tiebreak.engine.logprobs import sequence_logps

_SMALL: dict[str, Any] = {
    "vocab_size": 256,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 4096,
}
MODELS: dict[str, Callable[[], PretrainedConfig]] = {
    "grouped heads": lambda: LlamaConfig(**_SMALL),
    "a window": lambda: MistralConfig(**_SMALL, sliding_window=100),
    "caps and windows": lambda: Gemma2Config(**_SMALL, sliding_window=100, query_pre_attn_scalar=16),
}
# Of a log-prob, in nats a token; of a gradient, as a share of its norm.
_TOLERANCES = {None: (1e-3, 1e-2), torch.bfloat16: (1e-1, 3e-1)}


def groups() -> list[ScoredGroup]:
    """Pairs of many lengths, some over several blocks of the kernel and longer than the windows."""
    draw = random.Random(0)

    def ids(count: int) -> list[int]:
        return [draw.randrange(3, 256) for _ in range(count)]

    shapes = [(5, 3, 9), (150, 40, 90), (33, 130, 60)]
    return [group_of(ids(p), [ids(a), ids(b)], row) for row, (p, a, b) in enumerate(shapes)]


def plain(model: Any, sample: list[ScoredGroup], autocast: torch.dtype | None) -> torch.Tensor:
    """Log-probs by one forward pass a sequence, nothing shared and nothing padded."""
    found = []
    for group in sample:
        for completion in group.completions:
            ids = torch.tensor([[*group.prompt, *completion]], device=model.device)
            with torch.autocast(model.device.type, dtype=autocast, enabled=autocast is not None):
                logits = model(input_ids=ids, use_cache=False).logits[0].float()
            each = torch.log_softmax(logits[:-1], -1).gather(1, ids[0, 1:, None])
            found.append(each[len(group.prompt) - 1 :].sum())
    return torch.stack(found)


def _chosen(kernel: str, _: torch.device) -> bool:
    return kernel == "flex"


def checked(device: str) -> list[dict[str, Any]]:
    """All comparisons: what was compared, how far apart it was, how far it may be."""
    sample, found = groups(), list[dict[str, Any]]()
    tokens = torch.tensor([float(len(c)) for g in sample for c in g.completions], device=device)
    switch: Any = attention
    usual = switch.runs_here
    for (name, config), autocast in ((m, a) for m in MODELS.items() for a in _TOLERANCES):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config()).to(device).eval()  # type: ignore[no-untyped-call]
        arithmetic = "bf16" if autocast else "fp32"
        most, most_of_gradient = _TOLERANCES[autocast]
        with torch.no_grad():
            expected = plain(model, sample, autocast)
        for kernel in ("padded", "branches", "flex"):
            switch.runs_here = partial(_chosen, kernel)
            try:
                tree = build_tree(sample)
                batch: Any = build_padded(sample) if kernel == "padded" else lengthened(tree, round_length(tree.tokens))
                row = {"model": name, "arithmetic": arithmetic, "path": kernel}
                with torch.no_grad():
                    logps = sequence_logps(model, batch.to(torch.device(device)), autocast=autocast).logp
                apart = float(((logps - expected).abs() / tokens).max())
                found.append({**row, "what": "log-probs", "difference": apart, "at_most": most, "ok": apart <= most})
                if kernel == "padded":
                    continue
                if kernel == "flex" and device == "cpu":
                    found.append({**row, "what": "gradients", "left_out": "FlexAttention has none on a CPU"})
                    continue
                apart = gradient_difference(model, sample, autocast)
                found.append(
                    {
                        **row,
                        "what": "gradients",
                        "difference": apart,
                        "at_most": most_of_gradient,
                        "ok": apart <= most_of_gradient,
                    }
                )
                if autocast is not None:  # what depends on what is no matter of the arithmetic
                    continue
                leak = leaks(model, sample[:2], autocast)
                found.append(
                    {**row, "what": "influence between completions", "difference": float(leak), "ok": not leak}
                )
            finally:
                switch.runs_here = usual
    return found


if __name__ == "__main__":
    began = time.perf_counter()
    rows = checked(sys.argv[1] if len(sys.argv) > 1 else "cuda")
    ok = all(row.get("ok", True) for row in rows)
    print(json.dumps({"ok": ok, "checks": rows, "seconds": time.perf_counter() - began}))
