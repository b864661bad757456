"""A logstore as the stages of SPL see it: any name is a field, as text."""

from tailrace.server.query.search.predicate import Binder
from tailrace.server.query.sql.contract import Type
from tailrace.server.query.sql.relations import Column, VirtualTable
from tailrace.server.store.port import FieldIndex, TableSpec

_OWN = {
    "tailrace group": "group_cursor",
    "tailrace seq": "seq",
    "tailrace time": "toUnixTimestamp64Nano(time)",
    "tailrace source": "source",
    "tailrace topic": "topic",
    "tailrace tag names": "mapKeys(tags)",
    "tailrace tag values": "mapValues(tags)",
    "tailrace names": "mapKeys(fields)",
    "tailrace values": "mapValues(fields)",
    "tailrace size": "arraySum(v -> length(v), mapKeys(fields)) + arraySum(v -> length(v), mapValues(fields))",
}
BASE = tuple(_OWN)
"""What `encoding` reads, in that order, then the bytes of the fields."""
FOUND = "tailrace found"


class StreamTable(VirtualTable):
    """`found` is the condition of the search. Names compare with their case."""

    def __init__(self, table: TableSpec, binder: Binder, found: str) -> None:
        self._own = {**_OWN, FOUND: found}
        super().__init__(table, binder, "__stream")

    def find(self, name: str) -> Column | None:
        known = (*self.columns, *self._unlisted.columns)
        return next((column for column in known if column.name == name), None) or self._add_unlisted(name)

    def _analysable(self) -> list[FieldIndex]:
        return []

    def _add_unlisted(self, name: str) -> Column | None:
        if name in self._own:
            return self._unlist(name, Type.BOOLEAN if name == FOUND else Type.UNKNOWN, self._own[name])
        found = super()._add_unlisted(name)
        if found is not None:
            return found
        bound = self._binder.bind(name)
        return self._unlist(name, Type.VARCHAR, f"if(has(mapKeys(fields), {bound}), fields[{bound}], NULL)")
