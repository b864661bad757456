"""What users paste from nginx, Apache, IIS and syslog, and what becomes of a line. Samples are from the programs' own manuals."""

# ruff: noqa: E501 - samples stand on one line each

import pytest
import yaml

from tailrace.errors import UsageError
from tailrace.pipeline.formats.apache import KEYS, apache
from tailrace.pipeline.formats.iis import FLAGS, iis
from tailrace.pipeline.formats.line import LineFormat
from tailrace.pipeline.formats.nginx import nginx
from tailrace.pipeline.formats.syslog import syslog
from tailrace.pipeline.loading import load_text
from tailrace.pipeline.preview import Preview, preview


def run(found: LineFormat, *lines: str) -> Preview:
    document = {
        "inputs": [{"Type": "input_file", "FilePaths": ["/srv/a.log"]}],
        "processors": found.processors(),
        "flushers": [{"Type": "flusher_stdout"}],
    }
    return preview(load_text(yaml.safe_dump(document), "p.yaml"), "\n".join(lines).encode())


def event(found: LineFormat, line: str) -> dict[str, str]:
    result = run(found, line)
    assert result.failed == [], result.summary()
    return result.rows()[0]


# --- nginx ----------------------------------------------------------------------------------------------------------------------
NGINX_LINE = '192.168.1.2 - - [10/Jul/2020:15:51:09 +0800] "GET /ubuntu.iso HTTP/1.0" 0.000 129 404 168 "-" "Wget/1.11.4 Red Hat modified"'
MANUAL = """log_format main  '$remote_addr - $remote_user [$time_local] "$request" '
                  '$request_time $request_length '
                  '$status $body_bytes_sent "$http_referer" '
                  '"$http_user_agent"';"""


def test_the_manuals_nginx_format() -> None:
    assert event(nginx(MANUAL), NGINX_LINE) == {
        "__time__": "2020-07-10T07:51:09Z",
        "remote_addr": "192.168.1.2",
        "remote_user": "-",
        "time_local": "10/Jul/2020:15:51:09 +0800",
        "request": "GET /ubuntu.iso HTTP/1.0",
        "request_time": "0.000",
        "request_length": "129",
        "status": "404",
        "body_bytes_sent": "168",
        "http_referer": "-",
        "http_user_agent": "Wget/1.11.4 Red Hat modified",
    }


@pytest.mark.parametrize(
    ("text", "line", "fields"),
    [
        ("log_format a '$status|${request_time}s|$foo';", "200|0.1s|a|b c", {"status": "200", "request_time": "0.1", "foo": "a|b c"}),
        ("log_format a $status;", "404", {"status": "404"}),
        ("log_format a '$remote_addr $remote_addr $status';", "::1 ::1 200", {"remote_addr": "::1", "status": "200"}),
        (r"""log_format a "$status\t\"$request\"";""", '200\t"GET /"', {"status": "200", "request": "GET /"}),
        ("log_format a '[$upstream_addr] $upstream_status $status';", "[10.0.0.1:80, unix:/s : 10.0.0.2:80] 502, 504 : 200 200",
         {"upstream_addr": "10.0.0.1:80, unix:/s : 10.0.0.2:80", "upstream_status": "502, 504 : 200", "status": "200"}),
        ("log_format a '$host$request_uri $status';", "example.org/a/b?c 200", {"host": "example.org", "request_uri": "/a/b?c", "status": "200"}),
        ("log_format a '$uri$is_args$args $status';", "/a-b?x=1 200", {"uri": "/a-b", "is_args": "?", "args": "x=1", "status": "200"}),
        ("log_format a '($time_local) {$status}';", "(10/Jul/2020:15:51:09 +0800) {200}", {"time_local": "10/Jul/2020:15:51:09 +0800", "status": "200"}),
        ("log_format a '\\$ $status';", "\\$ 200", {"status": "200"}),
    ],
)  # fmt: skip
def test_variables_are_told_apart(text: str, line: str, fields: dict[str, str]) -> None:
    row = event(nginx(text), line)
    row.pop("__time__")
    assert row == fields


