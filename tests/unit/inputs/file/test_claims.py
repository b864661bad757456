"""One file belongs to the pipeline that names it best, and passes from one to another without loss."""

import itertools
import time

import pytest

from tailrace.agent.lanes.claims import Allowance, Claims
from tailrace.inputs.file import FileConfig, follow
from tailrace.inputs.file.discover import Paths
from tailrace.inputs.file.restore import Restoring
from tailrace.inputs.file.roots import Roots
from tests.unit.inputs.file.following import Following, RememberingLane, wait_for, write


def ranking(*paths, depth=0, **options):
    config = FileConfig.model_validate({"FilePaths": list(paths), "MaxDirSearchDepth": depth, **options})
    return Paths(config).ranking(Roots())


@pytest.mark.parametrize(
    ("winner", "loser"),
    [
        (["/var/log/app/*.log"], ["/var/log/*/*.log"]),
        (["/var/log/app/x.log"], ["/var/log/app/*.log"]),
        (["/var/log/app/*.log"], ["/var/log/**/*.log"]),
        (["/var/log/*/x.log"], ["/var/log/*/*.log"]),
        (["/srv/*.log", "/var/log/app/*.log"], ["/var/**/x.log"]),
    ],
)
def test_the_longest_and_most_exact_path_wins_whatever_the_names_are(winner, loser):
    claims = Claims()
    claims.stake("b", ranking(*winner, depth=3))
    for name in ("a", "c"):
        claims.stake(name, ranking(*loser, depth=3))
        assert claims.better(name, "/var/log/app/x.log") == "b"
        assert claims.better("b", "/var/log/app/x.log") == ""


def test_of_equals_the_first_by_name_has_it():
    claims = Claims()
    for name in ("b", "a", "c"):
        claims.stake(name, ranking("/var/log/app/*.log"))
    assert [claims.better(name, "/var/log/app/x.log") for name in "abc"] == ["", "a", "a"]


@pytest.mark.parametrize("options", [{"ExcludeFiles": ["x*"]}, {"ExcludeDirs": ["/var/log/app"]}, {"ExcludeFilePaths": ["/var/**/x.log"]}])
def test_who_leaves_a_file_out_does_not_claim_it(options):
    claims = Claims()
    claims.stake("exact", ranking("/var/log/app/*.log", **options))
    claims.stake("wide", ranking("/var/**/*.log", depth=3))
    assert claims.better("wide", "/var/log/app/x.log") == ""
    claims.withdraw("wide")
    assert claims.better("wide", "/var/log/app/x.log") == ""


def test_who_is_too_shallow_does_not_claim_it():
    claims = Claims()
    claims.stake("shallow", ranking("/var/**/*.log", depth=1))
    claims.stake("deep", ranking("/var/**/*.log", depth=9))
    assert claims.better("deep", "/var/log/app/x.log") == ""
    assert claims.better("deep", "/var/log/x.log") == "shallow"


def test_an_allowance_is_shared():
    allowance = Allowance(10)
    first, second = object(), object()
    allowance.hold(first, 7)
    assert (allowance.room(first), allowance.room(second)) == (10, 3)
    allowance.release(first)
    assert allowance.room(second) == 10


class Pair:
    """Two pipelines over one directory: `wide` names all of it, `exact` one file."""

    def __init__(self, tmp_path, *, same_target=False, **options):
        self.log = tmp_path / "x.log"
        self.wide = Following(tmp_path, RememberingLane(), **options)
        self.exact = Following(tmp_path, RememberingLane(), FilePaths=[str(self.log)], **options)
        self.wide.lane.pipeline, self.exact.lane.pipeline = "wide", "exact"
        self.exact.lane.claims = self.wide.lane.claims
        if same_target:
            self.exact.lane.share_streams_with(self.wide.lane)

    def stop(self):
        for one in (self.wide, self.exact):
            one.stop()
            one.lane.claims.withdraw(one.lane.pipeline)


@pytest.fixture
def pair(tmp_path):
    pair = Pair(tmp_path)
    yield pair
    pair.stop()


