# ruff: noqa: E501 - the fields of a logstore in one line
"""Four logstores as they are usual, small and always the same: nginx, a Java service, Kubernetes audit, MySQL binlog."""

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


def binlog() -> Dataset:
    """As the binlog input writes rows: old values of an update beside the new ones, DDL with its statement."""
    dice = random.Random(4)
    types = {
        "_event_": "text", "_db_": "text", "_table_": "text", "_host_": "text", "_event_time_": "long", "id": "long", "state": "text",
        "_old_state": "text", "amount": "double", "_old_amount": "double", "Query": "text",
    }  # fmt: skip
    events = [_binlog_event(dice) for _ in range(EVENTS)]
    made = _timed(events, dice)
    return Dataset(types, [(time, {**event, "_event_time_": str(time - dice.randrange(4))}) for time, event in made])


def _binlog_event(dice: random.Random) -> dict[str, str]:
    event = dice.choice(["row_insert", "row_insert", "row_update", "row_update", "row_update", "row_delete", "ddl"])
    at = {"_event_": event, "_db_": dice.choice(["shop", "shop", "billing"]), "_host_": dice.choice(["db-1", "db-2"])}
    if event == "ddl":
        return {**at, "Query": dice.choice(["ALTER TABLE orders ADD COLUMN note text", "CREATE INDEX by_state ON orders (state)"])}
    states = ["new", "paid", "sent", "closed"]
    row = {"id": str(dice.randrange(60)), "state": dice.choice(states), "amount": str(dice.randrange(4, 4000) / 4)}
    old = {"_old_state": dice.choice(states), "_old_amount": str(dice.randrange(4, 4000) / 4)} if event == "row_update" else {}
    return {**at, "_table_": dice.choice(["orders", "orders", "users", "payments"]), **row, **old}


def _timed(events: list[dict[str, str]], dice: random.Random) -> list[tuple[int, dict[str, str]]]:
    return sorted(((START + dice.randrange(7200), event) for event in events), key=lambda pair: pair[0])


DATASETS = {"nginx": nginx(), "java": java(), "kubernetes": kubernetes(), "binlog": binlog()}
