"""Progress: plain lines, bars only for long work in a terminal, and a pulse that can end the work."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tiebreak.workflow import progress as module
from tiebreak.workflow.progress import Progress, progress_of


def shown_by(progress: Progress) -> str:
    file = progress.console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def on(*, terminal: bool = False) -> Progress:
    return Progress(Console(file=io.StringIO(), width=20, force_terminal=terminal))


def test_a_sentence_is_one_line_as_it_stands() -> None:
    progress = on()
    progress.say_all(["a sentence that is wider than the console", r"[red]data[/red] [1] C:\[x]"])
    assert shown_by(progress) == "a sentence that is wider than the console\n[red]data[/red] [1] C:\\[x]\n"


def test_the_default_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    progress.say("hello")
    with progress.bar("work", 2) as update:
        update(1)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("patience", "terminal", "bar"), [(-1, True, True), (60.0, True, False), (60.0, False, False)])
def test_a_bar_is_for_long_work_in_a_terminal(
    patience: float, terminal: bool, bar: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", patience)
    progress = on(terminal=terminal)
    with progress.bar("work", 2) as update:
        update(1)
        update(2)
    assert ("work" in shown_by(progress)) == bar


def test_where_there_is_no_terminal_long_work_is_a_line_a_tenth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", -1)
    progress = on()
    with progress.bar("reference", 1000) as update:
        for done in range(1, 1001):
            update(done)
    lines = shown_by(progress).splitlines()
    assert [line.split()[1].rstrip(",") for line in lines][-2:] == ["900/1,000", "1,000/1,000"]
    assert 10 <= len(lines) <= 11
    assert all("a second" in line for line in lines)


def test_after_a_long_silence_there_is_a_line_before_the_first_tenth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.0)
    monkeypatch.setattr(module, "_SILENCE", 0.0)
    progress = on()
    with progress.bar("reference", 1000) as update:
        update(3)
        update(4)
    assert len(shown_by(progress).splitlines()) == 1


@pytest.mark.parametrize(
    ("done", "seconds", "line"),
    [
        (50, 5.0, "        reference 50/200, 10 a second, 15 s left"),
        (200, 20.0, "        reference 200/200, 10 a second"),
        (0, 20.0, "        reference 0/200, 0 a second"),
    ],
)
def test_a_line_says_how_far_the_work_is(done: int, seconds: float, line: str) -> None:
    assert module.line_of("reference", done, 200, seconds) == line


def test_the_pulse_can_end_the_work_and_the_bar_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.0)
    beats = []

    def pulse() -> None:
        beats.append(1)
        if len(beats) == 3:
            raise KeyboardInterrupt

    progress = Progress(Console(file=io.StringIO(), force_terminal=True, width=60), pulse)

    def work() -> None:
        with progress.bar("work", 5) as update:
            for done in range(5):
                update(done)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert len(beats) == 3
    progress.say("after")
    assert shown_by(progress).endswith("after\n")


def test_a_share_is_shown_in_hundredths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.0)
    progress = Progress(Console(file=io.StringIO(), force_terminal=True, width=80))
    with progress.share("reading") as update:
        update(0.1)
        update(0.424)
    assert "42/100" in shown_by(progress)


def test_a_title_is_text_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", -1)
    progress = Progress(Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None))
    with progress.share("reading [bold]a[/x].jsonl") as update:
        update(0.5)
    assert "reading [bold]a[/x].jsonl" in shown_by(progress)


def test_progress_is_nowhere_unless_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    given = Progress(Console(file=io.StringIO()))
    assert progress_of(given) is given
    for nothing in (None, False):
        progress_of(nothing).say("unseen")
    progress_of(True).say("seen")
    assert capsys.readouterr() == ("", "seen\n")
