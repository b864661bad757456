"""Records of several lines, other encodings and NULs, as a running input reads them."""

import codecs
import os
import time

import pytest

from tests.unit.inputs.file.following import Following, RememberingLane, wait_for, write

START = {"StartPattern": r"\["}
BLOCK = {"StartPattern": "BEGIN", "EndPattern": "END"}


@pytest.mark.parametrize(
    ("multiline", "parts", "expected"),
    [
        (START, ["[1] a\n  b\n", "  c\n[2] d\n"], ["[1] a\n  b", "  c", "[2] d"]),
        ({**START, "ContinuePattern": r"\s"}, ["[1] a\n  b", "b\n  c\nx\n"], ["[1] a\n  b", "b\n  c", "x"]),
        (BLOCK, ["BEGIN\na\n", "b\nEND\nx\n"], ["BEGIN\na", "b\nEND", "x"]),
        ({"ContinuePattern": ".*\\\\$", "EndPattern": ".*"}, ["a\\\nb\\\n", "c\nd\n"], ["a\\\nb\\", "c", "d"]),
        ({"EndPattern": ".*;"}, ["select\n", "1;\nselect 2;\n"], ["select", "1;", "select 2;"]),
        ({"Mode": "JSON"}, ['{"a":\n', '1}\n{"b": 2}\n'], ['{"a":', "1}", '{"b": 2}']),
    ],
)
def test_the_rest_of_a_record_that_was_flushed_is_an_event_of_its_own(tmp_path, multiline, parts, expected):
    with Following(tmp_path, FlushTimeoutSecs=1, Multiline=multiline) as following:
        write(tmp_path / "x.log", parts[0])
        wait_for(lambda: following.contents == expected[:1])
        write(tmp_path / "x.log", parts[1])
        following.expect(*expected)
    assert [event.get("__truncate_info__") for event in following.lane.events[:2]] == [None, "continued"]
    assert all("__truncate_info__" not in event for event in following.lane.events[2:])


def test_a_record_that_ends_is_not_waited_for(tmp_path):
    with Following(tmp_path, FlushTimeoutSecs=3600, Multiline=BLOCK) as following:
        write(tmp_path / "x.log", "BEGIN\na\nEND\nBEGIN\nb\n")
        following.expect("BEGIN\na\nEND")
        write(tmp_path / "x.log", "END\nstray\n")
        following.expect("BEGIN\na\nEND", "BEGIN\nb\nEND", "stray")


def test_a_whole_file_is_one_event_and_what_follows_another(tmp_path):
    with Following(tmp_path, FlushTimeoutSecs=1, Multiline={"Mode": "whole_file"}) as following:
        write(tmp_path / "report.log", "one\n\ntwo\n")
        following.expect("one\n\ntwo")
        write(tmp_path / "report.log", "three\nfour\n")
        following.expect("one\n\ntwo", "three\nfour")
        write(tmp_path / "report.log", "anew\nall\n", mode="w")
        following.expect("one\n\ntwo", "three\nfour", "anew\nall")
    assert [event.get("__truncate_info__") for event in following.lane.events] == [None, "continued", None]


def test_a_restart_within_a_record_takes_it_up(tmp_path):
    lane = RememberingLane()
    with Following(tmp_path, lane, FlushTimeoutSecs=1, Multiline={"Mode": "JSON"}) as following:
        write(tmp_path / "x.log", '{"a": "}\n')
        following.expect('{"a": "}')
    with Following(tmp_path, lane, FlushTimeoutSecs=3600, Multiline={"Mode": "JSON"}) as following:
        write(tmp_path / "x.log", '"}\n{"b": 1}\n')
        following.expect('{"a": "}', '"}', '{"b": 1}')


def test_unmatched_lines_that_are_discarded_are_counted(tmp_path):
    with Following(tmp_path, Multiline={**BLOCK, "UnmatchedContentTreatment": "discard"}) as following:
        write(tmp_path / "x.log", "x\nBEGIN\nEND\ny\nBEGIN\nEND\n")
        following.expect("BEGIN\nEND", "BEGIN\nEND")
    assert following.lane.counts["unmatched_lines_discarded"] == 2
    assert [(kind, values["lines"]) for kind, values in following.lane.alarms] == [("SPLIT_LOG_FAIL_ALARM", 2)]


def test_a_record_does_not_go_on_in_another_file(tmp_path):
    with Following(tmp_path, FlushTimeoutSecs=1, Multiline=START) as following:
        write(tmp_path / "x.log", "[0] z\n[1] a\n  b\n")
        following.expect("[0] z")
        (tmp_path / "x.log").rename(tmp_path / "x.log.1")
        write(tmp_path / "x.log", "  c\n[2] d\n")
        wait_for(lambda: len(following.contents) == 4)
    assert sorted(following.contents) == sorted(["[0] z", "[1] a\n  b", "  c", "[2] d"])


