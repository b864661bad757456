"""Which file systems tell inotify of every change: asked by type (statfs), once per device."""

import ctypes
from pathlib import Path

STATFS_SIZE = 256
"""More than any `struct statfs` has; `f_type` is its first member, a long."""

SILENT = {
    0x6969: "nfs",
    0x517B: "smb",
    0xFF534D42: "cifs",
    0xFE534D42: "smb2",
    0x01021997: "9p",
    0x00C36400: "ceph",
    0x0BD00BD0: "lustre",
    0x5346414F: "afs",
    0x6B414653: "kafs",
    0x73757245: "coda",
    0x47504653: "gpfs",
    0x01161970: "gfs2",
    0x7461636F: "ocfs2",
    0x786F4256: "vboxsf",
    0x65735546: "fuse",
    0x794C7630: "overlay",
}
"""Magic numbers (statfs(2), linux/magic.h): writes come from other machines, from behind a user's process (fuse, virtiofs), or to a lower
layer or an inode that is copied up later (overlay)."""

_silent_devices: dict[int, bool] = {}


def tells_all_changes(directory: str) -> bool:
    """False where changes below `directory` may go unnoticed, and where it is gone."""
    try:
        device = Path(directory).stat().st_dev
    except OSError:
        return False
    if device not in _silent_devices:
        _silent_devices[device] = file_system_type(directory) in SILENT
    return not _silent_devices[device]


def file_system_type(directory: str) -> int:
    """The magic number of the file system that a directory lies on; 0 when it cannot be told."""
    buffer = ctypes.create_string_buffer(STATFS_SIZE)
    if ctypes.CDLL(None, use_errno=True).statfs(str(directory).encode("utf-8", "surrogateescape"), buffer) != 0:
        return 0
    return ctypes.c_long.from_buffer(buffer).value & 0xFFFFFFFF
