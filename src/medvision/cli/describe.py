"""What a folder holds and how it pairs; writes a declaration to correct and to build from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from medvision.cli.options import Argument, Option
from medvision.describe.declaration import declaration, relative_root
from medvision.describe.recognise import describe
from medvision.describe.report import description_lines
from medvision.describe.tree import read_tree
from medvision.errors import UsageError
from medvision.storage import write_text


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeOptions:
    """Options of `medvision describe`."""

    folder: Annotated[Path, Argument("FOLDER", help="images with masks, boxes or landmarks")]
    out: Annotated[Path | None, Option("FILE.toml", help="declaration to write")] = None
    name: Annotated[str, Option(help="dataset name (default: the folder's)")] = ""


def run(options: DescribeOptions) -> int:
    """Print what the folder is taken for; write the declaration if asked; 1 if a file is broken."""
    described = describe(read_tree(options.folder))
    for line in description_lines(described):
        print(line)
    status = 1 if described.found.broken or described.found.ambiguous else 0
    if options.out is None:
        return status
    out = options.out
    subjects = out.with_name(f"{out.stem}-subjects.csv")
    written = declaration(
        described,
        name=options.name or options.folder.resolve().name,
        root=relative_root(options.folder, out.parent),
        subjects_file=subjects.name,
    )
    texts = {subjects: written.subjects} if written.subjects else {}
    texts[out] = written.text
    for path in (subjects, out):
        # What a run that was cut off has written is as good as written now.
        if path.exists() and path.read_bytes() != texts.get(path, "").encode("utf-8"):
            msg = f"{path} exists; name another --out, or move it away"
            raise UsageError(msg)
    out.parent.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        write_text(path, text)
        print(f"{path}: written")
    return status
