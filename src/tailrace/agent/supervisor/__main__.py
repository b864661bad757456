"""`python -m tailrace.agent.supervisor`: what `tailrace agent run` becomes, and what a service unit may start directly."""

import sys

from tailrace.agent.platform import processes
from tailrace.agent.supervisor.order import Order
from tailrace.agent.supervisor.supervisor import Supervisor
from tailrace.errors import TailraceError


def main(arguments: list[str]) -> int:
    """`arguments`: what `Order.command` made of an order."""
    try:
        return Supervisor(Order.of(arguments[0]), processes()).run()
    except TailraceError as error:
        sys.stderr.write(f"error: {error.message}\n" + (f"hint: {error.hint}\n" if error.hint else ""))
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
