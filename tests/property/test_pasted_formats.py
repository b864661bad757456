"""Whatever is pasted gives a pipeline that loads, or a sentence; and a line made of a format's own texts and values fits it."""

import re
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.errors import ConfigErrors, UsageError
from tailrace.pipeline.formats.apache import FORMATS, apache
from tailrace.pipeline.formats.iis import iis
from tailrace.pipeline.formats.line import LineFormat
from tailrace.pipeline.formats.nginx import nginx
from tailrace.pipeline.formats.syslog import syslog
from tailrace.pipeline.loading import from_document

NGINX = st.text(st.sampled_from(list("log_format a'\"${}[] ;:-|\\\n#status msec request_uri json={}")), max_size=60).map(
    "log_format a '{}';".format
)
APACHE = st.text(st.sampled_from(list('%{}>hlutrsbUq"\\ []:,!4A-^i')), max_size=40)
FIELDS = st.text(st.sampled_from(list("#Fields: date time c-ip(),=\"'|ServerIP\n")), max_size=60)


def loads(found: LineFormat) -> None:
    document = {
        "inputs": [{"Type": "input_file", "FilePaths": ["/var/log/a.log"]}],
        "processors": found.processors(),
        "flushers": [{"Type": "flusher_stdout"}],
    }
    with suppress(ConfigErrors):
        from_document(document, "p.yaml")
        return
    # Only a time format of the user's own may be wrong: it is not ours to choose.
    assert found.time is not None
    from_document({**document, "processors": [one for one in found.processors() if "SourceFormat" not in one]}, "p.yaml")


def must_judge(read: Callable[[], LineFormat]) -> None:
    try:
        found = read()
    except UsageError:
        return  # a sentence, and no traceback
    loads(found)


@settings(max_examples=200, deadline=None)
@given(NGINX)
def test_nginx(text: str) -> None:
    must_judge(lambda: nginx(text))


@settings(max_examples=200, deadline=None)
@given(APACHE)
def test_apache(text: str) -> None:
    must_judge(lambda: apache(text))


@settings(max_examples=100, deadline=None)
@given(FIELDS)
def test_iis(text: str) -> None:
    must_judge(lambda: iis("w3c", text))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=120), st.sampled_from(["nginx", "apache", "iis", "syslog"]))
def test_any_line_fits_or_is_explained(line: bytes, kind: str) -> None:
    found = {
        "nginx": nginx("log_format a '$remote_addr [$time_local] \"$request\" $status';"),
        "apache": apache(FORMATS["combined"]),
        "iis": iis("iis"),
        "syslog": syslog("rfc5424"),
    }[kind]
    assert isinstance(found.mismatch(line), str)


WORDS = ["$remote_addr", "$status", "$request_time", "$bytes_sent", "$pipe", "$connection"]
VALUES = {"$remote_addr": "10.0.0.1", "$status": "200", "$request_time": "0.004", "$bytes_sent": "512", "$pipe": ".", "$connection": "77"}


@pytest.mark.parametrize("separator", [" ", "|", '" "', " - ", "] [", ",", "\t", "^", "(.*)"])
@settings(max_examples=30, deadline=None)
@given(words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=6, unique=True))
def test_a_line_of_the_formats_own_making_fits(separator: str, words: list[str]) -> None:
    found = nginx(f"log_format a '{separator.join(words)}';")
    line = separator.join(VALUES[word] for word in words)
    assert found.mismatch(line.encode()) == ""
    match = re.fullmatch(found.regex, line, re.DOTALL)
    assert match is not None
    assert dict(zip(found.keys, match.groups(), strict=True)) == {word[1:]: VALUES[word] for word in words}
