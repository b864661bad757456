"""An agent's side of joining, by hand: a key pair, a certificate request, and calls over TLS with the root that the token names."""

import hashlib
import http.client
import json
import secrets
import ssl
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tailrace.testing.server import Answer


class Joiner:
    def __init__(self, directory: Path, port: int, *, agent_id: str = "", machine_id: str = "m1") -> None:
        self.agent_id = agent_id or secrets.token_hex(8)
        self.machine_id = machine_id
        self.boot_id = secrets.token_hex(16)
        self.held: dict[str, str] = {}
        self.roots = ""
        self._port = port
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._key_file = directory / f"{self.agent_id}-{self.boot_id}.key"
        self._certificate_file = self._key_file.with_suffix(".crt")
        self._key_file.write_bytes(
            self._key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )

    def pin(self, token: str) -> None:
        """Take the root that the token names."""
        unchecked = ssl._create_unverified_context()
        roots = self._call("GET", "/roots", context=unchecked).json()["roots"]
        wanted = token.rpartition(".")[2]
        (self.roots,) = [root for root in roots if hashlib.sha256(ssl.PEM_cert_to_DER_cert(root)).hexdigest() == wanted]

    def enrol(self, token: str, **change: Any) -> Answer:
        builder = x509.CertificateSigningRequestBuilder(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, self.agent_id)]))
        request = builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
        document = {"agent_id": self.agent_id, "token": token, "certificate_request": request, "machine_id": self.machine_id, **change}
        answer = self._call("POST", "/agents/enrol", document)
        if answer.status == 200:
            self._certificate_file.write_text(answer.json()["certificate"])
        return answer

    def keys(self, **change: Any) -> Answer:
        """Ask for keys with the agent's certificate, if it has one."""
        document = {"boot_id": self.boot_id, "machine_id": self.machine_id, "held": self.held, **change}
        return self._call("POST", "/agents/keys", document)

    def key(self) -> tuple[str, str]:
        """Id and secret of a key for the one project."""
        answer = self.keys()
        assert answer.status == 200, answer.body
        (key,) = answer.json()["keys"]
        return key["key_id"], key["key_secret"]

    def _call(self, method: str, path: str, document: object = None, context: ssl.SSLContext | None = None) -> Answer:
        if context is None:
            context = ssl.create_default_context(cadata=self.roots)
            if self._certificate_file.exists():
                context.load_cert_chain(self._certificate_file, self._key_file)
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=30, context=context)
        try:
            body = b"" if document is None else json.dumps(document).encode()
            connection.request(method, f"/api/v1{path}", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()
