"""PutLogs (sls-api §2.1), one log group or the batch form (docs/specs/batch-form.md)."""

from collections.abc import Sequence
from functools import partial
from typing import Final, Literal, TypeAlias

from tailrace.errors import ApiError
from tailrace.server.api.call import Call, Response, Route, ok
from tailrace.server.api.sls.parameters import hash_key
from tailrace.server.db.records import Logstore
from tailrace.server.internal import internal_logstore
from tailrace.server.store.port import Package, Write
from tailrace.wire import batch_form

Compression: TypeAlias = Literal["none", "lz4", "zstd", "deflate"]

COMPRESSIONS: Final[dict[str, Compression]] = {"": "none", "lz4": "lz4", "zstd": "zstd", "deflate": "deflate"}
CONTENT_TYPE = "application/x-protobuf"


async def put_logs(call: Call) -> Response:
    """To whichever shard the store likes, or the one of the header `x-log-hashkey` (old clients)."""
    return await _put(call, call.headers.get("x-log-hashkey"))


async def put_logs_by_key(call: Call) -> Response:
    """To the shard that holds `key`."""
    if "key" not in call.query:
        raise ApiError(400, "ParameterInvalid", "the parameter key is missing")
    return await _put(call, call.query["key"])


async def _put(call: Call, key: str | None) -> Response:
    logstore = await _logstore(call)
    compression = _compression(call)
    declared = _declared_size(call, compression)
    is_batch = call.headers.get(batch_form.MODE_HEADER) == batch_form.MODE
    if not is_batch:
        call.services.ingest.check_declared_size(declared, len(call.body), compression)
    packages = await _unpack(call, compression, declared) if is_batch else [_single(call, compression, declared)]
    # What an agent sends may have waited for a long outage: its time is never out of range.
    window = None if call.principal.kind == "agent" else call.settings.write_window
    write = Write(
        logstore.table,
        packages,
        hash_key=None if key is None else hash_key(key),
        request_id=call.request_id,
        window=window,
        shards=partial(call.catalog.writable_shards, logstore.project, logstore.name),
        admit=partial(call.services.quotas.admit, call.require_project(), logstore),
    )
    accepted = await call.services.ingest.commit(write)
    return ok({"x-log-duplicates": str(accepted.duplicates)} if is_batch else None)


async def _logstore(call: Call) -> Logstore:
    """That of the path; an agent's first record about itself makes the one that it goes to."""
    project, name = call.require_project().name, call.parameters["logstore"]
    return await internal_logstore(call.catalog, call.settings, call.principal, project, name) or call.logstore()


def _single(call: Call, compression: Compression, declared: int) -> Package:
    return Package(call.body, compression, declared, agent=call.principal.agent)


async def _unpack(call: Call, compression: Compression, declared: int) -> Sequence[Package]:
    """The packages of a batch. Only a key of kind *agent* gives them identities."""
    ingest = call.services.ingest
    maximum = call.settings.max_raw_bytes
    try:
        found = await ingest.run(lambda: batch_form.decode(call.body, max_raw_size=maximum))
    except batch_form.PackageError as error:
        code = "PostBodyTooLarge" if error.reason == "too_large" else "PostBodyInvalid"
        raise ApiError(400, code, error.message) from None
    if not found:
        raise ApiError(400, "PostBodyInvalid", "the batch has no packages")
    packages = [_package(call, package, compression) for package in found]
    for package in packages:
        ingest.check_declared_size(package.raw_size, len(package.body), compression)
    total = sum(package.raw_size for package in packages)
    if total != declared:
        raise ApiError(400, "InvalidBodyRawSize", f"x-log-bodyrawsize is {declared}, the packages have {total} bytes")
    return packages


def _package(call: Call, package: batch_form.Package, compression: Compression) -> Package:
    if package.raw_size is None and compression != "none":
        raise ApiError(400, "MissingBodyRawSize", "a compressed package has no uncompress_size")
    raw_size = len(package.data) if package.raw_size is None else package.raw_size
    identity = package.identity if call.principal.kind == "agent" else None
    return Package(package.data, compression, raw_size, agent=call.principal.agent, identity=identity)


def _compression(call: Call) -> Compression:
    content_type = call.headers.get("content-type", "")
    if not content_type:
        raise ApiError(400, "MissingContentType", "the header content-type is missing")
    if content_type.partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise ApiError(415, "InvalidContentType", f"content type `{content_type}` is not {CONTENT_TYPE}")
    name = call.headers.get("x-log-compresstype", "").strip().lower()
    if name not in COMPRESSIONS:
        raise ApiError(400, "InvalidCompressType", f"x-log-compresstype `{name}` is not lz4, zstd or deflate")
    return COMPRESSIONS[name]


def _declared_size(call: Call, compression: Compression) -> int:
    """The size before compression; an uncompressed single log group may go without the header."""
    text = call.headers.get("x-log-bodyrawsize", "").strip()
    is_batch = call.headers.get(batch_form.MODE_HEADER) == batch_form.MODE
    if not text and (compression != "none" or is_batch):
        raise ApiError(400, "MissingBodyRawSize", "the header x-log-bodyrawsize is missing")
    if text and not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise ApiError(400, "InvalidBodyRawSize", f"x-log-bodyrawsize `{text}` is not a size in bytes")
    if compression == "none" and not is_batch:
        if text and int(text) != len(call.body):
            raise ApiError(400, "InvalidBodyRawSize", f"x-log-bodyrawsize is {text}, the body has {len(call.body)} bytes")
        return len(call.body)
    if int(text) > call.settings.max_raw_bytes:
        raise ApiError(400, "PostBodyTooLarge", f"{text} bytes are more than the {call.settings.max_raw_bytes} that a write may have")
    return int(text)


ROUTES = (
    Route("POST", "/logstores/{logstore}/shards/lb", "log:PostLogStoreLogs", put_logs, log_write=True),
    Route("POST", "/logstores/{logstore}", "log:PostLogStoreLogs", put_logs, log_write=True),  # as the Go SDK has it
    Route("POST", "/logstores/{logstore}/shards/route", "log:PostLogStoreLogs", put_logs_by_key, log_write=True),
)
