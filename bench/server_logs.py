"""The manual's helper modes as the agent's benches run over them: the pipeline that `tailrace config generate` makes of what describes a log of
nginx, Apache, IIS or syslog, with the event's time; and the ends of multi-line, full-regex and delimiter modes that `formats.py` leaves out.

What events must come out is said here by patterns and splits of their own.
"""

import random
import re
from collections.abc import Callable, Iterator

from formats import Fields, Format, by_record, by_regex, by_separator, clock, ip, separated, trace, words

from tailrace.pipeline.formats.apache import apache
from tailrace.pipeline.formats.iis import iis
from tailrace.pipeline.formats.line import LineFormat
from tailrace.pipeline.formats.nginx import nginx
from tailrace.pipeline.formats.syslog import syslog

CEILING = 3.0
"""As of the other patterns: three times the yardstick's plain lines."""
WITH_TIME = 4.0
"""The helpers' pipelines give each event its time, and leave comments out."""
PAGES = ("/", "/index.html", "/cart/checkout", "/api/v2/orders", "/static/app.js")
AGENTS = ("curl/8.5.0", "Mozilla/5.0+(X11;+Linux+x86_64;+rv:125.0)+Gecko/20100101+Firefox/125.0")

COMMON = r'(\S+) (\S+) (\S+) \[([^\]]+)\] "([^"]*)" (\d+) (\d+|-)'
COMMON_KEYS = ["remote_addr", "remote_ident", "remote_user", "time_local", "request", "status", "response_size_bytes"]
NGINX_KEYS = [
    "remote_addr", "remote_user", "time_local", "request", "status", "body_bytes_sent", "http_referer", "http_user_agent",
]  # fmt: skip
W3C = (
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus "
    "sc-win32-status time-taken"
)
IIS_KEYS = (
    "c-ip cs-username date time s-sitename s-computername s-ip time-taken cs-bytes sc-bytes sc-status sc-win32-status cs-method "
    "cs-uri-stem cs-uri-query"
)
SYSLOG = r"(?:<(\d+)>)?(\w{3} [ \d]\d [\d:]{8}) (\S+) ([^ :\[]+)(?:\[(\d+)\])?: (.*)"
ISO_SYSLOG = r"(?:<(\d+)>)?(\S+) (\S+) ([^ :\[]+)(?:\[(\d+)\])?: (.*)"
SYSLOG_KEYS = ["priority", "time", "hostname", "program", "pid", "message"]
RFC5424 = r"<(\d+)>(\d+) (\S+) (\S+) (\S+) (\S+) (\S+) (\[.*?\]) (.*)"
RFC5424_KEYS = ["priority", "version", "time", "hostname", "program", "pid", "msgid", "structured_data", "message"]


def helper(
    name: str, made: LineFormat, expected: Callable[[bytes], Iterator[Fields]], line: Callable[[random.Random], str] | None = None
) -> Format:
    return Format(name, "line", WITH_TIME, processors=tuple(made.processors()), expected=expected, line=line)


def common(r: random.Random) -> str:
    request = f"GET {r.choice(PAGES)}?id={r.randrange(10**6)} HTTP/1.1"
    return f'{ip(r)} - - [22/Nov/2026:{clock(r)} +0000] "{request}" {r.choice([200, 404, 500])} {r.choice(["-", str(r.randrange(99999))])}'


def combined(r: random.Random) -> str:
    return f'{common(r)} "https://example.com{r.choice(PAGES)}" "{r.choice(AGENTS)}"'


def w3c_line(r: random.Random) -> str:
    return (
        f"2026-11-22 {clock(r)} 10.0.0.1 GET {r.choice(PAGES)} id={r.randrange(10**6)} 443 - {ip(r)} {r.choice(AGENTS)} - "
        f"{r.choice([200, 404, 500])} 0 0 {r.randrange(999)}"
    )


def iis_line(r: random.Random) -> str:
    return (
        f"{ip(r)}, -, 11/22/26, {clock(r)}, W3SVC1, NODE-{r.randrange(99)}, 10.0.0.1, {r.randrange(999)}, {r.randrange(999)}, "
        f"{r.randrange(99999)}, {r.choice([200, 404, 500])}, 0, GET, {r.choice(PAGES)}, id={r.randrange(10**6)},"
    )


def iis_keys(names: str) -> list[str]:
    """`cs(User-Agent)` is `cs-user-agent`."""
    return [re.sub(r"\((.*)\)", lambda found: f"-{found[1].lower()}", name) for name in names.split()]


