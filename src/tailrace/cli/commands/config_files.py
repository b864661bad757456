"""`tailrace config push|diff|edit`: configs of a server as files, one each, in a directory that may be under version control. Pushing the
same again changes nothing."""

import difflib
import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

from cyclopts import Parameter

from tailrace.cli.client import Client
from tailrace.cli.connection import NO_FLAGS, Connection, ConnectionFlags, connect_to_project
from tailrace.cli.output import Exit, note, say
from tailrace.errors import ApiError, ConfigError, ConfigErrors, UsageError
from tailrace.pipeline.classic import is_classic
from tailrace.pipeline.documents import read
from tailrace.pipeline.loading import SUFFIXES

PATHS = Annotated[
    list[Path], Parameter(help="Files, each named after its config, and directories of such files.", negative="", consume_multiple=True)
]
FOR_THE_RECORD: Final = ("configName", "createTime", "lastModifyTime")
"""What the server adds to a config when it gives it back, or what the file's name says already."""


def push(
    paths: PATHS,
    /,
    *,
    group: Annotated[list[str] | None, Parameter(help="Apply them to these machine groups.", negative="", consume_multiple=True)] = None,
    prune: Annotated[bool, Parameter(help="Delete configs of the project that are not among the files.", negative="")] = False,
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """Save config files on the server, which checks them; what is the same already makes no new version."""
    target, files = connect_to_project(connection), _files(paths)
    with Client(target) as client:
        before = _rows(client, target)
        for name, text in files.items():
            _save(client, target, name, text)
            after = _rows(client, target)[name]
            same = name in before and after["version"] == before[name]["version"]
            say(f"{name}: is version {after['version']} already" if same else f"{name}: saved version {after['version']}")
            for one in group or ():
                if one not in after["groups"]:
                    client.sls("PUT", f"/machinegroups/{quote(one)}/configs/{quote(name)}")
                    say(f"{name}: applied to {one}")
        for name in sorted(before.keys() - files.keys()) if prune else ():
            _delete(client, before[name])
            say(f"{name}: deleted")


def diff(paths: PATHS, /, *, connection: ConnectionFlags = NO_FLAGS) -> int:
    """Show what pushing would change, as unified diffs. Exit code 1 when it would change something."""
    target, files = connect_to_project(connection), _files(paths)
    with Client(target) as client:
        known = _rows(client, target)
        present = {name: _document(client, target, name) for name in files if name in known}
    changes = [line for name, text in files.items() for line in _differences(name, present.get(name), _parsed(name, text))]
    for line in changes:
        say(line)
    for name in sorted(known.keys() - files.keys()):
        note(f"{name}: on the server only; `push --prune` deletes it")
    return Exit.FAILED if changes else Exit.FINE


def edit(
    name: Annotated[str, Parameter(help="The config; one that is not there is made.")], /, *, connection: ConnectionFlags = NO_FLAGS
) -> None:
    """Change a config in your editor ($VISUAL, $EDITOR) and save it on the server."""
    target = connect_to_project(connection)
    with Client(target) as client, tempfile.TemporaryDirectory(prefix="tailrace-") as directory:
        known = name in _rows(client, target)
        file = Path(directory) / f"{name}.yaml"
        before = _yaml(_document(client, target, name)) if known else "inputs: []\nflushers: []\n"
        file.write_text(before, encoding="utf-8")
        while True:
            _open_editor(file)
            after = file.read_text("utf-8")
            if after == before:
                note("nothing was changed")
                return
            try:
                _save(client, target, name, after)
                break
            except (ConfigError, ApiError) as error:
                note(f"{name} was not saved: {error.message}")
                if input("edit again? [Y/n] ").strip().lower() in ("n", "no"):
                    raise
        say(f"{name}: saved version {_rows(client, target)[name]['version']}")


def _files(paths: Sequence[Path]) -> dict[str, str]:
    """Config → text. Raises ConfigErrors for files that cannot be read, UsageError for a directory without any."""
    failures: list[ConfigError] = []
    texts: dict[str, str] = {}
    for path in _expanded(paths):
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            failures.append(ConfigError(f"cannot read `{path}`: {error}"))
            continue
        if path.stem in texts:
            failures.append(ConfigError(f"two files are named `{path.stem}`", where=str(path)))
        texts[path.stem] = text
    if failures:
        raise ConfigErrors(failures)
    return texts


def _expanded(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        inside = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES and not file.name.startswith("."))
        if not inside:
            raise UsageError(f"the directory `{path}` holds no config", hint=f"their names end in {', '.join(SUFFIXES)}")
        yield from inside


def _parsed(name: str, text: str) -> dict[str, Any]:
    value = read(text, name).value
    if not isinstance(value, dict):
        raise ConfigError("expected a map with `inputs` and `flushers`", where=name)
    return {str(key): inner for key, inner in value.items()}


def _save(client: Client, target: Connection, name: str, text: str) -> None:
    document = _parsed(name, text)
    if not is_classic(document):
        client.own("PUT", f"/projects/{quote(target.project)}/pipelines/{quote(name)}", {"text": text})
        return
    document = {**document, "configName": name}
    if not client.create("/configs", document, exists="ConfigAlreadyExist"):
        client.sls("PUT", f"/configs/{quote(name)}", document)


def _rows(client: Client, target: Connection) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in client.own("GET", f"/projects/{quote(target.project)}/configs")}


def _document(client: Client, target: Connection, name: str) -> dict[str, Any]:
    return client.own("GET", f"/projects/{quote(target.project)}/configs/{quote(name)}/versions")[0]["document"]


def _delete(client: Client, row: Mapping[str, Any]) -> None:
    place = "configs" if row["form"] == "classic" else "pipelineconfigs"
    client.sls("DELETE", f"/{place}/{quote(row['name'])}")


def _differences(name: str, present: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> Iterator[str]:
    before, after = ("" if document is None else _yaml(document) for document in (present, wanted))
    yield from difflib.unified_diff(before.splitlines(), after.splitlines(), f"server/{name}", f"file/{name}", lineterm="")


def _yaml(document: Mapping[str, Any]) -> str:
    import yaml

    kept = {key: value for key, value in document.items() if key not in FOR_THE_RECORD}
    return yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=1000)


def _open_editor(file: Path) -> None:
    """Raises UsageError when there is none, or it fails."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        subprocess.run([*shlex.split(editor), str(file)], check=True)  # noqa: S603 - the user's own words
    except (OSError, subprocess.CalledProcessError) as error:
        raise UsageError(f"the editor `{editor}` failed: {error}", hint="name another one in EDITOR") from error
