"""The metadata database's tables. A change here needs a migration in `migrations/versions`: `test_database.py` compares them."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, ForeignKey, Integer, LargeBinary, MetaData, String, UniqueConstraint, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# PostgreSQL names constraints by itself, SQLite does not: migrations need the same names on both.
NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Times are Unix seconds."""

    metadata = MetaData(naming_convention=NAMING)


class ProjectRow(Base):
    __tablename__ = "projects"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(63), unique=True)
    description: Mapped[str] = mapped_column(String)
    options: Mapped[dict[str, Any]] = mapped_column(JSON)
    quota: Mapped[dict[str, Any]] = mapped_column(JSON, server_default="{}")
    created: Mapped[int] = mapped_column(BigInteger)
    modified: Mapped[int] = mapped_column(BigInteger)


class LogstoreRow(Base):
    """The id names the engine's table, hence it is never used again (AUTOINCREMENT); so are the numbers up to `columns_made`, which name
    what indexes have there."""

    __tablename__ = "logstores"
    __table_args__ = (UniqueConstraint("project_id", "name"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(63))
    ttl: Mapped[int] = mapped_column(Integer)
    options: Mapped[dict[str, Any]] = mapped_column(JSON)
    quota: Mapped[dict[str, Any]] = mapped_column(JSON, server_default="{}")
    columns_made: Mapped[int] = mapped_column(Integer, server_default="0")
    created: Mapped[int] = mapped_column(BigInteger)
    modified: Mapped[int] = mapped_column(BigInteger)


class ShardRow(Base):
    __tablename__ = "shards"

    logstore_id: Mapped[int] = mapped_column(ForeignKey("logstores.id", ondelete="CASCADE"), primary_key=True)
    shard: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    status: Mapped[str] = mapped_column(String(16))
    begin_key: Mapped[str] = mapped_column(String(32))
    end_key: Mapped[str] = mapped_column(String(32))
    created: Mapped[int] = mapped_column(BigInteger)
    closed: Mapped[int | None] = mapped_column(BigInteger)


class ConsumerGroupRow(Base):
    __tablename__ = "consumer_groups"
    __table_args__ = (UniqueConstraint("logstore_id", "name"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    logstore_id: Mapped[int] = mapped_column(ForeignKey("logstores.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(128))
    timeout: Mapped[int] = mapped_column(Integer)
    in_order: Mapped[bool]
    created: Mapped[int] = mapped_column(BigInteger)


class ConsumedShardRow(Base):
    """How far a consumer group has read a shard, and which of its consumers holds it. `updated` is in microseconds."""

    __tablename__ = "consumed_shards"

    group_id: Mapped[int] = mapped_column(ForeignKey("consumer_groups.id", ondelete="CASCADE"), primary_key=True)
    shard: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    checkpoint: Mapped[str] = mapped_column(String(64), server_default="")
    updated: Mapped[int] = mapped_column(BigInteger, server_default="0")
    consumer: Mapped[str] = mapped_column(String(256), server_default="")


class IndexRow(Base):
    """The index as it was given, word for word, and what it is in the engine: `built` is what queries use, `wanted` what the document
    makes (both `port.Indexes`; they differ while the latter is being built)."""

    __tablename__ = "indexes"

    logstore_id: Mapped[int] = mapped_column(ForeignKey("logstores.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    modified: Mapped[int] = mapped_column(BigInteger)
    built: Mapped[dict[str, Any]] = mapped_column(JSON, server_default="{}")
    wanted: Mapped[dict[str, Any]] = mapped_column(JSON, server_default="{}")


class DropRow(Base):
    """A logstore that is gone here and may still stand in the engine."""

    __tablename__ = "drops"

    logstore_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)


class AgentRow(Base):
    """`public_key` is the hash of the key that enrolment by token bound, empty of an agent of the server's own machine."""

    __tablename__ = "agents"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    public_key: Mapped[str] = mapped_column(String(64), server_default="")
    machine_id: Mapped[str] = mapped_column(String(64), server_default="")
    host_name: Mapped[str] = mapped_column(String(255), server_default="")
    boot_id: Mapped[str] = mapped_column(String(64), server_default="")
    created: Mapped[int] = mapped_column(BigInteger)
    revoked: Mapped[int | None] = mapped_column(BigInteger)


class GrantRow(Base):
    """That an agent may write to a project; `["*"]` stands for all of its logstores."""

    __tablename__ = "grants"

    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True)
    project: Mapped[str] = mapped_column(String(63), primary_key=True)
    logstores: Mapped[list[str]] = mapped_column(JSON)
    created: Mapped[int] = mapped_column(BigInteger)


class TokenRow(Base):
    """A join token; what is kept of its secret is a hash. Without `uses_left` it may be used any number of times."""

    __tablename__ = "tokens"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    secret_hash: Mapped[str] = mapped_column(String(64))
    project: Mapped[str] = mapped_column(String(63))
    logstores: Mapped[list[str]] = mapped_column(JSON)
    note: Mapped[str] = mapped_column(String(255))
    uses_left: Mapped[int | None] = mapped_column(Integer)
    used: Mapped[int] = mapped_column(Integer)
    created: Mapped[int] = mapped_column(BigInteger)
    expires: Mapped[int] = mapped_column(BigInteger)
    revoked: Mapped[int | None] = mapped_column(BigInteger)


class KeyRow(Base):
    """Without `expires` it is valid until it is deleted."""

    __tablename__ = "keys"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    enabled: Mapped[bool]
    agent_id: Mapped[str | None] = mapped_column(ForeignKey("agents.id", ondelete="CASCADE"))
    project: Mapped[str] = mapped_column(String(63))
    logstores: Mapped[list[str]] = mapped_column(JSON)
    actions: Mapped[list[str]] = mapped_column(JSON)
    user_name: Mapped[str] = mapped_column(String(64), server_default="")
    role: Mapped[str] = mapped_column(String(16), server_default="")
    note: Mapped[str] = mapped_column(String(255), server_default="")
    created: Mapped[int] = mapped_column(BigInteger)
    expires: Mapped[int | None] = mapped_column(BigInteger)


class UserRow(Base):
    """A person. `roles` are project → role; the project `*` stands for all of them and the server itself."""

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    roles: Mapped[dict[str, str]] = mapped_column(JSON)
    enabled: Mapped[bool]
    created: Mapped[int] = mapped_column(BigInteger)
    modified: Mapped[int] = mapped_column(BigInteger)


class SessionRow(Base):
    """That somebody has logged in; what is kept of its token is a hash."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    secret_hash: Mapped[str] = mapped_column(String(64))
    user_name: Mapped[str] = mapped_column(ForeignKey("users.name", ondelete="CASCADE"))
    address: Mapped[str] = mapped_column(String(64))
    created: Mapped[int] = mapped_column(BigInteger)
    expires: Mapped[int] = mapped_column(BigInteger)


class ChangeRow(Base):
    """Who changed what, until it stands in its logstore. `stream` names it there; without `outcome` it is still going on."""

    __tablename__ = "changes"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012  (SQLAlchemy's own form)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    stream: Mapped[str] = mapped_column(String(16))
    at_ms: Mapped[int] = mapped_column(BigInteger)
    outcome: Mapped[str] = mapped_column(String(64))
    document: Mapped[dict[str, Any]] = mapped_column(JSON)


class ConfigRow(Base):
    """The id tells a config from one that bore its name before, hence it is never used again (AUTOINCREMENT)."""

    __tablename__ = "configs"
    __table_args__ = (UniqueConstraint("project_id", "name"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(128))
    form: Mapped[str] = mapped_column(String(16))
    version: Mapped[int] = mapped_column(Integer)
    created: Mapped[int] = mapped_column(BigInteger)
    modified: Mapped[int] = mapped_column(BigInteger)


class ConfigVersionRow(Base):
    """What was saved, word for word. JSON, not a binary form of it: keys keep their order."""

    __tablename__ = "config_versions"

    config_id: Mapped[int] = mapped_column(ForeignKey("configs.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    author: Mapped[str] = mapped_column(String(64))
    saved: Mapped[int] = mapped_column(BigInteger)


class MachineGroupRow(Base):
    __tablename__ = "machine_groups"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(128))
    identify_by: Mapped[str] = mapped_column(String(16))
    machines: Mapped[list[str]] = mapped_column(JSON)
    group_type: Mapped[str] = mapped_column(String(16))
    attribute: Mapped[dict[str, Any]] = mapped_column(JSON)
    created: Mapped[int] = mapped_column(BigInteger)
    modified: Mapped[int] = mapped_column(BigInteger)


class GroupSettingsRow(Base):
    """Settings that the agents of a machine group get, as they were given last."""

    __tablename__ = "group_settings"

    group_id: Mapped[int] = mapped_column(ForeignKey("machine_groups.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    author: Mapped[str] = mapped_column(String(64))
    saved: Mapped[int] = mapped_column(BigInteger)


class ReportRow(Base):
    """What an agent has said of itself, for a server that starts again. Any release may find it in another form, and forget it then."""

    __tablename__ = "reports"

    agent_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    last_beat: Mapped[int] = mapped_column(BigInteger)


class CommandRow(Base):
    """Something that agents do once. `detail` is what they are told; `others` are projects that agents worked for as well, by agent."""

    __tablename__ = "commands"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    project: Mapped[str] = mapped_column(String(63))
    kind: Mapped[str] = mapped_column(String(32))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    author: Mapped[str] = mapped_column(String(64))
    created: Mapped[int] = mapped_column(BigInteger)
    expires: Mapped[int] = mapped_column(BigInteger)
    others: Mapped[dict[str, Any]] = mapped_column(JSON, server_default="{}")


class CommandResultRow(Base):
    """What became of a command on one agent. `result`, what it has laid down, is encrypted, but for what an older release has kept."""

    __tablename__ = "command_results"

    command_id: Mapped[str] = mapped_column(ForeignKey("commands.id", ondelete="CASCADE"), primary_key=True)
    agent_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    message: Mapped[str] = mapped_column(String)
    result: Mapped[bytes | None] = mapped_column(LargeBinary)
    is_sealed: Mapped[bool] = mapped_column(Boolean, server_default=false())
    changed: Mapped[int] = mapped_column(BigInteger)


class RolloutRow(Base):
    """A version of a config on its way to the agents, in stages. `document` is what `server.fleet.rollout` says of it."""

    __tablename__ = "rollouts"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    config_id: Mapped[int] = mapped_column(ForeignKey("configs.id", ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(String(16))
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    created: Mapped[int] = mapped_column(BigInteger)


class BindingRow(Base):
    """That a config is applied to a machine group."""

    __tablename__ = "bindings"

    group_id: Mapped[int] = mapped_column(ForeignKey("machine_groups.id", ondelete="CASCADE"), primary_key=True)
    config_id: Mapped[int] = mapped_column(ForeignKey("configs.id", ondelete="CASCADE"), primary_key=True)
    created: Mapped[int] = mapped_column(BigInteger)


class DocumentRow(Base):
    """What clients keep here for themselves: JSON, not a binary form of it, as keys keep their order."""

    __tablename__ = "documents"
    __table_args__ = (UniqueConstraint("project_id", "kind", "name"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(256))
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    created: Mapped[int] = mapped_column(BigInteger)
    modified: Mapped[int] = mapped_column(BigInteger)


class TagRow(Base):
    """A tag of a project, or of something within it: `resource` is then `<project>#<name>`."""

    __tablename__ = "tags"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    type: Mapped[str] = mapped_column(String(32), primary_key=True)
    resource: Mapped[str] = mapped_column(String(320), primary_key=True)
    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    value: Mapped[str] = mapped_column(String(128))
