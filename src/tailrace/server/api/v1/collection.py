"""What agents collect, beyond the SLS API: pipelines as YAML, versions of configs, and who is in a machine group and who is not."""

from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tailrace.errors import ApiError, ConfigErrors
from tailrace.pipeline.classic import is_classic
from tailrace.pipeline.documents import MAX_BYTES, read
from tailrace.server.api.call import Services
from tailrace.server.api.v1.signed import Caller, Server
from tailrace.server.auth.authorize import Resource, authorize
from tailrace.server.auth.principal import Principal
from tailrace.server.db.changes import changed
from tailrace.server.db.records import Config, Project
from tailrace.server.fleet.instance_configs import InstanceConfig
from tailrace.server.fleet.pipelines import NAME, check_config, logstores_of
from tailrace.server.limits import most_of

router = APIRouter(prefix="/projects/{project}", tags=["collection"])

ProjectName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")]
GroupName = Annotated[str, Path(max_length=128)]
ConfigName = Annotated[str, Path(max_length=128)]


class PipelineText(BaseModel):
    """A pipeline as a person writes it."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, StringConstraints(max_length=MAX_BYTES)] = Field(description="YAML, or JSON, which is YAML too.")


class SavedConfig(BaseModel):
    """A config in its present version. Times are Unix seconds."""

    name: str
    form: Literal["classic", "pipeline"]
    version: int
    author: str = Field(description="Who saved this version.")
    modified: int
    logstores: list[str] = Field(description="Logstores of the project that it writes to.")
    groups: list[str] = Field(description="Machine groups that it is applied to.")


class SavedVersion(BaseModel):
    """One version as it was."""

    version: int
    author: str
    saved: int
    document: dict[str, Any]


class Rollback(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, description="The version whose document is to be the next one.")


class Member(BaseModel):
    """An agent of a machine group, as it reports itself."""

    agent_id: str
    host_name: str
    address: str
    user_defined_ids: list[str]
    version: str
    last_beat: int
    configs: dict[str, str] = Field(description="Config → applied, applying, or failed: and why.")


class Outsider(BaseModel):
    """A machine that the group names, or an agent that carries its label, and that is no member."""

    machine: str
    agent_id: str
    reason: str


class Members(BaseModel):
    members: list[Member]
    unresolved: list[Outsider]


class NewSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    settings: dict[str, Any] = Field(description="Start-up settings of agents, as in their `agent.yaml`; those that a server may give.")


class GroupSettings(BaseModel):
    settings: dict[str, Any]
    version: int = Field(description="0: the group never had any.")
    author: str
    saved: int


@router.get("/configs")
async def configs(project: ProjectName, caller: Caller, server: Server) -> list[SavedConfig]:
    """By name."""
    allowed_in(caller, server, project, "log:ListConfig")
    return [_saved(server, config) for config in server.collection.configs(project)]


@router.put("/pipelines/{name}")
async def save_pipeline(project: ProjectName, name: ConfigName, body: PipelineText, caller: Caller, server: Server) -> SavedConfig:
    """Save a pipeline, new or in its next version; the same again makes none. All mistakes come at once."""
    known = {config.name: config for config in server.collection.configs(project)}.get(name)
    action = "log:UpdateLogtailPipelineConfig" if known else "log:CreateLogtailPipelineConfig"
    owner = allowed_in(caller, server, project, action)
    document = checked_pipeline(server, project, name, body.text)
    if known is None:
        most = most_of("configs", owner, server.settings)
        return _saved(server, await server.collection.create_config(owner, name, "pipeline", document, caller.author, most=most))
    if known.form != "pipeline":
        raise ApiError(400, "ConfigAlreadyExist", f"config `{name}` has the classic form")
    return _saved(server, await server.collection.change_config(project, name, document, caller.author))


@router.get("/configs/{name}/versions")
async def versions(project: ProjectName, name: ConfigName, caller: Caller, server: Server) -> list[SavedVersion]:
    """The newest first."""
    allowed_in(caller, server, project, "log:GetConfig")
    found = await server.collection.config_versions(project, name)
    return [SavedVersion(version=one.version, author=one.author, saved=one.saved, document=dict(one.document)) for one in found]


@router.post("/configs/{name}/rollback")
async def roll_back(project: ProjectName, name: ConfigName, body: Rollback, caller: Caller, server: Server) -> SavedConfig:
    """Make an earlier version the next one."""
    allowed_in(caller, server, project, "log:GetConfig")
    classic = server.collection.config(project, name).form == "classic"
    allowed_in(caller, server, project, "log:UpdateConfig" if classic else "log:UpdateLogtailPipelineConfig")
    found = await server.collection.config_versions(project, name)
    document = next((one.document for one in found if one.version == body.version), None)
    if document is None:
        raise ApiError(404, "ConfigNotExist", f"config `{name}` has no version {body.version}")
    return _saved(server, await server.collection.change_config(project, name, document, caller.author))


@router.get("/groups/{group}/members")
async def members(project: ProjectName, group: GroupName, caller: Caller, server: Server) -> Members:
    """Who is in a machine group, and who is not although the group or the agent seems to say so, with the reason."""
    allowed_in(caller, server, project, "log:ListMachines")
    known = server.collection.group(project, group)
    return Members(
        members=[
            Member(
                agent_id=report.agent,
                host_name=report.host_name,
                address=report.address,
                user_defined_ids=list(report.user_defined_ids),
                version=report.version,
                last_beat=report.last_beat,
                configs=report.outcomes(project),
            )
            for report in server.membership.members(known)
        ],
        unresolved=[Outsider(machine=one.machine, agent_id=one.agent, reason=one.reason) for one in server.membership.unresolved(known)],
    )


@router.get("/groups/{group}/settings")
async def group_settings(project: ProjectName, group: GroupName, caller: Caller, server: Server) -> GroupSettings:
    """The settings that the agents of a machine group get."""
    allowed_in(caller, server, project, "log:GetMachineGroup")
    return _settings(server.settings_of.of(server.collection.group(project, group)))


@router.put("/groups/{group}/settings")
async def save_group_settings(project: ProjectName, group: GroupName, body: NewSettings, caller: Caller, server: Server) -> GroupSettings:
    """Give settings to the agents of a machine group, in place of those before; none takes them back. What a machine says itself wins."""
    allowed_in(caller, server, project, "log:UpdateMachineGroup")
    known = server.collection.group(project, group)
    changed(before=dict(server.settings_of.of(known).values), after=body.settings, resource=group)
    return _settings(await server.settings_of.save(known, body.settings, caller.author))


def allowed_in(caller: Principal, server: Services, project: str, action: str) -> Project:
    authorize(caller, action, Resource(project))
    found = server.catalog.project(project)
    if found is None:
        raise ApiError(404, "ProjectNotExist", f"The Project does not exist : {project}")
    return found


def checked_pipeline(server: Services, project: str, name: str, text: str) -> dict[str, Any]:
    """The pipeline in a text. Raises ApiError 400 InvalidParameter, 404 LogStoreNotExist."""
    document = _document(name, text)
    if is_classic(document):
        raise ApiError(400, "InvalidParameter", "a config with `inputDetail` has the classic form: save it through /configs")
    return _checked(server, project, name, document, "pipeline")


def checked_next(server: Services, config: Config, text: str) -> dict[str, Any]:
    """What is to be a config's next version, in the form that it has. Raises ApiError 400 InvalidParameter, 404 LogStoreNotExist."""
    if config.form == "pipeline":
        return checked_pipeline(server, config.project, config.name, text)
    document = {key: value for key, value in _document(config.name, text).items() if key not in ("createTime", "lastModifyTime")}
    if not is_classic(document):
        raise ApiError(400, "InvalidParameter", f"config `{config.name}` has the classic form, this is a pipeline")
    if document.get("configName", config.name) != config.name:
        raise ApiError(400, "InvalidParameter", f"config `{config.name}` cannot be renamed to `{document['configName']}`")
    return _checked(server, config.project, config.name, document, "classic")


