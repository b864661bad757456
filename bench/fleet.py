"""Heartbeats: what a fleet of agents costs its server, and how soon a saved config is everywhere.

    python bench/fleet.py [--agents 100,1000,3000] [--secs 30] [--groups 20] [--ramp 200] [--real 3]

A server of its own is started on a home that is thrown away; its agents are put into its database beforehand. Each simulated agent has a TLS
connection of its own, shows a certificate of its own, and does what an agent does: a full heartbeat first, then short ones with its vitals,
which the server holds for 10 s or until it has news. The messages are made by the code that makes the real ones. Afterwards a config is changed
`--changes` times, and each agent of its groups has to answer with the new version as its own. CPU is that of the server's process, without
its storage engine's, while all agents beat; latency is that of heartbeats, without the time for which they are held. Prints a table, and one JSON line at the end.

With `--real` so many real agents, on homes of their own, are members of the first group beside the simulated ones (`--groups 1`: of the only one). They
count for how soon a config is everywhere: one has it when its home says that the version runs, which is looked at every 0.1 s.
"""

import argparse
import asyncio
import json
import os
import resource
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import psutil
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tailrace.agent.control.heartbeat import Dialogue, full_state
from tailrace.server.auth.authority import open_authority, pem_of, public_key_hash
from tailrace.server.db.database import open_database
from tailrace.server.db.tables import AgentRow, GrantRow
from tailrace.wire.control import Attributes, ConfigInfo, ConfigStatus, HeartbeatResponse, decode, encode
from tailrace.wire.signature import SignedRequest, sign_v4
from tailrace.wire.vitals import Vitals

BEAT_SECS = 10.0
PROJECT = "bench"
HELD = f"/Agent/Heartbeat?wait={BEAT_SECS:g}"
HANDSHAKES = 32
LOOK_SECS = 0.1


@dataclass
class Row:
    agents: int
    cpu_cores: float
    cpu_us_per_beat: float
    rss_mb: float
    kb_per_agent: float
    beats_per_sec: float
    beat_ms_p50: float
    beat_ms_p99: float
    everywhere_secs_p50: float
    everywhere_secs_p99: float
    everywhere_secs_max: float


@dataclass
class Tally:
    latencies: list[float] = field(default_factory=list[float])
    versions: dict[str, tuple[int, float]] = field(default_factory=dict[str, tuple[int, float]])
    """Agent → the version that it runs, and since when."""
    failures: int = 0

    def runs(self, agent: str, version: int) -> None:
        if self.versions.get(agent, (None, 0.0))[0] != version:
            self.versions[agent] = version, time.monotonic()


