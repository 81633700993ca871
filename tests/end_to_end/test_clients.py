"""Programs that people have, against the bundled model behind a live server: each asks as it does, unchanged.

They run in a Python of their own, since they want other versions of some packages: `TIEBREAK_CLIENTS` names it, and
`pip install openai llm litellm langchain-openai "lm_eval[api]" transformers` puts them there. Who is absent is skipped.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.serve.caller import ADD, ANSWER, write_caller
from tests.serve.caller import QUESTION as SUM
from tests.serve.live import live
from tiebreak.models.load import load_model, load_tokenizer
from tiebreak.serve.app import create_app
from tiebreak.serve.generation.loading import find_models
from tiebreak.serve.generation.local import LocalEngine
from tiebreak.serve.settings import Limits, ServeSettings

pytestmark = pytest.mark.journey

PYTHON = os.environ.get("TIEBREAK_CLIENTS", sys.executable)
KEY = "a-key-that-is-long-enough"
QUESTION = "What is the capital of France?"
HAS_GRAMMARS = importlib.util.find_spec("llguidance") is not None


@pytest.fixture(scope="module")
def server() -> Any:
    engine = LocalEngine(find_models(["bundled:base"]), rows=8)
    settings = ServeSettings(limits=Limits(requests_per_minute=0), api_keys=(KEY,))
    with live(create_app(engine, settings)) as address:
        yield f"{address}/v1"


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server whose model calls a tool when it is asked for a sum."""
    write_caller(folder := tmp_path_factory.mktemp("caller") / "caller")
    engine = LocalEngine(find_models([str(folder)]), rows=4)
    with live(create_app(engine, ServeSettings(limits=Limits(requests_per_minute=0), api_keys=(KEY,)))) as address:
        yield f"{address}/v1"


