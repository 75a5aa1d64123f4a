"""Downloads of declared datasets: verified, resumable, through the clients users have set up."""

from medvision.fetch.errors import ChecksumError, FetchError, NotFetchableError
from medvision.fetch.fetch import fetch, raw_folder
from medvision.fetch.settings import FetchSettings

__all__ = [
    "ChecksumError",
    "FetchError",
    "FetchSettings",
    "NotFetchableError",
    "fetch",
    "raw_folder",
]
