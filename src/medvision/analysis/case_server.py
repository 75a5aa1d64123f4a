"""The report served on this machine alone: all cases of the runs, each with its picture.

Nothing is written, and no address names a file: a case is a number among the runs' samples, and
what is read is what those samples name. Requests whose Host is not this server are refused, so that
no page of another site can reach it under a name of its own.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pyarrow.compute as pc

from medvision.analysis.case_browser import browser_head
from medvision.analysis.case_index import sample_ids
from medvision.analysis.case_picks import CasePick
from medvision.analysis.cases import Row, case_details, rows_of_samples
from medvision.analysis.drawing.outline import Stretches
from medvision.analysis.pictures import png_bytes
from medvision.analysis.report import report_html
from medvision.analysis.run_scores import RunScores, models_before_baselines
from medvision.catalog.anatomy import Window
from medvision.errors import ItemError, UsageError
from medvision.pictures.render import SlicePictures, sample_slice
from medvision.samples import Sample, sample_from_row
from medvision.tasks import Task

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
MAX_QUERY_SIGNS = 1000

Outline = Callable[[Sample], Stretches | None]


class BadRequestError(UsageError):
    """A request that asks for nothing there is."""


class ServedCases:
    """What a server answers: the page, all cases as columns, each case, each picture."""

    def __init__(
        self,
        runs: Sequence[RunScores],
        *,
        outline: Outline = lambda _: None,
        sample_of: Callable[[Row], Sample] = sample_from_row,
    ) -> None:
        """Work out the page once.

        Args:
            runs: One per model.
            outline: The border of a sample's structure, if any.
            sample_of: The sample of a row, with its image where it lies now.
        """
        ordered = models_before_baselines(runs)
        known = set().union(*(run.samples["sample_id"].to_pylist() for run in ordered))
        self._ids = [i for i in sample_ids(ordered) if i in known]
        self._runs, self._outline, self._sample_of = ordered, outline, sample_of
        self._pictures, self._lock = SlicePictures(), Lock()
        self.page = report_html(ordered, {"served": True}, served=True).encode("utf-8", "replace")
        head = json.dumps(browser_head(ordered, self._ids), separators=(",", ":"), allow_nan=False)
        self.cases = head.encode("utf-8", "replace")
        # Lower case once: a search then only looks for its words.
        places = pa.array(self._ids, type=pa.string())
        self._texts = [
            (
                pc.index_in(run.replies["sample_id"], value_set=places),
                pc.utf8_lower(pc.coalesce(run.replies["text"], run.replies["message"])),
            )
            for run in ordered
        ]
        self._lower_ids = pc.utf8_lower(places)

    def case(self, place: int) -> dict[str, Any]:
        """Everything of one case but its picture, as JSON types."""
        row = self._row(place)
        pick = CasePick(sample_id=row["sample_id"], task=Task(row["task"]), reasons=())
        with self._lock:  # masks are read one at a time, and the last one is kept
            found = case_details(self._runs, [pick], {pick.sample_id: row}, outline=self._outline)
        return {**found["details"][0], "prompts": found["prompts"]}

    def picture(self, place: int, *, window: Window | None, side_px: int | None) -> bytes:
        """The slice of a case as PNG.

        Raises:
            ItemError: The image cannot be read.
        """
        sample = self._sample_of(self._row(place))
        ref = replace(sample_slice(sample), window=window)
        return png_bytes(self._pictures.slice_image(ref).pixels, side_px=side_px)

    def search(self, words: str) -> list[int]:
        """Cases with these words in a reply, error or id, whatever the case of letters."""
        wanted = words.lower()
        found = set(pc.indices_nonzero(pc.match_substring(self._lower_ids, wanted)).to_pylist())
        for places, texts in self._texts:
            holds = pc.fill_null(pc.match_substring(texts, wanted), False)  # noqa: FBT003
            found.update(places.filter(holds).drop_null().to_pylist())
        return sorted(found)

    def _row(self, place: int) -> Row:
        if not 0 <= place < len(self._ids):
            msg = f"expected a case from 0 to {len(self._ids) - 1}, found {place}"
            raise BadRequestError(msg)
        sample_id = self._ids[place]
        return rows_of_samples([run.samples for run in self._runs], [sample_id])[sample_id][0]


class CaseServer(ThreadingHTTPServer):
    """Serves runs on loopback; `server_port` says where if it was asked for port 0."""

    daemon_threads = True

    def __init__(self, cases: ServedCases, port: int = 0) -> None:
        """Listen on a port of 127.0.0.1; `serve_forever` answers."""
        self.cases = cases
        super().__init__((LOOPBACK, port), _Handler)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{LOOPBACK}:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: CaseServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "medvision", ""

    def do_GET(self) -> None:
        hosts = {f"{name}:{self.server.server_port}" for name in (LOOPBACK, "localhost")}
        if self.headers.get_all("Host", []) not in [[host] for host in hosts]:
            self._send(HTTPStatus.FORBIDDEN, "text/plain", b"this host is not served")
            return
        try:
            kind, body = self._found()
        except BadRequestError as error:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", str(error).encode("utf-8", "replace"))
        except ItemError as error:
            logger.warning("%s: %s", self.path[:200], error)
            words = f"{error.reason}: {error}".encode("utf-8", "replace")
            self._send(HTTPStatus.NOT_FOUND, "text/plain", words)
        else:
            self._send(HTTPStatus.OK, kind, body)

    do_HEAD = do_GET  # noqa: N815 the base class asks for this name

    def _found(self) -> tuple[str, bytes]:
        """Kind and body of what the path asks for.

        Raises:
            BadRequestError: There is no such thing.
        """
        asked, cases = urlsplit(self.path), self.server.cases
        query = parse_qs(asked.query, keep_blank_values=True)
        match asked.path.split("/")[1:]:
            case [""]:
                return "text/html", cases.page
            case ["cases.json"]:
                return "application/json", cases.cases
            case ["search"]:
                words = query.get("q", [""])[0][:MAX_QUERY_SIGNS]
                return "application/json", json.dumps(cases.search(words)).encode()
            case ["case", place]:
                found = json.dumps(cases.case(_whole(place)))
                return "application/json", found.encode()
            case ["picture", name] if name.endswith(".png"):
                drawn = cases.picture(_whole(name.removesuffix(".png")), **_look(query))
                return "image/png", drawn
        msg = "expected /, /cases.json, /case/N, /picture/N.png or /search?q=WORDS"
        raise BadRequestError(msg)

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind if kind == "image/png" else f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-store"),
        ):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the base class's name
        logger.debug(format, *args)


def _whole(text: str) -> int:
    """A number of a path.

    Raises:
        BadRequestError: It is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        msg = f"expected a whole number, found {text[:40]!r}"
        raise BadRequestError(msg)
    return int(text)


def _look(query: Mapping[str, list[str]]) -> dict[str, Any]:
    """Window and size of a picture asked for.

    Raises:
        BadRequestError: They are no numbers, or none that make a picture.
    """
    window = None
    if "window" in query:
        try:
            width_hu, level_hu = map(float, query["window"][0].split(","))
        except ValueError:
            width_hu, level_hu = 0.0, 0.0
        if not (0 < width_hu <= 1e5 and abs(level_hu) <= 1e5):
            msg = f"expected window=WIDTH,LEVEL in HU, found {query['window'][0][:40]!r}"
            raise BadRequestError(msg)
        window = Window(width_hu=width_hu, level_hu=level_hu)
    side_px = max(16, _whole(query["side"][0])) if "side" in query else None
    return {"window": window, "side_px": side_px}
