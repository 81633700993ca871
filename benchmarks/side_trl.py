"""TRL's side of a comparison: its DPOTrainer with its defaults, but for what the job fixes and its settings say.

`per_device_train_batch_size` among the settings is how many pairs are in memory at a time; the step has as many as the
job says. `train_sampling_strategy: group_by_length` brings the pairs in another order.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import torch
import transformers
import trl
from datasets import Dataset
from job import BETA, LEARNING_RATE, Clock, Job, answer
from pairs import hash_ids
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer


def main() -> None:
    job = Job.from_argv()
    tokenizer = AutoTokenizer.from_pretrained(job.model)
    rows = [json.loads(line) for line in Path(job.data).read_text(encoding="utf-8").splitlines()]
    held = getattr(torch, job.settings.get("model_dtype", "float32"))
    model = AutoModelForCausalLM.from_pretrained(job.model, dtype=held)
    clock = Clock(job.device)
    at_a_time = job.settings.get("per_device_train_batch_size", job.batch_size)
    if job.batch_size % at_a_time:
        raise SystemExit(f"{job.batch_size} pairs a step cannot be made of {at_a_time} at a time")
    own = ("per_device_train_batch_size", "model_dtype")
    rest = {name: value for name, value in job.settings.items() if name not in own}
    config = {"train_sampling_strategy": "sequential"} | rest
    if config["train_sampling_strategy"] == "group_by_length":
        rows = [row | {"length": len(row["prompt"]) + max(len(row["chosen"]), len(row["rejected"]))} for row in rows]
    settings: dict[str, Any] = {}
    if job.adapter == "lora":
        from peft import LoraConfig

        settings["peft_config"] = LoraConfig(
            r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"
        )
    trainer = DPOTrainer(
        model=model,
        ref_model=copy.deepcopy(model) if job.reference == "live" and job.adapter == "none" else None,
        args=DPOConfig(
            output_dir=job.out,
            per_device_train_batch_size=at_a_time,
            gradient_accumulation_steps=job.batch_size // at_a_time,
            max_steps=job.steps,
            learning_rate=LEARNING_RATE,
            lr_scheduler_type="constant",
            beta=BETA,
            max_grad_norm=1.0,
            optim="adamw_torch_fused",
            logging_steps=1,
            save_strategy="no",
            max_length=job.max_length,
            bf16=job.precision == "bf16",
            activation_checkpointing=job.gradient_checkpointing,
            precompute_ref_log_probs=job.reference == "cached",
            use_cpu=job.device == "cpu",
            report_to=[],
            disable_tqdm=True,
            **config,
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=[clock],
        **settings,
    )
    dataset = trainer.train_dataset
    assert isinstance(dataset, Dataset)
    ids = hash_ids((row["prompt_ids"], row["chosen_ids"], row["rejected_ids"]) for row in dataset)
    trainer.train()
    answer(clock, ids=ids, versions={"trl": trl.__version__, "transformers": transformers.__version__})


if __name__ == "__main__":
    main()
