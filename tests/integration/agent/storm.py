"""A fleet whose configs change again and again while its agents read."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration.agent.fleet import Fleet, ended
from tests.integration.agent.storm_writer import Log

FILES = 4
"""Of each machine."""
PARSE = {"Type": "processor_parse_delimiter_native", "SourceKey": "content", "Separator": ",", "Keys": ["file", "n", "rest"]}
TEXT = {"type": "text", "token": [" "], "doc_value": True}
INDEX = {"line": {"token": [" "]}, "keys": {"file": TEXT, "n": {"type": "long", "doc_value": True}, "edition": TEXT}}


class Storm(Fleet):
    """All agents read the files of their machines with `wide`, but for the one that `exact` names at present. Each change makes a new
    edition of one of the two: other processors and other tags, and in every third change `exact` names another file. Events carry the
    edition that read them."""

    index = INDEX

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.logs = {one.name: [Log(one.logs / f"{file}.log", f"{one.name}/{file}") for file in range(FILES)] for one in self.machines}
        self._editions = {"exact": 0, "wide": 0}
        self._named = 0
        self._random = random.Random(1)

    def pipeline(self, name: str, **_: Any) -> dict[str, str]:
        edition = self._editions[name]
        files = self._named if name == "exact" else "*"
        document = {
            "global": {"PipelineMetaTagKey": {"HOST_NAME": f"host{edition % 5}"}},
            "inputs": [{"Type": "input_file", "FilePaths": [f"{self.directory}/*/logs/{files}.log"], "TailingAllMatchedFiles": True}],
            "processors": [PARSE, {"Type": "processor_add_fields", "Fields": {"edition": str(edition)}}],
            "flushers": [{"Type": "flusher_sls", "Logstore": "app"}],
        }
        return {"text": json.dumps(document)}

    def change(self, number: int) -> None:
        name = "wide" if number % 3 == 2 else "exact"
        if not number % 3:
            self._named = self._random.choice([file for file in range(FILES) if file != self._named])
        self._editions[name] = number
        self.save(name)

    @property
    def all_logs(self) -> list[Log]:
        return [log for logs in self.logs.values() for log in logs]

    def wanted(self) -> dict[str, str]:
        """File → the edition that is to read it now."""
        return {
            log.name: str(self._editions["exact" if file == self._named else "wide"])
            for logs in self.logs.values()
            for file, log in enumerate(logs)
        }

    def latest(self) -> dict[str, str]:
        """File → the edition that read its last line."""
        return {row["file"]: row["edition"] for row in self.ask("select file, max_by(edition, n) as edition group by file")}

    def stored(self) -> dict[str, tuple[int, ...]]:
        """File → how many lines there are, how many different ones, the first and the last one."""
        rows = self.ask("select file, count(*) as c, count(distinct n) as d, min(n) as low, max(n) as high group by file")
        return {row["file"]: tuple(int(row[name]) for name in ("c", "d", "low", "high")) for row in rows}


@contextmanager
def storm(directory: Path) -> Iterator[Storm]:
    """Its agents are at work."""
    with ended(Storm(directory)) as fleet:
        fleet.group("storm", ids=["storm"])
        for name in ("exact", "wide"):
            fleet.save(name, "storm")
        for machine in fleet.machines:
            machine.carry("storm")
            machine.join()
            machine.start()
        fleet.settled(*[{"exact", "wide"}] * len(fleet.machines))
        yield fleet
