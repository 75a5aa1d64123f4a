"""Downloads of declared datasets: verified, resumable, through the clients users have set up."""

from medvision.fetch.fetch import fetch, raw_folder
from medvision.fetch.registry import ChecksumError, FetchError, NotFetchableError

__all__ = ["ChecksumError", "FetchError", "NotFetchableError", "fetch", "raw_folder"]
