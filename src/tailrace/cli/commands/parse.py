"""`tailrace parse`: what a pipeline makes of sample lines, with what failed and why."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from cyclopts import App

from tailrace.cli.output import Exit, Output, note, print_table
from tailrace.errors import UsageError

EXAMPLES: Final = """Examples:

  tailrace parse --config nginx.yaml < /var/log/nginx/access.log
  tailrace parse sample.log --config app.yaml --path /srv/shop/app.log
  tail -n 5 app.log | tailrace parse --config app.yaml --output json"""

app = App(name="parse", help="Show what a pipeline makes of sample lines.", help_epilogue=EXAMPLES, help_format="plaintext")

MAX_SAMPLE_BYTES: Final = 16 * 1024 * 1024
"""A sample is looked at by a human; whole files go through `tailrace agent run --exit-when-drained`."""


@app.default
def parse(sample: Path | None = None, /, *, config: Path, path: str = "", output: Output = "table") -> int:
    """Show what a pipeline makes of sample lines.

    Exit code 4 when events failed.

    Parameters
    ----------
    sample
        File with sample lines; standard input when it is left out.
    config
        The pipeline file.
    path
        Path of the file that the lines are to come from; shows the topic and the tags that they get from it.
    output
        `table`, `json` (one event per line) or `csv`.
    """
    from tailrace.pipeline.loading import load_file, resolve
    from tailrace.pipeline.policy import ANYTHING
    from tailrace.pipeline.preview import preview

    # Where the events would go does not matter here, so neither do the secrets that it takes.
    pipeline = resolve(replace(load_file(config), flushers=()), ANYTHING)
    result = preview(pipeline, _read(sample), path=path)
    rows = result.rows()
    print_table(rows, columns=list(dict.fromkeys(key for row in rows for key in row)), output=output)
    for line in [*result.summary(), *result.ages(), *result.labels()]:
        note(line)
    return Exit.PARTIAL if result.failed else Exit.FINE


def _read(sample: Path | None) -> bytes:
    if sample is None:
        if sys.stdin.isatty():
            note("reading sample lines from the terminal; end with Ctrl-D")
        data = sys.stdin.buffer.read(MAX_SAMPLE_BYTES + 1)
    else:
        try:
            with sample.open("rb") as file:
                data = file.read(MAX_SAMPLE_BYTES + 1)
        except OSError as error:
            raise UsageError(f"cannot read `{sample}`: {(error.strerror or str(error)).lower()}") from error
    if len(data) > MAX_SAMPLE_BYTES:
        raise UsageError(
            f"the sample is larger than {MAX_SAMPLE_BYTES:,} bytes", hint="`head -c 1M FILE | tailrace parse …` takes its beginning"
        )
    return data
