"""Users, passwords, sessions and keys: who gets in, how far, and for how long."""

import json
import sqlite3
import time
from contextlib import closing
from http.cookies import SimpleCookie

import pytest

from tests.integration.server.people import PASSWORD, bearer, log_in, make_key, make_user, send


@pytest.fixture(scope="module")
def project(server) -> str:
    name = server.fresh_name("people")
    server.make_logstore(name, "access")
    return name


def read(server, project: str, key: tuple[str, str]) -> int:
    """Status of an operation that readers may."""
    return server.request("GET", "/logstores", project=project, key=key).status


def change(server, project: str, key: tuple[str, str]) -> int:
    """Status of an operation that operators may."""
    body = json.dumps({"logstoreName": server.fresh_name("made"), "ttl": 1, "shardCount": 1}).encode()
    return server.request("POST", "/logstores", project=project, body=body, key=key).status


class TestSessions:
    def test_a_password_opens_a_session_that_knows_its_user(self, server, project: str) -> None:
        name = make_user(server, {project: "reader"})
        token = log_in(server, name).json()["token"]
        me = send(server, "GET", "/sessions/current", headers=bearer(token)).json()
        assert (me["user"], me["roles"]) == (name, {project: "reader"})

    def test_a_wrong_password_and_an_unknown_user_look_the_same(self, server) -> None:
        name = make_user(server, {})
        answers = [log_in(server, name, "wrong"), log_in(server, "nobody-" + name, "wrong")]
        assert [(answer.status, answer.code) for answer in answers] == [(401, "LoginFailed")] * 2
        assert len({answer.json()["errorMessage"] for answer in answers}) == 1

    def test_it_ends_with_the_logout(self, server) -> None:
        token = log_in(server, make_user(server, {})).json()["token"]
        assert send(server, "DELETE", "/sessions/current", headers=bearer(token)).status == 200
        answer = send(server, "GET", "/sessions/current", headers=bearer(token))
        assert (answer.status, answer.code) == (401, "SessionExpired")

    def test_it_ends_with_another_password_and_the_old_one_is_worth_nothing(self, server) -> None:
        name = make_user(server, {})
        token, own = (log_in(server, name).json()["token"] for _ in range(2))
        wanted = {"password": "another password", "old_password": PASSWORD}
        assert send(server, "PUT", f"/users/{name}/password", {**wanted, "old_password": "?"}, bearer(own)).code == "LoginFailed"
        assert send(server, "PUT", f"/users/{name}/password", wanted, bearer(own)).status == 200
        assert send(server, "GET", "/sessions/current", headers=bearer(token)).code == "SessionExpired"
        assert send(server, "GET", "/sessions/current", headers=bearer(own)).status == 200
        assert (log_in(server, name).code, log_in(server, name, "another password").status) == ("LoginFailed", 200)

    def test_it_ends_with_its_user(self, server) -> None:
        name = make_user(server, {"*": "admin"})
        token = log_in(server, name).json()["token"]
        assert server.call("PUT", f"/users/{name}", {"enabled": False}).status == 200
        assert send(server, "GET", "/users", headers=bearer(token)).code == "SessionExpired"
        assert log_in(server, name).code == "LoginFailed"

    def test_a_token_that_is_not_whole_opens_nothing(self, server) -> None:
        token = log_in(server, make_user(server, {})).json()["token"]
        for wrong in (token[:-1], token + "x", token.replace(".", "", 1), "trs1..", "", "trs1." + "a" * 16 + "." + "b" * 43):
            assert send(server, "GET", "/sessions/current", headers=bearer(wrong)).status in (400, 401)

    def test_a_cookie_reads_and_changes_only_with_its_csrf_token(self, server) -> None:
        name = make_user(server, {"*": "admin"})
        answer = log_in(server, name)
        cookie = SimpleCookie(answer.headers["set-cookie"])["tailrace_session"]
        assert (cookie["httponly"], cookie["samesite"].lower(), cookie["path"]) == (True, "strict", "/api/v1")
        sent = {"cookie": f"tailrace_session={cookie.value}"}
        assert send(server, "GET", "/users", headers=sent).status == 200
        document = {"name": server.fresh_name("made"), "password": PASSWORD}
        for wrong in ({}, {"x-tailrace-csrf": ""}, {"x-tailrace-csrf": "0" * 64}):
            refused = send(server, "POST", "/users", document, {**sent, **wrong})
            assert (refused.status, refused.code) == (403, "CsrfTokenInvalid")
        right = {"x-tailrace-csrf": answer.json()["csrf_token"]}
        assert send(server, "GET", "/sessions/current", headers=sent).json()["csrf_token"] == right["x-tailrace-csrf"]
        assert send(server, "POST", "/users", document, {**sent, **right}).status == 200

    def test_it_opens_nothing_of_the_sls_api(self, server, project: str) -> None:
        token = log_in(server, make_user(server, {"*": "admin"})).json()["token"]
        headers = {"host": f"{project}.127.0.0.1", "x-log-apiversion": "0.6.0", **bearer(token)}
        assert server.send("GET", "/logstores", headers).code == "MissAccessKeyId"


