"""A small real HTTP server that takes PutLogs in both forms, checks signatures, knows repeats, and fails when it is told to."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from tailrace.batch import EventBatch
from tailrace.wire import batch_form
from tailrace.wire.identity import Identity
from tailrace.wire.proxy import bracketed
from tailrace.wire.signature import SignedRequest, body_matches, parse_authorization, split_target, verify

KEY_ID, KEY_SECRET = "agent-key", "agent-secret"

Fault = str
"""`500`, `403`, `429`, `503`: answered so before anything is stored. `reset`: the connection breaks, nothing stored.
`lost answer`: stored, then the connection breaks. `slow`: stored after a while."""


@dataclass
class Sink:
    """What arrived, as a Tailrace server would have stored it."""

    events: list[dict[str, str]] = field(default_factory=list)
    packages: dict[tuple, Identity] = field(default_factory=dict)
    repeats: int = 0
    forks: int = 0
    ended: list[Identity] = field(default_factory=list)
    """Farewells."""
    requests: int = 0
    attempts: Counter = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    fault: Callable[[int], Fault | None] = lambda number: None
    """Asked with the number of each request."""
    refuse: str = ""
    """Error code that every request gets as status 400."""
    stored_ends: dict[str, int] | None = None
    fork_once: bool = False
    arrived_at: list[float] = field(default_factory=list)
    host: str = "127.0.0.1"
    placed: dict[tuple, str] = field(default_factory=dict)
    """The hash key that each package came with."""

    def start(self) -> "Sink":
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/logstores/{logstore}/shards/lb", self._put)
        app.router.add_post("/logstores/{logstore}/shards/route", self._put)
        app.router.add_get("/api/v1/agents/streams", self._streams)
        app.router.add_get("/api/v1/agents/streams/{stream}", self._ranges)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, self.host, 0).start()
        self.endpoint = f"http://{bracketed(self.host)}:{runner.addresses[0][1]}"
        self._ready.set()
        await self._over.wait()
        await runner.cleanup()

    async def _streams(self, request: web.Request) -> web.Response:
        if self.stored_ends is None:
            return _error(404, "NotFound")
        ranges = {(one.stream, one.end): [one.start, one.fingerprint.hex()] for one in self.packages.values()}
        last = {stream: ranges[stream, end] for stream, end in self.stored_ends.items() if (stream, end) in ranges}
        return web.json_response({"streams": self.stored_ends, "last": last})

    async def _ranges(self, request: web.Request) -> web.Response:
        if (fault := self.fault(self.requests)) and fault.isdigit():
            return _error(int(fault), "InternalServerError")
        stream, epoch = request.match_info["stream"], bytes.fromhex(request.query["epoch"])
        stored = [(one.start, one.end) for one in self.packages.values() if (one.stream, one.epoch) == (stream, epoch)]
        return web.json_response({"stored": stored})

    async def _put(self, request: web.Request) -> web.Response:
        self.requests += 1
        body = await request.read()
        fault = self.fault(self.requests)
        self.attempts[fault or "fine"] += 1
        if fault == "reset":
            request.transport.abort()
        if fault and fault.isdigit():
            return _error(int(fault), {"403": "WriteQuotaExceed", "429": "Busy"}.get(fault, "InternalServerError"))
        if self.refuse:
            return _error(400, self.refuse)
        if problem := signature_problem(request, body):
            self.problems.append(problem)
            return _error(401, "SignatureNotMatch")
        if self.fork_once:
            self.fork_once = False
            return _error(409, "IdentityForked")
        if fault != "reset" and not self._store(request, body):
            return _error(409, "IdentityForked")
        if fault == "lost answer":
            request.transport.abort()
        if fault == "slow":
            await asyncio.sleep(0.3)
        return web.Response()

    def _store(self, request: web.Request, body: bytes) -> bool:
        compression = request.headers.get("x-log-compresstype", "none")
        raw_size = int(request.headers["x-log-bodyrawsize"])
        if request.headers.get("x-log-mode") != batch_form.MODE:
            self._add(EventBatch.decode(body, compression=compression, raw_size=raw_size))
            return True
        packages = batch_form.decode(body)
        assert sum(package.raw_size for package in packages) == raw_size
        self.ended += [package.identity for package in packages if package.identity.ended]
        packages = [package for package in packages if not package.identity.ended]
        known = [self.packages.get(_key(package.identity)) for package in packages]
        for package, before in zip(packages, known, strict=True):
            if before and _content(before) != _content(package.identity):
                self.forks += 1
                return False
        for package, before in zip(packages, known, strict=True):
            if before:
                self.repeats += 1
                continue
            self.packages[_key(package.identity)] = package.identity
            self.placed[_key(package.identity)] = request.query.get("key", "")
            self._add(EventBatch.decode(package.data, compression=compression, raw_size=package.raw_size))
        return True

    def _add(self, batch: EventBatch) -> None:
        tags = {f"__tag__:{key.decode()}": value.decode() for key, value in batch.tags}
        self.arrived_at.append(asyncio.get_running_loop().time())
        for _, fields in batch.rows():
            self.events.append({**tags, **{key.decode(): value.decode() for key, value in fields}})

    def contents(self) -> list[str]:
        return [event.get("content", "") for event in self.events]


def _key(identity: Identity) -> tuple:
    return identity.epoch, identity.stream, identity.sequence, identity.part


def _content(identity: Identity) -> tuple:
    return identity.fingerprint, identity.start, identity.end, identity.parts


def _error(status: int, code: str) -> web.Response:
    return web.Response(status=status, text=json.dumps({"errorCode": code, "errorMessage": f"told to answer {code}"}))


def signature_problem(request: web.Request, body: bytes) -> str:
    """What is wrong with the signature, or nothing."""
    path, query = split_target(request.raw_path)
    headers = {name.lower(): value for name, value in request.headers.items()}
    signed = SignedRequest(request.method, path, query, headers, body)
    authorization = parse_authorization(headers["authorization"])
    if authorization.key_id != KEY_ID:
        return f"unknown key {authorization.key_id}"
    if not verify(signed, authorization, KEY_SECRET):
        return "the signature does not fit"
    return "" if body_matches(signed, authorization) else "the body's hash does not fit"
