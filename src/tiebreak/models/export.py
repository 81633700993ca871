"""From a run to a model that needs nothing of Tiebreak: merged safetensors, or GGUF with a Modelfile for Ollama.

A GGUF file is made by llama.cpp's own converter, where the machine has it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tiebreak.data.preparing.templates import Template
from tiebreak.errors import InputError, RunError
from tiebreak.files import folder_at_once
from tiebreak.models.adapters import WEIGHTS, is_adapter_folder
from tiebreak.models.folder import ADAPTER_CONFIG
from tiebreak.models.load import load_model, locate
from tiebreak.models.save import named_write_errors

_OF_THE_ADAPTER = (ADAPTER_CONFIG, WEIGHTS)
_CONVERTERS = ("convert_hf_to_gguf.py", "convert-hf-to-gguf.py", "convert_hf_to_gguf")

_OLLAMA_TRANSCRIPT = (
    '{{ range .Messages }}{{ if eq .Role "user" }}\n\nHuman: {{ .Content }}'
    "{{ else }}\n\nAssistant: {{ .Content }}{{ end }}{{ end }}\n\nAssistant:"
)


def merged_folder(run_folder: Path, to: Path, *, trust_remote_code: bool = False) -> None:
    """Write the model of a run as a whole model, all or nothing.

    Args:
        run_folder: a finished run, or a folder with an adapter.
        to: the folder that is made.
        trust_remote_code: run code that the model brings along.
    Raises:
        InputError: the run is not finished, is none, or has no adapter to merge; or the folder is there already.
        RunError: it cannot be written.
    """
    source = Path(locate(str(run_folder)).source)
    if not is_adapter_folder(source):
        raise InputError(
            "There is no adapter to merge: the run trained the whole model.",
            where=str(run_folder),
            fix=f"take {source} as it is",
        )
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise InputError(f"'{to}' exists.", fix="name a folder that is not there yet")
    model = load_model(str(run_folder), trust_remote_code=trust_remote_code)
    with named_write_errors("The merged model", to), folder_at_once(to) as partial:
        model.save_pretrained(partial)
        for file in sorted(source.iterdir()):
            if file.is_file() and file.name not in _OF_THE_ADAPTER and not (partial / file.name).exists():
                shutil.copy2(file, partial / file.name)


def find_converter() -> Path:
    """Where llama.cpp's converter is: on the PATH, or in the folder that LLAMA_CPP names.

    Raises:
        InputError: it is nowhere.
    """
    folder = os.environ.get("LLAMA_CPP")
    for name in _CONVERTERS:
        if folder and (Path(folder) / name).is_file():
            return Path(folder) / name
        found = shutil.which(name)
        if found is not None:
            return Path(found)
    raise InputError(
        "A GGUF file is made by llama.cpp's convert_hf_to_gguf.py, which is not on this machine.",
        where="--gguf",
        fix="clone https://github.com/ggml-org/llama.cpp and set LLAMA_CPP to its folder",
    )


def write_gguf(model: Path, to: Path, converter: Path) -> None:
    """Convert a model folder.

    Args:
        model: a whole model in safetensors, with its tokenizer.
        to: the file that is made.
        converter: from `find_converter`.
    Raises:
        RunError: the converter fails; its last line is in the message.
    """
    command = [str(converter), str(model), "--outfile", str(to)]
    if converter.suffix == ".py":
        command.insert(0, sys.executable)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not to.is_file():
        said = (done.stderr or done.stdout).strip().split("\n")[-1]
        raise RunError(
            f"llama.cpp's converter failed: {said}",
            where=str(converter),
            fix="the model in safetensors is whole; see whether llama.cpp knows its architecture",
        )


def modelfile(gguf: str, *, template: Template, chat_template: str, stop: str | None) -> str:
    """What `ollama create` reads.

    Args:
        gguf: name of the file beside it.
        template: the form in which the model was trained to see conversations.
        chat_template: the tokenizer's, empty where it has none.
        stop: the text of the end-of-sequence token.
    """
    lines = [f"FROM ./{gguf}"]
    stops = [stop] if stop else []
    if template == "transcript":
        lines.append(f'TEMPLATE """{_OLLAMA_TRANSCRIPT}"""')
        stops.append("\n\nHuman:")
    elif "<|im_start|>" in chat_template:
        lines.append(
            'TEMPLATE """{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}'
            '<|im_start|>assistant\n"""'
        )
        stops.append("<|im_end|>")
    # Other templates are in the GGUF file itself, where Ollama looks for those that it knows.
    for text in dict.fromkeys(stops):
        escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        lines.append(f'PARAMETER stop "{escaped}"')
    return "\n".join(lines) + "\n"
