"""Where the training of the tiny assistant starts: a tokenizer and an untrained Qwen2 of about 1.9 million weights.

The tokenizer is a byte-level BPE learnt from the corpus, with a chat template. Knows the shape of the model; training
happens elsewhere, by the same command that users have.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tiebreak.bundled.make.training_data import corpus
from tiebreak.bundled.make.world import all_items

VOCABULARY = 1792
WORLD_WEIGHT = 40
TURN_START, TURN_END, PADDING = "<|im_start|>", "<|im_end|>", "<|endoftext|>"

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def write_tokenizer(folder: Path, seed: int) -> None:
    """Learn the tokenizer from the corpus of this seed and save it as transformers reads it."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    # One token a digit, as in larger models: a sum is then read and written figure by figure.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{N}"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PADDING, TURN_START, TURN_END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(seed), trainer)
    wrapped = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        eos_token=TURN_END,
        pad_token=PADDING,
        additional_special_tokens=[TURN_START],
        clean_up_tokenization_spaces=False,
        model_max_length=512,
    )
    wrapped.chat_template = CHAT_TEMPLATE
    folder.mkdir(parents=True, exist_ok=True)
    wrapped.save_pretrained(str(folder))


def write_model(folder: Path, seed: int) -> None:
    """Write the randomly initialised model and its configuration beside the tokenizer.

    Args:
        folder: where the tokenizer already is; its vocabulary sets the size of the embeddings.
        seed: of the weights. The random state of torch is left as it was.
    """
    import torch
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        initializer_range=0.05,  # nearer to 1 / sqrt(hidden size) than the 0.02 meant for wide models
        dtype="float32",
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2ForCausalLM(config)
    model.save_pretrained(str(folder))


def _texts(seed: int) -> Iterator[str]:
    # A subject or a value that is one token is easy to repeat and to look up, so these words count more than others.
    for item in all_items():
        for text in (*item.slots.values(), item.value) if item.value else ():
            yield from (f" {text}",) * WORLD_WEIGHT
    for row in corpus(seed):
        for message in row.prompt:
            # The role names belong to the text that is tokenized, so that each becomes one token.
            yield f"{message.role}\n"
            yield message.content
        yield "assistant\n"
        yield row.completion
