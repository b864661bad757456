"""Brings a database to this release's schema with Alembic, which is imported only when there is something to do, as it is slow."""

import re
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, inspect, text

from tailrace.errors import NewerFormatError

MIGRATIONS = Path(__file__).parent / "migrations"
FOLLOWS = re.compile(r'^down_revision = (?:None|"([0-9]+)")$', re.MULTILINE)


def bring_up_to_date(engine: Engine, place: str, copy: Callable[[Engine, str], None]) -> None:
    """Bring the database to the newest revision that this release knows, after a copy (`copy(engine, newest)`) of what there was."""
    known = known_revisions()
    newest, current = known[-1], revision_of(engine)
    if current == newest:
        return
    if current is not None and current not in known:
        raise NewerFormatError(
            f"the metadata `{place}` has format {current}, this release knows formats up to {newest}",
            hint="start the release that wrote it, or a newer one",
        )
    if current is not None:
        copy(engine, newest)
    upgrade(engine)


def known_revisions() -> list[str]:
    """Oldest first, each as the file says that follows it: the numbers need not rise."""
    files = (MIGRATIONS / "versions").glob("[0-9]*.py")
    after = {match[1]: path.name.partition("_")[0] for path in files if (match := FOLLOWS.search(path.read_text("utf-8")))}
    chain: list[str] = []
    while (following := after.get(chain[-1] if chain else None)) is not None:
        chain.append(following)
    return chain


def revision_of(engine: Engine) -> str | None:
    """The format of a database; None of an empty one."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(engine: Engine) -> None:
    """Run what is missing, each step in a transaction."""
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