class Server:
    def __init__(self, home: Path) -> None:
        self.home = home
        command = [sys.executable, "-m", "tailrace.cli.main", "server", "run", "--home", str(home), "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 120
        while not (home / "run" / "server.json").exists():
            assert self.process.poll() is None, "the server does not start"
            assert time.monotonic() < until, "the server takes too long to start"
            time.sleep(0.05)
        place = json.loads((home / "run" / "server.json").read_text())
        self.port, self.tls_port = place["port"], place["tls_port"]
        self.key = json.loads((home / "secret" / "admin.json").read_text())

    def request(self, method: str, path: str, body: object = None, *, project: str = "") -> Any:
        host = f"{project + '.' if project else ''}127.0.0.1:{self.port}"
        content = b"" if body is None else json.dumps(body).encode()
        headers = {"host": host, "x-log-bodyrawsize": str(len(content)), **({"content-type": "application/json"} if content else {})}
        signed = SignedRequest(method, path, [], headers, content)
        headers |= sign_v4(signed, self.key["key_id"], self.key["key_secret"], "local", datetime.now(UTC))
        answer = httpx2.request(method, f"http://127.0.0.1:{self.port}{path}", content=content, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json() if answer.content else None

    @property
    def cpu(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system

    @property
    def rss(self) -> float:
        return psutil.Process(self.process.pid).memory_info().rss / 1e6

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


class Agent:
    """One that runs at once whatever it is given."""

    def __init__(self, number: int, address: tuple[str, int], tls: ssl.SSLContext, tally: Tally, groups: int) -> None:
        self.id, self._number = f"agent-{number:05d}", number
        self._address, self._tls, self._tally, self._groups = address, tls, tally, groups
        self._dialogue, self._configs = Dialogue(), list[ConfigInfo]()

    async def run(self, start_at: float, handshakes: asyncio.Semaphore) -> None:
        await asyncio.sleep(start_at)
        while True:
            try:
                async with handshakes:
                    self._reader, self._writer = await asyncio.open_connection(*self._address, ssl=self._tls, server_hostname="127.0.0.1")
                await self._beat("/Agent/Heartbeat")
                while True:
                    await self._beat(HELD)
            except (OSError, asyncio.IncompleteReadError, ValueError):
                self._tally.failures += 1
                self._dialogue.lost()
                await asyncio.sleep(5)

    async def _beat(self, target: str) -> None:
        again = True
        while again:
            attributes = Attributes(b"0.1.0", f"10.{self._number >> 16}.{self._number >> 8 & 255}.{self._number & 255}".encode(), b"host")
            ids, vitals = [f"group-{self._number % self._groups}"], Vitals("", "ok", in_events=int(time.time()))
            state = full_state(self.id, attributes, user_defined_ids=ids, started=1, configs=self._configs, vitals=vitals)
            began = time.perf_counter()
            answer = decode(HeartbeatResponse, await self._ask("POST", target, encode(self._dialogue.beat(state))))
            took, target = time.perf_counter() - began, "/Agent/Heartbeat"
            self._tally.latencies.append(took - BEAT_SECS * (took >= BEAT_SECS))
            again = not self._dialogue.answered(answer)
            for update in answer.continuous_pipeline_config_updates:
                known = [one for one in self._configs if one.name != update.name]
                self._configs = [*known, ConfigInfo(update.name, update.version, ConfigStatus.APPLIED)]
                again = True
            if not again and self._configs:
                self._tally.runs(self.id, self._configs[0].version)

    async def _ask(self, method: str, target: str, body: bytes) -> bytes:
        head = (
            f"{method} {target} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(body)}\r\ncontent-type: application/x-protobuf\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.lower().startswith(b"content-length:"))
        body = await self._reader.readexactly(length)
        if not lines[0].startswith(b"HTTP/1.1 200"):
            raise ValueError(body)
        return body


class RealAgent:
    """`tailrace agent run` on a home of its own, in the first group."""

    def __init__(self, home: Path, server: Server) -> None:
        self.home = home
        (home / "pipelines").mkdir(parents=True)
        (home / "user_defined_id").write_text("group-0")
        token = server.request("POST", "/api/v1/tokens", {"project": PROJECT})["token"]
        environment = {**os.environ, "TAILRACE_MACHINE_ID": home.name}
        agent, at = [sys.executable, "-m", "tailrace.cli.main", "agent"], ["--home", str(home)]
        joining = [*agent, "enroll", *at, "--token", "-", "--server", f"https://127.0.0.1:{server.tls_port}"]
        subprocess.run(joining, input=token, text=True, stdout=subprocess.DEVNULL, check=True, timeout=120, env=environment)
        running = [*agent, "run", "--no-supervisor", *at, "--pipelines", str(home / "pipelines")]
        self.process = subprocess.Popen(running, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)

    @property
    def version(self) -> int | None:
        """Of the config that it runs."""
        assert self.process.poll() is None, f"the agent of {self.home.name} has ended"
        kept = [json.loads(path.read_text()) for path in (self.home / "agent" / "configs").glob("*.json")]
        return next((one["runs"]["number"] for one in kept if one["runs"]), None)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


async def watch(agents: Sequence[RealAgent], tally: Tally) -> None:
    """Note what real agents run as simulated ones note it themselves."""
    while True:
        for one in agents:
            if (version := one.version) is not None:
                tally.runs(one.home.name, version)
        await asyncio.sleep(LOOK_SECS)


def seed(home: Path, agents: int) -> tuple[Path, list[str]]:
    """Enrol them: the file of the key that they share, and their certificates."""
    authority = open_authority(home / "secret" / "ca", timedelta(days=1))
    key = ec.generate_private_key(ec.SECP256R1())
    file = home / "agents.key"
    plain = serialization.NoEncryption()
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    names = [f"agent-{number:05d}" for number in range(agents)]
    engine = open_database(home / "server" / "meta.db")
    fingerprint = public_key_hash(key.public_key())
    with engine.begin() as connection:
        known = {row[0] for row in connection.execute(AgentRow.__table__.select())}
        new = [name for name in names if name not in known]
        if known:
            connection.execute(AgentRow.__table__.update().where(AgentRow.id.like("agent-%")).values(public_key=fingerprint))
        if new:
            rows = [{"id": name, "public_key": fingerprint, "created": 1} for name in new]
            connection.execute(AgentRow.__table__.insert(), rows)
            grants = [{"agent_id": name, "project": PROJECT, "logstores": ["*"], "created": 1} for name in new]
            connection.execute(GrantRow.__table__.insert(), grants)
    engine.dispose()
    return file, [pem_of(authority.certify_agent(key.public_key(), name)) for name in names]


def contexts(home: Path, key: Path, certificates: list[str]) -> list[ssl.SSLContext]:
    made: list[ssl.SSLContext] = []
    chain = home / "one.pem"
    for certificate in certificates:
        chain.write_text(certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(chain, key)
        made.append(context)
    return made


def pipeline(version: int) -> dict[str, Any]:
    source = {"Type": "input_file", "FilePaths": ["/var/log/app/*.log"], "MaxDirSearchDepth": version % 1000}
    return {"text": json.dumps({"inputs": [source], "flushers": [{"Type": "flusher_sls", "Logstore": "app"}]})}


async def measure(home: Path, agents: int, options: argparse.Namespace) -> Row:
    key, certificates = seed(home, agents)
    server, real = Server(home), list[RealAgent]()
    empty = server.rss
    try:
        tally = Tally()
        for number in range(options.real):
            real.append(RealAgent(home / f"real-{agents}-{number}", server))
        tls = contexts(home, key, certificates)
        fleet = [Agent(number, ("127.0.0.1", server.tls_port), tls[number], tally, options.groups) for number in range(agents)]
        gate = asyncio.Semaphore(HANDSHAKES)
        tasks = [asyncio.create_task(one.run(number / options.ramp, gate)) for number, one in enumerate(fleet)]
        tasks.append(asyncio.create_task(watch(real, tally)))
        members = agents + len(real)
        while len(tally.versions) < members:  # noqa: ASYNC110 - they are many
            await asyncio.sleep(0.5)
        await asyncio.sleep(BEAT_SECS)
        tally.latencies.clear()
        cpu, began = server.cpu, time.monotonic()
        await asyncio.sleep(options.secs)
        spent, took, latencies = server.cpu - cpu, time.monotonic() - began, sorted(tally.latencies)
        spread = [await everywhere(server, tally, members, change) for change in range(options.changes)]
        whole = sorted(one for run in spread for one in run)
        assert not tally.failures, f"{tally.failures} connections failed"
        row = Row(
            agents=agents,
            cpu_cores=round(spent / took, 3),
            cpu_us_per_beat=round(1e6 * spent / len(latencies)),
            rss_mb=round(server.rss),
            kb_per_agent=round(1000 * (server.rss - empty) / agents, 1),
            beats_per_sec=round(len(latencies) / took, 1),
            beat_ms_p50=round(1000 * statistics.median(latencies), 2),
            beat_ms_p99=round(1000 * latencies[int(len(latencies) * 0.99)], 2),
            everywhere_secs_p50=round(statistics.median(whole), 2),
            everywhere_secs_p99=round(whole[int(len(whole) * 0.99)], 2),
            everywhere_secs_max=round(whole[-1], 2),
        )
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return row
    finally:
        for one in real:
            one.stop()
        server.stop()


async def everywhere(server: Server, tally: Tally, agents: int, change: int) -> list[float]:
    """Per agent, how long after the save it says that it runs the new version."""
    before = dict(tally.versions)
    began = time.monotonic()
    await asyncio.to_thread(server.request, "PUT", f"/api/v1/projects/{PROJECT}/pipelines/app-logs", pipeline(int(time.time()) + change))
    while sum(before[name][0] != version for name, (version, _) in tally.versions.items()) < agents:
        assert time.monotonic() - began < 120, "the config does not arrive"
        await asyncio.sleep(0.1)
    return [at - began for _, at in tally.versions.values()]


def prepare(home: Path, groups: int) -> None:
    server = Server(home)
    server.request("POST", "/", {"projectName": PROJECT, "description": ""})
    server.request("POST", "/logstores", {"logstoreName": "app", "ttl": 1, "shardCount": 1}, project=PROJECT)
    server.request("PUT", f"/api/v1/projects/{PROJECT}/pipelines/app-logs", pipeline(1))
    for number in range(groups):
        group = {"groupName": f"group-{number}", "machineIdentifyType": "userdefined", "machineList": [f"group-{number}"]}
        server.request("POST", "/machinegroups", {**group, "groupType": "", "groupAttribute": {}}, project=PROJECT)
        server.request("PUT", f"/machinegroups/group-{number}/configs/app-logs", project=PROJECT)
    server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", default="100,1000,3000")
    parser.add_argument("--secs", type=float, default=30)
    parser.add_argument("--groups", type=int, default=20)
    parser.add_argument("--ramp", type=float, default=200, help="agents that join per second")
    parser.add_argument("--changes", type=int, default=3)
    parser.add_argument("--real", type=int, default=0, help="real agents beside the simulated ones")
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard) if soft < hard else (soft, hard))
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as directory:
        prepare(Path(directory), options.groups)
        for agents in map(int, options.agents.split(",")):
            rows.append(asyncio.run(measure(Path(directory), agents, options)))
            print("  ".join(f"{name}={value}" for name, value in asdict(rows[-1]).items()), flush=True)
    print(json.dumps([asdict(row) for row in rows]))


if __name__ == "__main__":
    main()
