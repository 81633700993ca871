"""The schema of a store brought up to date when it is opened.

Knows versions and locks: of several openers at once one migrates and the others wait; all of it or nothing happens.
"""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import Connection, Engine, column, inspect, select, table, text

from tiebreak.errors import InputError
from tiebreak.votes.address import Address
from tiebreak.votes.database import reading, writing
from tiebreak.votes.tables import NEWEST, VERSION_TABLE

_SCRIPTS = Path(__file__).parent / "migrations"
# Any number will do, as long as every version of Tiebreak takes the same one.
_LOCK = 8_316_022_774_611_021
# Alembic keeps the running migration in variables of its module.
_ONE_IN_THIS_PROCESS = threading.Lock()


def bring_up_to_date(engine: Engine, address: Address, *, create: bool) -> None:
    """Create the tables, or change them to their newest form.

    Args:
        engine: the database.
        address: named in errors.
        create: create the tables if there are none.
    Raises:
        InputError: the store is newer than this version of Tiebreak, is not one, or (without `create`) does not exist.
    """
    with reading(engine) as connection:
        found = _checked_version(connection, address, create)
    if found == NEWEST:
        return
    with _ONE_IN_THIS_PROCESS, writing(engine) as connection:
        if address.kind == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if _checked_version(connection, address, create) != NEWEST:
            upgrade(connection)


def upgrade(connection: Connection, to: str = NEWEST) -> None:
    """Run the migrations up to one, in the transaction of the connection."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def version_of(connection: Connection) -> str | None:
    """The version of the store's schema; None where there is no store."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    number = connection.execute(select(column("version_num")).select_from(table(VERSION_TABLE))).scalar()
    return None if number is None else str(number)


def _checked_version(connection: Connection, address: Address, create: bool) -> str | None:
    version = version_of(connection)
    if version is None:
        if not create:
            raise InputError("There are no votes here.", where=address.shown, fix="check the address")
        if inspect(connection).has_table("votes"):
            raise InputError(
                "The database has a table 'votes' that Tiebreak did not create.",
                where=address.shown,
                fix="use another database for the votes",
            )
    elif not (version.isdigit() and version <= NEWEST):
        raise InputError(
            f"The votes were written by a newer version of Tiebreak (schema {version}; this one knows up to {NEWEST}).",
            where=address.shown,
            fix="update Tiebreak",
        )
    return version