def run(module: str, package: str, script: str, server: str, folder: Path, **more: str) -> Any:
    """What a script of a client prints as JSON on its last line."""
    environment = {
        **os.environ,
        "SERVER": server,
        "KEY": KEY,
        "HOME": str(folder),
        "LLM_USER_PATH": str(folder),
        **more,
    }
    environment.pop("PYTHONPATH", None)
    there = subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True, env=environment, check=False)
    if there.returncode:
        pytest.skip(f"needs a client: pip install {package}, in the Python that TIEBREAK_CLIENTS names")
    done = subprocess.run(
        [PYTHON, "-c", script], capture_output=True, text=True, env=environment, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_openai(server: str, tmp_path: Path) -> None:
    script = """
import json, os
from openai import OpenAI
client = OpenAI(base_url=os.environ["SERVER"], api_key=os.environ["KEY"])
turns = [{"role": "user", "content": "What is the capital of France?"}]
asked = {"model": client.models.list().data[0].id, "messages": turns, "temperature": 0}
one = client.chat.completions.create(**asked, logprobs=True, top_logprobs=2, n=2)
pieces = client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})
text = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
response = client.responses.create(model=asked["model"], input=turns[0]["content"], temperature=0)
logp = one.choices[0].logprobs.content[0].logprob
print(json.dumps([one.choices[1].message.content, text, response.output_text, logp]))
"""
    one, streamed, response, logp = run("openai", "openai", script, server, tmp_path)
    assert "Paris" in one
    assert one == streamed == response
    assert logp < 0


def test_llm(server: str, tmp_path: Path) -> None:
    (tmp_path / "extra-openai-models.yaml").write_text(
        f"- model_id: ours\n  model_name: bundled:base\n  api_base: {server}\n  api_key_name: ours\n"
    )
    script = """
import json, os
import llm
model = llm.get_model("ours")
model.key = os.environ["KEY"]
whole = model.prompt("What is the capital of France?", stream=False, temperature=0).text()
conversation = model.conversation()
first = conversation.prompt("What is the capital of France?", temperature=0).text()
second = conversation.prompt("Tell me a joke.", temperature=0).text()
print(json.dumps([whole, first, second]))
"""
    whole, first, second = run("llm", "llm", script, server, tmp_path)
    assert "Paris" in whole
    assert first == whole
    assert second


def test_litellm(server: str, tmp_path: Path) -> None:
    script = """
import json, os
import litellm
asked = {"model": "openai/bundled:base", "api_base": os.environ["SERVER"], "api_key": os.environ["KEY"],
         "messages": [{"role": "user", "content": "What is the capital of France?"}], "temperature": 0}
whole = litellm.completion(**asked, max_tokens=20).choices[0].message.content
pieces = litellm.completion(**asked, max_tokens=20, stream=True)
text = "".join(piece.choices[0].delta.content or "" for piece in pieces)
try:
    litellm.completion(**asked, extra_body={"guided_json": {}})
except litellm.BadRequestError as error:
    refused = "guided_json" in str(error)
print(json.dumps([whole, text, refused]))
"""
    whole, streamed, refused = run("litellm", "litellm", script, server, tmp_path)
    assert "Paris" in whole
    assert streamed == whole
    assert refused


def test_langchain(server: str, tmp_path: Path) -> None:
    script = """
import json, os
from langchain_openai import ChatOpenAI
chat = ChatOpenAI(model="bundled:base", base_url=os.environ["SERVER"], api_key=os.environ["KEY"], temperature=0)
whole = chat.invoke("What is the capital of France?").content
several = [one.content for one in chat.batch(["What is the capital of France?", "Tell me a joke."])]
text = "".join(piece.content for piece in chat.stream("What is the capital of France?"))
form = None
if os.environ["GRAMMARS"] == "yes":
    schema = {"title": "Answer", "type": "object", "properties": {"sure": {"type": "boolean"}}, "required": ["sure"],
              "additionalProperties": False}
    form = chat.with_structured_output(schema, method="json_schema").invoke("What is the capital of France?")
print(json.dumps([whole, several, text, form]))
"""
    grammars = "yes" if HAS_GRAMMARS else "no"
    whole, several, streamed, form = run(
        "langchain_openai", "langchain-openai", script, server, tmp_path, GRAMMARS=grammars
    )
    assert "Paris" in whole
    assert several[0] == streamed == whole
    assert form is None or isinstance(form["sure"], bool)
    if not HAS_GRAMMARS:
        pytest.skip("structured output needs the extra json: pip install 'tiebreak[json]'")


def test_openai_calls_a_tool_and_goes_on_with_its_result(caller: str, tmp_path: Path) -> None:
    script = """
import json, os
from openai import OpenAI
client = OpenAI(base_url=os.environ["SERVER"], api_key=os.environ["KEY"])
asked = {"model": "caller", "tools": [json.loads(os.environ["TOOL"])], "temperature": 0}
turns = [{"role": "user", "content": os.environ["SUM"]}]
with client.chat.completions.stream(**asked, messages=turns) as stream:
    choice = stream.get_final_completion().choices[0]
(call,) = choice.message.tool_calls
total = sum(json.loads(call.function.arguments).values())
turns += [choice.message, {"role": "tool", "tool_call_id": call.id, "content": str(total)}]
after = client.chat.completions.create(**asked, messages=turns).choices[0]
print(json.dumps([choice.finish_reason, total, after.message.content]))
"""
    found = run("openai", "openai", script, caller, tmp_path, TOOL=json.dumps(ADD), SUM=SUM)
    assert found == ["tool_calls", 5, ANSWER]


def test_langchain_calls_a_tool_and_goes_on_with_its_result(caller: str, tmp_path: Path) -> None:
    script = """
import json, os
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
chat = ChatOpenAI(model="caller", base_url=os.environ["SERVER"], api_key=os.environ["KEY"], temperature=0)
tool = json.loads(os.environ["TOOL"])
bound = chat.bind_tools([tool])
turns = [HumanMessage(os.environ["SUM"])]
said = bound.invoke(turns)
joined = None
for piece in bound.stream(turns):
    joined = piece if joined is None else joined + piece
(call,) = said.tool_calls
total = sum(call["args"].values())
after = bound.invoke([*turns, said, ToolMessage(str(total), tool_call_id=call["id"])]).content
form = None
if os.environ["GRAMMARS"] == "yes":
    from pydantic import BaseModel
    class Sum(BaseModel):
        '''A sum.'''
        sure: bool
    form = chat.with_structured_output(Sum, method="function_calling").invoke("Are you sure?").sure
print(json.dumps([total, joined.tool_calls[0]["args"] == call["args"], after, form]))
"""
    grammars = "yes" if HAS_GRAMMARS else "no"
    more = {"TOOL": json.dumps(ADD), "SUM": SUM, "GRAMMARS": grammars}
    *found, form = run("langchain_openai", "langchain-openai", script, caller, tmp_path, **more)
    assert found == [5, True, ANSWER]
    assert isinstance(form, bool) or not HAS_GRAMMARS


def test_litellm_calls_a_tool(caller: str, tmp_path: Path) -> None:
    script = """
import json, os
import litellm
done = litellm.completion(
    model="openai/caller", api_base=os.environ["SERVER"], api_key=os.environ["KEY"], temperature=0,
    messages=[{"role": "user", "content": os.environ["SUM"]}], tools=[json.loads(os.environ["TOOL"])],
)
(call,) = done.choices[0].message.tool_calls
print(json.dumps([done.choices[0].finish_reason, call.function.name, json.loads(call.function.arguments)]))
"""
    found = run("litellm", "litellm", script, caller, tmp_path, TOOL=json.dumps(ADD), SUM=SUM)
    assert found == ["tool_calls", "add", {"a": 2, "b": 3}]


def test_lm_eval(server: str, tmp_path: Path) -> None:
    """Log-likelihoods of a small task, sent as token ids, are those of the model itself."""
    rows = [
        {"question": QUESTION, "options": [" Paris.", " It is Rome, I think."], "answer": 0},
        {"question": "Tell me about 2 and 3 — naïve:", "options": [" five", " six", " a 🦘"], "answer": 0},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "small.yaml").write_text(f"""
task: small
dataset_path: json
dataset_kwargs:
  data_files:
    test: {tmp_path / "rows.jsonl"}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{options}}}}"
doc_to_target: answer
target_delimiter: ""
metric_list:
  - metric: acc
""")
    tokenizer = load_tokenizer("bundled:base")
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    script = """
import json, os
import lm_eval
from lm_eval.tasks import TaskManager
folder = os.environ["FOLDER"]
found = lm_eval.simple_evaluate(
    model="local-completions",
    model_args={"model": "bundled:base", "base_url": os.environ["SERVER"] + "/completions", "num_concurrent": 2,
                "tokenizer": folder + "/tokenizer", "tokenizer_backend": "huggingface", "tokenized_requests": True},
    tasks=["small"], task_manager=TaskManager(include_path=folder, include_defaults=False), batch_size=2,
)
lines = [[one["doc"]["question"], option, float(answer[0])] for one in found["samples"]["small"]
         for option, answer in zip(one["doc"]["options"], one["filtered_resps"])]
print(json.dumps(lines))
"""
    needed = "lm_eval, tenacity, transformers"
    lines = run(
        needed,
        '"lm_eval[api]" transformers',
        script,
        server,
        tmp_path,
        FOLDER=str(tmp_path),
        OPENAI_API_KEY=KEY,
        HF_HUB_OFFLINE="1",
    )
    assert len(lines) == 5
    model = load_model("bundled:base")
    for question, option, served in lines:
        before = tokenizer(question, add_special_tokens=False)["input_ids"]
        ids = tokenizer(question + option, add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            logps = torch.log_softmax(model(torch.tensor([ids])).logits[0].float(), -1)
        own = [float(logps[i - 1, ids[i]]) for i in range(len(before), len(ids))]
        assert served == pytest.approx(sum(own), abs=1e-4)
