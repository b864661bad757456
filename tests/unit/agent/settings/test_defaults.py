"""Start-up settings as defaults of pipelines."""

import pytest

from tailrace.agent.settings import startup
from tailrace.agent.settings.defaults import with_defaults
from tailrace.pipeline.loading import load_text
from tailrace.pipeline.model import PipelineConfig

BARE = """
inputs: [{Type: input_file, FilePaths: [/var/log/a.log]}]
flushers: [{Type: flusher_sls, Endpoint: "http://127.0.0.1:9480", Project: shop, Logstore: web}]
"""
OUTSPOKEN = """
inputs:
  - {Type: input_file, FilePaths: [/var/log/a.log], TailSizeKB: 1, MaxEventSizeKB: 2, AllowingIncludedByMultiConfigs: false}
flushers:
  - {Type: flusher_sls, Endpoint: "http://127.0.0.1:9480", Project: shop, Logstore: web, Batch: {TimeoutSecs: 3, MinSizeBytes: 4}}
"""
FLAGS = [
    "default_tail_limit_kb=10",
    "max_read_buffer_size=20480",
    "accept_multi_config=true",
    "batch_send_seconds=0.5",
    "batch_send_bytes=50",
]


def filled(text: str, *flags: str, home) -> PipelineConfig:
    return with_defaults(load_text(text, "app.yaml"), startup.load(home, flags=flags, environment={}).settings)


def values(pipeline: PipelineConfig) -> list[object]:
    source, flusher = pipeline.inputs[0].config, pipeline.flushers[0].config
    return [
        source.tail_size_kb, source.max_event_size_kb, source.allowing_included_by_multi_configs,
        flusher.batch.timeout_secs, flusher.batch.min_size_bytes,
    ]  # fmt: skip


def test_settings_fill_what_a_pipeline_leaves_open(tmp_path):
    assert values(filled(BARE, *FLAGS, home=tmp_path)) == [10, 20, True, 0.5, 50]


def test_what_a_pipeline_says_itself_stays(tmp_path):
    assert values(filled(OUTSPOKEN, *FLAGS, home=tmp_path)) == [1, 2, False, 3, 4]


def test_a_group_that_says_a_part_gets_the_rest(tmp_path):
    text = BARE.replace("Logstore: web", "Logstore: web, Batch: {TimeoutSecs: 3}")
    assert values(filled(text, *FLAGS, home=tmp_path))[3:] == [3, 50]


def test_without_settings_a_pipeline_is_the_same_object(tmp_path):
    pipeline = load_text(BARE, "app.yaml")
    assert with_defaults(pipeline, startup.load(tmp_path, environment={}).settings) is pipeline


@pytest.mark.parametrize("flag", FLAGS)
def test_a_default_makes_another_version_of_the_config(tmp_path, flag):
    assert filled(BARE, flag, home=tmp_path).version != filled(BARE, home=tmp_path).version
