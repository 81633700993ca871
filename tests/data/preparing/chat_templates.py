"""Small chat templates of the kinds that public models have, written for these tests, and tokenizers for them."""

from __future__ import annotations

from functools import cache

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

_CHATML_TURN = "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
_CUE = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"

SMOLLM = (
    "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\nYou help.<|im_end|>\n' }}{% endif %}"
    "{% for m in messages %}" + _CHATML_TURN + "{% endfor %}" + _CUE
)

_TOOLS = (
    "{% if tools %}{{ '<|im_start|>system\n' }}{% if messages[0].role == 'system' %}{{ messages[0].content + '\n' }}"
    "{% endif %}{{ '<tools>' }}{% for t in tools %}{{ '\n' + (t | tojson) }}{% endfor %}{{ '\n</tools><|im_end|>\n' }}"
    "{% elif messages[0].role == 'system' %}"
    "{{ '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}{% endif %}"
)
_CALLS = (
    "{% for c in m.tool_calls %}{{ '\n<tool_call>\n' + (c.function.name | tojson) + ' ' "
    "+ (c.function.arguments | tojson) + '\n</tool_call>' }}{% endfor %}{{ '<|im_end|>\n' }}"
)
_RESULT = (
    "{% if loop.first or messages[loop.index0 - 1].role != 'tool' %}{{ '<|im_start|>user' }}{% endif %}"
    "{{ '\n<tool_response>\n' + m.content + '\n</tool_response>' }}"
    "{% if loop.last or messages[loop.index0 + 1].role != 'tool' %}{{ '<|im_end|>\n' }}{% endif %}"
)
QWEN25 = (
    _TOOLS + "{% for m in messages %}{% if m.role == 'user' or m.role == 'assistant' and not m.tool_calls %}"
    + _CHATML_TURN
    + "{% elif m.role == 'assistant' %}{{ '<|im_start|>assistant' }}"
    "{% if m.content %}{{ '\n' + m.content }}{% endif %}" + _CALLS
    + "{% elif m.role == 'tool' %}" + _RESULT + "{% endif %}{% endfor %}" + _CUE
)  # fmt: skip

QWEN3 = (
    _TOOLS + "{% set ns = namespace(last=-1) %}{% for m in messages %}"
    "{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
    "{% for m in messages %}{% if m.role == 'user' %}" + _CHATML_TURN + "{% elif m.role == 'assistant' %}"
    "{% set content = m.content if m.content is string else '' %}{% set thought = '' %}"
    "{% if m.reasoning_content is string %}{% set thought = m.reasoning_content %}"
    "{% elif '</think>' in content %}"
    "{% set thought = content.split('</think>')[0].split('<think>')[-1].strip('\n') %}"
    "{% set content = content.split('</think>')[-1].lstrip('\n') %}{% endif %}"
    "{{ '<|im_start|>assistant\n' }}"
    "{% if loop.index0 > ns.last and (loop.last or thought) %}"
    "{{ '<think>\n' + thought + '\n</think>\n\n' + content.lstrip('\n') }}{% else %}{{ content }}{% endif %}"
    "{% if m.tool_calls %}" + _CALLS + "{% else %}{{ '<|im_end|>\n' }}{% endif %}"
    "{% elif m.role == 'tool' %}" + _RESULT + "{% endif %}{% endfor %}" + _CUE
)  # fmt: skip

_HEADER = "{{ '<|start_header_id|>' + role + '<|end_header_id|>\n\n' }}"
LLAMA31 = (
    "{{ bos_token }}{% set role = 'system' %}" + _HEADER + "{{ 'Today: ' + strftime_now('%d %b %Y') + '\n' }}"
    "{% if messages[0].role == 'system' %}{{ messages[0].content | trim }}{% endif %}{{ '<|eot_id|>' }}"
    "{% for m in messages %}{% set role = m.role %}{% if m.role == 'user' %}" + _HEADER
    + "{% if tools and loop.index0 < 2 %}{{ 'Functions:\n' + (tools | tojson) + '\n' }}{% endif %}"
    "{{ (m.content | trim) + '<|eot_id|>' }}"
    "{% elif m.tool_calls %}{% if m.tool_calls | length != 1 %}{{ raise_exception('One call at once!') }}{% endif %}"
    "{% set c = m.tool_calls[0].function %}" + _HEADER
    + "{{ '{\"name\": ' + (c.name | tojson) + ', \"parameters\": ' + (c.arguments | tojson) + '}<|eot_id|>' }}"
    "{% elif m.role == 'tool' %}{% set role = 'ipython' %}" + _HEADER + "{{ (m.content | tojson) + '<|eot_id|>' }}"
    "{% elif m.role == 'assistant' %}" + _HEADER + "{{ (m.content | trim) + '<|eot_id|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{% set role = 'assistant' %}" + _HEADER + "{% endif %}"
)  # fmt: skip