def test_the_loser_leaves_it_alone_and_names_the_winner(pair):
    pair.wide.lane.claims.stake("exact", ranking(str(pair.log)))
    write(pair.log, "1\n")
    pair.wide.start(TailingAllMatchedFiles=True)
    pair.exact.start(TailingAllMatchedFiles=True)
    pair.exact.expect("1")
    write(pair.log, "2\n")
    pair.exact.expect("1", "2")
    pair.wide.rescan()
    pair.wide.expect()
    found = [values for kind, values in pair.wide.lane.alarms if kind == "MULTI_CONFIG_MATCH_ALARM"]
    assert found == [{"path": str(pair.log), "reader": "exact"}]
    assert not pair.exact.lane.alarms


def test_both_have_it_where_one_allows_it(pair):
    pair.wide.start()
    pair.exact.start(AllowingIncludedByMultiConfigs=True)
    write(pair.log, "1\n")
    pair.wide.expect("1")
    pair.exact.expect("1")
    assert not pair.wide.lane.alarms
    assert not pair.exact.lane.alarms


def test_the_loser_reads_what_was_written_before_and_the_winner_what_comes_after(pair):
    pair.wide.start()
    write(pair.log, "1\n")
    pair.wide.expect("1")
    pair.exact.start(TailSizeKB=0)
    pair.wide.rescan()
    wait_for(lambda: pair.wide.lane.left)
    write(pair.log, "2\n")
    pair.exact.expect("2")
    pair.wide.expect("1")


def test_the_loser_that_comes_back_goes_on_where_it_was(pair):
    pair.wide.start()
    write(pair.log, "1\n")
    pair.wide.expect("1")
    pair.exact.start(TailSizeKB=0)
    pair.wide.rescan()
    wait_for(lambda: pair.wide.lane.left)
    pair.exact.stop()
    pair.exact.lane.claims.withdraw("exact")
    write(pair.log, "2\n")
    pair.wide.rescan()
    pair.wide.expect("1", "2")


def test_with_one_target_the_winner_goes_on_exactly_where_the_loser_stopped(tmp_path):
    pair = Pair(tmp_path, same_target=True)
    pair.wide.start()
    for number in range(5):
        write(pair.log, f"{number}\n")
        time.sleep(0.05)
    pair.wide.expect(*"01234")
    pair.exact.start()
    pair.wide.rescan()
    for number in range(5, 9):
        write(pair.log, f"{number}\n")
        time.sleep(0.05)
    wait_for(lambda: pair.wide.lane.left)
    pair.exact.rescan()
    wait_for(lambda: len(pair.wide.contents) + len(pair.exact.contents) == 9)
    assert [*pair.wide.contents, *pair.exact.contents] == list("012345678")
    pair.stop()


def test_what_the_loser_reads_while_the_winner_looks_the_file_up_is_not_read_again(tmp_path, monkeypatch):
    pair = Pair(tmp_path, same_target=True)
    pair.wide.start()
    write(pair.log, "1\n")
    pair.wide.expect("1")
    look_up = Restoring.expect

    def slowly(restoring, file):
        look_up(restoring, file)
        if restoring._context is pair.exact.lane and len(pair.wide.contents) == 1:
            write(pair.log, "2\n")
            wait_for(lambda: len(pair.wide.contents) == 2 and pair.wide.lane.left)

    monkeypatch.setattr(Restoring, "expect", slowly)
    pair.exact.start()
    write(pair.log, "3\n")
    wait_for(lambda: pair.exact.contents[-1:] == ["3"])
    assert sorted([*pair.wide.contents, *pair.exact.contents]) == ["1", "2", "3"]
    pair.stop()


