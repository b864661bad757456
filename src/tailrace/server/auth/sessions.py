"""Logging in: a password makes a session, whose token is sent along as `Authorization: Bearer …`, or by browsers as a cookie. A cookie
alone changes nothing: whoever uses it has to say the session's CSRF token, which no other site can read."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Final

from tailrace import telemetry
from tailrace.errors import ApiError
from tailrace.server.auth.passwords import Passwords
from tailrace.server.auth.principal import Principal
from tailrace.server.db.accounts import Accounts
from tailrace.server.db.records import LoginSession, User
from tailrace.server.fleet.attempts import Attempts
from tailrace.server.settings import Settings

COOKIE: Final = "tailrace_session"
CSRF_HEADER: Final = "x-tailrace-csrf"
BEARER: Final = "Bearer "
PREFIX: Final = "trs1"
MOST_PER_USER: Final = 50
"""The oldest ends when there are more."""
FAILURES = telemetry.counter("tailrace_login_failures_total", "Logins that were refused.", "reason")

log = telemetry.logger("server.sessions")


class Sessions:
    """One per server."""

    def __init__(self, accounts: Accounts, passwords: Passwords, settings: Settings) -> None:
        self._accounts = accounts
        self._passwords = passwords
        self._lives_secs = settings.session_secs
        self._by_address = Attempts(what="log in have failed from this address")
        self._by_user = Attempts(what="log in as this user have failed")

    async def login(self, name: str, password: str, address: str) -> tuple[str, LoginSession]:
        """The session with its token, which is seen this once. Raises ApiError 401 LoginFailed, 429 TooManyAttempts."""
        try:
            self._by_address.admit(address)
            self._by_user.admit(name)
        except ApiError:
            FAILURES.labels(reason="too many").inc()
            raise
        user = self._accounts.user(name)
        genuine = await self._passwords.matches(password, None if user is None else user.password_hash)
        if user is None or not genuine or not user.enabled:
            self._by_address.failed(address)
            self._by_user.failed(name)
            FAILURES.labels(reason="wrong").inc()
            log.warning("a login was refused", user=name, address=address)
            raise ApiError(401, "LoginFailed", "the name or the password is wrong, or the user is disabled")
        secret, now = secrets.token_urlsafe(32), int(time.time())
        login = LoginSession(secrets.token_hex(8), _hash(secret), user.name, address[:64], now, now + self._lives_secs)
        await self._accounts.add_session(login, now, checked=user)
        surplus = {one.id for one in self._accounts.sessions(user.name)[:-MOST_PER_USER]}
        await self._accounts.end_sessions(user.name, lambda one: one.id in surplus)
        return f"{PREFIX}.{login.id}.{secret}", login

    async def confirm(self, user: User, password: str) -> None:
        """That who is logged in knows the password. Guessing is bounded as in `login`. Raises ApiError 401 LoginFailed, 429."""
        self._by_user.admit(user.name)
        if not await self._passwords.matches(password, user.password_hash):
            self._by_user.failed(user.name)
            raise ApiError(401, "LoginFailed", "the old password is wrong")

    def principal(self, token: str) -> Principal:
        """Who has logged in. Raises ApiError 401 SessionExpired, for whatever is wrong with the token."""
        prefix, _, rest = token.partition(".")
        session_id, _, secret = rest.partition(".")
        session = self._accounts.session(session_id) if prefix == PREFIX else None
        user = self._accounts.user(session.user) if session is not None else None
        genuine = hmac.compare_digest(session.secret_hash if session is not None else _hash(""), _hash(secret))
        if session is None or user is None or not genuine or session.expires <= time.time() or not user.enabled:
            raise ApiError(401, "SessionExpired", "the session is unknown or has ended: log in again")
        return Principal("user", f"session {session.id}", user=user.name, roles=user.roles)


def token_of(headers: Mapping[str, str]) -> tuple[str, bool]:
    """The session's token, and whether a browser sent it by itself; ("", False) without one."""
    authorization = headers.get("authorization", "")
    if authorization:
        return (authorization.removeprefix(BEARER).strip(), False) if authorization.startswith(BEARER) else ("", False)
    cookies = SimpleCookie()
    try:
        cookies.load(headers.get("cookie", ""))
    except CookieError:
        return "", False
    found = cookies.get(COOKIE)
    return ("", False) if found is None else (found.value, True)


def csrf_token(token: str) -> str:
    """What belongs to a session's token and gives nothing of it away."""
    return hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest()


def check_csrf(token: str, headers: Mapping[str, str]) -> None:
    """Raises ApiError 403 CsrfTokenInvalid."""
    if not hmac.compare_digest(csrf_token(token), headers.get(CSRF_HEADER, "").encode("ascii", "replace").decode()):
        raise ApiError(403, "CsrfTokenInvalid", f"a session in a cookie changes nothing without its `{CSRF_HEADER}`")


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
