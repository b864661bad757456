"""processor_grok: what each name stands for, how expressions become patterns, and where names come from."""

import pytest

from tailrace.batch import NATIVE, Pattern
from tailrace.errors import ConfigError
from tailrace.processors.grok.definitions import DEFINITIONS
from tailrace.processors.grok.expression import GrokError, translate
from tests.source_tree import ROOT

TYPE = "processor_grok"
ACCESS = '10.0.0.7 - ann [03/May/2026:12:00:01 +0200] "GET /a?b=1 HTTP/1.1" 200 512'
ACCESS_FIELDS = {
    "clientip": "10.0.0.7",
    "ident": "-",
    "auth": "ann",
    "timestamp": "03/May/2026:12:00:01 +0200",
    "verb": "GET",
    "request": "/a?b=1",
    "httpversion": "1.1",
    "response": "200",
    "bytes": "512",
}
SYSLOG = "May  3 12:00:01 web-1 sshd[42]: session opened"

NAMES = {
    "USERNAME": (["ann", "a.b-c_9"], ["a b", ""]),
    "EMAILADDRESS": (["a+b@example.org"], ["@example.org", "a b@c"]),
    "INT": (["0", "-12", "+7"], ["1.5", "x"]),
    "NUMBER": (["0", "-1.5", ".5", "+10"], ["1.", "1e5", ""]),
    "BASE16NUM": (["0xFF", "beef"], ["0xg"]),
    "BASE16FLOAT": (["0x1f.8", "a.b"], ["x"]),
    "POSINT": (["1", "120"], ["0", "-1", "01"]),
    "NONNEGINT": (["0", "007"], ["-1"]),
    "WORD": (["GET", "a_1"], ["a-b", ""]),
    "NOTSPACE": (["a-b/c"], ["a b", ""]),
    "SPACE": (["", " \t"], ["a"]),
    "DATA": (["", "a b"], []),
    "GREEDYDATA": (["", "a b\nc"], []),
    "QUOTEDSTRING": (['""', r'"a \" b"', "'x'", "`y`"], ['"a', "a"]),
    "UUID": (["123e4567-e89b-12d3-a456-426614174000"], ["123e4567"]),
    "URN": (["urn:isbn:0451450523"], ["isbn:1"]),
    "LOGLEVEL": (["INFO", "warn", "Warning", "ERR", "Severe"], ["INFORM"]),
    "MAC": (["0a:1b:2c:3d:4e:5f", "0A-1B-2C-3D-4E-5F", "0a1b.2c3d.4e5f"], ["0a:1b"]),
    "IPV4": (["0.0.0.0", "192.168.1.255"], ["256.1.1.1", "1.2.3", "1.2.3.4.5"]),
    "IPV6": (
        ["::", "::1", "fe80::1%eth0", "2001:db8:0:0:0:0:0:1", "::ffff:10.0.0.1", "1:2:3:4:5:6:10.0.0.1"],
        ["12:34:56", "1::2::3", ":1"],
    ),
    "IP": (["10.0.0.7", "2001:db8::7"], ["web-1"]),
    "HOSTNAME": (["web-1", "a.example.org"], ["-a", "a b"]),
    "IPORHOST": (["10.0.0.7", "::1", "web-1.example.org"], [""]),
    "HOSTPORT": (["web-1:80", "10.0.0.7:8080"], ["web-1"]),
    "UNIXPATH": (["/", "/var/log/a-b.log", "/a\\ b"], ["a/b", "/a b"]),
    "WINPATH": (["C:\\logs\\a b.log", "\\\\host\\share"], ["/var"]),
    "PATH": (["/var/log", "D:\\x"], ["x"]),
    "TTY": (["/dev/pts/3", "/dev/tty1"], ["/dev/sda"]),
    "URIPROTO": (["http", "git+ssh"], ["1x"]),
    "URIHOST": (["example.org:8080", "example.org"], ["a b"]),
    "URIPATH": (["/a/b;c"], ["a"]),
    "URIPARAM": (["?a=1&b=%20"], ["a=1"]),
    "URIPATHPARAM": (["/a?b=c", "/a"], ["?b"]),
    "URI": (["https://ann:pw@example.org:8443/a?b=c", "file:///etc/hosts"], ["example.org"]),
    "MONTH": (["May", "sept", "December"], ["Mayday"]),
    "MONTHNUM": (["1", "09", "12"], ["13", "0"]),
    "MONTHNUM2": (["09", "12"], ["9"]),
    "MONTHDAY": (["1", "09", "31"], ["32", "0"]),
    "DAY": (["Mon", "tuesday"], ["Moonday"]),
    "YEAR": (["2026", "26"], ["226"]),
    "HOUR": (["0", "09", "23"], ["24"]),
    "MINUTE": (["00", "59"], ["60", "5"]),
    "SECOND": (["00", "60", "1.250", "59,999"], ["61"]),
    "TIME": (["12:00", "12:00:01.5"], ["24:00", "12"]),
    "DATE": (["5/3/2026", "03.05.2026"], ["2026/05/03x"]),
    "DATESTAMP": (["05/03/2026 12:00:01", "3-5-26-12:00"], ["12:00"]),
    "TIMESTAMP_ISO8601": (["2026-05-03T12:00:01.250Z", "2026-05-03 12:00:01,250", "2026-05-03T12:00+02:00"], ["2026-05-03"]),
    "ISO8601_TIMEZONE": (["Z", "+02:00", "-0330"], ["GMT"]),
    "TZ": (["UTC", "CEST"], ["Z"]),
    "DATESTAMP_RFC822": (["Sun May 3 2026 12:00:01 UTC"], ["May 3"]),
    "DATESTAMP_RFC2822": (["Sun, 3 May 2026 12:00:01 +0200"], ["3 May"]),
    "DATESTAMP_OTHER": (["Sun May 3 12:00:01 UTC 2026"], ["May"]),
    "DATESTAMP_EVENTLOG": (["20260503120001"], ["2026050312"]),
    "HTTPDATE": (["03/May/2026:12:00:01 +0200"], ["03/05/2026"]),
    "HTTPDERROR_DATE": (["Sun May 03 12:00:01.123456 2026"], ["May"]),
    "SYSLOGTIMESTAMP": (["May  3 12:00:01"], ["3 May"]),
    "PROG": (["sshd", "systemd-logind"], ["a[1]", "a b"]),
    "SYSLOGPROG": (["sshd", "sshd[42]"], ["[42]"]),
    "SYSLOGFACILITY": (["<4.6>"], ["4.6"]),
    "SYSLOGBASE": (["May  3 12:00:01 web-1 sshd[42]:"], ["sshd:"]),
    "SYSLOGLINE": ([SYSLOG], ["x"]),
    "SYSLOG5424LINE": (["<34>1 2026-05-03T12:00:01.003Z web-1 su 7 ID47 [a b=\"c\"] 'su root' failed", "<13>1 - - - - - -"], [SYSLOG]),
    "CRONLOG": (["May  3 12:00:01 web-1 CRON[42]: (root) CMD (run-parts)"], ["x"]),
    "COMMONAPACHELOG": ([ACCESS], [ACCESS + ' "-" "curl"']),
    "COMBINEDAPACHELOG": ([ACCESS + ' "-" "curl/8.5"'], [ACCESS]),
    "HTTPD24_ERRORLOG": (["[Sun May 03 12:00:01.123456 2026] [core:error] [pid 42:tid 7] [client ::1:5000] no file"], ["x"]),
    "NGINXERROR": (["2026/05/03 12:00:01 [error] 42#7: *9 open() failed"], ["x"]),
    "REDISLOG": (["42:M 03 May 2026 12:00:01.123 * Ready"], ["x"]),
    "JAVACLASS": (["com.acme.Order$Line", "Main"], ["1a"]),
    "JAVAMETHOD": (["<init>", "run"], ["1"]),
    "JAVAFILE": (["Main.java", "Native Method"], [""]),
    "JAVATHREAD": (["TP-Processor12"], ["main"]),
    "JAVASTACKTRACEPART": (["\tat com.acme.Main.run(Main.java:42)", "at a.B.<init>(Native Method)"], ["com.acme"]),
    "CATALINALOG": (["May 3, 2026 9:00:01 AM org.acme.Main started"], ["x"]),
    "TOMCATLOG": (["2026-05-03 12:00:01 +0200 | INFO | org.acme.Main - started"], ["x"]),
}


