"""Machine groups, their machines, and the configs that are applied to them (sls-api §3.5)."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tailrace.errors import ApiError
from tailrace.server.api.call import Call, Response, Route, json_response, ok
from tailrace.server.api.sls.paging import page_of, text_in
from tailrace.server.db.records import MachineGroup
from tailrace.server.limits import most_of

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,126}[a-z0-9]")
MACHINE_ID = re.compile(r"[^\s\x00-\x1f\x7f]{1,256}")
MAX_MACHINES, MAX_ATTRIBUTE = 10_000, 255
TYPES = ("", "Armory")


async def create_group(call: Call) -> Response:
    project, body = call.require_project(), call.json_object()
    name = body.get("groupName")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise _invalid(f"group name `{name}` is not 2 to 128 of a-z, 0-9, - and _, with a letter or digit at both ends")
    most = most_of("machine_groups", project, call.settings)
    await call.collection.create_group(project, _group(body, project.name, name), most=most)
    return ok()


async def get_group(call: Call) -> Response:
    group = _known(call)
    return json_response(
        {
            "groupName": group.name,
            "groupType": group.group_type,
            "groupAttribute": group.attribute,
            "machineIdentifyType": group.identify_by,
            "machineList": group.machines,
            "createTime": group.created,
            "lastModifyTime": group.modified,
        }
    )


async def update_group(call: Call) -> Response:
    group, body = _known(call), call.json_object()
    if body.get("groupName", group.name) != group.name:
        raise _invalid(f"machine group `{group.name}` cannot be renamed to `{body['groupName']}`")
    changed = _group(body, group.project, group.name)
    await call.collection.change_group(group.project, group.name, lambda _: changed)
    return ok()


async def delete_group(call: Call) -> Response:
    group = _known(call)
    await call.collection.delete_group(group.project, group.name)
    return ok()


async def list_groups(call: Call) -> Response:
    part = call.query.get("groupName", "")
    names = [group.name for group in call.collection.groups(call.require_project().name) if text_in(part, group.name)]
    page, counts = page_of(call, names)
    return json_response({**counts, "machinegroups": list(page)})


async def change_machines(call: Call) -> Response:
    """UpdateMachineGroupMachine of the Java SDK: the body is a list of machines."""
    group, action = _known(call), call.query.get("action", "")
    if action not in ("add", "delete"):
        raise _invalid(f"action `{action}` is not add or delete")
    body = call.json()

    def changed(known: MachineGroup) -> MachineGroup:
        machines = _machines(body, known.identify_by)
        left = [one for one in known.machines if one not in set(machines)]
        kept = [*left, *machines] if action == "add" else left
        return replace(known, machines=_machines(kept, known.identify_by))

    await call.collection.change_group(group.project, group.name, changed)
    return ok()


async def list_machines(call: Call) -> Response:
    """Those that have sent a heartbeat."""
    machines = [
        {
            "ip": report.address,
            "machine-uniqueid": report.machine_id,
            "userdefined-id": ",".join(report.user_defined_ids),
            "lastHeartbeatTime": report.last_beat,
        }
        for report in call.services.membership.members(_known(call))
    ]
    page, counts = page_of(call, machines)
    return json_response({**counts, "machines": list(page)})


async def list_configs_of_group(call: Call) -> Response:
    names = [config.name for config in call.collection.configs_of(_known(call))]
    return json_response({"count": len(names), "configs": names})


async def apply_config(call: Call) -> Response:
    await call.collection.apply(call.require_project().name, call.parameters["group"], call.parameters["config"])
    return ok()


async def remove_config(call: Call) -> Response:
    await call.collection.remove(call.require_project().name, call.parameters["group"], call.parameters["config"])
    return ok()


def _known(call: Call) -> MachineGroup:
    return call.collection.group(call.require_project().name, call.parameters["group"])


def _group(body: Mapping[str, Any], project: str, name: str) -> MachineGroup:
    """Its id and times are the collection's business."""
    identify_by, group_type = body.get("machineIdentifyType"), body.get("groupType") or ""
    if identify_by not in ("ip", "userdefined"):
        raise _invalid(f"machineIdentifyType `{identify_by}` is not ip or userdefined")
    if group_type not in TYPES:
        raise _invalid(f"groupType `{group_type}` is neither empty nor Armory")
    machines = _machines(body.get("machineList"), identify_by)
    return MachineGroup(0, project, name, identify_by, machines, group_type, _attribute(body.get("groupAttribute")), 0, 0)


def _machines(value: object, identify_by: str) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_MACHINES:
        raise _invalid(f"machineList has to be a list of up to {MAX_MACHINES:,} texts")
    for machine in value:
        if not isinstance(machine, str) or not (_is_address(machine) if identify_by == "ip" else MACHINE_ID.fullmatch(machine)):
            raise _invalid(f"machineList holds `{machine}`, which is no {'IP address' if identify_by == 'ip' else 'user-defined id'}")
    return tuple(dict.fromkeys(value))


def _attribute(value: object) -> dict[str, str]:
    if not isinstance(value, dict | None):
        raise _invalid("groupAttribute has to be a map")
    attribute: dict[str, str] = {}
    for key, text in (value or {}).items():
        if key not in ("groupTopic", "externalName") or not isinstance(text, str) or len(text) > MAX_ATTRIBUTE:
            raise _invalid(f"groupAttribute.{key} is not groupTopic or externalName with a text of up to {MAX_ATTRIBUTE} characters")
        attribute[key] = text
    return attribute


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _invalid(message: str) -> ApiError:
    return ApiError(400, "InvalidParameter", message)


GROUP = "/machinegroups/{group}"
APPLIED = GROUP + "/configs/{config}"

ROUTES = (
    Route("POST", "/machinegroups", "log:CreateMachineGroup", create_group),
    Route("GET", "/machinegroups", "log:ListMachineGroup", list_groups),
    Route("GET", GROUP, "log:GetMachineGroup", get_group),
    Route("PUT", GROUP, "log:UpdateMachineGroup", update_group),
    Route("DELETE", GROUP, "log:DeleteMachineGroup", delete_group),
    Route("GET", GROUP + "/machines", "log:ListMachines", list_machines),
    Route("PUT", GROUP + "/machines", "log:UpdateMachineGroupMachine", change_machines),
    Route("GET", GROUP + "/configs", "log:GetAppliedConfigs", list_configs_of_group),
    Route("PUT", APPLIED, "log:ApplyConfigToMachineGroup", apply_config),
    Route("DELETE", APPLIED, "log:RemoveConfigFromMachineGroup", remove_config),
)