def syslog_line(r: random.Random) -> str:
    return f"Nov {r.randrange(1, 29):2d} {clock(r)} node-{r.randrange(99)} sshd[{r.randrange(9999)}]: {words(r, 9)}"


def iso_line(r: random.Random) -> str:
    return f"2026-11-22T{clock(r)}.{r.randrange(10**6):06d}+00:00 node-{r.randrange(99)} sshd[{r.randrange(9999)}]: {words(r, 9)}"


def rfc5424_line(r: random.Random) -> str:
    data = f'[order@32473 id="{r.randrange(10**6)}"]'
    return (
        f"<165>1 2026-11-22T{clock(r)}.{r.randrange(1000):03d}Z node-{r.randrange(99)} shop {r.randrange(9999)} ID47 {data} {words(r, 9)}"
    )


HELPERS = (
    helper("nginx-helper", nginx("", "combined"), by_regex(r'(\S+) - (\S+) \[([^\]]+)\] "([^"]*)" (\d+) (\d+) "([^"]*)" "([^"]*)"', NGINX_KEYS)),
    helper("apache-common", apache("common"), by_regex(COMMON, COMMON_KEYS), common),
    helper(
        "apache-combined", apache("combined"), by_regex(COMMON + ' "([^"]*)" "([^"]*)"', [*COMMON_KEYS, "http_referer", "http_user_agent"]),
        combined,
    ),
    helper(
        "apache-custom", apache("%v:%p %h %D %>s \\\"%r\\\" %O"),
        by_regex(r'([^:]+):(\d+) (\S+) (\d+) (\d+) "([^"]*)" (\d+)', "server_name remote_port remote_addr request_time_msec status request bytes_sent".split()),
        lambda r: f'shop.example.com:443 {ip(r)} {r.randrange(10**6)} 200 "GET {r.choice(PAGES)} HTTP/1.1" {r.randrange(99999)}',
    ),
    helper("iis-w3c", iis("w3c", f"#Fields: {W3C}"), by_separator(" ", iis_keys(W3C)), w3c_line),
    helper("iis-iis", iis("iis"), by_separator(", ", iis_keys(IIS_KEYS), ending=b","), iis_line),
    helper("iis-ncsa", iis("ncsa"), by_regex(COMMON, COMMON_KEYS), common),
    helper("syslog-old", syslog("traditional"), by_regex(SYSLOG, SYSLOG_KEYS), syslog_line),
    helper("syslog-iso", syslog("iso"), by_regex(ISO_SYSLOG, SYSLOG_KEYS), iso_line),
    helper("syslog-5424", syslog("rfc5424"), by_regex(RFC5424, RFC5424_KEYS), rfc5424_line),
)  # fmt: skip


def by_end(data: bytes) -> Iterator[Fields]:
    for part in data.removesuffix(b"END\n").split(b"END\n"):
        yield [(b"content", part + b"END")]


def of_record(data: bytes) -> Iterator[Fields]:
    first = re.compile(rb"(\S+) ([^\n]*)\n(.*)", re.DOTALL)
    for ((_, record),) in by_record(data):
        match = first.fullmatch(record)
        assert match, f"no record of `java` is {record!r}"
        yield list(zip((b"date", b"head", b"trace"), match.groups(), strict=True))


ENDS = (
    separated("hidden-separator", "\x01"),
    Format(
        "continue-end", "line", CEILING, input_options={"Multiline": {"ContinuePattern": r"\s", "EndPattern": "END"}}, expected=by_end,
        line=lambda r: "\n".join([*(f"  {words(r, 12)}" for _ in range(r.randrange(2, 9))), "END"]),
    ),
    Format(
        "end", "line", CEILING, input_options={"Multiline": {"EndPattern": "END"}}, expected=by_end,
        line=lambda r: f"{trace(r)}\nEND",
    ),
    Format(
        "regex-records", "java", CEILING, input_options={"Multiline": {"StartPattern": r"\d{4}-\d{2}-\d{2} .*"}}, expected=of_record,
        processors=(
            {"Type": "processor_parse_regex_native", "Regex": r"(\S+) ([^\n]*)\n(.*)", "Keys": ["date", "head", "trace"]},
        ),
    ),
)  # fmt: skip

SERVER_LOGS = (*HELPERS, *ENDS)
MADE = {"nginx-helper": "nginx", "regex-records": "java"}
"""Which kind of `gen_data.py` a format reads."""
