"""The option `--model` and what goes with it: where a model is, and how its weights are held."""

import argparse

from medvision.cli.asking import generation_from, pace_from, retry_from
from medvision.errors import UsageError
from medvision.models.base import LocalModel, ServedModel
from medvision.models.hf import HfModel, HfSettings
from medvision.models.in_process.weights import Precision, WeightSettings
from medvision.models.openai_server import OpenAIServer, ServerSettings
from medvision.models.profiles import ModelProfile

EXPECTED = "expected baseline/NAME, openai/NAME or hf/NAME"


def add_server(parser: argparse._ArgumentGroup) -> None:
    """Where a served model is."""
    parser.add_argument("--base-url", help="address of an OpenAI-compatible server")
    parser.add_argument("--api-key-env", default="OPENAI_API_KEY", metavar="VAR")


def add_weights(parser: argparse._ArgumentGroup) -> None:
    """How the weights of an hf/ model are held."""
    parser.add_argument("--revision", default="", metavar="R", help="version of the weights")
    parser.add_argument("--adapter", default="", metavar="A", help="LoRA folder or hub id")
    parser.add_argument(
        "--dtype", choices=[str(one) for one in Precision], default=str(Precision.AUTO)
    )
    parser.add_argument("--load-4bit", action="store_true", help="NF4; needs bitsandbytes")
    parser.add_argument("--device-map", default="", metavar="D", help="auto, cpu, cuda:1, ...")
    parser.add_argument("--batch-size", type=int, default=8, metavar="N", help="of hf/ models")
    parser.add_argument("--trust-remote-code", action="store_true")


def asked_model(args: argparse.Namespace, profile: ModelProfile | None) -> ServedModel | LocalModel:
    """The served or in-process model that `--model` names.

    What the command line leaves open is its profile's.

    Raises:
        UsageError: An unknown kind, no name, or a server or weights that cannot be used.
    """
    kind, _, name = args.model.partition("/")
    if kind == "openai" and name:
        return served_model(args, name, profile)
    if kind == "hf" and name:
        return _hf_model(args, name, profile)
    msg = f"--model: {EXPECTED}, found {args.model!r}"
    raise UsageError(msg)


def served_model(args: argparse.Namespace, name: str, profile: ModelProfile | None) -> OpenAIServer:
    """A model by the name that the server at `--base-url` knows."""
    return OpenAIServer(
        ServerSettings(
            name=name,
            base_url=args.base_url,
            api_key_env=args.api_key_env,
            revision=args.revision,
            generation=generation_from(args, profile),
            max_in_flight=args.concurrency,
            pace=pace_from(args),
            retry=retry_from(args),
        )
    )


def _hf_model(args: argparse.Namespace, name: str, profile: ModelProfile | None) -> HfModel:
    weights = WeightSettings(
        name=name,
        adapter=args.adapter,
        revision=args.revision,
        precision=Precision(args.dtype),
        in_4bit=args.load_4bit,
        device_map=args.device_map,
        trust_remote_code=args.trust_remote_code,
    )
    return HfModel(
        HfSettings(
            weights=weights,
            generation=generation_from(args, profile),
            batch_size=args.batch_size,
        )
    )
