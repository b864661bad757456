"""Whatever happens to the bytes of the small files in a home, who reads them goes on, or says in one of our own errors what is wrong."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from tailrace import telemetry
from tailrace.agent.control.remote import RemoteConfigs
from tailrace.agent.diagnostics.memory import Memory
from tailrace.agent.diagnostics.outbox import Outbox
from tailrace.agent.identity import boot, identity
from tailrace.agent.installation import manifest
from tailrace.agent.installation.manifest import Manifest
from tailrace.agent.jobs.jobs import Job, Jobs
from tailrace.agent.settings import startup
from tailrace.agent.status.windows import MINUTE, Window, WindowStore
from tailrace.agent.supervisor import record
from tailrace.errors import TailraceError
from tailrace.pipeline.contract import Progress
from tailrace.pipeline.loading import from_document
from tailrace.wire.control import ConfigDetail
from tailrace.wire.internal_logs import STATUS

DETAIL = from_document({"inputs": [{"Type": "input_file", "FilePaths": ["/a/*.log"]}], "flushers": [{"Type": "flusher_stdout"}]}, "app")


@dataclass(frozen=True)
class Case:
    """`write` makes the file in a home, `read` does what its reader does with it."""

    file: str
    write: Callable[[Path], object]
    read: Callable[[Path], object]


def put_out(home: Path) -> None:
    outbox = Outbox(home / "out")
    outbox.position("there")
    outbox.put(STATUS, "", 1, [{"a": "1"}])
    outbox.close()


def go_on_putting(home: Path) -> None:
    outbox = Outbox(home / "out")
    outbox.put(STATUS, "", 2, [{"a": "2"}])
    assert list(outbox.after(0, "p"))
    outbox.position("there")
    outbox.sent("there", 1, 1)
    outbox.close()


def remember(home: Path) -> None:
    telemetry.alarm("REMEMBERED_ALARM", "a text", path="/x")
    Memory(home / "alarms.json").keep()


def look_at_jobs(home: Path) -> None:
    jobs = Jobs(home)
    jobs.rows()
    jobs.at_work([])


def take_config(home: Path) -> None:
    RemoteConfigs(home).take("s1", [ConfigDetail("app", 1, DETAIL.canonical().encode())])


def look_at_configs(home: Path) -> None:
    configs = RemoteConfigs(home)
    configs.pipelines()
    configs.infos("s1", lambda _: "")


def known() -> identity.AgentIdentity:
    enrolment = identity.Enrolment("http://x", "p", ["l"], "k", "s", ["f"], "b", ["http://w"], 2e9)
    server = identity.JoinedServer("b", ["https://x"], ["pem"], "pem", ["f"], 20.0)
    return identity.AgentIdentity("a" * 32, [enrolment], {"b": server}, "pem", ["taken"], {"b": ""})


def look_at_identity(home: Path) -> None:
    found = identity.load(home / "secret" / "agent.json")
    for one in found.enrolments:
        found.credentials(one.endpoint, one.project)
        found.why_no_key(one.endpoint, one.project)
        found.offers(one.endpoint, one.project, "f")
        found.server("http://w", one.project)
        assert "/" not in "".join([*one.logstores, *one.features])
    for server in found.servers.values():
        assert server.poll_secs > 0
        assert "".join([found.agent_id, found.key, server.certificate, *found.taken, *server.addresses, *server.roots, *server.features])
    identity.save(found, home / "secret" / "again.json")


def write_job(home: Path) -> None:
    Jobs(home).add(Job("one", "app", "app", created_at=1.0, progress=asdict(Progress(1, 0, 9, 1, 0, ""))))


def write_settings(home: Path) -> None:
    (home / "agent.yaml").write_text("cpu_usage_limit: 0.5\nallowed_roots: [/var/log]\n")


def write_manifest(home: Path) -> None:
    (home / "installed.json").write_text(Manifest("1.0", "/usr", "tailrace", files=["/x"], directories=["/y"]).text())


def look_at_manifest(home: Path) -> None:
    found = manifest.read(home / "installed.json")
    assert found is not None
    assert [Path(one) for one in (*found.files, *found.directories)]
    assert found.layout(home).unit


CASES = [
    Case("out/sent.json", put_out, go_on_putting),
    Case("alarms.json", remember, lambda home: Memory(home / "alarms.json").restore()),
    Case("agent/configs/*.json", take_config, look_at_configs),
    Case("agent/jobs/*.json", write_job, look_at_jobs),
    Case("agent/boot.json", lambda home: boot.begin(home / "agent"), lambda home: boot.begin(home / "agent")),
    Case("60-0.json", lambda home: WindowStore(home, MINUTE).write(Window(0, 60)), lambda home: WindowStore(home, MINUTE).back(1, 1.0)),
    Case("run/supervisor.json", lambda home: record.write(home, state="at work", worker=1, restarts=0), record.read),
    Case("secret/agent.json", lambda home: identity.save(known(), home / "secret" / "agent.json"), look_at_identity),
    Case("installed.json", write_manifest, look_at_manifest),
    Case("agent.yaml", write_settings, lambda home: startup.load(home, environment={})),
]


@pytest.fixture
def home() -> Iterator[Path]:
    """Where fsync costs nothing."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as directory:
        yield Path(directory)


def bytes_changed(whole: bytes) -> Iterator[bytes]:
    """Every truncation and every flipped byte."""
    for at in range(len(whole)):
        yield whole[:at]
        yield whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :]


def values_changed(whole: bytes) -> Iterator[bytes]:
    """Each value of a JSON document in turn is missing, or of another kind."""
    document = json.loads(whole)

    def inside(value: Any) -> Iterator[None]:
        if not isinstance(value, dict | list):
            return
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            kept = value[key]
            for other in (None, "x", -1, 0.5, True, [], {}, [None], {"x": None}):
                value[key] = other
                yield
            value[key] = kept
            yield from inside(kept)
        for key in list(value) if isinstance(value, dict) else ():
            kept = value.pop(key)
            yield
            value[key] = kept

    for _ in inside(document):
        yield json.dumps(document).encode()
    yield from (b"null", b"7", b"[]", b"{}")


def surprise(case: Case, home: Path) -> Exception | None:
    """What reading ends with that is none of our own errors."""
    try:
        case.read(home)
    except TailraceError:
        return None
    except Exception as error:
        return error
    return None


@pytest.mark.parametrize("case", CASES, ids=[case.file for case in CASES])
def test_whatever_happens_to_its_bytes_its_reader_goes_on_or_says_what_is_wrong(home: Path, case: Case) -> None:
    case.write(home)
    (path,) = home.glob(case.file)
    whole = path.read_bytes()
    surprises: list[tuple[bytes, Exception]] = []
    for data in [*bytes_changed(whole), *(values_changed(whole) if path.suffix == ".json" else ())]:
        path.write_bytes(data)
        if error := surprise(case, home):
            surprises.append((data[:1000], error))
    assert surprises == []
    path.write_bytes(whole)
    case.read(home)  # raises nothing at all
