"""`tailrace plugin list` and `show`: what inputs, processors and flushers there are and which keys they take."""

from typing import Literal

from cyclopts import App

from tailrace.cli.output import Output, note, print_json, print_table, say
from tailrace.errors import ConfigError, UsageError
from tailrace.pipeline import registry
from tailrace.pipeline.explain import near
from tailrace.pipeline.reference import key_rows, schema
from tailrace.pipeline.registry import KINDS, PluginEntry

app = App(name="plugin", help="List and describe inputs, processors and flushers.")


@app.command(name="list")
def list_(*, kind: registry.Kind | None = None, output: Output = "table") -> None:
    """List all plugins.

    Parameters
    ----------
    kind
        Only plugins of this kind.
    output
        `table`, `json` (one object per line) or `csv`.
    """

    def broken(error: ConfigError) -> None:
        note(f"warning: {error.message}")

    rows = [
        {
            "kind": entry.kind,
            "type": entry.type,
            "stability": entry.stability,
            "aliases": ", ".join(entry.aliases),
            "what it does": entry.summary,
        }
        for entry in registry.all_plugins(broken=broken)
        if kind in (None, entry.kind)
    ]
    columns = ["kind", "type", "stability", "what it does"]
    print_table(rows, columns=[*columns[:3], "aliases", columns[3]] if any(row["aliases"] for row in rows) else columns, output=output)


@app.command
def show(name: str, /, *, output: Literal["table", "json", "schema"] = "table") -> None:
    """Describe one plugin and its keys.

    Parameters
    ----------
    name
        The plugin's type, such as `processor_parse_regex_native`.
    output
        `table`, `json` (everything as one document) or `schema` (the JSON schema of its config).
    """
    entry = _find(name)
    if output == "schema":
        print_json(schema(entry))
    elif output == "json":
        print_json(
            {
                "kind": entry.kind,
                "type": entry.type,
                "stability": entry.stability,
                "aliases": list(entry.aliases),
                "description": entry.doc,
                "sample": entry.sample(),
                "keys": key_rows(entry.config_model),
            }
        )
    else:
        say(f"{entry.type} ({entry.kind}, {entry.stability})\n\n{entry.doc}\n")
        rows = key_rows(entry.config_model)
        print_table(rows, columns=[column for column in rows[0] if any(row[column] for row in rows)] if rows else [])


def _find(name: str) -> PluginEntry:
    for kind in KINDS:
        if name in registry.names(kind):
            return registry.get(kind, name)
    raise UsageError(f"unknown plugin `{name}`", hint=near(name, [name for kind in KINDS for name in registry.names(kind)], "plugins"))
