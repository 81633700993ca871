"""Small chat templates that write calls of tools as public models do, written for these tests."""

from __future__ import annotations

from transformers import PreTrainedTokenizerFast

from tests.data.preparing.chat_templates import LLAMA31, MISTRAL, QWEN3, QWEN25, SMOLLM, with_template

_TOOLS = (
    "{% if tools %}{{ '<|im_start|>system\nYou may call:' }}{% for t in tools %}{{ '\n' + (t | tojson) }}{% endfor %}"
    "{{ '<|im_end|>\n' }}{% endif %}"
)
_CUE = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
_CALL = "'{\"name\": \"' + c.function.name + '\", \"arguments\": ' + (c.function.arguments | tojson) + '}'"


def _chatml(calls: str) -> str:
    """A template of ChatML that writes the calls of a turn so."""
    return (
        _TOOLS + "{% for m in messages %}{% set role = 'user' if m.role == 'tool' else m.role %}"
        "{{ '<|im_start|>' + role + '\n' + (m.content or '') }}"
        "{% if m.tool_calls %}" + calls + "{% endif %}{{ '<|im_end|>\n' }}{% endfor %}" + _CUE
    )


HERMES = _chatml("{% for c in m.tool_calls %}{{ '<tool_call>\n' + " + _CALL + " + '\n</tool_call>\n' }}{% endfor %}")
PLAIN = _chatml("{% for c in m.tool_calls %}{{ " + _CALL + " }}{% endfor %}")
LISTED = _chatml(
    "{{ '<tool_call>[' }}{% for c in m.tool_calls %}{{ " + _CALL + " }}{% if not loop.last %}{{ ', ' }}{% endif %}"
    "{% endfor %}{{ ']</tool_call>' }}"
)
NAMED = _chatml(
    "{% for c in m.tool_calls %}{{ '<function=' + c.function.name + '>' + (c.function.arguments | tojson) "
    "+ '</function>' }}{% endfor %}"
)
XML = _chatml(
    "{% for c in m.tool_calls %}{{ '<tool_call>\n<function=' + c.function.name + '>' }}"
    "{% for k, v in c.function.arguments.items() %}{{ '<parameter=' + k + '>' + v + '</parameter>' }}{% endfor %}"
    "{{ '</function>\n</tool_call>' }}{% endfor %}"
)
INSTRUCTED = (
    "{% if tools %}{{ '<|im_start|>system\nAnswer with <tool_call>[...]</tool_call>.\n' + (tools | tojson) }}"
    "{{ '<|im_end|>\n' }}{% endif %}"
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}" + _CUE
)
UNNAMED = INSTRUCTED.replace("<tool_call>[...]</tool_call>", "JSON")
PYTHON_TAG = LLAMA31.replace("{{ bos_token }}", "{# <|python_tag|> for tools of its own #}{{ bos_token }}", 1)
MISTRAL3 = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}"
    "{% if tools and loop.first %}{{ '[AVAILABLE_TOOLS] ' + (tools | tojson) + '[/AVAILABLE_TOOLS]' }}{% endif %}"
    "{{ '[INST] ' + m.content + '[/INST]' }}"
    "{% elif m.tool_calls %}{{ '[TOOL_CALLS] [' }}{% for c in m.tool_calls %}"
    "{% if c.id is not defined or c.id | length != 9 %}{{ raise_exception('Ids have nine characters!') }}{% endif %}"
    "{{ (c.function | tojson)[:-1] + ', \"id\": \"' + c.id + '\"}' }}{% if not loop.last %}{{ ', ' }}{% endif %}"
    "{% endfor %}{{ ']' + eos_token }}"
    "{% elif m.role == 'tool' %}"
    "{{ '[TOOL_RESULTS] {\"content\": ' + m.content + ', \"call_id\": \"' + m.tool_call_id + '\"}[/TOOL_RESULTS]' }}"
    "{% else %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}"
)

_LIKE = {LLAMA31: LLAMA31, PYTHON_TAG: LLAMA31, MISTRAL: MISTRAL, MISTRAL3: MISTRAL, QWEN3: QWEN3, QWEN25: QWEN25}


def tokenizer_of(template: str) -> PreTrainedTokenizerFast:
    """A tokenizer of bytes with one of these templates."""
    return with_template(_LIKE.get(template, SMOLLM), template)
