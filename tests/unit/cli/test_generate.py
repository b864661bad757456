"""`tailrace config generate`: prints a pipeline that `config check` and `parse` take, and judges sample lines."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tailrace.cli.main import main
from tailrace.pipeline.loading import load_text
from tests.source_tree import ROOT

FORMAT = """log_format main '$remote_addr "$request" $status';\naccess_log /srv/log/web.log main;\n"""


@pytest.fixture
def generate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def run(*words: str, pasted: str = ""):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(pasted.encode())))
        code = main(["config", "generate", *words])
        return code, *capsys.readouterr()

    return run


def test_a_pasted_format_becomes_a_pipeline(generate) -> None:
    code, out, err = generate("nginx", pasted=FORMAT)
    pipeline = load_text(out, "nginx.yaml")
    assert (code, err) == (0, "")
    assert pipeline.inputs[0].config.file_paths == ["/srv/log/web.log"]
    assert pipeline.processors[0].config.keys == ["remote_addr", "request", "status"]
    assert pipeline.flushers[0].type == "flusher_stdout"


def test_where_to_read_and_send_is_chosen(generate) -> None:
    _, out, _ = generate("apache", "--log-format", "common", "--file-path", "/srv/a.log", "--file-path", "/srv/b.log", "--logstore", "web")
    pipeline = load_text(out, "apache.yaml")
    assert pipeline.inputs[0].config.file_paths == ["/srv/a.log", "/srv/b.log"]
    assert pipeline.flushers[0].document() == {
        "Type": "flusher_sls",
        "Endpoint": "http://127.0.0.1:9480",
        "Project": "default",
        "Logstore": "web",
    }


def test_a_sample_that_fits_and_one_that_does_not(generate, tmp_path: Path) -> None:
    assert generate("nginx", "--sample", '::1 "GET /" 200', pasted=FORMAT)[::2] == (0, "1 of 1 sample lines fit\n")
    (tmp_path / "web.log").write_text('::1 "GET /" 200\n::1 "GET /" abc\n')
    code, out, err = generate("nginx", "--sample", str(tmp_path / "web.log"), pasted=FORMAT)
    assert code == 4
    assert load_text(out, "nginx.yaml").processors
    assert err == '1 of 2 sample lines fit\nline 2 does not fit: after `::1 "GET /" ` `$status` was expected, found `abc`\n'


def test_iis_and_syslog(generate) -> None:
    for words in (["iis", "--fields", "Date Time ClientIP"], ["iis", "--kind", "iis"], ["syslog"], ["syslog", "--form", "rfc5424"]):
        code, out, _ = generate(*words)
        assert code == 0
        assert load_text(out, "p.yaml").processors


def test_what_cannot_be_read_is_exit_2(generate) -> None:
    code, out, err = generate("nginx", pasted="nothing here")
    assert (code, out) == (2, "")
    assert err.startswith("error: there is no log_format in what was pasted\nhint: ")


SHOWN = re.compile(r"^```sh\n(tailrace config generate .*?)^```\n+```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = sorted(page for page in (ROOT / "docs" / "howto").glob("*.md") if SHOWN.search(page.read_text()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_documents_show_what_comes_out(page: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for command, shown in SHOWN.findall(page.read_text()):
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, timeout=60, check=False)
        assert (done.returncode, done.stdout) == (0, shown), done.stderr


def test_each_helper_has_a_page() -> None:
    assert {page.stem for page in PAGES} == {"collect-nginx", "collect-apache", "collect-iis", "collect-syslog"}
