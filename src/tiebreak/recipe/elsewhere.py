"""What other trainers call what a recipe has: the keys of TRL, Axolotl and LLaMA-Factory, and ours in their place.

One table, for files, `--set` and flags of the command line alike. Where there is no such key here, it says why none is
needed. Keys that are written the same elsewhere, in whatever place, need no line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Ours:
    """What stands for a key of another trainer.

    Attributes:
        keys: of a recipe; none where nothing has to be said.
        note: what is otherwise, in a clause; empty where the value is written alike.
    """

    keys: tuple[str, ...]
    note: str = ""

    def __str__(self) -> str:
        written = " and ".join(f"'{key}'" for key in self.keys)
        if not written:
            return f"it is not needed here: {self.note}"
        return f"here it is {written}" + (f" ({self.note})" if self.note else "")


def _same(ours: str, *names: str, note: str = "") -> dict[str, Ours]:
    return {name: Ours((ours,) if ours else (), note) for name in names}


_TABLE: dict[str, Ours] = {
    # the model
    **_same(
        "model.name", "model_name_or_path", "model_name", "model_path", "base_model", "pretrained_model", "model_id"
    ),
    **_same("model.revision", "model_revision"),
    **_same("model.dtype", "torch_dtype", "model_dtype", note="auto, float32 or bfloat16"),
    **_same("model.name", "adapter_name_or_path", "lora_model_dir", note="name the adapter's folder to go on with it"),
    **_same("model.adapter", "use_peft", "peft_config", "finetuning_type", "lora", note="lora, dora or rslora"),
    **_same("model.adapter", "use_dora", "peft_use_dora", note="dora"),
    **_same("model.adapter", "use_rslora", "peft_use_rslora", note="rslora"),
    "qlora": Ours(("model.adapter", "model.quantize"), "lora, and nf4"),
    **_same("model.adapter.rank", "lora_r", "lora_rank", "r"),
    **_same("model.adapter.alpha", "lora_alpha"),
    **_same("model.adapter.targets", "lora_target_modules", "lora_target", "lora_target_linear", "target_modules"),
    **_same("", "lora_dropout", note="adapters are trained without dropout"),
    **_same("model.quantize", "load_in_4bit", "use_4bit", note="nf4"),
    **_same("model.quantize", "load_in_8bit", note="int8"),
    **_same("model.quantize", "quantization_bit", "quantization", "bnb_4bit_quant_type", note="nf4 or int8"),
    **_same("model.resize_embeddings", "resize_vocab", "resize_token_embeddings", "resize_token_embeddings_to_32x"),
    # the data
    **_same("data.source", "dataset_name", "dataset", "datasets", "train_file", "data_path", "dataset_path"),
    **_same("data.config", "dataset_config", "dataset_config_name", "subset"),
    **_same("data.split", "dataset_train_split", "train_split", "train_on_split"),
    **_same("data.eval_split", "dataset_test_split", "test_split"),
    **_same("data.eval_source", "eval_dataset", "test_datasets", "validation_file", "eval_file"),
    **_same("data.eval_fraction", "val_size", "val_set_size", "eval_ratio", "test_size", note="a share of the prompts"),
    **_same("data.max_length", "sequence_len", "cutoff_len", "max_seq_length", "max_seq_len", "model_max_length"),
    **_same("data.max_prompt_length", "max_prompt_len"),
    **_same("data.max_completion_length", "max_target_length", "max_response_length"),
    **_same(
        "data.too_long", "truncation_mode", "excess_length_strategy", note="drop, trim_prompt, trim_completion or trim"
    ),
    **_same("data.limit", "max_samples", "max_train_samples"),
    **_same("data.eval_limit", "max_eval_samples"),
    **_same("data.template", "chat_template", note="auto, chat or transcript"),
    **_same("data.schema", "type", "formatting", "prompt_strategy", note="or data.columns"),
    **_same("data.shuffle", "shuffle_dataset"),
    **_same(
        "",
        "packing",
        "sample_packing",
        "neat_packing",
        "padding_free",
        "group_by_length",
        "pad_to_sequence_len",
        note="tree batches have no padding",
    ),
    **_same(
        "",
        "dataset_num_proc",
        "dataset_processes",
        "preprocessing_num_workers",
        "dataloader_num_workers",
        "dataset_prepared_path",
        "overwrite_cache",
        note="rows are read once and kept",
    ),
    # the objective
    **_same(
        "objective.name",
        "loss_type",
        "pref_loss",
        "rl",
        "stage",
        "loss",
        "dpo_loss_type",
        "algorithm",
        note="`tiebreak recipes objectives` lists them",
    ),
    **_same("objective.beta", "pref_beta", "rl_beta", "dpo_beta", "kto_beta", "cpo_beta", "orpo_beta", "simpo_beta"),
    **_same("objective.label_smoothing", "dpo_label_smoothing", "label_smoothing_factor"),
    **_same("objective.gamma", "simpo_gamma"),
    **_same("objective.nll_weight", "cpo_alpha", "orpo_alpha"),
    **_same("objective.add", "rpo_alpha", "pref_ftx", "sft_weight", "loss_weights", note="for example {nll: 0.2}"),
    **_same("objective.divergence", "f_divergence_type"),
    **_same("objective.divergence_alpha", "f_alpha_divergence_coef"),
    **_same("objective.tau", "discopop_tau"),
    **_same("objective.length_alpha", "ld_alpha"),
    **_same("objective.weighting", "use_weighting", "dpo_use_weighting", note="wpo"),
    **_same("objective.desirable_weight", "kto_chosen_weight", "kto_desirable_weight"),
    **_same("objective.undesirable_weight", "kto_rejected_weight", "kto_undesirable_weight"),
    **_same("objective.name", "reference_free", note="choose one without a reference, such as simpo, orpo or cpo"),
    # the steps
    **_same("train.learning_rate", "lr", "peak_lr", "max_lr"),
    **_same(
        "train.batch_size",
        "per_device_train_batch_size",
        "train_batch_size",
        "micro_batch_size",
        "batch",
        "bs",
        note="examples a step; memory does not depend on it",
    ),
    **_same(
        "",
        "per_device_eval_batch_size",
        "eval_batch_size",
        "auto_find_batch_size",
        note="train.tokens_per_microbatch is found from the memory",
    ),
    **_same("train.gradient_accumulation", "gradient_accumulation_steps", "grad_accum", "grad_accumulation_steps"),
    **_same("train.epochs", "num_train_epochs", "num_epochs", "n_epochs", "epoch"),
    **_same("train.max_steps", "steps", "num_steps", "train_steps", "total_steps", "num_training_steps"),
    **_same(
        "train.warmup_ratio",
        "warmup_steps",
        "lr_warmup_steps",
        "num_warmup_steps",
        "warmup",
        note="a share of the steps",
    ),
    **_same("train.schedule", "lr_scheduler_type", "lr_scheduler", "scheduler"),
    **_same("train.weight_decay", "wd"),
    **_same("train.adam_betas", "adam_beta1", "adam_beta2", note="both of them: [0.9, 0.999]"),
    **_same("", "optim", "optimizer", "adam_epsilon", note="it is AdamW"),
    **_same("train.max_grad_norm", "gradient_clipping", "max_gradient_norm", "clip_grad_norm", "grad_clip"),
    **_same("train.precision", "bf16", "fp16", "tf32", "pure_bf16", "mixed_precision", note="auto, fp32 or bf16"),
    **_same("train.reference", "precompute_ref_log_probs", note="cached, the default, or live"),
    **_same("train.reference_update", "sync_ref_model", note="soft or hard, with train.reference: live"),
    **_same("train.reference_mix", "ref_model_mixup_alpha"),
    **_same("train.reference_update_every", "ref_model_sync_steps"),
    **_same(
        "",
        "ref_model",
        "ref_model_path",
        "reference_model",
        "ref_adapter_name",
        note="the reference is the model that training starts from",
    ),
    **_same("train.router_loss", "router_aux_loss_coef", "output_router_logits", note="auto or off"),
    **_same("train.log_every", "logging_steps", "log_steps", "log_interval"),
    **_same(
        "train.eval_every",
        "eval_steps",
        "eval_strategy",
        "evaluation_strategy",
        "evals_per_epoch",
        "eval_interval",
        note="steps, a share of the run, or epoch",
    ),
    **_same(
        "train.save_every",
        "save_steps",
        "save_strategy",
        "saves_per_epoch",
        "save_interval",
        note="steps, a share of the run, or epoch",
    ),
    **_same("train.keep_checkpoints", "save_total_limit"),
    **_same("train.keep_best", "metric_for_best_model", "load_best_model_at_end"),
    **_same("train.early_stopping", "early_stopping_patience", "patience"),
    **_same("train.seed", "random_seed", "data_seed"),
    **_same(
        "",
        "attn_implementation",
        "flash_attn",
        "flash_attention",
        "sdp_attention",
        "xformers_attention",
        note="it is chosen for the machine, and the self-check compares it",
    ),
    **_same("", "deepspeed", "fsdp", "fsdp_config", "ddp_timeout", "local_rank", note="one process trains"),
    **_same(
        "",
        "remove_unused_columns",
        "do_train",
        "do_eval",
        "gradient_checkpointing_kwargs",
        note="a run does what it needs",
    ),
    # around it
    **_same("track", "report_to", "use_wandb", "wandb_project", "wandb_mode", "logger", note="for example [wandb]"),
    **_same(
        "",
        "output_dir",
        "out_dir",
        "save_dir",
        "run_name",
        "overwrite_output_dir",
        note="the folder is given on the command line: --out FOLDER",
    ),
    **_same(
        "",
        "resume_from_checkpoint",
        "auto_resume_from_checkpoints",
        note="tiebreak train --out FOLDER --resume goes on with a run",
    ),
    **_same("", "push_to_hub", "hub_model_id", "hub_strategy", note="tiebreak push RUN REPOSITORY does it afterwards"),
    **_same("evaluate.samples", "num_eval_samples", "generate_during_eval"),
}

ELSEWHERE: Mapping[str, Ours] = MappingProxyType(_TABLE)


def ours_for(name: str) -> Ours | None:
    """What stands here for a key or a flag of another trainer; None where no other has it either.

    Args:
        name: as it was written: `per_device_train_batch_size`, `train.lr` or `--num-train-epochs`.
    """
    last = name.strip().lstrip("-").rpartition(".")[2]
    return ELSEWHERE.get(last.replace("-", "_").lower())


def at_home(name: str, keys: Sequence[str]) -> Ours | None:
    """Where a key of ours stands, if it was only written at another place; None where there is none of that name.

    Args:
        name: as it was written, with its section or without.
        keys: all keys of a recipe, dotted.
    """
    last = name.strip().lstrip("-").rpartition(".")[2].replace("-", "_")
    found = tuple(key for key in keys if key.rpartition(".")[2] == last and key != name)
    return Ours(found[:1], f"or {', '.join(found[1:])}" if found[1:] else "") if found else None
