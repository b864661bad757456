"""The agent's own settings."""

import pytest

from tailrace.agent.settings import load
from tailrace.errors import ConfigErrors


def test_without_a_file_the_manuals_bounds_hold_scaled_by_memory(tmp_path):
    settings = load(tmp_path)
    assert (settings.files, settings.files_per_config, settings.max_watched_directories) == (192_000, 19_200, 3000)
    assert settings.allowed_roots == ["/"]


def test_what_the_file_says_holds(tmp_path):
    (tmp_path / "agent.yaml").write_text("allowed_roots: [/var/log]\nmem_usage_limit: 2048\nmax_files_per_config: 7\n")
    settings = load(tmp_path)
    assert (settings.allowed_roots, settings.files, settings.files_per_config) == (["/var/log"], 1_024_000, 7)


def test_mistakes_are_named_with_their_place_and_keep_the_agent_from_starting(tmp_path):
    (tmp_path / "agent.yaml").write_text("allowed_roots: [var]\n")
    with pytest.raises(ConfigErrors, match=r"agent\.yaml:1 allowed_roots\[0\]: `var` is not an absolute path"):
        load(tmp_path)
    (tmp_path / "agent.yaml").write_text("max_fils: 3\n")
    with pytest.raises(ConfigErrors, match="unknown key") as caught:
        load(tmp_path)
    assert "max_files" in caught.value.errors[0].hint
