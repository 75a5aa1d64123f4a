"""Options that choose a protocol, whole or part by part."""

from dataclasses import dataclass
from typing import Annotated

from medvision.cli.options import Option
from medvision.frames import View
from medvision.protocols import Protocol, Reading, load_protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOptions:
    """How stored replies are read."""

    protocol: Annotated[
        str, Option("P", help="medvision (default), paper, or a .toml file: how replies are read")
    ] = ""
    reading: Annotated[Reading | None, Option(help="this part of the protocol alone")] = None

    def chosen(self) -> Reading | None:
        """The reading asked for; None leaves it to the run.

        Raises:
            UsageError: No such protocol.
        """
        whole = load_protocol(self.protocol).reading if self.protocol else None
        return self.reading or whole


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolOptions:
    """What is shown, said, read, left out and averaged."""

    protocol: Annotated[str, Option("P", help="medvision, paper, or a .toml file")] = "medvision"
    view: Annotated[View | None, Option(help="this part of the protocol alone")] = None
    reading: Annotated[Reading | None, Option(help="this part of the protocol alone")] = None
    prompt: Annotated[str, Option("P", help="facts in prompts as of this protocol")] = ""
    filters: Annotated[str, Option("P", help="what is asked about as of this protocol")] = ""
    averages: Annotated[str, Option("P", help="averages over groups as of this protocol")] = ""

    def chosen(self) -> Protocol:
        """The protocol with the parts that are set alone.

        Raises:
            UsageError: No such protocol.
        """
        chosen = load_protocol(self.protocol).with_parts(view=self.view, reading=self.reading)
        if self.prompt:
            chosen = chosen.with_part_of(load_protocol(self.prompt), "prompt")
        if self.filters:
            chosen = chosen.with_part_of(load_protocol(self.filters), "filters")
        if self.averages:
            chosen = chosen.with_part_of(load_protocol(self.averages), "averages")
        return chosen