MISTRAL = (
    "{{ bos_token }}{% set ns = namespace(last=0) %}{% for m in messages %}{% if m.role == 'user' %}"
    "{% set ns.last = loop.index0 %}{% endif %}{% endfor %}{% for m in messages %}{% if m.role == 'user' %}"
    "{% if tools and loop.index0 == ns.last %}{{ '[AVAILABLE_TOOLS]' + (tools | tojson) + '[/AVAILABLE_TOOLS]' }}"
    "{% endif %}{{ '[INST] ' + m.content + '[/INST]' }}"
    "{% elif m.role == 'system' %}{{ raise_exception('Only user and assistant roles!') }}"
    "{% elif m.tool_calls %}{{ '[TOOL_CALLS]' }}{% for c in m.tool_calls %}"
    "{% if c.id is not defined or c.id | length != 9 %}{{ raise_exception('Ids have nine characters!') }}{% endif %}"
    "{{ c.function | tojson }}{{ c.id }}{% endfor %}{{ eos_token }}"
    "{% elif m.role == 'tool' %}{% if m.tool_call_id | length != 9 %}{{ raise_exception('Ids!') }}{% endif %}"
    "{{ '[TOOL_RESULTS]' + m.content + m.tool_call_id + '[/TOOL_RESULTS]' }}"
    "{% else %}{{ ' ' + m.content.strip() + eos_token }}{% endif %}{% endfor %}"
)

R1 = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '<|User|>' + m.content }}"
    "{% elif m.role == 'assistant' %}{{ '<|Assistant|>' + m.content.split('</think>')[-1] + eos_token }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|Assistant|><think>\n' }}{% endif %}"
)

GEMMA = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\n' "
    "+ (m.content | trim) + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)

EOS = {
    SMOLLM: "<|im_end|>",
    QWEN25: "<|im_end|>",
    QWEN3: "<|im_end|>",
    LLAMA31: "<|eot_id|>",
    MISTRAL: "</s>",
    R1: "<|end|>",
    GEMMA: "<eos>",
}
WITH_TOOLS = {"qwen2.5": QWEN25, "qwen3": QWEN3, "llama3.1": LLAMA31, "mistral": MISTRAL}
ALL = {**WITH_TOOLS, "smollm": SMOLLM, "r1": R1, "gemma": GEMMA}

_SPECIAL = (
    *("<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"),
    *("[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_CALLS]", "[TOOL_RESULTS]"),
    *("[/TOOL_RESULTS]", "<|User|>", "<|Assistant|>", "<|end|>", "<eos>", "<start_of_turn>", "<end_of_turn>"),
)
_ADDED = ("<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")


@cache
def tokenizer_for(template: str) -> PreTrainedTokenizerFast:
    """A tokenizer of bytes that has the special tokens of all these templates."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({each: number for number, each in enumerate(alphabet)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(each, special=True, normalized=False) for each in _SPECIAL])
    backend.add_tokens([AddedToken(each, special=False, normalized=False) for each in _ADDED])
    made = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, bos_token="<s>", eos_token=EOS[template]
    )
    made.chat_template = template
    return made


def with_template(like: str, template: str) -> PreTrainedTokenizerFast:
    """The tokenizer of one template with another."""
    known = tokenizer_for(like)
    made = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=known.backend_tokenizer, bos_token="<s>", eos_token=EOS[like]
    )
    made.chat_template = template
    return made
