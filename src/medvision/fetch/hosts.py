"""How each kind of host is asked for files: an address for plain HTTP, or its own client."""

import base64
import fnmatch
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from medvision.catalog.source import Download, Source, SourceKind
from medvision.errors import MedVisionError
from medvision.extras import require
from medvision.fetch.download import Interrupted, NotThereError, Remote, Session, download
from medvision.fetch.errors import FetchError, disk_full, is_disk_full, refuse_without_space
from medvision.fetch.tokens import needed_token, token_of, without_tokens
from medvision.storage import sync

logger = logging.getLogger(__name__)

HOSTS = {
    SourceKind.ZENODO: "https://zenodo.org",
    SourceKind.KAGGLE: "https://www.kaggle.com",
    SourceKind.HUGGINGFACE: "",
}
"""Where hosts with addresses of their own are; "" for where their own client looks."""

PATTERN = frozenset("*?[")


@dataclass(frozen=True, slots=True, kw_only=True)
class Obtained:
    """A file that has come, and what it should be.

    Attributes:
        wanted: With the digest and size that the host states, where the catalogue has none.
        path: Where it is.
        given: Whether it is the user's, which is left as it is.
    """

    wanted: Download
    path: Path
    given: bool = False


Obtain = Callable[[Source, Download, Path, Session], list[Obtained]]
"""Brings what a declared download stands for into a folder."""


def over_http(source: Source, wanted: Download, folder: Path, session: Session) -> list[Obtained]:
    """A file behind an address that follows from the declaration."""
    wanted = _as_stated(source, wanted, session)
    headers: dict[str, str] = {}
    name = quote(wanted.name)
    match source.kind:
        case SourceKind.ZENODO:
            url = f"{HOSTS[source.kind]}/records/{source.id}/files/{name}?download=1"
        case SourceKind.KAGGLE:
            url = f"{HOSTS[source.kind]}/api/v1/datasets/download/{source.id}/{name}"
            token = needed_token(source.kind, f"{source.name} {wanted.name}")
            user = os.environ.get("KAGGLE_USERNAME", "")
            if os.environ.get("KAGGLE_API_TOKEN") or not user:
                headers["Authorization"] = f"Bearer {token}"
            else:
                pair = base64.b64encode(f"{user}:{token}".encode()).decode()
                headers["Authorization"] = f"Basic {pair}"
        case SourceKind.S3:
            url = f"{source.url.rstrip('/')}/{name}"
        case _:
            url = source.url
    remote = Remote(download=wanted, urls=(url,), headers=headers)
    return [Obtained(wanted=wanted, path=download(remote, folder / wanted.name, session))]


def _as_stated(source: Source, wanted: Download, session: Session) -> Download:
    """A download with what its Zenodo record states, where the catalogue states less."""
    if source.kind != SourceKind.ZENODO or wanted.sha256 or wanted.md5:
        return wanted
    address = f"{HOSTS[source.kind]}/api/records/{source.id}"
    try:
        listed = session.client.get(address).json()["files"]
        found = next(one for one in listed if one["key"] == wanted.name)
        kind, _, digest = found["checksum"].partition(":")
        if kind == "md5":
            return replace(wanted, md5=digest, size_bytes=int(found["size"]))
    except Exception as error:  # noqa: BLE001 - the file itself may still be had, if unpinned
        logger.info("%s: its record says nothing of %s (%s)", source.name, wanted.name, error)
    return wanted


def from_mirror(mirror: str, dataset: str) -> Obtain:
    """Obtains files from a copy below `mirror/DATASET`, or below `mirror` where it is not there.

    Where two archives of a dataset have one name, the folder they go to tells them apart.
    """

    def obtain(_source: Source, wanted: Download, folder: Path, session: Session) -> list[Obtained]:
        base, below = mirror.rstrip("/"), f"{dataset}/{wanted.name}"
        paths = [f"{dataset}/{wanted.into}/{wanted.name}"] if wanted.into else []
        urls = tuple(f"{base}/{quote(path)}" for path in (*paths, below, wanted.name))
        remote = Remote(download=wanted, urls=urls)
        return [Obtained(wanted=wanted, path=download(remote, folder / wanted.name, session))]

    return obtain


@contextmanager
def _clients_errors(item: str, folder: Path) -> Iterator[None]:
    """Turns what a host's own client raises into an error of ours, without tokens."""
    try:
        yield
    except (MedVisionError, Interrupted):
        raise
    except Exception as error:
        if isinstance(error, OSError) and is_disk_full(error):
            raise disk_full(folder, f"downloading {item}") from error
        words = " ".join(without_tokens(f"{type(error).__name__}: {error}").split())
        msg = f"{item}: {words[:600]}"
        # Not chained: its traceback would show what its message does.
        raise FetchError(msg) from None


