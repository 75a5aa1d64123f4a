"""Download, verify and unpack datasets; resumes where it stopped.

Licence and terms are shown and accepted once for each dataset (--accept-licence). Tokens come from
HF_TOKEN, SYNAPSE_AUTH_TOKEN and KAGGLE_API_TOKEN. What you have already, --from takes: archives or
folders unpacked from them. --plan says what would be downloaded, how large it is and what it needs.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from medvision.catalog.own import OwnCatalog
from medvision.catalog.source import Role
from medvision.cli.options import Argument, Option
from medvision.cli.printable import printable
from medvision.cli.progress import in_megabytes, progress_bar
from medvision.cli.root import Root, data_root
from medvision.errors import ItemError
from medvision.fetch import FetchSettings, fetch
from medvision.fetch.plan import plan_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOptions:
    """Options of `medvision fetch`."""

    names: Annotated[tuple[str, ...], Argument("NAME", help="see `medvision catalog list`")]
    plan: Annotated[bool, Option(help="print files, sizes and accounts; fetch nothing")] = False
    from_: Annotated[
        Path | None, Option("DIR", help="take archives or unpacked folders that you have")
    ] = None
    mirror: Annotated[
        str, Option("URL", help="a copy with the same file names below one address")
    ] = ""
    source: Annotated[
        Role | None, Option(help="whose files (default: the easiest complete ones)")
    ] = None
    accept_licence: Annotated[bool, Option(help="you accept licence and terms")] = False
    unverified: Annotated[bool, Option(help="take files whose digest differs; recorded")] = False
    keep_archives: Annotated[bool, Option(help="keep archives after unpacking")] = False
    jobs: Annotated[int, Option("N", help="files downloaded at once (default 4)")] = 4
    verify: Annotated[bool, Option(help="check the digests of fetched files")] = False
    catalog: Annotated[
        Path | None, Option("DIR", help="declarations of your own, beside the built-in ones")
    ] = None
    root: Root = None


def run(options: FetchOptions) -> int:
    """Fetch each dataset; 1 where one could not be had."""
    catalog = OwnCatalog.read(options.catalog)
    datasets = [catalog.load(name) for name in options.names]
    root = data_root(options.root)
    if options.plan:
        print("\n".join(plan_lines(datasets, root, role=options.source)))
        return 0
    failed = False
    for dataset in datasets:
        with progress_bar(f"fetching {dataset.name}", "MB") as move:
            settings = FetchSettings(
                given=options.from_,
                mirror=options.mirror,
                role=options.source,
                accept_licence=options.accept_licence,
                unverified=options.unverified,
                keep_archives=options.keep_archives,
                jobs=options.jobs,
                on_progress=in_megabytes(move),
            )
            try:
                folder = fetch(dataset, root, verify=options.verify, settings=settings)
            except ItemError as error:
                print(f"{dataset.name}: {error.reason}: {error}", file=sys.stderr)
                failed = True
                continue
        print(printable(str(folder)))
    return 1 if failed else 0
