# ruff: noqa: E501 - the fields of a logstore in one line
"""Three logstores as they are usual, small and always the same: nginx, a Java service, Kubernetes audit."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

START = 1_700_000_000
EVENTS = 240


@dataclass(frozen=True)
class Dataset:
    """`types` are those of the index; an event may lack a field."""

    types: Mapping[str, str]
    events: list[tuple[int, dict[str, str]]]
    """(time in seconds, fields)."""


def nginx() -> Dataset:
    dice = random.Random(1)
    types = {"remote_addr": "text", "method": "text", "uri": "text", "host": "text", "user_agent": "text", "status": "long", "bytes": "long",
             "request_time": "double"}  # fmt: skip
    events = [
        {
            "remote_addr": f"10.0.{dice.randrange(3)}.{dice.randrange(20)}",
            "method": dice.choice(["GET", "GET", "POST", "PUT"]),
            "uri": dice.choice(["/", "/login", "/api/v1/items", "/api/v1/items/7", "/static/app.js", "/health"]),
            "host": dice.choice(["www.example.com", "api.example.com"]),
            "user_agent": dice.choice(["Mozilla/5.0 (X11; Linux)", "curl/8.5", "kube-probe/1.29"]),
            "status": str(dice.choice([200, 200, 200, 301, 404, 500, 502])),
            "bytes": str(dice.randrange(100, 5000)),
            "request_time": str(dice.randrange(1, 4000) / 1000),
        }
        for _ in range(EVENTS)
    ]
    return Dataset(types, _timed(events, dice))


def java() -> Dataset:
    dice = random.Random(2)
    types = {"level": "text", "thread": "text", "class": "text", "message": "text", "cost": "long", "user": "text"}
    events = [
        {
            "level": dice.choice(["INFO", "INFO", "WARN", "ERROR", "DEBUG"]),
            "thread": f"pool-1-thread-{dice.randrange(5)}",
            "class": dice.choice(["com.shop.Order", "com.shop.Cart", "com.shop.pay.Gateway"]),
            "message": dice.choice(["order created", "payment timeout after retry", "cart is empty", "connection reset by peer"]),
            **({"cost": str(dice.randrange(1, 900))} if dice.random() < 0.8 else {}),
            "user": f"u{dice.randrange(12)}",
        }
        for _ in range(EVENTS)
    ]
    return Dataset(types, _timed(events, dice))


def kubernetes() -> Dataset:
    dice = random.Random(3)
    types = {
        "verb": "text",
        "resource": "text",
        "namespace": "text",
        "username": "text",
        "code": "long",
        "latency": "double",
        "stage": "text",
    }
    events = [
        {
            "verb": dice.choice(["get", "list", "watch", "create", "delete", "patch"]),
            "resource": dice.choice(["pods", "secrets", "configmaps", "deployments"]),
            "namespace": dice.choice(["default", "kube-system", "shop"]),
            "username": dice.choice(["system:node:n1", "admin", "system:serviceaccount:shop:api"]),
            "code": str(dice.choice([200, 200, 201, 403, 404, 409])),
            "latency": str(dice.randrange(1, 2000) / 8),
            "stage": "ResponseComplete",
        }
        for _ in range(EVENTS)
    ]
    return Dataset(types, _timed(events, dice))


def _timed(events: list[dict[str, str]], dice: random.Random) -> list[tuple[int, dict[str, str]]]:
    return sorted(((START + dice.randrange(7200), event) for event in events), key=lambda pair: pair[0])


DATASETS = {"nginx": nginx(), "java": java(), "kubernetes": kubernetes()}
