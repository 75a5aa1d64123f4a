"""The language of declarations as a JSON schema, for editors of TOML files."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from medvision.catalog.schema import declaration_schema
from medvision.cli.options import Option
from medvision.storage import write_text


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaOptions:
    """Options of `medvision catalog schema`."""

    out: Annotated[Path | None, Option("FILE", help="file to write (default: print it)")] = None


def run(options: SchemaOptions) -> int:
    """Print or write the schema."""
    text = json.dumps(declaration_schema(), indent=1, ensure_ascii=False) + "\n"
    if options.out is None:
        print(text, end="")
        return 0
    write_text(options.out, text)
    print(f"{options.out}: written")
    return 0
