"""Models served by a test's server, and a store for their replies."""

import math
import socket

import pytest

from medvision.models import BreakerPolicy, RetryPolicy
from medvision.models.openai_server import OpenAIServer, ServerSettings
from medvision.models.store import ResponseStore
from tests.model_server import LONG_S


@pytest.fixture
def store(tmp_path):
    with ResponseStore(tmp_path / "responses.sqlite") as opened:
        yield opened


@pytest.fixture
def no_server_url():
    """An address that refuses connections as long as the test lasts: bound, not listened on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1"


PATIENT_RETRY = RetryPolicy(
    max_attempts=3,
    request_timeout_s=LONG_S,
    connect_timeout_s=LONG_S,
    deadline_s=3 * LONG_S,
    first_delay_s=0.005,
    max_delay_s=0.02,
)
NEVER_DEAD = BreakerPolicy(for_at_least_s=math.inf, fruitless_for_at_least_s=math.inf)


@pytest.fixture
def served_model():
    """Make a model of a server: quick to try again, and patient with a slow machine.

    Tests of time limits and of servers found dead state their own.
    """

    def make(base_url: str, **changes) -> OpenAIServer:
        fields = {
            "name": "tiny",
            "base_url": base_url,
            "api_key_env": "TEST_MODEL_KEY",
            "retry": PATIENT_RETRY,
            "breaker": NEVER_DEAD,
        }
        return OpenAIServer(ServerSettings(**{**fields, **changes}))

    return make
