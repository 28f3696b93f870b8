import errno
import gzip
import json
import shutil
import socket
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nestbench.datasets.fetch.transfer import Patience, transfer
from nestbench.errors import RunError

BODY = bytes(range(256)) * 40
ONCE = Patience(silence=10, pauses=())
THRICE = Patience(silence=10, pauses=(0, 0))


def silent(what, done, total):
    pass


@pytest.fixture
def part(tmp_path):
    return tmp_path / "file.part"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")


def failing(url, part, patience=ONCE):
    with pytest.raises(RunError) as raised:
        transfer(url, part, patience, silent)
    sentence = str(raised.value)
    assert sentence.startswith(f"cannot fetch '{url}': ")
    assert "\n" not in sentence
    return sentence.removeprefix(f"cannot fetch '{url}': ")


def test_a_file_comes_whole_and_every_byte_of_it_is_told_of(server, page, part):
    told = []
    transfer(server.serve("/a", page(BODY)), part, ONCE, lambda *step: told.append(step))
    assert part.read_bytes() == BODY
    assert told[-1] == ("downloading", len(BODY), len(BODY))
    assert [asked["Range"] for asked in server.asked] == [None]


def test_a_try_goes_on_where_the_line_broke(server, page, part):
    transfer(server.serve("/a", page(BODY, cuts=[4000, 300])), part, THRICE, silent)
    assert part.read_bytes() == BODY
    assert [asked["Range"] for asked in server.asked] == [None, "bytes=4000-", "bytes=4300-"]
    assert [asked["If-Range"] for asked in server.asked] == [None, '"one"', '"one"']


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(server, page, part):
    url = server.serve("/a", page(BODY, cuts=[4000]))
    assert failing(url, part) == (
        "the connection broke off; 4,000 bytes are kept, and the same command goes on from there"
    )
    transfer(url, part, ONCE, silent)
    assert part.read_bytes() == BODY
    assert server.asked[1]["Range"] == "bytes=4000-"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(st.integers(0, len(BODY)), max_size=4), st.booleans(), st.sampled_from(['"one"', 'W/"one"', ""]))
def test_wherever_it_breaks_the_bytes_are_those_of_the_server(server, page, tmp_path_factory, cuts, ranges, mark):
    url = server.serve("/a", page(BODY, cuts=[*cuts], ranges=ranges, mark=mark))
    part = tmp_path_factory.mktemp("parts") / "file.part"
    transfer(url, part, Patience(10, (0,) * len(cuts)), silent)
    assert part.read_bytes() == BODY


def test_a_server_that_cannot_go_on_begins_anew(server, page, part):
    transfer(server.serve("/a", page(BODY, cuts=[4000], ranges=False)), part, THRICE, silent)
    assert part.read_bytes() == BODY
    assert server.asked[1]["Range"] == "bytes=4000-"


@pytest.mark.parametrize("habit", [{}, {"heeds_mark": False}, {"heeds_mark": False, "repeats_mark": False}])
def test_two_versions_of_a_file_are_never_put_together(server, page, part, habit):
    failing(server.serve("/a", page(BODY, cuts=[4000])), part)
    changed = BODY[::-1]
    transfer(server.serve("/a", page(changed, mark='"two"', **habit)), part, THRICE, silent)
    assert part.read_bytes() == changed


def test_a_file_that_grew_is_no_more_of_a_shorter_one(server, page, part):
    failing(server.serve("/a", page(BODY, cuts=[4000])), part)
    grown = b"more" + BODY
    transfer(server.serve("/a", page(grown)), part, THRICE, silent)
    assert part.read_bytes() == grown


@pytest.mark.parametrize("said", ["bytes 4001-10239/10240", "bytes 4000-10239/10241", "bytes", "4000"])
def test_what_is_said_to_be_another_range_is_not_put_to_the_part(server, page, part, said):
    failing(server.serve("/a", page(BODY, cuts=[4000])), part)
    lying = page(BODY, says_range=said)
    transfer(server.serve("/a", lying), part, THRICE, silent)
    assert part.read_bytes() == BODY
    assert [asked["Range"] for asked in server.asked] == [None, "bytes=4000-", None]


def test_the_server_is_asked_for_the_bytes_as_they_are(server, page, part):
    transfer(server.serve("/a", page(BODY)), part, ONCE, silent)
    assert server.asked[0]["Accept-Encoding"] == "identity"


def test_a_server_that_gives_a_piece_at_a_time_is_asked_for_the_next(server, page, part):
    transfer(server.serve("/a", page(BODY, cuts=[4000], piece=4000)), part, THRICE, silent)
    assert part.read_bytes() == BODY
    assert [asked["Range"] for asked in server.asked] == [None, "bytes=4000-", "bytes=8000-"]


