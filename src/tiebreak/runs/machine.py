"""What a run ran on: versions and hardware, for the manifest."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Any

import psutil
import torch

from tiebreak.version import __version__

_PACKAGES = ("torch", "transformers", "datasets", "accelerate", "tokenizers", "safetensors", "numpy")


def versions() -> dict[str, str]:
    """Versions of Python, Tiebreak and the packages that decide a run's numbers."""
    found = {"python": platform.python_version(), "tiebreak": __version__}
    return found | {name: metadata.version(name) for name in _PACKAGES}


def hardware() -> dict[str, Any]:
    """Processor, threads, memory and accelerators."""
    described: dict[str, Any] = {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": torch.cpu.get_capabilities().get("cpu_name") or platform.processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
    }
    if torch.cuda.is_available():
        described["gpus"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return described
