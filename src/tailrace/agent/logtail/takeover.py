"""Makes this agent go on where a Logtail stood: its configs become pipelines, its positions the checkpoint's, its ids and limits ours.

Doing it again changes nothing: what is there already stays as it is.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from tailrace.agent.checkpoint import StreamRow, open_checkpoint
from tailrace.agent.identity import identity as identities
from tailrace.agent.lanes.streams import StreamTable
from tailrace.agent.logtail.configs import Delivered, delivered
from tailrace.agent.logtail.positions import Taken, take
from tailrace.agent.logtail.remains import Mark, Remains
from tailrace.agent.platform import current
from tailrace.agent.settings import startup
from tailrace.agent.settings.policy import own_state
from tailrace.agent.settings.settings import AgentSettings
from tailrace.errors import ConfigError, ConfigErrors
from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.plugin import InputFile
from tailrace.journal import make_directory, write_private
from tailrace.pipeline.config import extra, public_key
from tailrace.pipeline.contract import Flusher
from tailrace.pipeline.explain import counted
from tailrace.pipeline.labels import Machine
from tailrace.pipeline.loading import from_document
from tailrace.pipeline.model import PipelineConfig

FRAGMENT: Final = "ilogtail.json"
"""Of `HOME/config.d`: the limits that were set."""
IDENTITY: Final = "agent.json"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result. `what` is a kind of thing, `name` which one; `outcome` begins with `taken` or `not taken`."""

    what: str
    name: str
    outcome: str

    @property
    def is_taken(self) -> bool:
        return not self.outcome.startswith("not taken")


@dataclass(slots=True)
class Plan:
    """What can be taken over, before anything is changed."""

    configs: list[tuple[Delivered, PipelineConfig]] = field(default_factory=list[tuple[Delivered, PipelineConfig]])
    rows: list[Row] = field(default_factory=list[Row])


def plan(remains: Remains, endpoint_of: Callable[[str], str], *, project: str = "") -> Plan:
    """The configs as pipelines. `endpoint_of` a project says where its logs are to go; "": where Logtail sent them. With `project` all of
    them go into that one."""
    made = Plan()
    names: set[str] = set()
    for full_name, value in remains.configs.items():
        try:
            one = delivered(full_name, value)
            if one.name in names:
                one.name = f"{one.project}.{one.name}"
            document = one.document(endpoint=endpoint_of(project or one.project) or one.endpoint, project=project)
            pipeline = from_document(document, one.name)
            names.add(one.name)
            made.configs.append((one, pipeline))
        except ConfigErrors as errors:
            made.rows += [Row("config", full_name, f"not taken: {error.message}") for error in errors.errors]
        except ConfigError as error:
            made.rows.append(Row("config", full_name, f"not taken: {error.message}"))
        else:
            remarks = pipeline.classic.remarks if pipeline.classic is not None else ()
            made.rows += [Row("key", full_name, f"not taken: `{key}` has no meaning here") for key in one.left]
            made.rows += [Row("key", full_name, f"not taken: {remark}") for remark in remarks]
    return made