@pytest.mark.parametrize("mark", ["", 'W/"weak"'])
def test_a_file_without_a_mark_of_its_version_begins_anew(server, page, part, mark):
    transfer(server.serve("/a", page(BODY, mark=mark, cuts=[4000])), part, THRICE, silent)
    assert part.read_bytes() == BODY
    assert [asked["Range"] for asked in server.asked] == [None, None]


def test_the_date_of_a_file_is_a_mark_too(server, page, part):
    date = "Wed, 21 Oct 2015 07:28:00 GMT"
    held = page(BODY, mark="", headers={"Last-Modified": date}, cuts=[4000], heeds_mark=False)
    transfer(server.serve("/a", held), part, THRICE, silent)
    assert part.read_bytes() == BODY
    assert server.asked[1]["If-Range"] == date


def test_a_part_that_is_whole_is_not_asked_for_again(server, page, part):
    url = server.serve("/a", page(BODY))
    transfer(url, part, ONCE, silent)
    transfer(url, part, ONCE, silent)
    assert len(server.asked) == 1


def test_a_part_that_is_longer_than_the_file_begins_anew(server, page, part):
    part.write_bytes(BODY + BODY)
    part.with_name("file.part.json").write_text(json.dumps({"mark": '"one"', "size": 0}))
    transfer(server.serve("/a", page(BODY)), part, THRICE, silent)
    assert part.read_bytes() == BODY


@pytest.mark.parametrize("note", ["", "[]", '{"mark": 1, "colour": 2}', '{"mark"'])
def test_a_part_that_nobody_knows_begins_anew(server, page, part, note):
    part.write_bytes(b"of something else")
    part.with_name("file.part.json").write_text(note)
    transfer(server.serve("/a", page(BODY)), part, ONCE, silent)
    assert part.read_bytes() == BODY


def test_bytes_are_kept_as_they_lie_on_the_server(server, page, part):
    packed = gzip.compress(BODY)
    held = page(packed, headers={"Content-Encoding": "gzip"}, cuts=[20])
    transfer(server.serve("/a.tar.gz", held), part, THRICE, silent)
    assert part.read_bytes() == packed


def test_a_file_of_unknown_size_comes_too(server, page, part):
    transfer(server.serve("/a", page(BODY, announces=False)), part, ONCE, silent)
    assert part.read_bytes() == BODY


def test_a_redirection_is_followed(server, page, part):
    url = server.serve("/old", page(statuses=[302], headers={"Location": server.serve("/new", page(BODY))}))
    transfer(url, part, ONCE, silent)
    assert part.read_bytes() == BODY


def test_what_is_not_there_is_not_asked_for_twice(server, part):
    assert failing(f"{server.root}/none", part, THRICE) == "the server answers 404 Not Found"
    assert len(server.asked) == 1


def test_a_server_that_is_busy_is_asked_again(server, page, part):
    transfer(server.serve("/a", page(BODY, statuses=[503, 429])), part, THRICE, silent)
    assert part.read_bytes() == BODY


def test_a_server_that_stays_broken_is_one_sentence(server, page, part):
    url = server.serve("/a", page(statuses=[500] * 3))
    assert failing(url, part, THRICE) == "the server answers 500 Internal Server Error"
    assert len(server.asked) == 3


def test_a_server_that_hangs_is_left(server, page, part):
    url = server.serve("/a", page(is_silent=True))
    assert failing(url, part, Patience(silence=0.05, pauses=(0,))) == "the server was silent for 0.05 s"
    assert len(server.asked) == 2


def test_a_server_that_is_not_there_is_one_sentence(part):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        assert failing(f"http://127.0.0.1:{port}/a", part) == "connection refused"


def test_a_machine_without_a_network_is_one_sentence(monkeypatch, part):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert failing("https://data.example.org/a.zip", part) == "name or service not known"


@pytest.mark.parametrize("url", ["data.example.org/a.zip", "gopher://data.example.org/a.zip", "http://"])
def test_what_is_no_address_is_one_sentence(url, part):
    failing(url, part, THRICE)


def test_a_disk_that_is_too_small_is_found_before_the_first_byte(server, page, part, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(OSError, match=r"10\.2 kB are needed and 1\.0 kB are free") as raised:
        transfer(server.serve("/a", page(BODY)), part, ONCE, silent)
    assert raised.value.errno == errno.ENOSPC
    assert not part.exists()
