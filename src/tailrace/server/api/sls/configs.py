"""Collection configs in the classic form and in that of pipelines (sls-api §3.4). Both share their names; what is saved is kept word for
word, after the check that `tailrace config check` makes."""

from functools import partial
from typing import Any, Literal

from tailrace.errors import ApiError
from tailrace.server.api.call import Call, Response, Route, json_response, ok
from tailrace.server.api.sls.paging import page_of, text_in
from tailrace.server.db.records import Config
from tailrace.server.fleet.pipelines import NAME, check_config, logstores_of
from tailrace.server.limits import most_of

CLASSIC, PIPELINE = "classic", "pipeline"
Form = Literal["classic", "pipeline"]


async def create_config(call: Call, *, form: Form) -> Response:
    project, document = call.require_project(), _document(call)
    name = document.get("configName")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise _invalid(f"config name `{name}` is not 2 to 128 of letters, digits, - _ and ., with a letter or digit at both ends")
    _check(call, name, document, form)
    most = most_of("configs", project, call.settings)
    await call.collection.create_config(project, name, form, document, call.principal.author, most=most)
    return ok()


async def get_config(call: Call, *, form: Form) -> Response:
    config = _config(call, form)
    return json_response({**config.document, "configName": config.name, "createTime": config.created, "lastModifyTime": config.modified})


async def update_config(call: Call, *, form: Form) -> Response:
    config, document = _config(call, form), _document(call)
    if document.get("configName", config.name) != config.name:
        raise _invalid(f"config `{config.name}` cannot be renamed to `{document['configName']}`")
    _check(call, config.name, document, form)
    await call.collection.change_config(config.project, config.name, document, call.principal.author)
    return ok()


async def delete_config(call: Call, *, form: Form) -> Response:
    config = _config(call, form)
    await call.collection.delete_config(config.project, config.name)
    return ok()


async def list_configs(call: Call, *, form: Form) -> Response:
    project = call.require_project().name
    part, logstore = call.query.get("configName", ""), call.query.get("logstoreName", "")
    names = [
        config.name
        for config in call.collection.configs(project)
        if config.form == form and text_in(part, config.name) and (not logstore or logstore in logstores_of(config.document, project))
    ]
    page, counts = page_of(call, names)
    return json_response({**counts, "configs": list(page)})


async def list_groups_of_config(call: Call) -> Response:
    """Of either form: a group does not care."""
    config = call.collection.config(call.require_project().name, call.parameters["config"])
    names = [group.name for group in call.collection.groups_of(config)]
    return json_response({"count": len(names), "machinegroups": names})


def _config(call: Call, form: Form) -> Config:
    config = call.collection.config(call.require_project().name, call.parameters["config"])
    if config.form != form:
        raise ApiError(404, "ConfigNotExist", f"config `{config.name}` has the {config.form} form, it stands under the other address")
    return config


def _document(call: Call) -> dict[str, Any]:
    """Without the times, which a client that writes back what it read sends along."""
    return {key: value for key, value in call.json_object().items() if key not in ("createTime", "lastModifyTime")}


def _check(call: Call, name: str, document: dict[str, Any], form: Form) -> None:
    project = call.require_project().name
    if ("inputDetail" in document or "outputDetail" in document) != (form == CLASSIC):
        raise _invalid("`inputDetail` and `outputDetail` go to /configs, `inputs` and `flushers` to /pipelineconfigs")
    check_config(name, document, form, project)
    for logstore in logstores_of(document, project):
        call.logstore(logstore)


def _invalid(message: str) -> ApiError:
    return ApiError(400, "InvalidParameter", message)


def _routes(path: str, form: Form, noun: str) -> tuple[Route, ...]:
    one = path + "/{config}"
    return (
        Route("POST", path, f"log:Create{noun}", partial(create_config, form=form)),
        Route("GET", path, f"log:List{noun}", partial(list_configs, form=form)),
        Route("GET", one, f"log:Get{noun}", partial(get_config, form=form)),
        Route("PUT", one, f"log:Update{noun}", partial(update_config, form=form)),
        Route("DELETE", one, f"log:Delete{noun}", partial(delete_config, form=form)),
    )


ROUTES = (
    *_routes("/configs", CLASSIC, "Config"),
    *_routes("/pipelineconfigs", PIPELINE, "LogtailPipelineConfig"),
    Route("GET", "/configs/{config}/machinegroups", "log:GetAppliedMachineGroups", list_groups_of_config),
)
