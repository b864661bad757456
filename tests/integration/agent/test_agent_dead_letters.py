"""Events that the target refuses, by the real agent: listed and sent again from the command line."""

import json
import subprocess

from tailrace.batch import EventBatch
from tailrace.wire import batch_form
from tests.integration.agent.running import wait_for
from tests.integration.agent.test_agent_delivery import must_be_each_once, numbered


def refuse_poison(sink):
    """Every request that holds a line with `poison` in it is refused as a whole."""
    storing = sink._store

    def store(request, body):
        sink.refuse = ""
        compression = request.headers.get("x-log-compresstype", "none")
        for package in batch_form.decode(body):
            batch = EventBatch.decode(package.data, compression=compression, raw_size=package.raw_size)
            if any(b"poison" in value for _, fields in batch.rows() for _, value in fields):
                raise_refusal()
        return storing(request, body)

    def raise_refusal():
        from aiohttp import web

        raise web.HTTPBadRequest(text=json.dumps({"errorCode": "PostBodyInvalid", "errorMessage": "poison"}))

    sink._store = store
    return storing


def dead_letters(agent, *words):
    command = [*agent.command, "agent", "dead-letters", "--home", str(agent.home), "--output", "json", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_one_bad_line_among_many_is_a_dead_letter_and_can_be_sent_again(agent, sink):
    storing = refuse_poison(sink)
    agent.enrol()
    agent.pipeline()
    lines = numbered(3000).splitlines()
    lines[1234] = lines[1234].replace("event 0001234", "event 0001234 poison")
    (agent.logs / "a.log").write_text("\n".join(lines) + "\n")
    agent.start()
    wait_for(lambda: len(sink.events) >= 2999, "all but one")
    wait_for(lambda: len(dead_letters(agent)) == 1, "the dead letter")
    [letter] = dead_letters(agent)
    assert (letter["code"], letter["events"], letter["path"]) == ("PostBodyInvalid", 1, f"{agent.logs}/a.log")
    assert "event 0001234 poison" in letter["sample"]
    assert "DISCARD_DATA_ALARM" in agent.log()
    sink._store = storing
    assert dead_letters(agent, "--resend") == []
    wait_for(lambda: len(sink.events) == 3000, "the dead letter arrives")
    must_be_each_once(sink, 3000)
    agent.stop()
