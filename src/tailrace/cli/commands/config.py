"""`tailrace config`: make pipelines (`generate`), translate classic configs, say all mistakes of files (`check`)."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from tailrace.cli.output import Exit, note, print_error, print_json, say
from tailrace.errors import ConfigErrors, UsageError
from tailrace.pipeline.explain import counted
from tailrace.pipeline.loading import SUFFIXES, load_file

app = App(name="config", help="Check, generate and translate pipeline files, and let agents run them.")
for _name in ("push", "diff", "edit"):
    app.command(f"tailrace.cli.commands.config_files:{_name}", name=_name)
for _name in ("list", "history", "rollback", "delete"):
    app.command(f"tailrace.cli.commands.remote_configs:{_name if _name != 'list' else 'list_'}", name=_name)
app.command("tailrace.cli.commands.generate:app", name="generate", help="Make a pipeline from the log settings of other programs.")


@app.command
def check(
    paths: Annotated[list[Path], Parameter(negative="", consume_multiple=True)], /, *, output: Literal["text", "json"] = "text"
) -> int:
    """Check pipeline files without running them. Exit code 2 when any has a mistake.

    `${env:…}` and `${file:…}` stay as they are: only the agent knows them.

    Parameters
    ----------
    paths
        Pipeline files (YAML or JSON), or directories that hold some.
    output
        `text`, or `json` with one document for all files.
    """
    from tailrace.batch import NATIVE
    from tailrace.pipeline.report import describe

    good: list[dict[str, Any]] = []
    bad: list[ConfigErrors] = []
    for file in _files(paths):
        try:
            good.append(describe(load_file(file)))
        except ConfigErrors as errors:
            bad.append(errors)
    if output == "json":
        mistakes = [{"where": e.where, "message": e.message, "hint": e.hint} for errors in bad for e in errors.errors]
        print_json({"pipelines": good, "errors": mistakes})
    else:
        for pipeline in good:
            _print_pipeline(pipeline)
        if good and not NATIVE:
            note("note: these are the engines of the pure-Python twin; with `pip install 'tailrace[kernel]'` patterns run in linear time")
        for errors in bad:
            print_error(errors)
        if bad:
            mistakes = counted(sum(len(errors.errors) for errors in bad), "mistake")
            note(f"{mistakes} in {len(bad)} of {counted(len(good) + len(bad), 'file')}")
    return Exit.USAGE if bad else Exit.FINE


@app.command
def translate(path: Path, /) -> int:
    """Print the pipeline that a classic config stands for.

    Parameters
    ----------
    path
        A classic config (`inputDetail` JSON) as the API has it.
    """
    import yaml

    from tailrace.pipeline.report import remarks

    config = load_file(path)
    if config.classic is None:
        raise UsageError(f"`{path}` is a pipeline already", hint="a classic config has `inputDetail` and `outputDetail`")
    sys.stdout.write(yaml.safe_dump(config.document(), sort_keys=False, allow_unicode=True, width=1000))
    for remark in remarks(config):
        note(f"note: {remark}")
    return Exit.FINE


def _files(paths: list[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        inside = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES and not file.name.startswith("."))
        if not inside:
            raise UsageError(f"the directory `{path}` holds no pipeline file", hint=f"their names end in {', '.join(SUFFIXES)}")
        files += inside
    return files


def _print_pipeline(pipeline: dict[str, Any]) -> None:
    state = "fine" if pipeline["enable"] else "fine, but off"
    say(f"{pipeline['source']}: pipeline `{pipeline['name']}` is {state} (version {pipeline['version'][:12]})")
    for section in ("inputs", "processors", "aggregators", "flushers"):
        for index, plugin in enumerate(pipeline[section]):
            say(f"  {section}[{index}] {plugin['Type']}")
            for pattern in plugin["patterns"]:
                say(f"    {pattern['key']}: {pattern['engine']} engine for `{pattern['pattern']}`")
                for warning in pattern["warnings"]:
                    say(f"      note: {warning}")
    for remark in pipeline["remarks"]:
        say(f"  note: {remark}")
