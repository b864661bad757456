"""Logs that nginx wrote are read back as nginx itself tells the same values in JSON."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tailrace.pipeline.formats.nginx import nginx
from tests.integration.formats.servers import REQUESTS, ask, free_port, json_lines, lines_of, parsed, process, unescaped

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")

FORMATS = {
    "main": """log_format main '$remote_addr - $remote_user [$time_local] "$request" '
                      '$status $body_bytes_sent "$http_referer" '
                      '"$http_user_agent" "$http_x_forwarded_for"';""",
    "manual": """log_format manual '$remote_addr - $remote_user [$time_local] "$request" $request_time $request_length '
                      '$status $body_bytes_sent "$http_referer" "$http_user_agent"';""",
    "upstreams": """log_format upstreams '$time_iso8601 $remote_addr:$remote_port "$request_method $scheme://$host$request_uri" '
                      'rt=$request_time uct="$upstream_connect_time" us=$upstream_status ua=$upstream_addr st=$status id=$request_id';""",
    "tabs": """log_format tabs "$msec\\t$status\\t$uri$is_args$args\\t$http_user_agent\\t${body_bytes_sent}";""",
    "escaped": """log_format escaped escape=json '$time_iso8601 "$remote_user" "$http_user_agent" "$request" $status';""",
    "none": """log_format none escape=none '$status|$remote_addr|$request_method|$msec';""",
    "object": """log_format object escape=json '{"time":"$time_iso8601","status":$status,"agent":"$http_user_agent",'
                      '"request":"$request","user":"$remote_user","nothing":""}';""",
}
VARIABLES = [
    "remote_addr", "remote_user", "time_local", "request", "status", "body_bytes_sent", "http_referer", "http_user_agent",
    "http_x_forwarded_for", "request_time", "request_length", "time_iso8601", "remote_port", "request_method", "scheme", "host",
    "request_uri", "upstream_connect_time", "upstream_status", "upstream_addr", "request_id", "msec", "uri", "is_args", "args",
]  # fmt: skip
ORACLE = "log_format oracle escape=json '{" + ",".join(f'"{name}":"${name}"' for name in VARIABLES) + "}';"

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home, port, backend = tmp_path_factory.mktemp("nginx"), free_port(), free_port()
    access = "\n".join(f"access_log {home}/{name}.log {name};" for name in [*FORMATS, "oracle", "combined"])
    temporary = "\n".join(f"{kind}_temp_path {home}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config = f"""
    daemon off; pid {home}/pid; error_log {home}/error.log; worker_processes 1;
    events {{ worker_connections 64; }}
    http {{
      {temporary}
      {ORACLE}
      {"".join(FORMATS.values())}
      upstream two {{ server 127.0.0.1:1 max_fails=0; server 127.0.0.1:{backend}; }}
      server {{ listen 127.0.0.1:{backend}; access_log off; location / {{ return 200 "ok"; }} }}
      server {{
        listen 127.0.0.1:{port};
        {access}
        location / {{ return 200 "hello"; }}
        location /form {{ proxy_pass http://two; proxy_next_upstream error non_idempotent; }}
        location /secret {{ auth_basic "x"; auth_basic_user_file {home}/users; return 200; }}
      }}
    }}
    """
    (home / "users").write_text("")
    (home / "nginx.conf").write_text(config)
    home.chmod(0o755)
    assert NGINX, "nginx is not installed: make setup-peers"
    with process([NGINX, "-c", str(home / "nginx.conf"), "-p", str(home), "-e", str(home / "error.log")], port=port):
        for _ in range(2):
            ask(port)
        lines_of(home / "oracle.log", 2 * len(REQUESTS))
        yield home


@pytest.mark.parametrize("name", [*FORMATS, "combined"])
def test_every_value_is_what_nginx_wrote(logs: Path, name: str) -> None:
    expected = json_lines(lines_of(logs / "oracle.log", 2 * len(REQUESTS)))
    found = nginx((logs / "nginx.conf").read_text(), name)
    assert found.file_paths == (str(logs / f"{name}.log"),)
    rows = parsed(found, lines_of(logs / f"{name}.log", len(expected))).rows()
    assert len(rows) == len(expected)
    for row, truth in zip(rows, expected, strict=True):
        values = {key: value for key, value in row.items() if key != "__time__"}
        assert row["__time__"] != "(when read)"
        if name == "object":
            assert values == {
                "time": truth["time_iso8601"],
                "status": truth["status"],
                "agent": truth["http_user_agent"],
                "request": truth["request"],
                "user": truth["remote_user"],
                "nothing": "",
            }
        elif name != "escaped":
            shown = {key: unescaped(value) for key, value in values.items()}
            assert shown == {key: truth[key] if truth[key] != "-" else "" for key in values}


def test_values_that_nginx_escapes_for_json_stay_escaped_outside_of_json(logs: Path) -> None:
    rows = parsed(nginx(FORMATS["escaped"]), lines_of(logs / "escaped.log", 2 * len(REQUESTS))).rows()
    assert rows[1]["http_user_agent"] == r"Mozilla/5.0 (X11; \"Linux\" x86_64)"
    assert rows[4]["remote_user"] == "ann b [x]"


def test_several_upstreams_are_one_value(logs: Path) -> None:
    rows = parsed(nginx(FORMATS["upstreams"]), lines_of(logs / "upstreams.log", 2 * len(REQUESTS))).rows()
    asked = [row for row in rows if "/form" in row["request_uri"]]
    assert {row["status"] for row in asked} == {"200"}
    assert any(row["upstream_status"] == "502, 200" and row["upstream_addr"].count(", ") == 1 for row in asked)
