"""The server's settings: one model, filled from flags, `TAILRACE_SERVER_*` and `HOME/server.yaml`, in this order of precedence.

Every message about a wrong value says where the value came from.
"""

import difflib
import math
import os
import zoneinfo
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from tailrace.errors import ConfigError, ConfigErrors
from tailrace.wire.endpoints import wrong_endpoint

ENVIRONMENT_PREFIX = "TAILRACE_SERVER_"
SETTINGS_FILE = "server.yaml"
LEAST_QUERY_MEMORY = 64 << 20
"""Bytes: with less no query runs at all, however little it asks for."""


class Settings(BaseModel):
    """What an operator may set. Sizes in bytes, times in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    home: Path = Field(description="Home of this installation; set by `--home` only.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(9480, ge=0, le=65535, description="Port of the API; 0 takes a free one.")
    tls_host: str | None = Field(None, description="Address to listen on with TLS; null is that of `host`.")
    tls_port: int | None = Field(
        None, ge=0, le=65535, description="Port of the API with TLS; 0 takes a free one, null the one after `port`, or a free one."
    )
    domains: tuple[str, ...] = Field(
        (), description="Host names of this server, also in its certificate; `<project>.<domain>` addresses a project."
    )
    addresses: tuple[str, ...] = Field(
        (),
        description="Where agents reach this server, `https://host:port`, the best one first; empty: what follows from `domains`.",
    )
    certificate_secs: int = Field(7_776_000, ge=3, le=34_560_000, description="Life of the server's certificate; it renews itself before.")
    ca_overlap_secs: int = Field(2_592_000, ge=1, le=63_072_000, description="How long agents know a new root certificate before it signs.")
    agent_key_secs: int = Field(3600, ge=10, le=604_800, description="Life of an agent's key for data; it is renewed at half of it.")
    agent_poll_secs: float = Field(
        20.0, ge=0.2, le=45, description="How often an agent asks whether its keys and projects are still right."
    )
    database: str = Field(
        "", description="Metadata in PostgreSQL, `postgresql://user@host/name`; empty: in SQLite in the home. Read when the server starts."
    )
    session_secs: int = Field(43_200, ge=60, le=2_592_000, description="How long a login lasts.")
    audit_ttl_days: int = Field(365, ge=1, le=3650, description="How long the record of changes is kept; read when its logstore is made.")
    region: str = Field("local", min_length=1, max_length=64, description="Region that projects report.")
    time_zone: str = Field("UTC", description="Time zone of SQL functions, an IANA name.")
    signature_v1: bool = Field(True, description="Whether signatures of version 1 (HMAC-SHA1) are accepted beside version 4.")
    clock_skew_secs: int = Field(900, ge=1, le=86_400, description="How far a request's date may be from the server's clock.")
    max_body_bytes: int = Field(31_457_280, ge=65_536, le=268_435_456, description="Largest body of a log write on the wire.")
    max_raw_bytes: int = Field(31_457_280, ge=65_536, le=268_435_456, description="Largest body of a log write after decompression.")
    max_control_bytes: int = Field(4_194_304, ge=65_536, le=67_108_864, description="Largest body of any other request.")
    ingest_memory_bytes: int = Field(
        268_435_456, ge=33_554_432, description="Bodies, wire and raw, of all writes at work; beyond it writers get 503."
    )
    max_lag_secs: float = Field(
        120.0,
        ge=0,
        le=86_400,
        description="Writes get 503 while older ones have waited longer for the journal or the engine; 0 is no bound.",
    )
    max_memory_mb: int = Field(2048, ge=0, description="Writes get 503 while this process holds more memory; 0 is no bound.")
    ingest_threads: int = Field(2, ge=1, le=64, description="Threads that check what is written.")
    database_threads: int = Field(4, ge=1, le=64, description="Threads that talk to the metadata database.")
    write_past_secs: int | None = Field(
        604_800, ge=0, description="How old a written event may be; null is any age. Never holds for agents."
    )
    write_future_secs: int | None = Field(
        900, ge=0, description="How far ahead a written event may be; null is any time. Never holds for agents."
    )
    project_write_bytes_per_sec: int = Field(1_073_741_824, ge=0, description="Log bytes that a project takes per second; 0 is no bound.")
    project_writes_per_sec: int = Field(100_000, ge=0, description="Writes that a project takes per second; 0 is no bound.")
    logstore_write_bytes_per_sec: int = Field(0, ge=0, description="Log bytes that a logstore takes per second; 0 is no bound.")
    logstore_writes_per_sec: int = Field(0, ge=0, description="Writes that a logstore takes per second; 0 is no bound.")
    shard_write_bytes_per_sec: int = Field(268_435_456, ge=0, description="Log bytes that a shard takes per second; 0 is no bound.")
    store_max_bytes: int = Field(
        0, ge=0, description="Bytes on disk that all events and their indexes may take: beyond it the oldest go; 0 is no bound."
    )
    retention_check_secs: float = Field(10.0, ge=0.1, le=3600, description="How often bounds of bytes are looked at.")
    max_projects: int = Field(1000, ge=0, description="How many projects there may be; 0 is no bound.")
    max_logstores: int = Field(200, ge=0, description="How many logstores a project may have, where its quota says nothing; 0 is no bound.")
    max_configs: int = Field(1000, ge=0, description="How many collection configs a project may have, likewise.")
    max_machine_groups: int = Field(1000, ge=0, description="How many machine groups a project may have, likewise.")
    project_queries_at_once: int = Field(
        0, ge=0, le=1000, description="Queries of one kind (searches, scans, SQL) of a project that run at the same time; 0: all but one."
    )
    project_query_secs: int = Field(60, ge=1, le=3600, description="Seconds of a query: a search answers with what it has, others fail.")
    project_query_rows: int = Field(0, ge=0, description="Events that a query may read: then it answers with what it has; 0: no bound.")
    project_query_memory_bytes: int = Field(
        2_147_483_648, ge=LEAST_QUERY_MEMORY, description="Memory of a query of a project; one that needs more fails."
    )
    engine_memory_bytes: int = Field(
        0, ge=0, description="Memory of the storage engine, all queries and inserts together, at least 64 MiB; 0 is half of the machine's."
    )
    internal_log_ttl_days: int = Field(7, ge=1, le=3650, description="How long what agents say about themselves is kept.")
    internal_log_write_bytes_per_sec: int = Field(
        4_194_304, ge=0, description="Log bytes that agents say about themselves, per second and project; 0 is no bound."
    )
    ended_stream_secs: float = Field(600.0, ge=1, le=86_400, description="How long repeats of an agent's ended stream are recognised.")
    stop_grace_secs: float = Field(10.0, ge=0, le=600, description="How long running requests may go on when the server stops.")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Least level that is logged.")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in zoneinfo.available_timezones():
            raise ValueError("it is no time zone of the IANA database")
        return value

    @field_validator("engine_memory_bytes")
    @classmethod
    def _enough_memory(cls, value: int) -> int:
        if 0 < value < LEAST_QUERY_MEMORY:
            raise ValueError(f"queries need at least {LEAST_QUERY_MEMORY} (64 MiB); 0 is half of the machine's")
        return value

    @field_validator("domains", "addresses", mode="before")
    @classmethod
    def _split_domains(cls, value: object) -> object:
        """A comma-separated text is a list, so that the environment can hold it."""
        return tuple(part.strip().lower() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("addresses")
    @classmethod
    def _secure_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for place, address in enumerate(value, 1):
            if wrong := wrong_endpoint(address, "https"):
                raise ValueError(f"its address {place} does not look like `https://logs.example.org:9481`: {wrong}")
        return tuple(address.rstrip("/") for address in value)

    @field_validator("domains")
    @classmethod
    def _lower_domains(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(domain.lower().strip(".") for domain in value)

    @property
    def write_window(self) -> tuple[float, float] | None:
        """Seconds before and after now that a written event may lie in; None is any time."""
        if self.write_past_secs is None and self.write_future_secs is None:
            return None
        past, future = (math.inf if secs is None else secs for secs in (self.write_past_secs, self.write_future_secs))
        return past, future

    @property
    def secret_directory(self) -> Path:
        return self.home / "secret"

    @property
    def server_directory(self) -> Path:
        return self.home / "server"

    @property
    def run_directory(self) -> Path:
        return self.home / "run"


def load_settings(home: Path, flags: Mapping[str, object] | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of the installation in `home`. Flags whose value is None were not given. Raises ConfigErrors with all mistakes."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for source in (
        _from_file(home / SETTINGS_FILE),
        _from_environment(os.environ if environment is None else environment),
        _from_flags(flags or {}),
    ):
        for key, (value, origin) in source.items():
            values[key] = value
            origins[key] = origin
    unknown = [_unknown_key(key, origins[key]) for key in values if key not in _settable()]
    if unknown:
        raise ConfigErrors(unknown)
    try:
        return Settings(home=home, **values)
    except ValidationError as error:
        raise ConfigErrors([_wrong_value(problem, origins) for problem in error.errors()]) from None


def _settable() -> list[str]:
    return [name for name in Settings.model_fields if name != "home"]


def _from_file(path: Path) -> dict[str, tuple[Any, str]]:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the settings: {error}", where=str(path)) from None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"not YAML: {str(error).replace(chr(10), ' ')}", where=str(path)) from None
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode) or not isinstance(data, dict):
        raise ConfigError("the settings have to be a mapping of names to values", where=str(path), hint="write lines such as `port: 9480`")
    lines = {str(key.value): key.start_mark.line + 1 for key, _ in root.value}
    return {str(key): (value, f"{path}:{lines.get(str(key), 1)}") for key, value in data.items()}


def _from_environment(environment: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    found = {name: value for name, value in environment.items() if name.startswith(ENVIRONMENT_PREFIX)}
    return {
        name.removeprefix(ENVIRONMENT_PREFIX).lower(): (_environment_value(value), f"environment {name}") for name, value in found.items()
    }


def _environment_value(text: str) -> str | None:
    return None if text in ("", "null") else text


def _from_flags(flags: Mapping[str, object]) -> dict[str, tuple[Any, str]]:
    return {key: (value, f"flag --{key.replace('_', '-')}") for key, value in flags.items() if value is not None}


def _unknown_key(key: str, origin: str) -> ConfigError:
    near = difflib.get_close_matches(key, _settable(), n=1)
    hint = f"the nearest known setting is `{near[0]}`" if near else f"known settings are {', '.join(_settable())}"
    return ConfigError(f"unknown setting `{key}`", where=origin, hint=hint)


def _wrong_value(problem: Any, origins: Mapping[str, str]) -> ConfigError:
    key = str(problem["loc"][0])
    description = Settings.model_fields[key].description or ""
    message = str(problem["msg"])
    # an address may hold a password
    given = "what it is" if key == "addresses" else f"`{problem['input']}`"
    return ConfigError(
        f"setting `{key}` cannot be {given}: {message[:1].lower()}{message[1:]}",
        where=origins.get(key, "default"),
        hint=description,
    )
