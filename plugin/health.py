"""Liveness and readiness, for systemd, proxies and monitors. No secrets, no tickets."""

from __future__ import annotations

import logging
from typing import Any

from flask import Blueprint, current_app

from connectors.errors import DeskhandError, StoreError
from plugin.context import Context, context
from trainer.registry import Registry

log = logging.getLogger(__name__)

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@blueprint.get("/readyz")
def ready() -> tuple[dict[str, Any], int]:
    """Whether drafts can be expected: the store answers and a model is live."""
    return readiness(context(current_app))


def readiness(deskhand: Context) -> tuple[dict[str, Any], int]:
    """What `/readyz` answers, with its status."""
    try:
        live = Registry(deskhand.settings.models_path).live()
        inbox = deskhand.store().inbox.counts()
    except StoreError as error:
        # Its message names the path, and nobody needs a token to ask.
        log.error("the store does not work: %s (%s)", error, error.hint)
        deskhand.reopen()
        return {"status": "not ready", "reason": "the store does not work; the log says why"}, 503
    except DeskhandError as error:
        return {"status": "not ready", "reason": str(error)}, 503
    if live is None:
        return {"status": "not ready", "reason": "no model is live", "inbox": inbox}, 503
    return {"status": "ready", "model": live.version, "inbox": inbox}, 200