def from_hugging_face(
    source: Source, wanted: Download, folder: Path, session: Session
) -> list[Obtained]:
    """Files of a dataset repository at its pinned revision, a pattern for those that fit."""
    item = f"{source.name} {wanted.name}"
    hub = require("huggingface_hub", "fetch", item=item)
    token = token_of(source.kind)
    if source.access == "token":
        token = needed_token(source.kind, item)
    revision = source.revision or None
    where = {"repo_id": source.id, "repo_type": "dataset", "revision": revision}
    with _clients_errors(item, folder):
        # False, not None: with None it would look for a login of its own.
        api = hub.HfApi(endpoint=HOSTS[source.kind] or None, token=token or False)
        if PATTERN & set(wanted.name):
            listed = [
                one
                for one in api.list_repo_tree(recursive=True, **where)
                if hasattr(one, "size") and fnmatch.fnmatchcase(one.path, wanted.name)
            ]
        else:
            listed = api.get_paths_info(paths=[wanted.name], **where)
        if not listed:
            msg = f"{item}: no such file at revision {source.revision or 'main'}"
            raise NotThereError(msg)
        headers = hub.utils.build_hf_headers(token=token or False)
    refuse_without_space(folder, sum(one.size for one in listed), f"downloading {wanted.name}")
    obtained = []
    for one in listed:
        digest = one.lfs.sha256 if getattr(one, "lfs", None) else ""
        known = replace(
            wanted,
            name=one.path,
            sha256=wanted.sha256 or digest,
            size_bytes=wanted.size_bytes or one.size,
        )
        # Not by its own download: that begins anew after a kill, however much has come.
        url = hub.hf_hub_url(filename=one.path, endpoint=HOSTS[source.kind] or None, **where)
        remote = Remote(download=known, urls=(url,), headers=headers)
        path = download(remote, folder / one.path, session)
        obtained.append(Obtained(wanted=known, path=path))
    return obtained


def from_synapse(
    source: Source, wanted: Download, folder: Path, session: Session
) -> list[Obtained]:
    """A file entity, through Synapse's own client, which checks its digest."""
    item = f"{source.name} {wanted.name}"
    synapse = require("synapseclient", "synapse", item=item)
    with _clients_errors(item, folder):
        client = synapse.Synapse(skip_checks=True, silent=True)
        client.login(authToken=needed_token(source.kind, item), silent=True)
        entity = client.get(wanted.id or source.id, downloadLocation=str(folder))
        path = Path(entity.path)
    session.on_bytes(path.stat().st_size)
    return [Obtained(wanted=wanted, path=path)]


def from_google_drive(
    source: Source, wanted: Download, folder: Path, session: Session
) -> list[Obtained]:
    """A file below a shared folder, or one with an id of its own, through gdown."""
    item = f"{source.name} {wanted.name}"
    gdown = require("gdown", "fetch", item=item)
    path = folder / wanted.name
    if path.exists():
        return [Obtained(wanted=wanted, path=path)]
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.part")
    with _clients_errors(item, folder):
        file_id = wanted.id
        if not file_id:
            # A folder is listed with its own name on top, or without.
            listed = gdown.download_folder(id=source.id, skip_download=True, quiet=True)
            named = {one.path: one.id for one in listed}
            fitting = [name for name in named if f"/{name}".endswith(f"/{wanted.name}")]
            if len(fitting) != 1:
                msg = f"{item}: expected one such file in the folder, found {sorted(named)[:20]}"
                raise NotThereError(msg)
            file_id = named[fitting[0]]
        told = 0

        def tell(done: int, _total: int | None) -> None:
            nonlocal told
            session.on_bytes(done - told)
            told = done

        gdown.download(
            id=file_id,
            output=str(draft),
            quiet=True,
            resume=True,
            retries=session.attempts,
            progress=tell,
            cancel=session.stop,
        )
        sync(draft)
        draft.replace(path)
    return [Obtained(wanted=wanted, path=path)]


OBTAIN: Mapping[SourceKind, Obtain] = {
    SourceKind.ZENODO: over_http,
    SourceKind.FIGSHARE: over_http,
    SourceKind.S3: over_http,
    SourceKind.DIRECT: over_http,
    SourceKind.KAGGLE: over_http,
    SourceKind.HUGGINGFACE: from_hugging_face,
    SourceKind.SYNAPSE: from_synapse,
    SourceKind.GOOGLE_DRIVE: from_google_drive,
}
"""How files of each kind of host are obtained."""