def test_the_most_exact_time_is_taken() -> None:
    found = nginx("log_format a '$time_local|$time_iso8601|$msec';")
    assert found.time is not None
    assert found.time.key == "msec"
    assert event(found, "10/Jul/2020:15:51:09 +0800|2020-07-10T15:51:09+08:00|1594367469.123")["__time__"] == "2020-07-10T07:51:09.123Z"


def test_a_json_format_is_read_as_json_with_its_own_keys() -> None:
    found = nginx("""log_format a escape=json '{"when":"$time_iso8601","code":$status,"up":{"a":"$upstream_addr"}}';""")
    assert event(found, '{"when":"2020-07-10T15:51:09+08:00","code":200,"up":{"a":"x\\"y"}}') == {
        "__time__": "2020-07-10T07:51:09Z",
        "when": "2020-07-10T15:51:09+08:00",
        "code": "200",
        "up": '{"a":"x\\"y"}',
    }


def test_a_whole_nginx_conf_names_the_format_and_the_file() -> None:
    conf = """
    # log_format old '$status';
    http {
        log_format main '$remote_addr $status';  log_format other "$status";
        server { access_log /srv/log/a.log main; access_log /srv/log/b.log main buffer=32k; access_log off; location ~ ^/x{2}$ { access_log syslog:server=x; } }
    }
    """
    found = nginx(conf)
    assert (found.keys, found.file_paths) == (["remote_addr", "status"], ("/srv/log/a.log", "/srv/log/b.log"))
    assert nginx(conf, "other").keys == ["status"]
    assert nginx("access_log /var/log/nginx/access.log;").keys[0] == "remote_addr"  # without a name it is `combined`


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("", "", "there is no log_format in what was pasted"),
        ("log_format a '$status'; log_format b '$host';", "", "there are several formats: `a`, `b`"),
        ("log_format main '$status';", "mian", "there is no log_format `mian` in what was pasted"),
        ("log_format a '$foo$bar';", "", "`$foo$bar` cannot be told apart: nothing stands between them"),
        ("log_format a 'x';", "", "the log_format `a` has no variable"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        nginx(text, name)
    assert caught.value.message == message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (NGINX_LINE, ""),
        (NGINX_LINE[:60], "after `192.168.1.2 - - [10/Jul/2020:15:51:09 +0800] \"GET /ubuntu.` `\" ` was expected, the line ends"),
        (NGINX_LINE.replace(" 404 ", " - "), "after `…l/2020:15:51:09 +0800] \"GET /ubuntu.iso HTTP/1.0\" 0.000 129 ` `$status` was expected, found `- 168 \"-\" \"Wget/1.11.4 Red Hat modified\"`"),
        (NGINX_LINE + " x", "it goes on after its last part, `\"`, with ` x`"),
        ("", "` - ` was expected, the line ends"),
    ],
)  # fmt: skip
def test_a_line_that_does_not_fit_is_explained(line: str, reason: str) -> None:
    said = nginx(MANUAL).mismatch(line.encode())
    assert said == reason or (reason and reason.split("` `", maxsplit=1)[0] in said), said


# --- Apache ---------------------------------------------------------------------------------------------------------------------
FRANK = '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326'


def test_common_and_combined_of_the_apache_manual() -> None:
    assert event(apache("common"), FRANK) == {
        "__time__": "2000-10-10T20:55:36Z",
        "remote_addr": "127.0.0.1",
        "remote_ident": "-",
        "remote_user": "frank",
        "time_local": "10/Oct/2000:13:55:36 -0700",
        "request": "GET /apache_pb.gif HTTP/1.0",
        "status": "200",
        "response_size_bytes": "2326",
    }
    combined = event(apache("combined"), FRANK + ' "http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)"')
    assert (combined["http_referer"], combined["http_user_agent"]) == (
        "http://www.example.com/start.html",
        "Mozilla/4.08 [en] (Win98; I ;Nav)",
    )


# The manual's map, word for word (facts §2.3).
MAP = (
    "%a=client_addr %A=local_addr %b=response_size_bytes %B=response_bytes %D=request_time_msec %f=filename %h=remote_addr "
    "%H=request_protocol_supple %I=bytes_received %k=keep_alive %l=remote_ident %m=request_method_supple %O=bytes_sent %p=remote_port "
    "%P=child_process %q=request_query %r=request %R=response_handler %s=status %>s=status %t=time_local %T=request_time_sec %u=remote_user "
    "%U=request_uri_supple %v=server_name %V=server_name_canonical %{User-Agent}i=http_user_agent %{Referer}i=http_referer"
)


