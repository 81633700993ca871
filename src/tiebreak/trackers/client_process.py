"""The process that a tracker's client lives in: takes lines of JSON on stdin, writes on stdout what goes wrong.

The first line holds the run's settings; then come `{"log": row}`, `{"finished": …}` and `{"close": …}`. Where the pipe
ends without a close, the run was killed. Nothing heavy is imported besides the client.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tiebreak.files import write_json
from tiebreak.tasks import load_part
from tiebreak.trackers.clients import Client, TrackedRun
from tiebreak.trackers.registry import TRACKERS

_SECRET_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD")
# Where the run was killed, nobody else ends a client that waits for a network.
_LONGEST_END = 120


@dataclass
class Session:
    """One session of a tracked run, and what the sessions before it have sent.

    A resumed run repeats the rows after its last checkpoint; those that a tracker has are not sent to it again.

    Attributes:
        client: the tracker's.
        record: where the run's id in the tracker and what was sent are kept.
        lock: held as long as the session lasts.
        sent: step, and rows of that step, that were sent last, by any session.
        shown: whether the final metrics were sent.
        at: step, and rows of that step, that came last in this session.
    """

    client: Client
    record: Path
    lock: IO[str]
    sent: tuple[int, int] = (-1, 0)
    shown: bool = False
    at: tuple[int, int] = field(default=(-1, 0), init=False)

    def log(self, row: Mapping[str, Any]) -> None:
        """Send a row, unless the tracker has it."""
        step = int(row["step"])
        self.at = (step, self.at[1] + 1 if step == self.at[0] else 1)
        if self.at > self.sent:
            self.client.log(step, row)
            self.sent = self.at
            self.keep()

    def finished(self, message: Mapping[str, Any]) -> None:
        """Send the final metrics, the samples and the report, unless the tracker has them."""
        if self.shown:
            return
        step = max(self.sent[0], self.at[0])
        samples = [_flat_sample(sample) for sample in message["samples"]]
        self.client.show(step if step >= 0 else message["steps"], message["metrics"], samples, Path(message["report"]))
        self.shown = True
        self.keep()

    def keep(self) -> None:
        """Write down what was sent."""
        write_json(self.record, {"id": self.client.id, "sent": list(self.sent), "shown": self.shown})


def _flat_sample(sample: Mapping[str, Any]) -> dict[str, Any]:
    """A row of samples.json with its prompt as one text."""
    turns = sample["prompt"]
    text = turns[0]["content"] if len(turns) == 1 else "\n\n".join(f"{t['role']}: {t['content']}" for t in turns)
    return {**sample, "prompt": text}


def without_secrets(text: str, environment: Mapping[str, str]) -> str:
    """The text without any value of the environment that looks like a secret, and without passwords in addresses."""
    for name, value in environment.items():
        if len(value) >= 6 and any(word in name.upper() for word in _SECRET_NAMES):
            text = text.replace(value, "***")
    return re.sub(r"://[^/@\s]+@", "://***@", text)


def serve(lines: Iterable[str], reply: Callable[..., None]) -> int:
    """Do what the lines say.

    Args:
        lines: of JSON.
        reply: called with `where=` once the run is shown, and with `error=` when something fails.
    Returns:
        The exit code.
    """
    rows = map(json.loads, lines)
    session: Session | None = None
    code = 0
    # Any exception at all: clients raise what they like, and it is all the same to the run, which must not stop.
    try:
        session = _opened(next(rows), reply)
        failed = True
        for message in rows:
            if "log" in message:
                session.log(message["log"])
            elif "finished" in message:
                session.finished(message["finished"])
            else:
                failed = message["close"]["failed"]
        session.client.close(failed)
    except Exception as error:  # noqa: BLE001
        reply(error=f"{type(error).__name__}: {error}")
        code = 1
        if session is not None:
            with contextlib.suppress(Exception):
                session.client.close(failed=True)
    finally:
        if session is not None:
            session.lock.close()
    return code


def _opened(settings: Mapping[str, Any], reply: Callable[..., None]) -> Session:
    folder = Path(settings["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    # After a kill, the client of the session before may still be sending; the system lets go of it when that one ends.
    lock = (folder / ".lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    record = folder / "run.json"
    known = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    home = Path(settings["home"]) if settings.get("home") else None
    members = tuple(_ids([Path(each) / "run.json" for each in settings.get("members", ())]))
    run = TrackedRun(
        settings["run"], folder, settings["config"], settings["recipe"], settings.get("group"), home, members
    )
    with _alone(run.kept):  # clients make their databases, which two at once may not
        client: Client = load_part(TRACKERS[settings["name"]].client)(run, known.get("id"))
    session = Session(client, record, lock, sent=tuple(known.get("sent", (-1, 0))), shown=known.get("shown", False))
    session.keep()
    reply(where=client.where)
    return session


def _ids(records: Iterable[Path]) -> Iterator[str]:
    """The ids of those runs that have one; of what failed at its start there is none."""
    for record in records:
        if record.is_file():
            yield str(json.loads(record.read_text(encoding="utf-8"))["id"])


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else begins in the folder meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".begin").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Keep stdin and stdout for the run, and give the client neither: it cannot ask, and what it prints is lost."""
    commands, replies = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)

    def reply(**message: str) -> None:
        _write(replies, message)

    def warned(message: Warning | str, _: type[Warning], filename: str, *__: Any) -> None:
        if "trackio" in Path(filename).parts:  # it warns where others raise
            reply(error=str(message))

    warnings.showwarning = warned  # type: ignore[assignment]
    warnings.simplefilter("always", UserWarning)
    return serve(_lines(commands), reply)


def _lines(commands: IO[str]) -> Iterator[str]:
    yield from commands
    signal.alarm(_LONGEST_END)


def _write(replies: IO[str], message: Mapping[str, str]) -> None:
    hidden = {key: without_secrets(value, os.environ) for key, value in message.items()}
    with contextlib.suppress(OSError):  # nobody reads the replies to a run that was killed
        replies.write(json.dumps(hidden) + "\n")
        replies.flush()


if __name__ == "__main__":
    sys.exit(main())
