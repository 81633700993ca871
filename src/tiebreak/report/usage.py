"""How to go on from a run: commands for a shell and a few lines of Python that need nothing but transformers.

Quotes names for the language they stand in; escapes nothing for HTML or Markdown.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from tiebreak.formatting.text import one_line
from tiebreak.runs.manifest import Manifest
from tiebreak.tasks import TASKS

_LOAD = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

name = {name}
tokenizer = AutoTokenizer.from_pretrained(name{more})
model = AutoModelForCausalLM.from_pretrained(name{more})

"""
_LOAD_ADAPTER = """\
from peft import AutoPeftModelForCausalLM
from transformers import AutoTokenizer

name = {name}
tokenizer = AutoTokenizer.from_pretrained({tokenizer})
model = AutoPeftModelForCausalLM.from_pretrained(name{more})  # loads the base model, and the adapter into it

"""
_CHAT = """\
messages = [{"role": "user", "content": "Hello, can you help me?"}]
inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
"""
_TRANSCRIPT = """\
# The model was trained on turns of this form, the two line feeds before each speaker included.
prompt = "\\n\\nHuman: Hello, can you help me?\\n\\nAssistant:"
inputs = tokenizer(prompt, return_tensors="pt")
"""
_ANSWER = """\
output = model.generate(**inputs, max_new_tokens=128, do_sample=True, temperature=0.7)
print(tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
"""


@dataclass(frozen=True)
class Command:
    """A command line and what it is for."""

    purpose: str
    line: str


@dataclass(frozen=True)
class Loading:
    """How a model is loaded, where that is more than a name.

    Attributes:
        adapter: it is an adapter beside a base model.
        tokenizer: where the tokenizer is, if not with the model.
        revision: branch of the Hub repository, if not the default one.
        trust_remote_code: it brings code along that has to run.
    """

    adapter: bool = False
    tokenizer: str | None = None
    revision: str | None = None
    trust_remote_code: bool = False


PLAIN = Loading()


def python_snippet(manifest: Manifest, name: str, loading: Loading = PLAIN) -> str:
    """Python that loads the model and answers one prompt, in the form that the model was trained on.

    Args:
        manifest: of the run; a Hub id under `published` goes before the name.
        name: folder or Hub id to load.
        loading: what it takes to load it.
    """
    name = manifest.published or name
    more = f", revision={_python_text(loading.revision)}" if loading.revision else ""
    more += ", trust_remote_code=True" if loading.trust_remote_code else ""
    load = _LOAD_ADAPTER if loading.adapter else _LOAD
    tokenizer = _python_text(loading.tokenizer) if loading.tokenizer else f"name{more}"
    prompt = _CHAT if manifest.data is not None and manifest.data.template == "chat" else _TRANSCRIPT
    return load.format(name=_python_text(name), more=more, tokenizer=tokenizer) + prompt + _ANSWER


def commands(manifest: Manifest, run: str, *, has_model: bool) -> list[Command]:
    """What to do next.

    Args:
        manifest: of the run; with a Hub id under `published`, the commands are for those who find it there.
        run: its folder.
        has_model: whether there is a model to use.
    """
    if published := manifest.published:
        return [
            Command("talk to the model", f"tiebreak chat {shlex.quote(published)}"),
            Command("measure it on other data", f"tiebreak evaluate {shlex.quote(published)} --data SOURCE"),
        ]
    quoted = shlex.quote(one_line(run, 400))
    resume = Command("go on with the run", f"tiebreak {TASKS[manifest.task].command} --out {quoted} --resume")
    if not has_model:
        return [resume]
    return [
        *([] if manifest.state == "finished" else [resume]),
        Command("talk to the model", f"tiebreak chat {quoted}"),
        Command("measure it on other data", f"tiebreak evaluate {quoted} --data SOURCE"),
        Command("compare it with another run", f"tiebreak runs compare {quoted} OTHER_RUN"),
    ]


def again(manifest: Manifest, run: str) -> Command:
    """How to make the run again.

    Args:
        manifest, run: as for `commands`; of a published run the recipe lies beside the report.
    """
    recipe = "recipe.yaml" if manifest.published else shlex.quote(one_line(f"{run}/recipe.yaml", 400))
    return Command("run it again", f"tiebreak {TASKS[manifest.task].command} {recipe} --out runs/again")


def _python_text(name: str) -> str:
    shown = one_line(name, 400)
    escaped = shown.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
