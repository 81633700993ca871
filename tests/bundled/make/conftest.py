from pathlib import Path

import pytest

from tiebreak.bundled.make.initial_model import write_tokenizer


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder, seed=0)
    return folder