def test_a_file_that_is_written_is_passed_on_at_once_there_and_back(tmp_path, monkeypatch):
    monkeypatch.setattr(follow, "HOT_SECS", 600.0)  # what happens every second would do it, too, later
    pair, numbers = Pair(tmp_path, same_target=True), itertools.count(1)

    def is_read_by(one):
        before = len(one.contents)

        def read():
            write(pair.log, f"{next(numbers)}\n")
            return len(one.contents) > before

        wait_for(read)

    pair.wide.start()
    is_read_by(pair.wide)
    pair.exact.start()
    is_read_by(pair.exact)
    pair.exact.stop()
    pair.exact.lane.claims.withdraw("exact")
    is_read_by(pair.wide)
    written = [str(number) for number in range(1, next(numbers))]
    wait_for(lambda: len(pair.wide.contents) + len(pair.exact.contents) == len(written))
    first = int(pair.exact.contents[0]) - 1
    assert [*pair.wide.contents[:first], *pair.exact.contents, *pair.wide.contents[first:]] == written
    pair.stop()


def test_also_when_the_change_came_between_two_runs(tmp_path):
    pair = Pair(tmp_path, same_target=True)
    with pair.wide:
        write(pair.log, "1\n")
        pair.wide.expect("1")
    write(pair.log, "2\n")
    pair.wide.lane.claims.stake("exact", ranking(str(pair.log)))
    pair.wide.start()
    pair.exact.start()
    wait_for(lambda: len(pair.wide.contents) + len(pair.exact.contents) == 2)
    write(pair.log, "3\n")
    wait_for(lambda: pair.wide.lane.left or pair.exact.contents)
    pair.exact.rescan()
    wait_for(lambda: pair.exact.contents[-1:] == ["3"])
    assert [*pair.wide.contents, *pair.exact.contents] == ["1", "2", "3"]
    pair.stop()


def test_an_heir_is_who_the_path_belongs_to_or_anyone_when_it_is_nobodys():
    claims = Claims()
    claims.stake("wide", ranking("/var/log/*.log"))
    claims.stake("exact", ranking("/var/log/x.log"))
    claims.stake("sharing", ranking("/var/log/s*.log"), shares=True)
    heirs = {path: [name for name in ("wide", "exact", "sharing") if claims.inherits(name, f"/var/log/{path}")] for path in ("x.log", "o")}
    assert heirs == {"x.log": ["exact"], "o": ["wide", "exact", "sharing"]}
    assert [claims.inherits(name, "/var/log/s.log") for name in ("wide", "exact", "sharing")] == [True, False, True]
    claims.withdraw("wide")
    assert [claims.inherits(name, "/var/log/s.log") for name in ("exact", "sharing")] == [False, True]
    claims.withdraw("sharing")
    assert claims.inherits("exact", "/var/log/s.log")


@pytest.mark.parametrize("shares", [True, False])
def test_after_a_restart_each_goes_on_with_its_own_files_only(tmp_path, shares):
    """Disjoint paths, one target, a backlog that was written, and partly rotated away, while both were stopped."""
    first = Following(tmp_path, FilePaths=[f"{tmp_path}/p*.log"], AllowingIncludedByMultiConfigs=shares)
    second = Following(tmp_path, FilePaths=[f"{tmp_path}/q*.log"], AllowingIncludedByMultiConfigs=shares)
    first.lane.pipeline, second.lane.pipeline = "first", "second"
    second.lane.claims = first.lane.claims
    second.lane.share_streams_with(first.lane)
    logs = [tmp_path / name for name in ("p1.log", "q1.log", "q2.log")]
    with first, second:
        for log in logs:
            write(log, f"{log.name} 1\n")
        first.expect("p1.log 1")
        wait_for(lambda: len(second.contents) == 2)
    for log in logs:
        write(log, f"{log.name} 2\n")
    logs[2].rename(tmp_path / "q2.log.1")
    with first:
        first.expect("p1.log 1", "p1.log 2")
        with second:
            wait_for(lambda: len(second.contents) == 4)
            assert sorted(second.contents[2:]) == ["q1.log 2", "q2.log 2"]
            logs[1].rename(tmp_path / "p2.log")
            write(tmp_path / "p2.log", "q1.log 3\n")
            wait_for(lambda: len(second.contents) == 5)
    first.expect("p1.log 1", "p1.log 2")
