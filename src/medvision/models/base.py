"""Words of this stage: a question put to a model, its reply, and what a model is."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from medvision.errors import MedVisionError, UsageError
from medvision.pictures.view import PictureFamily, SliceView
from medvision.replies import Style
from medvision.samples import Sample
from medvision.tasks import Task

Json = dict[str, Any]

ALL_TASKS = frozenset(Task)


class ResponseStatus(StrEnum):
    """What came of one request. Only the first three are answers of the model."""

    OK = "ok"
    TRUNCATED = "truncated"
    """The reply hit its token limit."""
    REFUSED = "refused"
    """The model, or its provider's content filter, declined."""
    ERROR = "error"
    """The harness failed: no statement about the model."""


class ErrorKind(StrEnum):
    """Why a request has no answer."""

    CONNECTION = "connection"
    TIMEOUT = "timeout"
    RATE_LIMITED = "rate_limited"
    SERVER = "server"
    """HTTP 5xx, 408 or 409, or an error object instead of a completion."""
    REJECTED = "rejected"
    """Another HTTP 4xx: the request as such is not accepted."""
    UNEXPECTED_HTTP = "unexpected_http"
    """An HTTP status that is neither success nor a known failure (a redirect)."""
    WRONG_CONTENT_TYPE = "wrong_content_type"
    MALFORMED_JSON = "malformed_json"
    EMPTY_CHOICES = "empty_choices"
    MALFORMED_REPLY = "malformed_reply"
    """JSON, but not of a chat completion."""
    UNKNOWN_STOP = "unknown_stop"
    """The server stopped for a reason that is not known to be the end of an answer, or none."""
    OVERSIZED = "oversized"
    IMAGE = "image"
    """The picture could not be made: nothing was sent."""
    OUT_OF_MEMORY = "out_of_memory"
    """A model in this process had no room for the question, even alone."""
    BREAKER_OPEN = "breaker_open"
    """The server was found dead: not sent, or given up."""
    NOT_ASKED = "not_asked"
    """No request was made yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request: a sample's prompt and picture, asked for the `repeat`-th time.

    Attributes:
        sample: What is asked about. Served models never see it; baselines do.
        prompt_text: The user's message beside the picture.
        image_png: Makes the picture; called only when the question really has to be asked,
            possibly in another thread. None asks by words alone.
        pixel_sha256: Hex digest of the picture's decoded pixels; "" while it has not been drawn.
        pixel_shape: Shape of the decoded pixels: (height, width).
        style: Answer style that `prompt_text` asks for.
        slice_identity: Stands for the pixels in the key until they are drawn, and for good where
            the model looks at none.
        draw: Draws the picture once, for its digest and for sending; None where that is known or
            needless.
        image_detail: How finely the server is to look at the picture; "" leaves it to the server.
        system_text: The system message; none when empty.
        repeat: 0 for the first of n samples of the same question.
    """

    sample: Sample
    prompt_text: str
    image_png: Callable[[], bytes] | None
    pixel_sha256: str
    pixel_shape: tuple[int, ...]
    style: Style
    slice_identity: str = ""
    draw: "Callable[[], Drawn] | None" = None
    image_detail: str = ""
    system_text: str = ""
    repeat: int = 0

    def with_picture(self, drawn: "Drawn") -> "Question":
        """The same question, its picture drawn."""
        return replace(
            self, image_png=lambda: drawn.png, pixel_sha256=drawn.pixel_sha256, draw=None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A picture that is ready to be sent.

    Attributes:
        png: The picture.
        pixel_sha256: As in `Question`.
        slice_sha256: Digest of the slice as stored, by which a run knows it again.
    """

    png: bytes
    pixel_sha256: str
    slice_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back. `text` holds the model's own words and never a failure's.

    Attributes:
        reasoning: Reasoning text the server kept apart from the reply.
        finish_reason: As the server stated it, else "".
        error_kind: Set when, and only when, `status` is error.
        http_code: Of the last failure, where the server answered at all.
        attempts: Requests sent; 0 when none was.
        latency_s: Of the last attempt.
        message: Of an error: what the server said, without secrets.
        served_model: By which name the server's response calls the model, "" where it does not.
    """

    status: ResponseStatus
    text: str = ""
    reasoning: str = ""
    finish_reason: str = ""
    error_kind: ErrorKind | None = None
    http_code: int | None = None
    attempts: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    latency_s: float = 0.0
    message: str = ""
    served_model: str = ""

    def __post_init__(self) -> None:
        if (self.status is ResponseStatus.ERROR) != (self.error_kind is not None):
            msg = (
                f"expected an error kind exactly for errors, found {self.status}, {self.error_kind}"
            )
            raise InconsistentReplyError(msg)

    @property
    def is_answer(self) -> bool:
        """Whether the model spoke: kept and reused; an error is asked again."""
        return self.status is not ResponseStatus.ERROR


def error_reply(
    kind: ErrorKind, *, http_code: int | None = None, attempts: int = 0, message: str = ""
) -> Reply:
    """A reply that says only why there is none."""
    return Reply(
        status=ResponseStatus.ERROR,
        error_kind=kind,
        http_code=http_code,
        attempts=attempts,
        message=message,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failed attempt.

    Attributes:
        http_code: Where the server answered at all.
        is_retried: Whether the same request may go better later.
        retry_after_s: Wait that the server asked for.
        server_text: The server's words.
    """

    kind: ErrorKind
    http_code: int | None = None
    is_retried: bool = True
    retry_after_s: float | None = None
    server_text: str = ""


class InconsistentReplyError(MedVisionError):
    """A reply claims both an answer and a failure, or neither."""


class AccessRefusedError(UsageError):
    """The server refuses this user or model altogether: asking on is pointless."""


class ServerDeadError(MedVisionError):
    """The server cannot be reached any more: the rest of the run is given up."""


class Model(Protocol):
    """Anything that answers questions.

    `model_id`, `revision` and `settings` name the model in every request's key, so they hold
    everything that changes its answers and nothing else (no address, no retry count).
    """

    @property
    def model_id(self) -> str:
        """The name it is asked for by, such as "openai/NAME"."""

    @property
    def revision(self) -> str:
        """Which version of the weights, where known, else ""."""

    @property
    def settings(self) -> Json:
        """Generation settings."""

    @property
    def tasks(self) -> frozenset[Task]:
        """Tasks it can answer; questions of others are not put to it."""

    def key_inputs(self, question: Question) -> Json:
        """What else of this question its answer depends on; {} for all but baselines."""


@runtime_checkable
class ServedModel(Model, Protocol):
    """A model asked over a connection, many questions at a time."""

    async def reply(self, question: Question, image_png: bytes) -> Reply:
        """Ask one question.

        Raises:
            AccessRefusedError: No question will ever be answered.
            ServerDeadError: The server is gone.
        """

    async def aclose(self) -> None:
        """Give connections back; a later `reply` opens new ones."""


@runtime_checkable
class ChecksPictures(Protocol):
    """A model that can tell what it really sees before it is asked."""

    def check_pictures(self, views: Iterable[SliceView], family: PictureFamily) -> None:
        """Compare what it makes of pictures with what prompts are to state of them.

        Raises:
            UsageError: It sees another canvas.
        """


@runtime_checkable
class LocalModel(Model, Protocol):
    """A model in this process, asked in batches."""

    @property
    def batch_size(self) -> int:
        """Questions to hand over at a time; each batch is one commit to the store."""

    @property
    def window_size(self) -> int:
        """Questions to sort by length, longest first, before they go into batches."""

    def replies(self, questions: Sequence[Question]) -> list[Reply]:
        """Replies in the order of the questions."""


def chat_messages(question: Question, image_url: str) -> list[Json]:
    """The messages of one question as every served model gets them.

    Args:
        question: What to ask.
        image_url: The picture, as a data URI (or as a digest, in the request's key).
    """
    image = {"url": image_url}
    if question.image_detail:
        image["detail"] = question.image_detail
    user: list[Json] = [{"type": "text", "text": question.prompt_text}]
    if question.image_png is not None:
        user.insert(0, {"type": "image_url", "image_url": image})
    system = [{"role": "system", "content": question.system_text}] if question.system_text else []
    return [*system, {"role": "user", "content": user}]