class TestUsers:
    @pytest.mark.parametrize("wrong", ["short", "x" * 257, ""])
    def test_a_password_has_a_length(self, server, wrong: str) -> None:
        answer = server.call("POST", "/users", {"name": server.fresh_name("user"), "password": wrong})
        assert (answer.status, answer.code) == (400, "ParameterInvalid")

    def test_a_name_is_taken_once(self, server) -> None:
        name = make_user(server, {})
        assert server.call("POST", "/users", {"name": name, "password": PASSWORD}).code == "UserAlreadyExist"

    def test_a_role_needs_its_project(self, server) -> None:
        document = {"name": server.fresh_name("user"), "password": PASSWORD, "roles": {"no-such-project": "reader"}}
        assert server.call("POST", "/users", document).code == "ProjectNotExist"

    @pytest.mark.sqlite
    def test_nothing_of_a_password_lies_in_the_database(self, server) -> None:
        name = make_user(server, {})
        with closing(sqlite3.connect(server.home / "server" / "meta.db")) as connection:
            ((kept,),) = connection.execute("SELECT password_hash FROM users WHERE name = ?", [name]).fetchall()
            dump = "\n".join(connection.iterdump())
        assert kept.startswith("$argon2id$")
        assert PASSWORD not in dump

    def test_an_administrator_of_a_project_gives_roles_in_it_and_nowhere_else(self, server, project: str) -> None:
        boss, other = make_user(server, {project: "admin"}), make_user(server, {})
        token = log_in(server, boss).json()["token"]
        elsewhere = server.fresh_name("other")
        server.make_logstore(elsewhere, "access")
        give = {"role": "operator"}
        assert send(server, "PUT", f"/projects/{project}/roles/{other}", give, bearer(token)).status == 200
        assert {"user": other, "role": "operator"} in send(server, "GET", f"/projects/{project}/roles", headers=bearer(token)).json()
        assert send(server, "PUT", f"/projects/{elsewhere}/roles/{other}", give, bearer(token)).status == 401
        for path in ("/users", f"/users/{other}", f"/projects/{elsewhere}/roles"):
            assert send(server, "GET", path, headers=bearer(token)).status == 401
        assert send(server, "DELETE", f"/projects/{project}/roles/{other}", headers=bearer(token)).status == 200
        assert server.call("GET", f"/users/{other}").json()["roles"] == {}

    def test_a_project_that_is_made_again_knows_nobody(self, server) -> None:
        project = server.fresh_name("again")
        server.make_logstore(project, "access")
        name = make_user(server, {project: "admin"})
        key = make_key(server, role="admin", project=project)
        assert server.request("DELETE", "/", project=project).status == 200
        server.make_logstore(project, "access")
        assert server.call("GET", f"/users/{name}").json()["roles"] == {}
        assert read(server, project, key) == 401


