"""A copy of all that the server holds, made while it runs."""

from pathlib import Path
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from tailrace.errors import ApiError, UsageError
from tailrace.server.api.v1.signed import Caller, Server
from tailrace.server.auth.authorize import Resource, authorize
from tailrace.server.backup import Progress

router = APIRouter(prefix="/backup", tags=["backup"])


class Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid")

    directory: str = Field(description="Where to, on the server's machine: the absolute path of an empty or new directory.")


class BackupStatus(BaseModel):
    """Of the last backup since the server was started."""

    state: Literal["none", "running", "done", "failed"]
    directory: str
    bytes: int = Field(description="Copied so far.")
    trouble: str = Field(description="Why it failed.")


@router.get("")
async def backup_status(caller: Caller, server: Server) -> BackupStatus:
    """How far the last backup is."""
    authorize(caller, "tailrace:GetBackup", Resource())
    return _status(server.backups.progress)


@router.post("")
async def start_backup(wanted: Wanted, caller: Caller, server: Server) -> BackupStatus:
    """Begin a backup. It is whole when its directory has a `backup.json`."""
    authorize(caller, "tailrace:StartBackup", Resource())
    try:
        server.backups.start(Path(wanted.directory))
    except UsageError as error:
        raise ApiError(400, "ParameterInvalid", f"{error.message}: {error.hint}") from None
    except OSError as error:
        raise ApiError(400, "ParameterInvalid", str(error)) from None
    return _status(server.backups.progress)


def _status(progress: Progress) -> BackupStatus:
    return BackupStatus(state=progress.state, directory=progress.directory, bytes=progress.bytes, trouble=progress.trouble)
