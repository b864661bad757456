"""Whether the agent has what it needs to send: an identity, and a key for each project and logstore."""

from collections.abc import Iterator
from typing import Final

from tailrace.agent.doctor.finding import Finding, info, ok, warning
from tailrace.agent.doctor.scene import Scene
from tailrace.agent.identity.identity import AgentIdentity
from tailrace.flushers.sls import SlsConfig

ENROL: Final = "on the server: `tailrace agent token create --project {project}`; here: `tailrace agent enroll --token -`"
SEE: Final = "what `connection` and `membership` say comes first"


def check_keys(scene: Scene) -> Iterator[Finding]:
    """What lies in `secret/agent.json`, against what the pipelines need."""
    if scene.identity is None:
        trouble = scene.identity_trouble
        yield warning(trouble.message if trouble else "", trouble.hint if trouble else "")
        return
    wanted = [target for target in scene.targets if not target.access_key_id]
    for target in wanted:
        yield from _key(scene, scene.identity, target)
    if not scene.identity.enrolments and not wanted:
        yield info("this agent has joined no server; its pipelines do not need one", "`tailrace agent enroll` joins one")


def _key(scene: Scene, identity: AgentIdentity, target: SlsConfig) -> Iterator[Finding]:
    found = identity.enrolment(target.url, target.project)
    if found is None:
        remedy = f"{ENROL.format(project=target.project)}; or give the flusher `AccessKeyId` and `AccessKeySecret`"
        yield warning(f"there is no key for project `{target.project}` at `{target.url}`", remedy)
    elif found.logstores and not {"*", target.logstore} & set(found.logstores):
        text = f"the key for project `{target.project}` is not for logstore `{target.logstore}`"
        yield warning(text, ENROL.format(project=f"{target.project} --only {target.logstore}"))
    elif not found.key_id and not scene.agent.answers:
        yield info(f"the key for project `{target.project}` is still to come: the agent asks for it when it starts")
    elif not found.has_key and scene.agent.answers:
        yield warning(f"the key for project `{target.project}` has expired, and the agent got no other", SEE)
    else:
        yield ok(f"there is a key for logstore `{target.logstore}` of project `{target.project}`")
