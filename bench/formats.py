"""The formats that the agent's benches run over: how to make a file, which pipeline reads it, and what events must come out.

Five have a scanner of their own in the C yardstick (`limits.c`); the ten *other* patterns stand for what people really write, and are
compared with the yardstick's plain lines, which is stricter.
"""

import csv
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Fields = list[tuple[bytes, bytes]]

NGINX = r'^(\S+) - (\S+) \[([^\]]*)\] "(\S+) (\S+) ([^"]*)" (\d+) (\d+) "([^"]*)" "([^"]*)"$'
NGINX_KEYS = ["ip", "user", "time", "method", "url", "proto", "status", "size", "referer", "agent"]
DELIMITER_KEYS = ["time", "level", "ip", "user", "method", "path", "status", "cost", "trace", "cls", "node", "msg"]
JAVA_START = r"\d{4}-\d{2}-\d{2} .*"


@dataclass(frozen=True)
class Format:
    """One row of the bench. `yardstick` is the mode of `limits pipe`; `ceiling` the allowed multiple of its CPU."""

    name: str
    yardstick: str
    ceiling: float
    input_options: dict[str, Any] = field(default_factory=dict)
    processors: tuple[dict[str, Any], ...] = ()
    expected: Callable[[bytes], Iterator[Fields]] = lambda data: lines(data)
    line: Callable[[random.Random], str] | None = None
    """Makes one line, or one record; None for the five formats of `gen_data.py`."""
    codec: str = "utf-8"
    """What the file is written in."""


def lines(data: bytes) -> Iterator[Fields]:
    for line in data.splitlines():
        yield [(b"content", line)]


def by_regex(pattern: str, keys: list[str]) -> Callable[[bytes], Iterator[Fields]]:
    compiled, names = re.compile(pattern.encode(), re.DOTALL), [key.encode() for key in keys]

    def expected(data: bytes) -> Iterator[Fields]:
        for line in data.splitlines():
            match = compiled.fullmatch(line)
            assert match, f"the bench's own pattern does not match {line!r}"
            yield [(name, value or b"") for name, value in zip(names, match.groups(), strict=True)]

    return expected


