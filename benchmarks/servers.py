"""Servers that a benchmark starts for itself, and stops: a PostgreSQL of this machine's, and a cluster of Ray's."""

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


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL with nothing in it. It refuses to run as root, who has a user for it."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    control = shutil.which("pg_ctl", path=os.pathsep.join([os.environ["PATH"], *map(str, places)]))
    if control is None:
        raise RequestError("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    user: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    with TemporaryDirectory(prefix="postgres-") as folder, socket.socket() as probe:
        if user:
            os.chown(folder, *pwd.getpwnam("postgres")[2:4])
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()

        def order(word: str, *options: str) -> None:
            line = [control, word, "-D", f"{folder}/data", *options]
            subprocess.run(line, check=True, cwd=folder, stdout=subprocess.DEVNULL, **user)

        order("init", "-o", "--username=nest --auth=trust --locale=C --encoding=UTF8 --no-sync")
        order("start", "-w", "-l", f"{folder}/log", "-o", f"-p {port} -k {folder} -c listen_addresses=127.0.0.1")
        try:
            yield f"postgresql+psycopg://nest@127.0.0.1:{port}/postgres"
        finally:
            order("stop", "-w", "-m", "immediate")


@contextmanager
def cluster(cores: int) -> Iterator[str]:
    """The address of a cluster of one node, with so many cores in name."""
    load_ray()
    from ray.cluster_utils import Cluster  # noqa: PLC0415 (made quiet first)

    head = {"num_cpus": cores, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    nodes = Cluster(initialize_head=True, head_node_args=head)
    try:
        yield nodes.address
    finally:
        nodes.shutdown()