@pytest.mark.parametrize(
    ("encoding", "codec", "mark"),
    [
        ("gbk", "gbk", b""),
        ("utf16", "utf-16-le", b""),
        ("utf16", "utf-16-le", codecs.BOM_UTF16_LE),
        ("utf16", "utf-16-be", codecs.BOM_UTF16_BE),
    ],
)
def test_other_encodings(tmp_path, encoding, codec, mark):
    lane, path = RememberingLane(), tmp_path / "x.log"
    with Following(tmp_path, lane, FileEncoding=encoding, FileOffsetKey="at") as following:
        with path.open("ab", buffering=0) as file:
            for part in (mark + "日志一\n日".encode(codec), "志".encode(codec)[:1]):
                file.write(part)
                time.sleep(0.2)
        following.expect("日志一")
    with Following(tmp_path, lane, FileEncoding=encoding, FileOffsetKey="at") as following:
        with path.open("ab", buffering=0) as file:
            file.write("志".encode(codec)[1:] + "二\n".encode(codec))
        following.expect("日志一", "日志二")
    assert [int(event["at"]) for event in lane.events] == [len(mark), len(mark + "日志一\n".encode(codec))]


def test_a_standing_utf16_file_is_taken_up_at_a_line(tmp_path):
    path = tmp_path / "x.log"
    path.write_bytes("".join(f"Ċ一 line {number}\n" for number in range(500)).encode("utf-16"))
    with Following(tmp_path, FileEncoding="utf16", TailSizeKB=1) as following:
        with path.open("ab") as file:
            file.write("new\n".encode("utf-16-le"))
        wait_for(lambda: "new" in following.contents)
    assert set(following.contents[:-1]) <= {f"Ċ一 line {number}" for number in range(500)}


def test_a_line_of_gbk_is_read_whole_behind_a_cut(tmp_path):
    with Following(tmp_path, FileEncoding="gbk", MaxEventSizeKB=1) as following:
        (tmp_path / "x.log").write_bytes("漢".encode("gbk") * 500 + b"\nnext\n")
        following.expect("漢" * 341, "漢" * 159, "next")


@pytest.mark.parametrize(("encoding", "invalid"), [("gbk", "keep"), ("gbk", "replace"), ("utf8", "replace")])
def test_bytes_that_are_no_characters_are_told(tmp_path, encoding, invalid):
    with Following(tmp_path, FileEncoding=encoding, InvalidBytes=invalid) as following:
        (tmp_path / "x.log").write_bytes(b"fine\n")
        following.expect("fine")
        assert following.lane.alarms == []
        with (tmp_path / "x.log").open("ab") as file:
            file.write(b"odd \x80\xff\n")
        wait_for(lambda: len(following.contents) == 2)
    assert [(kind, values["offset"]) for kind, values in following.lane.alarms] == [("ENCODING_CONVERT_ALARM", 5)]
    assert following.lane.counts["ranges_with_invalid_bytes"] == 1
    assert following.contents[1].startswith("odd \ufffd")  # the lane of the tests decodes what was kept so, too


def test_nuls_at_the_end_are_read_once_they_are_settled(tmp_path):
    path = tmp_path / "x.log"
    with Following(tmp_path, FlushTimeoutSecs=2) as following:
        path.write_bytes(b"one\n" + bytes(3_000_000))
        following.expect("one")
        time.sleep(0.5)
        assert following.lane.ranges[-1][1].end == 4
        with path.open("r+b") as file:  # into the room that was set aside
            file.seek(4)
            file.write(b"two\n")
        following.expect("one", "two")
        wait_for(lambda: following.lane.ranges[-1][1].end == 3_000_004)
    assert following.lane.counts["nul_bytes_skipped"] == 3_000_004 - 8
    assert following.contents == ["one", "two"]


def test_the_hole_that_a_writer_leaves_behind_a_truncation_is_skipped(tmp_path):
    path = tmp_path / "x.log"
    with Following(tmp_path, FileOffsetKey="at") as following, path.open("wb", buffering=0) as file:
        file.write(b"before\n" * 1000)
        wait_for(lambda: len(following.contents) == 1000)
        os.truncate(path, 0)
        file.write(b"after\n")
        wait_for(lambda: "after" in following.contents)
    assert (following.contents[-1], following.lane.events[-1]["at"]) == ("after", "7000")
    assert following.lane.counts["nul_bytes_skipped"] == 7000
