"""A disk that loses its power: what a process wrote, as `strace` saw it, and what may be left of that when what was not synced is lost.

The strictest reading of POSIX: bytes are durable by fsync or fdatasync of their file, a name by fsync of its directory. Of the rest any
part may be there, in any order, and the last write may be torn.
"""

import os
import random
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CALLS = (
    "openat,write,writev,pwrite64,pwritev,ftruncate,truncate,fsync,fdatasync,rename,renameat,renameat2,"
    "unlink,unlinkat,link,linkat,mkdir,mkdirat"
)
SECTOR = 512
HEX = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
CALL = re.compile(r"^\d+ +(\w+)\((.*)\) += (\d+)", re.DOTALL)
PENDING = re.compile(r"^(\d+) +(.*) <unfinished \.\.\.>$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. \w+ resumed>(.*)$")


def record(command: Sequence[str], trace: Path) -> None:
    """Run a command to its end and write down its calls."""
    done = subprocess.run(
        ["strace", "-f", "-xx", "-s", "100000000", "-o", str(trace), "-e", f"trace={CALLS}", *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr


def calls(trace: Path) -> Iterator[tuple[str, str, int, list[bytes]]]:
    """(name, arguments as text, result, strings in them) of each call that succeeded, in the order in which they ended."""
    begun: dict[str, str] = {}
    for line in trace.read_text().splitlines():
        if found := PENDING.match(line):
            begun[found[1]] = found[2]
            continue
        if found := RESUMED.match(line):
            line = f"{found[1]} {begun.pop(found[1])}{found[2]}"  # noqa: PLW2901
        if found := CALL.match(line):
            strings = [bytes.fromhex(text.replace("\\x", "")) for text in HEX.findall(found[2])]
            yield found[1], found[2], int(found[3]), strings


@dataclass(eq=False)
class File:
    durable: bytes = b""
    unsynced: list[tuple[int, bytes | None]] = field(default_factory=list)
    """(offset, bytes) of a write, (size, None) of a truncation."""
    size: int = 0

    def write(self, offset: int, data: bytes) -> None:
        self.unsynced.append((offset, data))
        self.size = max(self.size, offset + len(data))

    def truncate(self, size: int) -> None:
        self.unsynced.append((size, None))
        self.size = size

    def sync(self) -> None:
        self.durable, self.unsynced = applied(self.durable, self.unsynced), []


def applied(data: bytes, changes: Sequence[tuple[int, bytes | None]]) -> bytes:
    whole = bytearray(data)
    for offset, new in changes:
        end = offset if new is None else offset + len(new)
        whole += bytes(max(0, end - len(whole)))
        if new is None:
            del whole[offset:]
        else:
            whole[offset:end] = new
    return bytes(whole)


@dataclass
class Handle:
    file: File
    appends: bool
    position: int = 0


class Disk:
    """What lies below `root`, as far as a trace tells. Names are relative to it; a directory's file is None."""

    def __init__(self, root: Path) -> None:
        self._root = f"{root}/"
        self.names: dict[str, File | None] = {}
        self._durable: dict[str, File | None] = {}
        self._handles: dict[int, Handle] = {}
        self._directories: dict[int, str] = {}

    def take(self, name: str, arguments: str, result: int, strings: list[bytes]) -> bytes | None:
        """One call; the bytes of a write to a file `told`, which is no part of the disk."""
        descriptor = int(arguments.split(",", maxsplit=1)[0]) if arguments.split(",", maxsplit=1)[0].isdigit() else -1
        if name == "openat":
            self._open(self._name(strings[0]), arguments, result)
        elif name in ("rename", "renameat", "renameat2"):
            self.names[self._name(strings[1]) or ""] = self.names.pop(self._name(strings[0]) or "")
        elif name in ("link", "linkat"):
            self.names[self._name(strings[1]) or ""] = self.names[self._name(strings[0]) or ""]
        elif name in ("unlink", "unlinkat"):
            self.names.pop(self._name(strings[0]) or "", None)
        elif name in ("mkdir", "mkdirat") and (inside := self._name(strings[0])):
            self.names[inside] = None
        elif descriptor in self._directories and name in ("fsync", "fdatasync"):
            self._sync_directory(self._directories[descriptor])
        elif descriptor in self._handles:
            return self._use(name, self._handles[descriptor], arguments, b"".join(strings)[:result])
        return None

    def _name(self, path: bytes) -> str | None:
        text = os.fsdecode(path)
        return text.removeprefix(self._root) if text.startswith(self._root) or f"{text}/" == self._root else None

    def _open(self, name: str | None, arguments: str, descriptor: int) -> None:
        self._handles.pop(descriptor, None)
        self._directories.pop(descriptor, None)
        if name is None:
            return
        if "O_DIRECTORY" in arguments or self.names.get(name, ...) is None:
            self._directories[descriptor] = "" if name == self._root[:-1] else name
            return
        if name not in self.names and "O_CREAT" in arguments:
            self.names[name] = File()
        file = self.names.get(name)
        if file is not None:
            self._handles[descriptor] = Handle(file, "O_APPEND" in arguments)
            if "O_TRUNC" in arguments:
                file.truncate(0)

    def _use(self, name: str, handle: Handle, arguments: str, data: bytes) -> bytes | None:
        file = handle.file
        if file is self.names.get("told"):
            return data if name == "write" else None
        if name in ("write", "writev"):
            offset = file.size if handle.appends else handle.position
            file.write(offset, data)
            handle.position = offset + len(data)
        elif name == "pwrite64":
            # With O_APPEND Linux appends whatever the offset says.
            file.write(file.size if handle.appends else int(arguments.rsplit(",", 1)[1]), data)
        elif name == "ftruncate":
            file.truncate(int(arguments.rsplit(",", 1)[1]))
        elif name in ("fsync", "fdatasync"):
            file.sync()
        return None

    def _sync_directory(self, directory: str) -> None:
        def within(names: dict[str, File | None]) -> dict[str, File | None]:
            return {name: file for name, file in names.items() if os.path.dirname(name) == directory}

        for name in within(self._durable).keys() - within(self.names).keys():
            del self._durable[name]
        self._durable.update(within(self.names))

    # --- the cut ----------------------------------------------------------------------------------------------------------------
    def image(self, target: Path, chance: random.Random) -> None:
        """Lay out what may be left after the power was cut now."""
        names = self._left_names(chance)
        for name in sorted(names):
            file, path = names[name], target / name
            if not path.parent.exists() or name == "told":
                continue
            if file is None:
                path.mkdir(mode=0o700, exist_ok=True)
            else:
                path.write_bytes(_left(file, chance))

    def _left_names(self, chance: random.Random) -> dict[str, File | None]:
        kind = chance.choice(["durable", "all", "some"])
        if kind == "all":
            return dict(self.names)
        names = dict(self._durable)
        if kind == "some":
            for name in sorted(self.names.keys() | names.keys()):
                if chance.random() < 0.5:
                    if name in self.names:
                        names[name] = self.names[name]
                    else:
                        names.pop(name, None)
        return names


def _left(file: File, chance: random.Random) -> bytes:
    kind = chance.choice(["nothing", "all", "front", "some"])
    changes = list(file.unsynced)
    if kind == "nothing":
        changes = []
    elif kind == "front":
        changes = changes[: chance.randint(0, len(changes))]
    elif kind == "some":
        changes = [one for one in changes if chance.random() < 0.6]
    if changes and kind != "all" and (last := changes[-1][1]) is not None and chance.random() < 0.5:
        changes[-1] = changes[-1][0], last[: chance.randint(0, len(last)) // SECTOR * SECTOR]
    return applied(file.durable, changes)
