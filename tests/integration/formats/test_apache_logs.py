"""Logs that Apache wrote are read back as the same server tells the values between tabs, which it escapes inside of values."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tailrace.pipeline.formats.apache import FORMATS, apache
from tests.integration.formats.servers import REQUESTS, ask, free_port, lines_of, parsed, process

APACHE = shutil.which("apache2", path="/usr/sbin:/usr/bin")
MODULES = "mpm_event authz_core authn_core authn_file auth_basic authz_user alias mime env dir setenvif logio log_config unixd"

CUSTOM = {
    "all": (
        r"%a %A %B %D %f %H %k %l %m %p %P \"%q\" %R %s %>s %T \"%u\" \"%U\" %v %V %X \"%{X-Forwarded-For}i\" %{Content-Type}o "
        r"%{SITE}e %I %O %t"
    ),
    "iso": r"%{%Y-%m-%dT%H:%M:%S%z}t %>s \"%m %U%q\" %{ms}T",
    "unix": r"%{sec}t %{msec_frac}t %h %>s",
    "micro": r"%{usec}t|%h|%{User-agent}i",
    "parts": r"%{%d/%b/%Y %T}t.%{usec_frac}t %{%z}t %>s",
}
ORACLE = {
    "client_addr": "%a", "local_addr": "%A", "response_size_bytes": "%b", "response_bytes": "%B", "filename": "%f", "remote_addr": "%h",
    "request_protocol_supple": "%H", "bytes_received": "%I", "keep_alive": "%k", "remote_ident": "%l", "request_method_supple": "%m",
    "bytes_sent": "%O", "remote_port": "%p", "child_process": "%P", "request_query": "%q", "request": "%r", "response_handler": "%R",
    "status": "%>s", "remote_user": "%u", "request_uri_supple": "%U", "server_name": "%v", "server_name_canonical": "%V",
    "http_user_agent": "%{User-Agent}i", "http_referer": "%{Referer}i", "http_x_forwarded_for": "%{X-Forwarded-For}i",
    "response_content_type": "%{Content-Type}o", "env_site": "%{SITE}e", "connection_status": "%X", "request_time_msec": "%D",
}  # fmt: skip

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home, port = tmp_path_factory.mktemp("apache"), free_port()
    load = "\n".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
        for name in MODULES.split()
        if Path(f"/usr/lib/apache2/modules/mod_{name}.so").exists()
    )
    formats = {**{name: form.replace('"', r"\"") for name, form in FORMATS.items()}, **CUSTOM}
    formats["oracle"] = r"\t".join(ORACLE.values())
    defined = "\n".join(f'LogFormat "{form}" {name}\nCustomLog {home}/{name}.log {name}' for name, form in formats.items())
    (home / "users").write_text("")
    (home / "www").mkdir()
    (home / "www" / "index.html").write_text("hello\n")
    (home / "httpd.conf").write_text(
        f"""{load}
ServerRoot {home}
PidFile {home}/pid
Mutex file:{home}
DefaultRuntimeDir {home}
ErrorLog {home}/error.log
Listen 127.0.0.1:{port}
ServerName localhost
User www-data
Group www-data
TypesConfig /etc/mime.types
DocumentRoot {home}/www
SetEnv SITE shop
<Directory {home}/www>
  Require all granted
</Directory>
<Location /secret>
  AuthType Basic
  AuthName x
  AuthUserFile {home}/users
  Require valid-user
</Location>
{defined}
"""
    )
    for directory in (home, home / "www"):
        directory.chmod(0o755)
    assert APACHE, "apache2 is not installed: make setup-peers"
    with process([APACHE, "-f", str(home / "httpd.conf"), "-DFOREGROUND"], port=port):
        for _ in range(2):
            ask(port)
        lines_of(home / "oracle.log", 2 * len(REQUESTS))
        yield home


@pytest.mark.parametrize("name", [*FORMATS, *CUSTOM])
def test_every_value_is_what_apache_wrote(logs: Path, name: str) -> None:
    count = 2 * len(REQUESTS)
    truths = [dict(zip(ORACLE, line.split(b"\t"), strict=True)) for line in lines_of(logs / "oracle.log", count).splitlines()]
    found = apache((logs / "httpd.conf").read_text(), name)
    assert found.file_paths == (str(logs / f"{name}.log"),)
    result = parsed(found, lines_of(logs / f"{name}.log", count))
    for row, truth in zip(result.rows(), truths, strict=True):
        assert row["__time__"] != "(when read)"
        told = {key: value for key, value in row.items() if key in ORACLE}
        if "status_2" in row:  # `%s %>s`: the oracle tells the last one
            told["status"] = row["status_2"]
        assert told == {key: truth[key].decode("utf-8", "backslashreplace") for key in told}


@pytest.mark.parametrize("name", ["common", "iso", "unix", "micro", "parts"])
def test_the_time_is_that_of_the_request(logs: Path, name: str) -> None:
    count = 2 * len(REQUESTS)
    other = parsed(apache("combined"), lines_of(logs / "combined.log", count)).batch.times
    times = parsed(apache((logs / "httpd.conf").read_text(), name), lines_of(logs / f"{name}.log", count)).batch.times
    assert [time // 10**9 for time in times] == [time // 10**9 for time in other]
