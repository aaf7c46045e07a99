"""Packages that only some networks need, and their errors."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dissection.errors import NetworkError, WeightsError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def needs(network: str, extra: str) -> Iterator[None]:
    """Guard imports that fail if an extra is not installed.

    Raises:
        NetworkError: if they fail; the message says what to install.
    """
    try:
        yield
    except ImportError as error:
        raise NetworkError(
            f"{network} needs a package that is not installed ({error}); pip install 'neuronexplain[{extra}]'"
        ) from error


@contextmanager
def fetching(network: str, advice: str) -> Iterator[None]:
    """Let a package fetch a network from the Hugging Face hub, without logging every try.

    Raises:
        WeightsError: if that fails; ``advice`` says how to do without the hub.
    """
    log = logging.getLogger("huggingface_hub")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    except NetworkError:
        raise
    except Exception as error:  # damaged files reach these packages' own code
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(f"cannot load {network} ({type(error).__name__}: {reason}); {advice}") from error
    finally:
        log.setLevel(level)
