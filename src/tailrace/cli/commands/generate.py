"""`tailrace config generate`: a pipeline from what describes a log elsewhere, such as nginx.conf, httpd.conf or IIS's settings."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from cyclopts import App, Parameter

from tailrace.cli.output import Exit, note, plain
from tailrace.errors import UsageError

if TYPE_CHECKING:
    from tailrace.pipeline.formats.line import LineFormat

app = App(name="generate", help="Make a pipeline from the log settings of nginx, Apache, IIS or syslog.")

MAX_BYTES: Final = 1_048_576
LONGEST_PATH: Final = 255
"""A longer sample is a line; asking the file system for it would be an error."""
SAMPLE_LINES: Final = 1000
SHOWN_MISMATCHES: Final = 3


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class To:
    """What the pipeline reads and where it sends."""

    file_path: Annotated[tuple[str, ...], Parameter(help="Files to collect; may be given several times.", negative="")] = ()
    sample: Annotated[str, Parameter(help="A line, or a file with lines, that must fit.")] = ""
    logstore: Annotated[str, Parameter(help="Logstore to send to; without it events are printed.")] = ""
    project: Annotated[str, Parameter(help="Project of the logstore.")] = "default"
    endpoint: Annotated[str, Parameter(help="Address of the server.")] = "http://127.0.0.1:9480"


_NOWHERE: Final = To()


@app.command
def nginx(
    *,
    to: To = _NOWHERE,
    log_format: Annotated[
        str, Parameter(help="The `log_format` block; standard input when it is left out.", allow_leading_hyphen=True)
    ] = "",
    name: Annotated[str, Parameter(help="Name of the format, when there are several; `combined` is built in.")] = "",
) -> int:
    """Make a pipeline from nginx's `log_format`: tailrace config generate nginx < /etc/nginx/nginx.conf"""
    from tailrace.pipeline.formats.nginx import nginx as read

    text = log_format or ("" if name == "combined" and sys.stdin.isatty() else _stdin())
    return _print(read(text, name), to, "/var/log/nginx/access.log")


@app.command
def apache(
    *,
    to: To = _NOWHERE,
    log_format: Annotated[str, Parameter(help="`common`, `combined`, or a LogFormat; standard input when it is left out.")] = "",
    name: Annotated[str, Parameter(help="Name of the LogFormat, when there are several.")] = "",
) -> int:
    """Make a pipeline from Apache's `LogFormat`: tailrace config generate apache --log-format combined"""
    from tailrace.pipeline.formats.apache import apache as read

    return _print(read(log_format or _stdin(), name), to, "/var/log/apache2/access.log")


@app.command
def iis(
    *,
    to: To = _NOWHERE,
    kind: Annotated[Literal["w3c", "iis", "ncsa"], Parameter(help="Format of the log.")] = "w3c",
    fields: Annotated[
        str, Parameter(help="`logExtFileFlags` or the line `#Fields:`; standard input when it is left out.", allow_leading_hyphen=True)
    ] = "",
) -> int:
    """Make a pipeline for a log of IIS: tailrace config generate iis --fields 'Date, Time, ClientIP, Method, UriStem, HttpStatus'"""
    from tailrace.pipeline.formats.iis import iis as read

    text = fields or (_stdin() if kind == "w3c" else "")
    first = next((line for line in _sample_lines(to.sample) if not line.startswith(b"#")), b"")
    return _print(read(kind, text, first), to, "/var/log/iis/*.log")


@app.command
def syslog(
    *,
    to: To = _NOWHERE,
    form: Annotated[
        Literal["traditional", "iso", "rfc5424"] | None, Parameter(help="Form of the lines; the sample tells it when this is left out.")
    ] = None,
) -> int:
    """Make a pipeline for syslog lines in a file: tailrace config generate syslog --sample /var/log/syslog"""
    from tailrace.pipeline.formats.syslog import syslog as read

    return _print(read(form, next(iter(_sample_lines(to.sample)), b"")), to, "/var/log/syslog")


def _print(found: "LineFormat", to: To, default_path: str) -> int:
    import yaml

    from tailrace.pipeline.loading import load_text

    document: dict[str, Any] = {
        "inputs": [{"Type": "input_file", "FilePaths": list(to.file_path or found.file_paths) or [default_path]}],
        "processors": found.processors(),
        "flushers": [_flusher(to)],
    }
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)
    load_text(text, "generated.yaml")
    sys.stdout.write(f"# {plain(found.title)}\n{text}")
    for remark in found.notes:
        note(f"note: {remark}")
    return _judge(found.mismatch, _sample_lines(to.sample))


def _flusher(to: To) -> dict[str, str]:
    if not to.logstore:
        return {"Type": "flusher_stdout"}
    return {"Type": "flusher_sls", "Endpoint": to.endpoint, "Project": to.project, "Logstore": to.logstore}


def _judge(mismatch: Callable[[bytes], str], lines: list[bytes]) -> int:
    """Say which lines of the sample do not fit, and why."""
    reasons = [(number, reason) for number, line in enumerate(lines, 1) if (reason := mismatch(line))]
    if not lines:
        return Exit.FINE
    note(f"{len(lines) - len(reasons)} of {len(lines)} sample lines fit")
    for number, reason in reasons[:SHOWN_MISMATCHES]:
        note(f"line {number} does not fit: {reason}")
    return Exit.PARTIAL if reasons else Exit.FINE


def _sample_lines(sample: str) -> list[bytes]:
    """The lines of a file, at most the first thousand, or the one line itself."""
    if not sample:
        return []
    path = Path(sample)
    data = sample.encode("utf-8", "surrogateescape")
    try:
        if len(sample) < LONGEST_PATH and path.is_file():
            with path.open("rb") as file:
                data = file.read(MAX_BYTES)
    except OSError as error:
        raise UsageError(f"cannot read `{sample}`: {(error.strerror or str(error)).lower()}") from error
    return [line for line in data.splitlines()[:SAMPLE_LINES] if line]


def _stdin() -> str:
    if sys.stdin.isatty():
        note("paste the log settings; end with Ctrl-D")
    data = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise UsageError(f"what was pasted is larger than {MAX_BYTES:,} bytes", hint="paste the lines about logs only")
    return data.decode("utf-8", "surrogateescape")
