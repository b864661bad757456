"""When a beat may be short, and when the server has to be told all."""

import pytest

from tailrace.agent.control.heartbeat import Dialogue, full_state, to_fetch
from tailrace.errors import UnreachableError
from tailrace.wire.control import (
    Attributes,
    CommonResponse,
    ConfigDetail,
    ConfigInfo,
    HeartbeatRequest,
    HeartbeatResponse,
    RequestFlag,
    ResponseFlag,
    ServerCapability,
)
from tailrace.wire.vitals import Vitals, encode

REMEMBERS = int(ServerCapability.ATTRIBUTES | ServerCapability.CONTINUOUS)
YES = HeartbeatResponse(capabilities=REMEMBERS)


def state(*configs: ConfigInfo) -> HeartbeatRequest:
    attributes, vitals = Attributes(ip=b"10.0.0.1"), Vitals(boot_id="b1")
    return full_state("a1", attributes, user_defined_ids=["web"], started=5, configs=list(configs), vitals=vitals)


def is_full(beat: HeartbeatRequest) -> bool:
    return bool(beat.flags & RequestFlag.FULL_STATE) and beat.attributes.ip == b"10.0.0.1"


def test_the_first_beat_is_full_and_the_next_ones_are_short() -> None:
    dialogue = Dialogue()
    beats: list[HeartbeatRequest] = []
    for _ in range(3):
        beats.append(dialogue.beat(state()))
        assert dialogue.answered(YES)
    assert [is_full(beat) for beat in beats] == [True, False, False]
    assert [beat.sequence_num for beat in beats] == [1, 2, 3]
    assert beats[1] == HeartbeatRequest(sequence_num=2, instance_id=b"a1", opaque=encode(Vitals(boot_id="b1")))


def test_a_change_is_told_in_full() -> None:
    dialogue = Dialogue()
    dialogue.beat(state())
    dialogue.answered(YES)
    beat = dialogue.beat(state(ConfigInfo("shop@app", 7)))
    assert (is_full(beat), beat.continuous_pipeline_configs) == (True, [ConfigInfo("shop@app", 7)])


def test_a_server_that_asks_for_it_and_one_that_remembers_nothing_are_told_all() -> None:
    for answer in (HeartbeatResponse(capabilities=REMEMBERS, flags=ResponseFlag.REPORT_FULL_STATE), HeartbeatResponse()):
        dialogue = Dialogue()
        for _ in range(2):
            dialogue.beat(state())
            dialogue.answered(YES)
        dialogue.beat(state())
        assert dialogue.answered(answer) is not bool(answer.flags)
        assert is_full(dialogue.beat(state()))


def test_after_an_answer_that_was_lost_everything_is_told_again() -> None:
    dialogue = Dialogue()
    dialogue.beat(state())
    dialogue.answered(YES)
    dialogue.beat(state())
    dialogue.lost()
    assert is_full(dialogue.beat(state()))


def test_a_refusal_is_an_error_with_the_servers_reason() -> None:
    dialogue = Dialogue()
    dialogue.beat(state())
    with pytest.raises(UnreachableError, match="not now"):
        dialogue.answered(HeartbeatResponse(common_response=CommonResponse(503, b"not now"), flags=1))


def test_only_details_that_did_not_come_along_are_fetched() -> None:
    updates = [ConfigDetail("a", 1, b"{}"), ConfigDetail("b", 2), ConfigDetail("c", -1)]
    asked = to_fetch("a1", HeartbeatResponse(continuous_pipeline_config_updates=updates))
    assert asked is not None
    assert asked.continuous_pipeline_configs == [ConfigInfo("b", 2)]
    assert to_fetch("a1", HeartbeatResponse(continuous_pipeline_config_updates=updates[:1])) is None
