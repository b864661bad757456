"""Who signed a request (sls-api §1.4 to §1.6). Runs on the headers alone, so that nobody unknown makes the server read a body."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from tailrace.errors import ApiError
from tailrace.server.auth.principal import Principal
from tailrace.server.auth.roles import EVERYTHING
from tailrace.server.auth.vault import Vault
from tailrace.server.db.records import Key, User
from tailrace.server.settings import Settings
from tailrace.wire.signature import Authorization, SignedRequest, body_matches, parse_authorization, signed_at, verify

# An unknown key costs as much as a wrong signature: something is always verified.
NO_SECRET = "0" * 40


class Authenticator:
    """`find_key` looks an access key up by its id, `find_user` a user by name."""

    def __init__(
        self, find_key: Callable[[str], Key | None], find_user: Callable[[str], User | None], vault: Vault, settings: Settings
    ) -> None:
        self._find_key = find_key
        self._find_user = find_user
        self._vault = vault
        self._settings = settings

    def authenticate(self, request: SignedRequest) -> tuple[Principal, Authorization]:
        """The holder of the key that signed these headers; `request.body` is not looked at. Raises ApiError with the SLS codes."""
        self._check_headers(request)
        authorization = self._authorization(request)
        self._check_clock(request, authorization)
        key = self._find_key(authorization.key_id)
        secret = NO_SECRET if key is None else self._vault.decrypt(key.id, key.secret)
        genuine = verify(request, authorization, secret)
        if key is None:
            raise ApiError(401, "Unauthorized", f"AccessKeyId not found: {authorization.key_id}")
        if not genuine:
            raise ApiError(401, "SignatureNotMatch", f"signature of key {key.id} does not match the request")
        return self._holder(key), authorization

    def again(self, key_id: str) -> Principal:
        """The holder of a key that has signed before, with what it may do by now. Raises ApiError 401 for one that was revoked."""
        key = self._find_key(key_id)
        if key is None:
            raise ApiError(401, "Unauthorized", f"AccessKeyId not found: {key_id}")
        return self._holder(key)

    def _holder(self, key: Key) -> Principal:
        if not key.enabled:
            raise ApiError(401, "Unauthorized", f"AccessKeyId is disabled: {key.id}")
        if key.expires is not None and key.expires <= time.time():
            raise ApiError(401, "Unauthorized", f"AccessKeyId is expired: {key.id}")
        return Principal(key.kind, key.id, key.agent, key.project, key.logstores, key.actions, user=key.user, roles=self._roles(key))

    def _roles(self, key: Key) -> Mapping[str, str]:
        """Those of its user at this moment, else its own."""
        if not key.user:
            return {key.project or EVERYTHING: key.role} if key.role else {}
        user = self._find_user(key.user)
        if user is None or not user.enabled:
            raise ApiError(401, "Unauthorized", f"AccessKeyId is disabled: {key.id}")
        return user.roles

    def check_body(self, request: SignedRequest, body: bytes, authorization: Authorization) -> None:
        """A signed hash that nobody compares protects nothing. Raises ApiError 401 SignatureNotMatch."""
        if not body_matches(replace(request, body=body), authorization):
            raise ApiError(401, "SignatureNotMatch", "the body does not have the hash that the signature covers")

    def _check_headers(self, request: SignedRequest) -> None:
        version = request.headers.get("x-log-apiversion", "")
        if not version:
            raise ApiError(400, "MissingAPIVersion", "the header x-log-apiversion is missing")
        if not version.startswith("0."):
            raise ApiError(400, "InvalidAPIVersion", f"x-log-apiversion `{version}` is not 0.x")

    def _authorization(self, request: SignedRequest) -> Authorization:
        text = request.headers.get("authorization", "")
        if not text:
            raise ApiError(401, "Unauthorized", "the request is not signed: the Authorization header is missing")
        try:
            authorization = parse_authorization(text)
        except ValueError as error:
            raise ApiError(400, "MissAccessKeyId", str(error)) from None
        if authorization.version == "v1":
            self._check_v1(request)
        return authorization

    def _check_v1(self, request: SignedRequest) -> None:
        method = request.headers.get("x-log-signaturemethod", "")
        if not method:
            raise ApiError(400, "MissingSignatureMethod", "the header x-log-signaturemethod is missing")
        if method.lower() != "hmac-sha1" or not self._settings.signature_v1:
            raise ApiError(400, "InvalidSignatureMethod", f"x-log-signaturemethod `{method}` is not accepted here")

    def _check_clock(self, request: SignedRequest, authorization: Authorization) -> None:
        if not (request.headers.get("date") or request.headers.get("x-log-date")):
            raise ApiError(400, "MissingDate", "neither Date nor x-log-date is given")
        try:
            date = signed_at(request, authorization)
        except ValueError as error:
            raise ApiError(400, "InvalidDateFormat", f"cannot read the date of the request: {error}") from None
        now = datetime.now(UTC)
        if abs((now - date).total_seconds()) > self._settings.clock_skew_secs:
            raise ApiError(
                400,
                "RequestTimeExpired",
                f"the request is dated {date:%Y-%m-%dT%H:%M:%SZ}, the server's time is {now:%Y-%m-%dT%H:%M:%SZ}: "
                f"more than {self._settings.clock_skew_secs} s apart",
            )