def by_json(data: bytes) -> Iterator[Fields]:
    decode = json.JSONDecoder(parse_float=str, parse_int=str).decode
    nested = re.compile(rb'"http":(\{[^}]*\})')
    for line in data.splitlines():
        row: Fields = []
        for key, value in decode(line.decode()).items():
            if isinstance(value, dict):
                match = nested.search(line)
                assert match
                row.append((key.encode(), match[1]))
            else:
                text = {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value
                row.append((key.encode(), str(text).encode()))
        yield row


def by_separator(separator: str, keys: Sequence[str], *, ending: bytes = b"") -> Callable[[bytes], Iterator[Fields]]:
    """Lines of values without quotes; `ending` is no part of them."""
    names = [key.encode() for key in keys]

    def expected(data: bytes) -> Iterator[Fields]:
        for line in data.splitlines():
            yield list(zip(names, line.removesuffix(ending).split(separator.encode()), strict=True))

    return expected


def by_record(data: bytes) -> Iterator[Fields]:
    start = re.compile(rb"^\d{4}-\d{2}-\d{2} ", re.MULTILINE)
    begins = [match.start() for match in start.finditer(data)]
    for begin, end in zip(begins, [*begins[1:], len(data)], strict=True):
        yield [(b"content", data[begin:end].removesuffix(b"\n"))]


FLAT = ("time", "level", "service", "trace_id", "host", "status", "latency_ms", "http_method", "http_path", "http_bytes", "ok", "msg")


def by_leaf(data: bytes) -> Iterator[Fields]:
    """What `processor_json` makes of the nested objects: `http.method` is `http_method`."""
    for row in by_json(data):
        fields = dict(row)
        inner = json.JSONDecoder(parse_float=str, parse_int=str).decode(fields.pop(b"http").decode())
        fields.update({b"http_" + key.encode(): str(value).encode() for key, value in inner.items()})
        yield [(key.encode(), fields[key.encode()]) for key in FLAT]


def by_pair(data: bytes) -> Iterator[Fields]:
    pair = re.compile(rb'(\w+)=(?:"([^"]*)"|(\S*))')
    for line in data.splitlines():
        yield [(key, quoted or plain) for key, quoted, plain in pair.findall(line)]


CSV_KEYS = ("time", "level", "host", "message", "took")


def csv_line(r: random.Random) -> str:
    return f'{clock(r)},{r.choice(["info", "warn"])},node-{r.randrange(99)},"{words(r, 4)}, ""{words(r, 3)}""",{r.randrange(999)}'


def delimiter_format(
    name: str, expected: Callable[[bytes], Iterator[Fields]], line: Callable[[random.Random], str], **options: str
) -> Format:
    processor = {"Type": "processor_parse_delimiter_native", "SourceKey": "content", "Keys": [*CSV_KEYS], **options}
    return Format(name, "line", 3.0, expected=expected, line=line, processors=(processor,))


def separated(name: str, separator: str) -> Format:
    def line(r: random.Random) -> str:
        return separator.join([clock(r), r.choice(["info", "warn"]), f"node-{r.randrange(99)}", words(r, 8), str(r.randrange(999))])

    return delimiter_format(name, by_separator(separator, CSV_KEYS), line, Separator=separator)


def by_csv(data: bytes) -> Iterator[Fields]:
    for record in csv.reader(data.decode().splitlines()):
        yield [(key.encode(), text.encode()) for key, text in zip(CSV_KEYS, record, strict=True)]


def by_apsara(data: bytes) -> Iterator[Fields]:
    names = [b"__LEVEL__", b"__THREAD__", b"__FILE__", b"__LINE__"]
    for line in data.splitlines():
        time, level, thread, place, *pairs = line.split(b"\t")
        instant = datetime.strptime(time.decode(), "[%Y-%m-%d %H:%M:%S.%f]").replace(tzinfo=UTC)
        micros = int(instant.timestamp()) * 1_000_000 + instant.microsecond
        values = [level[1:-1], thread[1:-1], *place[1:-1].split(b":")]
        split = [tuple(pair.split(b":", 1)) for pair in pairs]
        yield [*zip(names, values, strict=True), *split, (b"microtime", str(micros).encode())]


GROK = "^%{COMBINEDAPACHELOG}$"
GROK_KEYS = ["clientip", "ident", "auth", "timestamp", "verb", "request", "httpversion", "response", "bytes", "referrer", "agent"]
BY_GROK = r'(\S+) (\S+) (\S+) \[([^\]]*)\] "(\w+) (\S+) HTTP/([\d.]+)" (\d+) (\d+) ("[^"]*") ("[^"]*")'


def by_parts(begin: bytes) -> Callable[[bytes], Iterator[Fields]]:
    """Records that begin with `begin` at the beginning of a line, without anything between them."""

    def expected(data: bytes) -> Iterator[Fields]:
        for part in (b"\n" + data.removesuffix(b"\n")).split(b"\n" + begin)[1:]:
            yield [(b"content", begin + part)]

    return expected


def from_codec(codec: str) -> Callable[[bytes], Iterator[Fields]]:
    return lambda data: lines(data.decode(codec).encode())


def regex_format(
    name: str, pattern: str, keys: list[str], line: Callable[[random.Random], str] | None, *, yardstick: str = "line", ceiling: float = 3.0
) -> Format:
    processor = {"Type": "processor_parse_regex_native", "SourceKey": "content", "Regex": pattern, "Keys": keys}
    return Format(name, yardstick, ceiling, processors=(processor,), expected=by_regex(pattern, keys), line=line)


WORDS = "request user order payment session token cache retry timeout connection worker queue commit shard leader index".split()


def words(r: random.Random, n: int) -> str:
    return " ".join(r.choices(WORDS, k=n))


def clock(r: random.Random) -> str:
    return f"{r.randrange(24):02d}:{r.randrange(60):02d}:{r.randrange(60):02d}"


def ip(r: random.Random) -> str:
    return f"10.{r.randrange(256)}.{r.randrange(256)}.{r.randrange(256)}"


OTHERS = (
    regex_format(
        "syslog",
        r"^(\w{3} [ \d]\d \d{2}:\d{2}:\d{2}) (\S+) ([^\[:]+)(?:\[(\d+)\])?: (.*)$",
        ["time", "host", "program", "pid", "message"],
        lambda r: (
            f"Nov {r.randrange(1, 29):2d} {clock(r)} node-{r.randrange(99)} sshd{f'[{r.randrange(9999)}]' if r.random() < 0.8 else ''}: {words(r, 9)}"
        ),
    ),
    regex_format(
        "apache",
        r'^(\S+) (\S+) (\S+) \[([^\]]+)\] "([A-Z]+) ([^ "]+) HTTP/([\d.]+)" (\d{3}) (\d+|-)$',
        ["ip", "ident", "user", "time", "method", "url", "version", "status", "bytes"],
        lambda r: (
            f'{ip(r)} - - [22/Nov/2026:{clock(r)} +0000] "GET /{words(r, 2).replace(" ", "/")} HTTP/1.1" {r.choice([200, 404, 500])} {r.choice(["-", str(r.randrange(99999))])}'
        ),
    ),
    regex_format(
        "tomcat",
        r"^(\d{2}-\w{3}-\d{4} \d{2}:\d{2}:\d{2}\.\d{3}) (\w+) \[([^\]]+)\] ([\w.$]+) (.*)$",
        ["time", "level", "thread", "class", "message"],
        lambda r: (
            f"22-Nov-2026 {clock(r)}.{r.randrange(1000):03d} {r.choice(['INFO', 'WARNING', 'SEVERE'])} [http-nio-8080-exec-{r.randrange(64)}] org.apache.catalina.core.Standard.invoke {words(r, 8)}"
        ),
    ),
    regex_format(
        "postgresql",
        r"^(\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}\.\d{3} \w+) \[(\d+)\] (?:(\w+)@(\w+) )?(\w+):\s+(.*)$",
        ["time", "pid", "user", "database", "level", "message"],
        lambda r: (
            f"2026-11-22 {clock(r)}.{r.randrange(1000):03d} UTC [{r.randrange(99999)}] {'app@shop ' if r.random() < 0.7 else ''}LOG:  duration: {r.randrange(999)} ms {words(r, 7)}"
        ),
    ),
    regex_format(
        "logback",
        r"^(\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2},\d{3})\s+(TRACE|DEBUG|INFO|WARN|ERROR)\s+\[([^\]]+)\]\s+([\w.]+)\s+-\s+(.*)$",
        ["time", "level", "thread", "logger", "message"],
        lambda r: (
            f"2026-11-22 {clock(r)},{r.randrange(1000):03d} {r.choice(['INFO ', 'WARN ', 'ERROR', 'DEBUG'])} [worker-{r.randrange(64)}] com.acme.order.Service - {words(r, 10)}"
        ),
    ),
    regex_format(
        "go",
        r"^([IWEF])(\d{4} \d{2}:\d{2}:\d{2}\.\d{6})\s+(\d+) ([^:]+):(\d+)\] (.*)$",
        ["level", "time", "thread", "file", "line", "message"],
        lambda r: f"I1122 {clock(r)}.{r.randrange(10**6):06d} {r.randrange(99999):7d} reconcile.go:{r.randrange(900)}] {words(r, 11)}",
    ),
    regex_format(
        "haproxy",
        r"^(\S+):(\d+) \[([^\]]+)\] (\S+) ([^/]+)/(\S+) (-?\d+)/(-?\d+)/(-?\d+)/(-?\d+)/(\+?\d+) (\d+) (\+?\d+) (\S+) (\S+) (\S+) (\d+)/(\d+)/(\d+)/(\d+)/(\+?\d+) (\d+)/(\d+) \"(.*)\"$",
        [
            "ip",
            "port",
            "time",
            "frontend",
            "backend",
            "server",
            "tq",
            "tw",
            "tc",
            "tr",
            "tt",
            "status",
            "bytes",
            "reqcookie",
            "rescookie",
            "state",
            "act",
            "fe",
            "be",
            "srv",
            "retries",
            "srvq",
            "beq",
            "request",
        ],
        lambda r: (
            f'{ip(r)}:{r.randrange(65535)} [22/Nov/2026:{clock(r)}.{r.randrange(1000):03d}] web app/srv{r.randrange(9)} {r.randrange(99)}/0/{r.randrange(9)}/{r.randrange(999)}/{r.randrange(999)} 200 {r.randrange(99999)} - - ---- 1/1/{r.randrange(9)}/0/0 0/0 "GET /api/v2/{words(r, 3).replace(" ", "/")}/{r.randrange(10**6)}?session={r.getrandbits(64):016x}&page={r.randrange(99)} HTTP/1.1"'
        ),
    ),
    regex_format(
        "python",
        r"^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2},\d{3}) - ([\w.]+) - (DEBUG|INFO|WARNING|ERROR|CRITICAL) - (.*)$",
        ["date", "time", "logger", "level", "message"],
        lambda r: (
            f"2026-11-22 {clock(r)},{r.randrange(1000):03d} - shop.{r.choice(WORDS)} - {r.choice(['INFO', 'WARNING', 'ERROR'])} - {words(r, 10)}"
        ),
    ),
    regex_format(
        "redis",
        r"^(\d+):([XCSM]) (\d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2}\.\d{3}) ([.\-*#]) (.*)$",
        ["pid", "role", "time", "level", "message"],
        lambda r: f"{r.randrange(99999)}:M 22 Nov 2026 {clock(r)}.{r.randrange(1000):03d} {r.choice('.-*#')} {words(r, 10)}",
    ),
    regex_format(
        "nginx-error",
        r"^(\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2}) \[(\w+)\] (\d+)#(\d+): (?:\*(\d+) )?(.*?)(?:, client: ([^,]+), server: ([^,]+), request: \"([^\"]*)\")?$",
        ["time", "level", "pid", "tid", "connection", "message", "client", "server", "request"],
        lambda r: (
            f"2026/11/22 {clock(r)} [error] {r.randrange(9999)}#{r.randrange(99)}: *{r.randrange(99999)} {words(r, 6)}"
            + (f', client: {ip(r)}, server: example.com, request: "GET /{words(r, 1)} HTTP/1.1"' if r.random() < 0.6 else "")
        ),
    ),
)

SPLITTERS = (
    Format(
        "key-value",
        "line",
        3.0,
        expected=by_pair,
        processors=({"Type": "processor_split_key_value", "Delimiter": " ", "Separator": "=", "Quote": '"', "KeepSource": False},),
        line=lambda r: (
            f'time={clock(r)} level={r.choice(["info", "warn", "error"])} host=node-{r.randrange(99)} msg="{words(r, 8)}" took={r.randrange(999)}ms user={r.randrange(10**6)}'
        ),
    ),
    Format(
        "csv",
        "line",
        3.0,
        expected=by_csv,
        processors=({"Type": "processor_csv", "SplitKeys": [*CSV_KEYS]},),
        line=csv_line,
    ),
    delimiter_format("quoted", by_csv, csv_line, Separator=",", Quote='"'),
    separated("long-separator", "|&|"),
    Format(
        "apsara",
        "line",
        3.0,
        expected=by_apsara,
        processors=({"Type": "processor_parse_apsara_native", "Timezone": "GMT+00:00"},),
        # In the future, where no rule about old events reaches.
        line=lambda r: (
            f"[2099-11-22 {clock(r)}.{r.randrange(10**6):06d}]\t[{r.choice(['INFO', 'WARNING', 'ERROR'])}]\t[{r.randrange(99999)}]\t[build/server.cpp:{r.randrange(999)}]"
            f"\trequest:{r.getrandbits(64):016x}\tuser:{r.randrange(10**6)}\tmessage:{words(r, 8)}"
        ),
    ),
    Format(
        "json-expand",
        "json",
        3.0,
        expected=by_leaf,
        processors=({"Type": "processor_json", "IgnoreFirstConnector": True, "KeepSource": False},),
    ),
    Format(
        "grok",
        "nginx",
        3.0,
        expected=by_regex(BY_GROK, GROK_KEYS),
        processors=({"Type": "processor_grok", "Match": [GROK], "KeepSource": False},),
    ),
)


def block(r: random.Random) -> str:
    return "\n".join([f"BEGIN {clock(r)}", *(f"  {words(r, 12)}" for _ in range(r.randrange(2, 9))), "END"])


def trace(r: random.Random) -> str:
    return "\n".join(
        [f"ERROR {clock(r)} {words(r, 6)}", *(f"    at com.acme.{words(r, 1)}.run(Main.java:{r.randrange(999)})" for _ in range(9))]
    )


def pretty(r: random.Random) -> str:
    return json.dumps({"time": clock(r), "text": words(r, 9) + ' "{"', "tags": [words(r, 1), words(r, 1)], "ip": {"v4": ip(r)}}, indent=2)


RECORDS = (
    Format(
        "start-end", "line", 3.0, input_options={"Multiline": {"StartPattern": "BEGIN", "EndPattern": "END"}},
        expected=by_parts(b"BEGIN"), line=block,
    ),
    Format(
        "start-continue", "line", 3.0, input_options={"Multiline": {"StartPattern": "ERROR", "ContinuePattern": r"\s"}},
        expected=by_parts(b"ERROR"), line=trace,
    ),
    Format("json-records", "line", 3.0, input_options={"Multiline": {"Mode": "JSON"}}, expected=by_parts(b"{"), line=pretty),
    Format(
        "gbk", "line", 8.0, input_options={"FileEncoding": "gbk"}, expected=from_codec("gb18030"),
        line=lambda r: f"2026-11-22 {clock(r)} 订单 {r.randrange(10**6)} 支付失败 {words(r, 9)} 请稍后重试", codec="gb18030",
    ),
    Format(
        "utf16", "line", 8.0, input_options={"FileEncoding": "utf16"}, expected=from_codec("utf-16-le"),
        line=lambda r: f"2026-11-22 {clock(r)} 订单 {r.randrange(10**6)} {words(r, 14)}", codec="utf-16-le",
    ),
)  # fmt: skip

FORMATS = (
    Format("simple", "line", 1.35),
    Format("java-records", "java", 1.35, input_options={"Multiline": {"Mode": "custom", "StartPattern": JAVA_START}}, expected=by_record),
    Format(
        "delimiter",
        "delim",
        1.35,
        expected=by_separator("|", DELIMITER_KEYS),
        processors=({"Type": "processor_parse_delimiter_native", "SourceKey": "content", "Separator": "|", "Keys": DELIMITER_KEYS},),
    ),
    regex_format("nginx", NGINX, NGINX_KEYS, None, yardstick="nginx", ceiling=1.45),
    Format("json", "json", 1.45, expected=by_json, processors=({"Type": "processor_parse_json_native", "SourceKey": "content"},)),
    *OTHERS,
    *SPLITTERS,
    *RECORDS,
)

GENERATED = {
    "simple": "simple",
    "java-records": "java",
    "delimiter": "delim",
    "nginx": "nginx",
    "json": "json",
    "json-expand": "json",
    "grok": "nginx",
}
"""Which kind of `gen_data.py` a format reads."""
