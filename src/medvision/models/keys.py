"""The key of a request: equal for requests that a model could not tell apart, and only for them."""

import hashlib
import json
from typing import Any

from medvision.models.base import Json, Model, Question, chat_messages

_CANONICAL = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
)
"""Made once: `json.dumps` would make one for every request."""


def request_document(question: Question, model: Model) -> Json:
    """All that may change a reply, with the picture as its pixel digest.

    A picture that is not drawn (yet, or never: baselines look at none) is named by its slice.
    Neither the server's address nor retry counts nor a sample id are part of it.
    """
    if question.slice_identity and not question.pixel_sha256:
        picture, pixels = f"slice:{question.slice_identity}", {"slice": question.slice_identity}
    else:
        picture, pixels = f"sha256:{question.pixel_sha256}", {"sha256": question.pixel_sha256}
    return {
        "messages": chat_messages(question, picture),
        "pixels": {**pixels, "shape": list(question.pixel_shape)},
        "model": {"id": model.model_id, "revision": model.revision},
        "settings": model.settings,
        "inputs": model.key_inputs(question),
        "repeat": question.repeat,
    }


def canonical_json(value: Any) -> str:
    """JSON with sorted names and no spaces; NaN and infinity are refused."""
    return _CANONICAL.encode(value)


def request_key(question: Question, model: Model) -> str:
    """SHA-256 of the request's canonical JSON, as 64 hex digits."""
    document = canonical_json(request_document(question, model))
    return hashlib.sha256(document.encode()).hexdigest()