class TestKeys:
    def test_a_key_does_what_its_user_may_at_this_moment(self, server, project: str) -> None:
        name = make_user(server, {project: "reader"})
        key = make_key(server, user=name)
        assert (read(server, project, key), change(server, project, key)) == (200, 401)
        server.call("PUT", f"/users/{name}", {"roles": {project: "operator"}})
        assert (read(server, project, key), change(server, project, key)) == (200, 200)
        server.call("PUT", f"/users/{name}", {"roles": {}})
        assert (read(server, project, key), change(server, project, key)) == (401, 401)
        server.call("DELETE", f"/users/{name}")
        assert server.request("GET", "/logstores", project=project, key=key).json()["errorMessage"].startswith("AccessKeyId not found")

    @pytest.mark.parametrize(
        ("scope", "reads", "changes"),
        [
            ({}, 200, 200),
            ({"project": "other-project"}, 401, 401),
            ({"actions": ["log:List*"]}, 200, 401),
            ({"actions": ["log:Create*"]}, 401, 200),
            ({"logstores": ["access"]}, 200, 401),
        ],
    )
    def test_a_scope_only_narrows(self, server, project: str, scope: dict, reads: int, changes: int) -> None:
        if "project" in scope:
            scope = {"project": server.fresh_name("other")}
            server.make_logstore(scope["project"], "access")
        key = make_key(server, user=make_user(server, {project: "operator"}), **scope)
        assert (read(server, project, key), change(server, project, key)) == (reads, changes)

    def test_a_program_has_a_role_of_its_own(self, server, project: str) -> None:
        key = make_key(server, role="reader", project=project, note="nightly report")
        assert (read(server, project, key), change(server, project, key)) == (200, 401)

    def test_it_ends_when_it_expires_and_when_it_is_revoked(self, server, project: str) -> None:
        short, long = (make_key(server, role="reader", project=project, expires_secs=secs) for secs in (1, 60))
        assert server.call("DELETE", f"/keys/{long[0]}").status == 200
        assert read(server, project, long) == 401
        until = time.monotonic() + 30
        while read(server, project, short) == 200 and time.monotonic() < until:
            time.sleep(0.2)
        assert read(server, project, short) == 401

    def test_another_secret_ends_the_one_before(self, server, project: str) -> None:
        key = make_key(server, role="reader", project=project)
        again = server.call("POST", f"/keys/{key[0]}/reset").json()["key_secret"]
        assert (read(server, project, key), read(server, project, (key[0], again))) == (401, 200)

    def test_people_make_keys_of_their_own_that_may_do_no_more_and_see_no_others(self, server, project: str) -> None:
        name = make_user(server, {project: "reader"})
        stranger = make_key(server, role="admin", project=project)
        token = log_in(server, name).json()["token"]
        made = send(server, "POST", "/keys", {"user": name}, bearer(token)).json()
        key = (made["id"], made["key_secret"])
        assert (read(server, project, key), change(server, project, key)) == (200, 401)
        assert [one["id"] for one in send(server, "GET", "/keys", headers=bearer(token)).json()] == [made["id"]]
        for wanted in ({"role": "reader", "project": project}, {"role": "admin"}, {"user": make_user(server, {"*": "admin"})}):
            assert send(server, "POST", "/keys", wanted, bearer(token)).status == 401
        for path, method in ((f"/keys/{stranger[0]}", "DELETE"), (f"/keys/{stranger[0]}/reset", "POST"), (f"/keys/{stranger[0]}", "GET")):
            assert send(server, method, path, headers=bearer(token)).code == "KeyNotExist"

    def test_a_narrow_key_makes_no_wide_one(self, server, project: str) -> None:
        boss = make_user(server, {"*": "admin"})
        narrow = make_key(server, user=boss, actions=["tailrace:*"])
        for wanted in ({"user": boss}, {"role": "admin"}):
            body = json.dumps(wanted).encode()
            headers = {"content-type": "application/json"}
            assert server.request("POST", "/api/v1/keys", body=body, headers=headers, key=narrow).status == 401

    def test_agents_keys_are_nobodys_business(self, server, project: str) -> None:
        key_id, _ = server.enrol(server.fresh_name("host"), project, ["access"])
        assert server.call("DELETE", f"/keys/{key_id}").code == "KeyNotExist"
        assert key_id not in [one["id"] for one in server.call("GET", "/keys").json()]

    def test_the_servers_own_key_cannot_be_revoked(self, server) -> None:
        assert server.call("DELETE", f"/keys/{server.key_id}").status == 400


def test_only_projects_with_a_role_are_listed(server, project: str) -> None:
    key = make_key(server, user=make_user(server, {project: "reader"}))
    names = [one["projectName"] for one in server.request("GET", "/", key=key).json()["projects"]]
    assert names == [project]


def test_who_manages_one_project_makes_no_other(server, project: str) -> None:
    key = make_key(server, role="admin", project=project)
    body = json.dumps({"projectName": server.fresh_name("evil"), "description": ""}).encode()
    assert server.request("POST", "/", project=project, body=body, key=key).status == 401
    assert server.request("POST", "/", body=body, key=key).status == 401
