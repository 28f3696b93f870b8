import socket
import sys
import threading
from contextlib import contextmanager

import pytest

from nestbench.cluster.join import joined, load_ray
from nestbench.errors import RequestError


@contextmanager
def server(answer):
    """Who takes one connection and says something to it."""

    def serve():
        connection, _ = listener.accept()
        with connection:
            connection.recv(100)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def refusal(address):
    with pytest.raises(RequestError) as refused, joined(address):
        pass
    return str(refused.value)


@pytest.fixture
def ray():
    return pytest.importorskip("ray", reason="Ray is not installed: pip install 'nestbench[cluster]'")


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RequestError, match=r"a cluster needs Ray .*pip install 'nestbench\[cluster\]'"):
        load_ray()


@pytest.mark.parametrize("address", ["", "somewhere", "ray://head:10001", "head:", "head:port", "head:70000", ":6379"])
def test_what_is_no_address_is_refused_by_name(ray, address):
    assert refusal(address) == f"'{address}' is not the address of a Ray cluster (allowed: auto, HOST:PORT)"


def test_an_address_where_nobody_answers_is_refused(ray):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    assert refusal(address) == f"no Ray cluster answers at '{address}' (Connection refused)"


@pytest.mark.parametrize("answer", [b"HTTP/1.0 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.9\r\n", b"no", b""])
def test_an_address_where_something_else_answers_is_refused(ray, answer):
    with server(answer) as address:
        assert refusal(address).startswith(f"what answers at '{address}' is not a Ray cluster")


def test_a_machine_that_is_in_no_cluster_is_told_how_to_be(ray, monkeypatch):
    def nobody(_):
        raise ConnectionError

    monkeypatch.setattr("ray._private.services.canonicalize_bootstrap_address_or_die", nobody)
    assert refusal("auto").startswith("no Ray cluster was found from this machine: start one")


def test_a_machine_that_is_no_node_of_the_cluster_is_told_how_to_be_one(ray, monkeypatch):
    def init(**_):
        raise ConnectionError("Failed to connect") from RuntimeError("No node info found matching attributes")

    monkeypatch.setattr("ray.init", init)
    with server(b"\0\0\0\4\0\0\0\0\0") as address:
        assert refusal(address) == (
            f"this machine is no node of the Ray cluster at '{address}': run 'ray start --address={address}' on it"
        )
