"""The rule of age: what is too old when it could first be read is discarded, counted and alarmed; our own delay makes nothing too old."""

import pytest

from tailrace import telemetry
from tailrace.agent.lanes.age import ENOUGH_EVENTS, WINDOW_SECS, AgeRule
from tailrace.batch import EventBatch
from tailrace.pipeline.age import in_words, with_default
from tailrace.pipeline.contract import Range
from tailrace.pipeline.loading import load_text

SECOND = 1_000_000_000
READABLE_AT = 1_800_000_000 * SECOND


class Counting:
    """Stands for a lane."""

    def __init__(self, pipeline):
        self.pipeline = pipeline
        self.counts = {}

    def count(self, name, amount=1):
        self.counts[name] = self.counts.get(name, 0) + amount


@pytest.fixture
def lane(request):
    return Counting(request.node.name)


def batch(*ages_secs):
    events = EventBatch.from_events([(READABLE_AT - age * SECOND, [(b"content", b"%d" % age)]) for age in ages_secs])
    events.tags = [(b"__path__", b"/var/log/a.log")]
    return events


def of(stream="S", readable_at=READABLE_AT):
    return Range(stream, 1, 0, 10, {"v": 1}, b"f", "c", readable_at)


def alarms(lane):
    return [alarm for alarm in telemetry.recent_alarms() if alarm.values.get("pipeline") == lane.pipeline]


def test_what_is_older_than_the_limit_goes_and_the_limit_itself_stays(lane):
    events = batch(0, 300, 301, 28_800, -60)
    assert AgeRule(300).apply(events, of(), lane) == 2
    assert [fields[0][1] for _, fields in events.rows()] == [b"0", b"300", b"-60"]
    assert lane.counts == {"outdated": 2}


@pytest.mark.parametrize(("limit", "readable_at"), [(0, READABLE_AT), (300, 0)], ids=["rule off", "history"])
def test_nothing_is_too_old_without_a_limit_or_for_history(lane, limit, readable_at):
    events = batch(0, 10**9)
    assert AgeRule(limit).apply(events, of(readable_at=readable_at), lane) == 0
    assert (len(events), lane.counts, alarms(lane)) == (2, {}, [])


def test_the_first_of_a_file_names_the_setting_and_guesses_the_zone(lane):
    rule = AgeRule(300)
    rule.apply(batch(28_810), of(), lane)
    first = alarms(lane)[-1]
    assert (first.kind, first.values["path"], first.values["setting"]) == ("OUTDATED_LOG_ALARM", "/var/log/a.log", "global.MaxLogAgeSecs")
    assert first.values["age"] == "8 h old, wrong time zone?"
    rule.apply(batch(28_810), of(), lane)
    assert "setting" not in alarms(lane)[-1].values
    rule.apply(batch(28_810), of(stream="another"), lane)
    assert "setting" in alarms(lane)[-1].values


def test_a_pipeline_that_loses_more_than_half_is_degraded_until_it_does_not(lane):
    now = [0.0]
    rule = AgeRule(300, clock=lambda: now[0])
    rule.apply(batch(*[0] * ENOUGH_EVENTS), of(), lane)
    rule.apply(batch(*[400] * ENOUGH_EVENTS), of(), lane)
    assert rule.degraded == ""
    rule.apply(batch(400), of(), lane)
    assert "wrong time zone?" in rule.degraded
    assert [alarm for alarm in alarms(lane) if "more than half" in alarm.message]
    now[0] = WINDOW_SECS + 1
    rule.apply(batch(*[0] * 10), of(), lane)
    assert rule.degraded == ""


@pytest.mark.parametrize(
    ("secs", "words"),
    [
        (28_800, "8 h old, wrong time zone?"),
        (19_810, "6 h old, wrong time zone?"),  # 5:30
        (28_800 + 900, "8 h old"),
        (400, "7 min old"),
        (90 * 86_400, "90 d old"),
    ],
)
def test_ages_in_words(secs, words):
    assert in_words(secs) == words


PIPELINE = "inputs: [{Type: input_file, FilePaths: [/a/b.log]}]\nflushers: [{Type: flusher_stdout}]\n"


def test_the_limit_of_the_home_becomes_part_of_a_config_that_gives_none():
    silent, own = load_text(PIPELINE, "p.yaml"), load_text(f"{PIPELINE}global: {{MaxLogAgeSecs: 7}}\n", "p.yaml")
    assert silent.global_options.max_log_age_secs == 300
    changed = with_default(silent, 60)
    assert changed.global_options.max_log_age_secs == 60
    assert '"MaxLogAgeSecs":60' in changed.canonical()
    assert changed.version != silent.version
    assert with_default(own, 60) is own
    assert with_default(silent, None) is silent
