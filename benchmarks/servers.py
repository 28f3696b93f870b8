"""Servers that a benchmark or a test starts for itself: a PostgreSQL of this machine's, and a cluster of Ray's."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nestbench.cluster.join import load_ray
from nestbench.errors import RequestError

_PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
PG_CTL = shutil.which("pg_ctl", path=os.pathsep.join([os.environ["PATH"], *map(str, _PLACES)]))
"""The command that starts a PostgreSQL; None where there is none."""

NO_POSTGRES = "PostgreSQL is not installed (Debian: apt-get install postgresql)"

MEMORY = 80 * 2**20
"""Bytes that a node of Ray's keeps for objects: the least that it takes."""


class Postgres:
    """A PostgreSQL with nothing in it, in a folder of its own. It refuses to run as root, who has a user for it."""

    def __init__(self, folder: Path) -> None:
        if PG_CTL is None:
            raise RequestError(NO_POSTGRES)
        self._folder = folder
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._user = {"user": "postgres", "group": "postgres", "extra_groups": []}
            os.chown(folder, *pwd.getpwnam("postgres")[2:4])
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._order("init", "-o", "--username=nest --auth=trust --locale=C --encoding=UTF8 --no-sync")

    @property
    def url(self) -> str:
        """Where it is; any password is taken."""
        return f"postgresql+psycopg://nest:secret@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Start it; it is ready on return."""
        options = f"-p {self._port} -k {self._folder} -c listen_addresses=127.0.0.1"
        self._order("start", "-w", "-l", f"{self._folder}/log", "-o", options)

    def stop(self) -> None:
        """End it as a crash would; what it had confirmed is there when it starts again."""
        self._order("stop", "-w", "-m", "immediate")

    def _order(self, word: str, *options: str) -> None:
        line = [str(PG_CTL), word, "-D", f"{self._folder}/data", *options]
        subprocess.run(line, check=True, cwd=self._folder, stdout=subprocess.DEVNULL, **self._user)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL that has been started, and is stopped with the block."""
    # In no folder that pytest makes: the server's user may not enter those.
    with TemporaryDirectory(prefix="postgres-") as folder:
        server = Postgres(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def cluster(*cores: int) -> Iterator[Any]:
    """A cluster of Ray's: a head, where who calls is, and other nodes, each with so many cores in name."""
    load_ray()
    from ray.cluster_utils import Cluster  # noqa: PLC0415 (made quiet first)

    head, *others = cores
    nodes = Cluster(initialize_head=True, head_node_args=node(head) | {"include_dashboard": False})
    try:
        for other in others:
            nodes.add_node(**node(other))
        yield nodes
    finally:
        nodes.shutdown()


def node(cores: int) -> dict[str, Any]:
    """What Ray is told of a node."""
    return {"num_cpus": cores, "object_store_memory": MEMORY}
