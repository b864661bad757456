"""Every operation that a server serves, with a request for each: of the SLS API from its routes, of `/api/v1` from the OpenAPI that it
gives out, so that an operation that is new is tried as well."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tailrace.server.api.sls.api import ROUTES
from tailrace.testing.server import Answer
from tests.conftest import RunningServer

OPEN = {("GET", "/roots"), ("POST", "/agents/enrol"), ("POST", "/agents/keys"), ("GET", "/agents/self"), ("POST", "/sessions")}
"""They know their callers by something else than a key, or tell what everybody may know."""
OWN_THINGS = ("/sessions/current",)
BODIES: dict[str, dict[str, Any]] = {
    "PUT /projects/{project}/pipelines/{name}": {"text": "inputs: []"},
    "PUT /users/{name}/password": {"password": "another password", "old_password": "another one"},
    "POST /users": {"name": "made-by-a-test", "password": "correct horse battery"},
    "POST /keys": {"role": "reader"},
    "POST /tokens": {"project": "{project}"},
    "POST /projects/{project}/commands": {"command": {"kind": "restart"}},
}
QUERIES = {"GET /projects/{project}/logstores/{logstore}/tail/stream": "secs=0.1"}
"""What makes an answer end that goes on otherwise."""
TEXTS = ("app", "web-shop", "0" * 32, "0" * 16, "10", "10.0.0.1", "2026-01-01T00:00:00Z", "*", "a" * 64)
"""One of them fits most patterns."""


@dataclass(frozen=True)
class Operation:
    """One operation with values for what stands in braces in its path."""

    api: str
    method: str
    pattern: str
    query: str
    action: str
    body: bytes
    defaults: tuple[tuple[str, str], ...] = ()
    """For what stands in braces and nobody gives a value for."""

    @property
    def name(self) -> str:
        return f"{self.api} {self.method} {self.pattern}{'?' + self.query if self.query else ''}"

    def target(self, values: Mapping[str, str]) -> str:
        known = {**dict(self.defaults), **values}
        path = re.sub(r"\{(\w+)\}", lambda match: known.get(f"{self.pattern}:{match[1]}", known.get(match[1], "app")), self.pattern)
        return f"{'/api/v1' if self.api == 'own' else ''}{path}{'?' + self.query if self.query else ''}"

    def send(self, server: RunningServer, project: str, values: Mapping[str, str], key: tuple[str, str]) -> Answer:
        headers = {"content-type": "application/json"} if self.body else {}
        host = project if self.api == "sls" else None
        body = self.body.replace(b"{project}", project.encode())
        return server.request(self.method, self.target({**values, "project": project}), project=host, body=body, headers=headers, key=key)


def operations(server: RunningServer) -> list[Operation]:
    """All of them; those that end something for good come last."""
    found = [*_sls(), *_own(server)]
    return sorted(found, key=lambda one: (one.method == "DELETE", one.pattern in ("/", "/users/{name}")))


def _sls() -> Iterator[Operation]:
    for route in ROUTES:
        query = "&".join(f"{name}={value}" for name, value in route.match.items())
        if route.pattern == "/" and route.project is False:
            continue  # a list of what the caller may see, which has no project in its host
        body = b"" if route.method in ("GET", "DELETE") else b'{"projectName": "{project}", "x": 1}'
        yield Operation("sls", route.method, route.pattern, query, route.action, body)


def _own(server: RunningServer) -> Iterator[Operation]:
    document = server.send("GET", "/api/v1/openapi.json", {"host": "127.0.0.1"}).json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if (method.upper(), path) in OPEN or path in OWN_THINGS:
                continue
            schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            key = f"{method.upper()} {path}"
            body = b"" if schema is None else json.dumps(BODIES.get(key) or _sample(schema, document)).encode()
            parameters = [one for one in operation.get("parameters", []) if one["in"] == "query" and one.get("required")]
            query = QUERIES.get(key) or "&".join(f"{one['name']}={_sample(one['schema'], document)}" for one in parameters)
            inside = [one for one in operation.get("parameters", []) if one["in"] == "path"]
            defaults = tuple((one["name"], str(_sample(one["schema"], document))) for one in inside)
            yield Operation("own", method.upper(), path, query, "", body, defaults)


def _sample(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    """A small value that the schema takes; what it does not require is left out."""
    if "$ref" in schema:
        return _sample(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return _sample(schema[several][0], document)
    if "enum" in schema or "const" in schema:
        return schema["enum"][0] if "enum" in schema else schema["const"]
    match schema.get("type"):
        case "object":
            required = schema.get("required", [])
            return {name: _sample(schema["properties"][name], document) for name in required}
        case "array":
            return [_sample(schema["items"], document)] * schema.get("minItems", 0)
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return True
        case "string":
            fitting = (text for text in TEXTS if re.search(schema.get("pattern", ""), text))
            return next(fitting, "app").ljust(schema.get("minLength", 0), "x")
    return {}
