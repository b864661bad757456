"""The proxy over TLS, with certificates that are good, expired, or of an authority that nobody knows."""

import ssl
from datetime import timedelta
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from tailrace.server.auth.authority import Authority, key_pem, open_authority, pem_of
from tailrace.server.auth.tls import general_names
from tests.faults.proxy import Proxy

DAY: Final = timedelta(days=1)


class TlsProxy(Proxy):
    """Shows `good` certificates until told otherwise; a connection keeps the one that it was made with."""

    def __init__(self, server_port: int, directory: Path) -> None:
        self._directory = directory
        own, other = open_authority(directory / "own", DAY), open_authority(directory / "other", DAY)
        self._files = {
            "good": self._issued("good", own, DAY),
            "expired": self._issued("expired", own, timedelta(minutes=-5)),
            "wrong authority": self._issued("wrong", other, DAY),
        }
        roots = directory / "roots.pem"
        roots.write_text(own.signer.pem)
        self.environment = {"SSL_CERT_FILE": str(roots)}
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.show("good")
        super().__init__(server_port)

    def show(self, which: str) -> None:
        """From the next connection on, the first of which is soon: all that there are end."""
        assert self.tls is not None
        self.tls.load_cert_chain(self._files[which])
        if hasattr(self, "_loop"):
            self.hang_up()

    def _issued(self, name: str, authority: Authority, life: timedelta) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = authority.certify_server(key.public_key(), general_names(("127.0.0.1",)), life)
        path = self._directory / f"{name}.pem"
        path.write_text(key_pem(key) + "".join(map(pem_of, [certificate, *authority.chain])))
        return path