def whole(name: str) -> Pattern:
    """The pattern of a value that is nothing but `name`."""
    return Pattern(translate(f"^(?:%{{{name}}})$", DEFINITIONS).regex)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_name_stands_for(name: str) -> None:
    matching, others = NAMES[name]
    pattern = whole(name)
    assert [text for text in matching if pattern.full_match(text.encode()) is None] == []
    assert [text for text in others if pattern.full_match(text.encode()) is not None] == []


def test_every_definition_runs_in_linear_time() -> None:
    """With the kernel; the twin has one engine for all."""
    engines = {name: whole(name).engine for name in DEFINITIONS}
    assert not NATIVE or set(engines.values()) <= {"scanner", "linear"}, engines


def test_the_reference_lists_every_definition() -> None:
    page = (ROOT / "docs" / "reference" / "grok.md").read_text(encoding="utf-8")
    listed = page.partition("```text\n")[2].removesuffix("```\n").splitlines()
    assert listed == [f"{name} {text}" for name, text in DEFINITIONS.items()]


@pytest.mark.parametrize(
    ("expression", "line", "fields"),
    [
        ("%{COMMONAPACHELOG}", ACCESS, ACCESS_FIELDS),
        (
            "%{SYSLOGLINE}",
            SYSLOG,
            {"timestamp": "May  3 12:00:01", "logsource": "web-1", "program": "sshd", "pid": "42", "message": "session opened"},
        ),
        ("took %{NUMBER:took:float} ms", "it took 1.5 ms in all", {"took": "1.5"}),
        ("%{WORD:http.method}", "GET", {"http.method": "GET"}),
        ("(?:%{INT:n}|%{WORD:n})", "abc", {"n": "abc"}),
        ("%{INT:n}?%{WORD:w}", "abc", {"w": "abc"}),
        ("%{DATA:first} %{GREEDYDATA:rest}", "a b c", {"first": "a", "rest": "b c"}),
        (r"\(%{DATA:inside}\)", "x (y z) w", {"inside": "y z"}),
        (r"(a|b)(?<c>[()]+)(?P<d>\d)", "xb()7", {"c": "()", "d": "7"}),
        ("(?i)get %{NOTSPACE:path}", "GET /a", {"path": "/a"}),
        ("%{WORD:content}", "same-name", {"content": "same"}),
        ("^%{INT:n}$", "12", {"n": "12"}),
    ],
)
def test_expressions(run, expression, line, fields):
    out = run(TYPE, {"Match": [expression], "KeepSource": False}, line)
    assert (list(map(dict, out.events)), out.failures) == ([fields], [])


