"""`tailrace completion`: what a shell needs to complete commands and options."""

import sys
from typing import Annotated, Literal

from cyclopts import App, Parameter

app = App(name="completion", help="Print what a shell needs to complete commands.")


@app.default
def completion(shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="The shell.")], /) -> None:
    """Print the completion of a shell: `source <(tailrace completion bash)`, or into the directory of zsh's or fish's completions."""
    from tailrace.cli.main import application

    sys.stdout.write(application().generate_completion(prog_name="tailrace", shell=shell))
