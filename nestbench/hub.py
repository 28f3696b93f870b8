"""The hub that libraries fetch pretrained weights from, and one sentence where they cannot be had."""

from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import constants, get_session
from huggingface_hub.errors import LocalEntryNotFoundError

from nestbench.errors import RequestError, reason

PATIENCE = 5.0
"""Seconds that the hub has for its first answer."""


@contextmanager
def fetching(encoder: str, otherwise: str) -> Iterator[None]:
    """Let a library fetch the weights of ``encoder``; whatever goes wrong is one sentence (RequestError).

    It ends with ``otherwise``: what can be done without the hub. The hub is asked for a sign of life first: where it
    gives none, copies that were fetched before still serve, and the library's client, which would wait and try again
    for a minute, does not try at all.
    """
    silence, offline = _silence(), constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = offline or bool(silence)
    try:
        yield
    except RequestError:
        raise
    except Exception as error:  # the client raises what its own transport raises, and a library what it likes
        absent = silence and isinstance(error, LocalEntryNotFoundError)
        why = f"the hub cannot be reached: {silence}" if absent else reason(error)
        raise RequestError(
            f"pretrained weights of encoder '{encoder}' cannot be fetched ({why}); {otherwise}"
        ) from error
    finally:
        constants.HF_HUB_OFFLINE = offline


def _silence() -> str:
    """Why the hub does not answer; empty where it does."""
    try:
        answer = get_session().head(constants.ENDPOINT, timeout=PATIENCE)
    except Exception as error:  # whatever the transport raises
        return reason(error)
    return f"it answers {answer.status_code}" if answer.status_code >= 500 else ""