@pytest.mark.parametrize("pair", MAP.split())
def test_each_directive_has_the_manuals_name(pair: str) -> None:
    directive, _, key = pair.partition("=")
    found = apache(f'"{directive}"')
    assert found.keys == [key]
    value = {"status": "404", "time_local": "10/Oct/2000:13:55:36 -0700"}.get(key, "7")
    assert event(found, f'"[{value}]"' if key == "time_local" else f'"{value}"')[key] == value
    assert len(KEYS) == 28


@pytest.mark.parametrize(
    ("form", "line", "fields"),
    [
        ("%h %s %>s", "a 301 200", {"remote_addr": "a", "status": "301", "status_2": "200"}),
        (r"%h \"%{X-Forwarded-For}i\" %{UNIQUE_ID}e %{sid}C", 'a "b, \\"c\\"" @x s1', {"remote_addr": "a", "http_x_forwarded_for": 'b, \\"c\\"', "env_unique_id": "@x", "cookie_sid": "s1"}),
        ("%200,304,302{Referer}i %!400,501{Location}o", "- /x", {"http_referer": "-", "response_location": "/x"}),
        ("%{ms}T %{local}p %{tid}P 100%%", "12 443 77 100%", {"request_time_sec": "12", "remote_port": "443", "child_process": "77"}),
        ("%m %U%q %H", "GET /a b?x=1 HTTP/1.1", {"request_method_supple": "GET", "request_uri_supple": "/a b", "request_query": "?x=1", "request_protocol_supple": "HTTP/1.1"}),
    ],
)  # fmt: skip
def test_custom_formats_of_apache(form: str, line: str, fields: dict[str, str]) -> None:
    row = event(apache(form), line)
    row.pop("__time__")
    assert row == fields


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("%h %y", "", "`%y` is no directive of a LogFormat"),
        ("%l%m", "", "`%l%m` cannot be told apart: nothing stands between them"),
        ("hello", "", "`hello` has no directive of a log format"),
        ("", "", "there is no LogFormat"),
        ('LogFormat "%h" a\nLogFormat "%u" b', "", "there are several formats: `a`, `b`"),
        ('LogFormat "%h" a', "c", "there is no LogFormat `c` in what was pasted"),
    ],
)
def test_apache_formats_that_cannot_be_read(text: str, name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        apache(text, name)
    assert caught.value.message == message


# --- IIS: samples of Microsoft's documentation ------------------------------------------------------------------------------------
W3C = """#Software: Internet Information Services 6.0
#Version: 1.0
#Date: 2001-05-02 17:42:15
#Fields: date time c-ip cs-username s-ip s-port cs-method cs-uri-stem cs-uri-query sc-status cs(User-Agent)
2001-05-02 17:42:15 172.22.255.255 - 172.30.255.255 80 GET /images/picture.jpg - 200 Mozilla/4.0+(compatible;MSIE+5.5;+Windows+2000+Server)"""


def test_w3c_by_its_own_line_of_fields() -> None:
    result = run(iis("w3c", W3C), *W3C.splitlines())
    assert result.rows() == [
        {
            "__time__": "2001-05-02T17:42:15Z",
            "date": "2001-05-02",
            "time": "17:42:15",
            "c-ip": "172.22.255.255",
            "cs-username": "-",
            "s-ip": "172.30.255.255",
            "s-port": "80",
            "cs-method": "GET",
            "cs-uri-stem": "/images/picture.jpg",
            "cs-uri-query": "-",
            "sc-status": "200",
            "cs-user-agent": "Mozilla/4.0+(compatible;MSIE+5.5;+Windows+2000+Server)",
        }
    ]
    assert (len(result.failed), result.discarded[0].count) == (0, 4)


def test_w3c_by_flags_in_the_order_of_iis() -> None:
    flags = 'logExtFileFlags="Time, UserAgent, Date, ClientIP, HttpStatus, Method, UriStem"'
    found = iis("w3c", flags)
    assert [key for key in found.keys if key != "date-time"] == [
        "date",
        "time",
        "cs-method",
        "cs-uri-stem",
        "c-ip",
        "cs-user-agent",
        "sc-status",
    ]
    every = iis("w3c", ", ".join(FLAGS))
    line = "2020-09-08 09:30:26 W3SVC1 WEB1 192.0.2.1 GET /index.html a=b 80 - 198.51.100.7 HTTP/1.1 curl/7.0 - - example.org 200 0 0 612 84 15"
    assert event(every, line)["sc-win32-status"] == "0"
    assert event(every, line)["time-taken"] == "15"


def test_without_date_and_time_side_by_side_the_reader_is_told() -> None:
    found = iis("w3c", "#Fields: time c-ip")
    assert found.time is None
    assert found.notes == ("`date` and `time` do not stand side by side: events get the time at which they are read",)


@pytest.mark.parametrize("date", ["03/20/01", "3/20/2001"])
def test_the_iis_format(date: str) -> None:
    line = f"192.168.114.201, -, {date}, 7:55:20, W3SVC2, SALES1, 172.21.13.45, 4502, 163, 3223, 200, 0, GET, /DeptLogo.gif, -,"
    row = event(iis("iis", sample=line.encode()), line)
    assert row["__time__"].startswith("2001-03-20T") or row["__time__"].startswith("2001-03-19T")
    assert (row["c-ip"], row["date"], row["time"], row["cs-uri-query"]) == ("192.168.114.201", date, "7:55:20", "-")
    assert (row["time-taken"], row["cs-bytes"], row["sc-bytes"], row["sc-status"]) == ("4502", "163", "3223", "200")


def test_the_ncsa_format() -> None:
    line = '172.21.13.45 - Microsoft\\fred [08/Apr/2001:17:39:04 -0800] "GET /scripts/iisadmin/ism.dll?http/serv HTTP/1.0" 200 3401'
    row = event(iis("ncsa"), line)
    assert (row["__time__"], row["remote_user"], row["response_size_bytes"]) == ("2001-04-09T01:39:04Z", "Microsoft\\fred", "3401")


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no field of the W3C format is given"), ("Date, Tine", "`Tine` is no flag of `logExtFileFlags`")],
)
def test_fields_that_iis_does_not_know(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        iis("w3c", text)
    assert caught.value.message == message


# --- syslog: samples of the RFCs --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (
            "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
            {"priority": "34", "hostname": "mymachine", "program": "su", "pid": "", "message": "'su root' failed for lonvick on /dev/pts/8"},
        ),
        ("Nov  2 03:04:05 web-1 sshd[42]: bye: bye", {"hostname": "web-1", "program": "sshd", "pid": "42", "message": "bye: bye"}),
        ("Nov  2 03:04:05 web-1 last message repeated 3 times", {"program": "", "message": "last message repeated 3 times"}),
        ("2026-05-03T12:00:01.123456+02:00 web-1 kernel: [ 1.0] usb", {"program": "kernel", "message": "[ 1.0] usb", "__time__": "2026-05-03T10:00:01.123456Z"}),
        (
            "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \ufeff'su root' failed for lonvick on /dev/pts/8",
            {"hostname": "mymachine.example.com", "program": "su", "pid": "-", "msgid": "ID47", "structured_data": "-", "message": "'su root' failed for lonvick on /dev/pts/8", "__time__": "2003-10-11T22:14:15.003Z"},
        ),
        (
            '<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3" eventSource="Application" eventID="10]\\"11"][examplePriority@32473 class="high"]',
            {"structured_data": '[exampleSDID@32473 iut="3" eventSource="Application" eventID="10]\\"11"][examplePriority@32473 class="high"]', "message": ""},
        ),
    ],
)  # fmt: skip
def test_syslog_lines(line: str, fields: dict[str, str]) -> None:
    row = event(syslog(sample=line.encode()), line)
    assert {key: row[key] for key in fields} == fields


def test_what_is_no_syslog_line() -> None:
    with pytest.raises(UsageError) as caught:
        syslog(sample=b"hello world")
    assert caught.value.message == "the sample is no syslog line: `time` was expected, found `hello world`"
