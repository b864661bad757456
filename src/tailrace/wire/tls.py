"""TLS as a client of a server that is its own certificate authority: only its roots are trusted; why it fails is said with the remedy."""

import re
import ssl
from collections.abc import Sequence
from pathlib import Path

NOT_YET_VALID, EXPIRED = 9, 10
UNKNOWN_ISSUER = frozenset({2, 18, 19, 20, 21})
WRONG_NAME = frozenset({62, 64})
"""Numbers of OpenSSL (`openssl/x509_vfy.h`)."""


CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?")


def certificates_in(text: str) -> list[str]:
    """Those of a PEM text, without whatever else stands there."""
    return CERTIFICATE.findall(text)


def client_context(roots: Sequence[str], certificate: Path | None = None) -> ssl.SSLContext:
    """Trusts these roots (PEM) and no others, names checked. `certificate` is a file with the client's key and certificate.

    OSError when the file cannot be read.
    """
    context = ssl.create_default_context(cadata="".join(roots))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        context.load_cert_chain(certificate)
    return context


def unchecked_context() -> ssl.SSLContext:
    """Trusts whoever answers: to fetch what is public, and compared with a fingerprint afterwards."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def explain(error: ssl.SSLError, address: str) -> tuple[str, str]:
    """What is wrong with a server's certificate, or with ours, and what to do: message and hint."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _explain_verification(error, address)
    reason = (error.reason or str(error)).lower().replace("_", " ")
    if "alert" in reason and ("certificate" in reason or "unknown ca" in reason):
        return (
            f"the server at `{address}` does not accept this agent's certificate ({reason})",
            "enrol the agent again: `tailrace agent enroll`",
        )
    return f"no TLS with `{address}`: {reason}", "check that the address is that of the server's TLS port"


def _explain_verification(error: ssl.SSLCertVerificationError, address: str) -> tuple[str, str]:
    if error.verify_code == EXPIRED:
        return (
            f"the certificate of `{address}` has expired",
            "check this machine's clock; if it is right, look at the server's log: it renews its certificate by itself",
        )
    if error.verify_code == NOT_YET_VALID:
        return f"the certificate of `{address}` is not valid yet", "check the clocks of this machine and of the server"
    if error.verify_code in WRONG_NAME:
        return (
            f"the certificate of `{address}` is for other names",
            "name the server as its certificate does, or add the name to `domains` or `addresses` in its server.yaml",
        )
    if error.verify_code in UNKNOWN_ISSUER:
        return (
            f"`{address}` is not the server that enrolled this agent: its certificate is of another authority",
            "check the address; if the server was set up anew, enrol the agent again: `tailrace agent enroll`",
        )
    return f"the certificate of `{address}` is not trusted: {error.verify_message}", "check the address and the server's certificate"
