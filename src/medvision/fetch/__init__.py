"""Downloads of declared datasets: verified, resumable, through the clients users have set up."""

from medvision.fetch.errors import ChecksumError, FetchError, NotFetchableError
from medvision.fetch.fetch import fetch, raw_folder

__all__ = ["ChecksumError", "FetchError", "NotFetchableError", "fetch", "raw_folder"]