@pytest.mark.parametrize("match", [["^%{INT:content}$", "^%{WORD:w}$"], ["^%{WORD:w}$", "^%{INT:content}$"]])
def test_the_first_hit_wins_also_where_a_result_has_the_source_s_name(run, match):
    out = run(TYPE, {"Match": match}, "12", "ab", "a b", {"other": "x"})
    expected = [{"content": "12"}] if match[0] == "^%{INT:content}$" else [{"content": "12", "w": "12"}]
    assert list(map(dict, out.events)) == [*expected, {"content": "ab", "w": "ab"}, {"content": "a b"}, {"other": "x"}]
    assert out.failures == [(1, "`content` matches no expression of `Match`", "a b")]


def test_what_fails_last_goes_when_it_is_not_to_be_kept(run):
    options = {"Match": ["^%{INT:n}$", "^%{WORD:w}$"], "IgnoreParseFailure": False}
    out = run(TYPE, options, "12", "a b", {"content": "c d", "o": "1"})
    assert list(map(dict, out.events)) == [{"n": "12", "content": "12"}, {"o": "1"}]
    assert [count for count, _, _ in out.failures] == [2]


def test_names_come_from_files_and_directories(run, tmp_path):
    (tmp_path / "one").write_text("# orders\nORDER [A-Z]{2}-%{INT}\n\nPART x\n")
    (tmp_path / "two").write_text("PART %{ORDER:part}!\n")
    out = run(TYPE, {"Match": ["%{PART}"], "CustomPatternDir": [str(tmp_path)], "KeepSource": False}, "see AB-12!")
    assert out.events == [[("part", "AB-12")]]
    out = run(TYPE, {"Match": ["%{ORDER:o}"], "CustomPatternDir": [str(tmp_path / "one")], "KeepSource": False}, "see AB-12!")
    assert out.events == [[("o", "AB-12")]]


def test_what_is_wrong_with_files_is_said_when_the_pipeline_starts(run, tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read patterns from `.*nowhere`"):
        run(TYPE, {"Match": ["%{X:x}"], "CustomPatternDir": [str(tmp_path / "nowhere")]}, "x")
    with pytest.raises(ConfigError, match=r"`%\{X\}` is not defined"):
        run(TYPE, {"Match": ["%{X:x}"], "CustomPatternDir": [str(tmp_path)]}, "x")


@pytest.mark.parametrize(
    ("options", "mistake"),
    [
        ({"Match": ["%{NUMBR:n}"]}, "Match.0: `%{NUMBR}` is not defined (did you mean `NUMBER`?)"),
        ({"Match": ["%{INT:n}", "%{INT}"]}, "Match.1: `%{INT}` names no field (write `%{NAME:field}` for what is to be kept)"),
        ({"Match": ["%{A:a}"], "CustomPatterns": {"A": "%{B}", "B": "x%{A}"}}, "Match.0: `%{A}` is defined by itself: A → B → A"),
        ({"Match": [r"(%{INT:n})\1"]}, "Match.0: back-references have no place in a grok expression (write the part out twice)"),
        ({"Match": []}, "Match: must not be empty (The expressions, tried in order.)"),
    ],
)
def test_refusals(refusals, options, mistake):
    assert refusals(TYPE, options) == [mistake]


def test_definitions_that_grow_without_end_are_refused():
    doubled = {f"X{index}": f"%{{X{index - 1}}}%{{X{index - 1}}}" for index in range(1, 40)} | {"X0": "ab"}
    with pytest.raises(GrokError, match="longer than 100000 characters"):
        translate("%{X39:x}", doubled)