class Takeover:
    """Into one home, whose agent does not run: its lock is held until the end of `with`. BusyError when it does. Unless `write`, nothing is
    changed, and the rows say what would be."""

    def __init__(self, home: Path, remains: Remains, *, write: bool = True) -> None:
        self._home = home
        self._remains = remains
        self._write = write
        self._settings = startup.load(home).settings
        roots = [Path(root) for root in self._settings.allowed_roots]
        self._platform = current(own_state(home), roots=roots)
        for part in ("agent", "secret", "pipelines") if write else ():
            make_directory(home / part)
        lock = home / "agent" / "lock"
        self._lock = self._platform.own(lock) if write or lock.exists() else None  # without it no agent has run here
        self.identity = identities.load(home / "secret" / IDENTITY)

    def __enter__(self) -> "Takeover":
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.release()

    def endpoint_of(self, project: str) -> str:
        """That of the server which this agent has joined for a project; "" where there is none, or more than one."""
        known = {one.endpoint for one in self.identity.enrolments if one.project == project}
        return known.pop() if len(known) == 1 else ""

    def machine(self) -> Machine:
        """As servers will know it, with the address and the ids that are taken over."""
        told = self._remains.settings.get("working_ip")
        address = told if isinstance(told, str) and told else self._settings.working_ip or identities.address()
        here = Machine.here(self._home, address)
        return replace(here, user_defined_ids=tuple(dict.fromkeys([*here.user_defined_ids, *self._remains.ids])))

    def pipelines(self, made: Plan) -> Iterator[Row]:
        """Write them into `HOME/pipelines`, in the classic form."""
        for one, pipeline in made.configs:
            assert pipeline.classic is not None, "it was made of a classic config"
            file = self._home / "pipelines" / f"{one.name}.json"
            text = json.dumps(pipeline.classic.document, indent=2, ensure_ascii=False) + "\n"
            if file.exists() and file.read_text("utf-8") != text:
                yield Row("config", one.full_name, f"not taken: `{file}` is there and says something else")
                continue
            self._put(file, text)
            yield Row("config", one.full_name, f"taken: `{file}`")

    def positions(self, made: Plan) -> Iterator[Row]:
        """Make the checkpoint know them. Durable when the last row has been given."""
        if self._write:
            identities.save(self.identity, self._home / "secret" / IDENTITY)  # the names of streams hold the agent's id
        by_config: dict[str, list[Mark]] = {}
        for mark in self._remains.marks:
            by_config.setdefault(mark.config, []).append(mark)
        streams: list[StreamRow] = []
        for one, pipeline in made.configs:
            taken = self._taken(pipeline, by_config.pop(one.full_name, []))
            if taken is None:
                continue
            for flusher in self._flushers(pipeline):
                streams += self._rows(flusher.destination, taken)
            yield from _said(one, taken)
        self._keep(streams)
        for name, marks in by_config.items():
            yield Row("positions", name, f"not taken: no pipeline here was made of that config ({counted(len(marks), 'file')})")
        for name in self._remains.unreadable:
            yield Row("position", name, "not taken: it says no file, offset or config")

    def left(self) -> Iterator[Row]:
        """What nobody but Logtail can go on with."""
        if missing := self._remains.missing:
            yield Row(
                "positions", missing, "not taken: `check_point_filename` names it, and it is not there; `--check-point` names another"
            )
        for what, path, why in self._remains.left:
            yield Row(what, str(path), f"not taken: {why}")

    def ids(self) -> Iterator[Row]:
        """User-defined ids, beside those that there are."""
        file = self._home / "user_defined_id"
        known = file.read_text("utf-8").splitlines() if file.exists() else []
        new = [one for one in self._remains.ids if one not in known]
        if new:
            self._put(file, "".join(f"{one}\n" for one in [*known, *new]))
        for one in self._remains.ids:
            yield Row("id", one, "taken" if one in new else "taken: it is there already")

    def settings(self) -> Iterator[Row]:
        """Start-up parameters that mean something here."""
        kept: dict[str, Any] = {}
        for key, value in self._remains.settings.items():
            outcome = _setting(key, value)
            if outcome.startswith("taken"):
                kept[key] = value
            yield Row("setting", key, outcome)
        if kept:
            self._put(self._home / startup.FRAGMENTS / FRAGMENT, json.dumps(kept, indent=2) + "\n")

    def _put(self, file: Path, text: str) -> None:
        if self._write:
            make_directory(file.parent)
            write_private(file, text)

    # --- positions --------------------------------------------------------------------------------------------------------------
    def _taken(self, pipeline: PipelineConfig, marks: Sequence[Mark]) -> Taken | None:
        config = next((plugin.config for plugin in pipeline.inputs if isinstance(plugin.config, FileConfig)), None)
        if config is None or not self._remains.marked_at:
            return None
        return take(config, marks, marked_at=self._remains.marked_at, platform=self._platform)

    def _flushers(self, pipeline: PipelineConfig) -> Iterator[Flusher]:
        """Started, where that is possible: a server that was joined gives its streams their names."""
        for plugin in pipeline.flushers:
            flusher: Flusher = plugin.build()
            try:
                flusher.start(self.identity)
            except ConfigError:
                flusher = plugin.build()  # without a key so far: by its address, under which it will be found again
            yield flusher

    def _rows(self, target: str, taken: Taken) -> Iterator[StreamRow]:
        table, now = StreamTable(self.identity.agent_id, [], {}), time.time()
        first = int(now * 1000)
        for key, position in taken.streams.items():
            name = table.stream_id(target, InputFile.key, key)
            yield StreamRow(name, target, InputFile.key, key, position, position, first, int(now))

    def _keep(self, rows: Sequence[StreamRow]) -> None:
        """What the checkpoint knows already goes on where it stands."""
        if not self._write:
            return
        opened = open_checkpoint(self._home / "agent", expected=False)
        with closing(opened.database) as database:
            new = {row.id: row.values() for row in reversed(rows) if row.id not in opened.content.streams}
            database.commit(configs={}, streams=list(new.values()), prepared=[], acknowledged=[], forgotten=[], notes={})


def _said(one: Delivered, taken: Taken) -> Iterator[Row]:
    for mark, path, size in taken.goes_on.values():
        yield Row("file", path, f"taken: goes on at {mark.offset:,} of {size:,} bytes ({one.name})")
    for mark in taken.gone:
        why = f"not taken: it is gone, and no copy of it is there; {mark.offset:,} bytes of it were read ({one.name})"
        yield Row("file", mark.path, why)
    if taken.fresh:
        yield Row("files", one.name, f"taken: {taken.fresh} that came later are read from their beginning")


def _setting(key: str, value: object) -> str:
    fields = {public_key(name, info): info for name, info in AgentSettings.model_fields.items()}
    info = fields.get(AgentSettings.spellings().get(key, key))
    if info is None:
        return "not taken: there is no such setting here"
    if ignored := extra(info).get("x-ignored"):
        return f"not taken: {ignored}"
    try:
        AgentSettings.model_validate({key: value})
    except ValidationError as error:
        return f"not taken: {error.errors()[0]['msg'].lower()}"
    return "taken"
