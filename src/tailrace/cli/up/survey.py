"""The files that stand behind what `tailrace up` collects, found by the agent's own walk: what is counted here is what it will read."""

import os
import sys
from dataclasses import dataclass, field

from tailrace.cli.home import Home
from tailrace.cli.up.collection import patterns, source


@dataclass(slots=True)
class Survey:
    """The files that the patterns match now. `unreadable` are files and directories that this user may not read."""

    sizes: dict[str, int] = field(default_factory=dict[str, int])
    unreadable: list[str] = field(default_factory=list[str])
    unmatched: list[str] = field(default_factory=list[str])
    """Patterns that match nothing yet."""

    @property
    def bytes(self) -> int:
        return sum(self.sizes.values())


def survey(home: Home) -> Survey:
    """Look at the file system once."""
    from tailrace.agent.platform import current
    from tailrace.agent.settings.policy import own_state
    from tailrace.inputs.file.config import FileConfig
    from tailrace.inputs.file.discover import Paths
    from tailrace.inputs.file.roots import HOST
    from tailrace.inputs.file.walk import Rules, Walk

    found = Survey()
    if not patterns(home):
        return found
    config = FileConfig.model_validate(source(home))
    paths, reach = Paths(config), current(own_state(home.directory)).reach
    rules = Rules(config, paths.excluded, reach, sys.maxsize, lambda _: False, lambda _: None, lambda _: "")
    for pattern in paths.patterns(HOST):
        walk = Walk(rules, {}, room=sys.maxsize, judge_again=False, first=True)
        for _ in walk.run([(HOST, pattern)]):
            pass
        found.unreadable += walk.scan.unreadable
        if not walk.scan.files:
            found.unmatched.append(pattern.text)
        for path, look in walk.scan.files.items():
            if os.access(path, os.R_OK):
                found.sizes[path] = look.st_size
            else:
                found.unreadable.append(path)
    return found
