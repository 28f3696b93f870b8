"""Join a Ray cluster, or say in one sentence why that cannot be. Nothing imports Ray before one is asked for."""

import logging
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from nestbench.errors import RequestError, reason

PATIENCE = 4.0
"""Seconds within which a cluster takes up a connection, and in which it then says its first word."""

# A client's greeting in HTTP/2, which Ray speaks: the preface and a frame of settings, of which there are none. The
# server's own settings, a frame of type 4, are what it answers with.
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_TYPE, _SETTINGS, _HEADER = 3, 4, 9

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",  # what nodes say of themselves would come to stdout otherwise
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
    "RAY_gcs_server_request_timeout_seconds": "8",  # how long a node on this machine is looked for
}


def load_ray() -> Any:
    """Ray itself, made quiet before it is first imported.

    Raises RequestError where it is not installed.
    """
    os.environ.update(_QUIET)
    try:
        return import_module("ray")
    except ImportError as error:
        raise RequestError(f"a cluster needs Ray ({reason(error)}): pip install 'nestbench[cluster]'") from error


def find_cluster(address: str) -> str:
    """The ``HOST:PORT`` of the cluster that answers at an address, or at ``auto``: a second's look, nothing is joined.

    Raises RequestError where there is no Ray, and where no cluster answers.
    """
    place = _find(load_ray(), address)
    _greet(place)
    return place


@contextmanager
def joined(address: str) -> Iterator[Any]:
    """Ray, with this process a driver of the cluster at ``HOST:PORT``, or ``auto``: the one that this machine is in.

    All that the driver started there ends with the block, or with the process.
    Raises RequestError where there is no Ray, no cluster, one of another version, or this machine is none of its nodes.
    """
    place, ray = find_cluster(address), load_ray()
    try:
        with _sigterm_kept():
            ray.init(address=place, log_to_driver=False, logging_level=logging.CRITICAL)
    except Exception as error:
        ray.shutdown()
        raise RequestError(_why_not(place, error)) from error
    try:
        yield ray
    finally:
        ray.shutdown()


@contextmanager
def _sigterm_kept() -> Iterator[None]:
    """Leave SIGTERM to whom it belongs: Ray would take it for itself."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def _find(ray: Any, address: str) -> str:
    """The address as ``HOST:PORT``."""
    if address == "auto":
        try:
            address = ray._private.services.canonicalize_bootstrap_address_or_die("auto")
        except ConnectionError as error:
            raise RequestError(
                "no Ray cluster was found from this machine: start one with 'ray start --head', or give its HOST:PORT"
            ) from error
    host, _, port = address.rpartition(":")
    if not re.fullmatch(r"[\w.-]+|\[[\w:]+\]", host) or not port.isdecimal() or not 0 < int(port) < 65536:
        raise RequestError(f"'{address}' is not the address of a Ray cluster (allowed: auto, HOST:PORT)")
    return address


def _greet(address: str) -> None:
    """Raise RequestError where nobody at ``address`` speaks as a cluster does: Ray itself would wait for minutes."""
    if os.environ.get("RAY_USE_TLS", "0") != "0":
        return
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), PATIENCE) as connection:
            connection.settimeout(PATIENCE)
            connection.sendall(_GREETING)
            answer = connection.recv(_HEADER)
    except OSError as error:
        raise RequestError(f"no Ray cluster answers at '{address}' ({error.strerror or error})") from error
    if len(answer) <= _TYPE or answer[_TYPE] != _SETTINGS:
        raise RequestError(f"what answers at '{address}' is not a Ray cluster: give the port of its head, usually 6379")


def _why_not(address: str, error: Exception) -> str:
    text = f"{error} {error.__cause__ or error.__context__}"
    versions = re.findall(r"(Ray|Python): (\S+)", text)
    if "Version mismatch" in text and len(versions) == 4:
        there, here = (" and ".join(" ".join(pair) for pair in side) for side in (versions[:2], versions[2:]))
        return f"the Ray cluster at '{address}' runs {there}, and here are {here}: both must be the same"
    if "node info" in text:
        return f"this machine is no node of the Ray cluster at '{address}': run 'ray start --address={address}' on it"
    return f"cannot join the Ray cluster at '{address}': {reason(error)}"