def _checked(server: Services, project: str, name: str, document: dict[str, Any], form: Literal["classic", "pipeline"]) -> dict[str, Any]:
    check_config(name, document, form, project)
    for logstore in logstores_of(document, project):
        if server.catalog.logstore(project, logstore) is None:
            raise ApiError(404, "LogStoreNotExist", f"logstore `{logstore}` does not exist")
    return document


def _document(name: str, text: str) -> dict[str, Any]:
    if not NAME.fullmatch(name):
        raise ApiError(400, "InvalidParameter", f"config name `{name}` is not 2 to 128 of letters, digits, - _ and .")
    try:
        value = read(text, name).value
    except ConfigErrors as errors:
        raise ApiError(400, "InvalidParameter", str(errors)) from None
    if not isinstance(value, dict):
        raise ApiError(400, "InvalidParameter", "expected a map with `inputs` and `flushers`")
    return cast("dict[str, Any]", value)


def _settings(known: InstanceConfig) -> GroupSettings:
    return GroupSettings(settings=dict(known.values), version=known.version, author=known.author, saved=known.saved)


def _saved(server: Services, config: Config) -> SavedConfig:
    return SavedConfig(
        name=config.name,
        form=config.form,
        version=config.version,
        author=config.author,
        modified=config.modified,
        logstores=list(logstores_of(config.document, config.project)),
        groups=[group.name for group in server.collection.groups_of(config)],
    )
