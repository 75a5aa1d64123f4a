"""The key of a request: equal for requests that a model could not tell apart, and only for them."""

import hashlib
import json
from typing import Any

from medvision.models.base import Json, Model, Question, chat_messages


def request_document(question: Question, model: Model) -> Json:
    """All that may change a reply, with the picture as its pixel digest.

    Neither the server's address nor retry counts nor a sample id are part of it.
    """
    return {
        "messages": chat_messages(question, f"sha256:{question.pixel_sha256}"),
        "pixels": {"sha256": question.pixel_sha256, "shape": list(question.pixel_shape)},
        "model": {"id": model.model_id, "revision": model.revision},
        "settings": model.settings,
        "inputs": model.key_inputs(question),
        "repeat": question.repeat,
    }


def canonical_json(value: Any) -> str:
    """JSON with sorted names and no spaces; NaN and infinity are refused."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def request_key(question: Question, model: Model) -> str:
    """SHA-256 of the request's canonical JSON, as 64 hex digits."""
    document = canonical_json(request_document(question, model))
    return hashlib.sha256(document.encode()).hexdigest()
