"""Questions to replies: baselines and served models, a store that loses nothing, the run loop.

Nothing here imports the `openai` client until a served model is asked.
"""

from medvision.models.base import (
    AccessRefusedError,
    ErrorKind,
    LocalModel,
    Model,
    Question,
    Reply,
    ResponseStatus,
    ServedModel,
    ServerDeadError,
    chat_messages,
)
from medvision.models.baselines import Baseline, make_baseline
from medvision.models.generation import Generation
from medvision.models.keys import request_key
from medvision.models.limits import BreakerPolicy, Budget, Pace, RetryPolicy
from medvision.models.openai_server import OpenAIServer, ServerSettings
from medvision.models.runner import Progress, RunSettings, RunSummary, StopReason, run_questions
from medvision.models.store import (
    DuplicateRequestError,
    RequestRow,
    ResponseStore,
    StatusCount,
    StoredReply,
)
from medvision.models.store_file import StoreUnreadableError

__all__ = [
    "AccessRefusedError",
    "Baseline",
    "BreakerPolicy",
    "Budget",
    "DuplicateRequestError",
    "ErrorKind",
    "Generation",
    "LocalModel",
    "Model",
    "OpenAIServer",
    "Pace",
    "Progress",
    "Question",
    "Reply",
    "RequestRow",
    "ResponseStatus",
    "ResponseStore",
    "RetryPolicy",
    "RunSettings",
    "RunSummary",
    "ServedModel",
    "ServerDeadError",
    "ServerSettings",
    "StatusCount",
    "StopReason",
    "StoreUnreadableError",
    "StoredReply",
    "chat_messages",
    "make_baseline",
    "request_key",
    "run_questions",
]
