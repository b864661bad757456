"""The server's certificate authority: its roots, and a new one."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tailrace.server.api.v1.signed import Caller, Server
from tailrace.server.auth.authority import Authority, Root
from tailrace.server.auth.authorize import Resource, authorize

router = APIRouter(prefix="/ca", tags=["certificates"])


class KnownRoot(BaseModel):
    """A root certificate. Times are Unix seconds."""

    number: int
    fingerprint: str = Field(description="SHA-256 of the certificate, hex.")
    state: Literal["next", "signs", "retiring", "retired"] = Field(description="Agents trust all but the retired ones.")
    made: int
    expires: int
    certificate: str = Field(description="PEM.")


@router.get("")
async def roots(caller: Caller, server: Server) -> list[KnownRoot]:
    """All roots that have not expired, the oldest first."""
    authorize(caller, "tailrace:ListRoots", Resource())
    return [_known(root, server.authority) for root in server.authority.known]


@router.post("/rotate")
async def rotate(caller: Caller, server: Server) -> list[KnownRoot]:
    """Make a new root. Agents learn it with their next answer; it signs after the overlap (`ca_overlap_secs`)."""
    authorize(caller, "tailrace:RotateRoot", Resource())
    server.authority.rotate()
    server.certificates.refresh()
    return [_known(root, server.authority) for root in server.authority.known]


def _known(root: Root, authority: Authority) -> KnownRoot:
    signer = authority.signer
    state: Literal["next", "signs", "retiring", "retired"] = "next" if root.number > signer.number else "signs"
    if root.number < signer.number:
        state = "retiring" if root in authority.trusted else "retired"
    return KnownRoot(
        number=root.number,
        fingerprint=root.fingerprint,
        state=state,
        made=int(root.made_at.timestamp()),
        expires=int(root.certificate.not_valid_after_utc.timestamp()),
        certificate=root.pem,
    )
