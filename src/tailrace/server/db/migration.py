"""Brings a database to this release's schema with Alembic, which is imported only when there is something to do, as it is slow."""

import re
from pathlib import Path

from sqlalchemy import Engine, inspect, text

MIGRATIONS = Path(__file__).parent / "migrations"
FOLLOWS = re.compile(r'^down_revision = (?:None|"([0-9]+)")$', re.MULTILINE)


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
