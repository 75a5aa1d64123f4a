"""The option `--model` and what goes with it: where a model is, and how its weights are held."""

from dataclasses import dataclass
from typing import Annotated

from medvision.cli.asking import PaceOptions
from medvision.cli.options import Option
from medvision.models.generation import Generation
from medvision.models.in_process.weights import Precision, WeightSettings
from medvision.models.openai_server import OpenAIServer, ServerSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Where a served model is."""

    base_url: Annotated[str | None, Option(help="address of an OpenAI-compatible server")] = None
    api_key_env: Annotated[str, Option("VAR")] = "OPENAI_API_KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightOptions:
    """How the weights of an hf/ model are held."""

    revision: Annotated[str, Option("R", help="version of the weights")] = ""
    adapter: Annotated[str, Option("A", help="LoRA folder or hub id")] = ""
    dtype: Precision = Precision.AUTO
    load_4bit: Annotated[bool, Option(help="NF4; needs bitsandbytes")] = False
    device_map: Annotated[str, Option("D", help="auto, cpu, cuda:1, ...")] = ""
    batch_size: Annotated[int, Option("N", help="of hf/ models", at_least=1)] = 8
    trust_remote_code: bool = False

    def weight_settings(self, name: str) -> WeightSettings:
        """The weights of `hf/NAME`, held as these options say."""
        return WeightSettings(
            name=name,
            adapter=self.adapter,
            revision=self.revision,
            precision=self.dtype,
            in_4bit=self.load_4bit,
            device_map=self.device_map,
            trust_remote_code=self.trust_remote_code,
        )


def served_model(
    name: str,
    server: ServerOptions,
    *,
    generation: Generation,
    pace: PaceOptions,
    revision: str = "",
) -> OpenAIServer:
    """A model by the name that the server at `--base-url` knows.

    Raises:
        UsageError: A server that cannot be asked.
    """
    return OpenAIServer(
        ServerSettings(
            name=name,
            base_url=server.base_url,
            api_key_env=server.api_key_env,
            revision=revision,
            generation=generation,
            max_in_flight=pace.concurrency,
            pace=pace.pace(),
            retry=pace.retry_policy(),
        )
    )
