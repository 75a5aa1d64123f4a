"""Weights of a model in this process: where they are, which version they are, how they load."""

import hashlib
import json
import logging
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from medvision.errors import UsageError
from medvision.extras import require
from medvision.fetch import sha256_file
from medvision.models.hf_processor import LOADING_ERRORS, load_picture_processor

logger = logging.getLogger(__name__)

EXTRA = "hf"

WEIGHT_FILES = ("*.safetensors", "*.bin")
OTHER_FILES = ("*.json", "*.jinja", "*.txt", "*.model", "*.py", "*.tiktoken")
TRAINING_FILES = frozenset({"trainer_state.json", "training_args.bin", "all_results.json"})
"""In checkpoint folders, and no part of the model."""

ADAPTER_CONFIG = "adapter_config.json"
PROCESSOR_CONFIGS = ("processor_config.json", "preprocessor_config.json")


class ModelFolderError(UsageError):
    """A model or an adapter is not where its name says, or is not complete."""


class Precision(StrEnum):
    """Number format of the weights in memory."""

    AUTO = "auto"
    """bfloat16 where the GPU has it, else float32."""
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    FLOAT32 = "float32"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightSettings:
    """Which weights, and how they are held.

    Attributes:
        name: Folder or hub id of a model, or of a LoRA adapter that names its model.
        adapter: Folder or hub id of a LoRA adapter; "" for none beside `name`.
        revision: Of the hub's model; "" for the newest.
        precision: Number format.
        in_4bit: Weights quantised to 4 bits (NF4), computing in `precision`. Slow without a GPU.
        device_map: As Accelerate understands it, such as "auto", "cuda:1" or "cpu"; "" is the
            GPU where there is one.
        trust_remote_code: Whether code that comes with the weights may run.
    """

    name: str
    adapter: str = ""
    revision: str = ""
    precision: Precision = Precision.AUTO
    in_4bit: bool = False
    device_map: str = ""
    trust_remote_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LocatedWeights:
    """Folders that hold everything, and a name for their content."""

    model: Path
    adapter: Path | None
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model and its processor, of types of the `transformers` library."""

    model: Any
    processor: Any


def located(settings: WeightSettings) -> LocatedWeights:
    """Find a model's folder and its adapter's, fetching from the hub what is not there.

    Raises:
        ModelFolderError: There is no such model, or it is not complete.
        MissingExtraError: The extra `hf` is not installed.
    """
    folder = _folder(settings.name, settings.revision)
    adapter = _folder(settings.adapter) if settings.adapter else None
    if (folder / ADAPTER_CONFIG).is_file():
        if adapter is not None:
            msg = f"{settings.name}: expected a model beside --adapter, found another adapter"
            raise ModelFolderError(msg)
        adapter, folder = folder, _folder(_base_of(folder))
    for name, required in ((folder, "config.json"), (adapter, ADAPTER_CONFIG)):
        if name is not None and not (name / required).is_file():
            msg = f"{name}: expected {required} in it, found none; give a model's folder or hub id"
            raise ModelFolderError(msg)
    version = _content_version(folder)
    if adapter is not None:
        version += f" adapter {_content_version(adapter)}"
    return LocatedWeights(model=folder, adapter=adapter, version=version)


def _folder(name: str, revision: str = "") -> Path:
    path = Path(name).expanduser()
    if path.is_dir():
        return path.resolve()
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        msg = f"{name}: expected a folder or a hub id OWNER/NAME, found neither"
        raise ModelFolderError(msg)
    return _from_hub(name, revision)


def _from_hub(name: str, revision: str) -> Path:
    hub = require("huggingface_hub", EXTRA, item=f"hf/{name}")
    errors = require("huggingface_hub.errors", EXTRA, item=f"hf/{name}")
    try:
        for weights in WEIGHT_FILES:
            fetched = hub.snapshot_download(
                name, revision=revision or None, allow_patterns=[weights, *OTHER_FILES]
            )
            if any(Path(fetched).glob(weights)):
                break
    except (errors.HfHubHTTPError, OSError, ValueError) as error:
        msg = f"{name}: found no such folder, and the hub gave no model: {error}"
        raise ModelFolderError(msg) from error
    return Path(fetched)


def _base_of(adapter: Path) -> str:
    base = json.loads((adapter / ADAPTER_CONFIG).read_text("utf-8")).get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        msg = (
            f"{adapter}: expected {ADAPTER_CONFIG} to name its model, found {base!r}; give the "
            "model as hf/MODEL and this folder as --adapter"
        )
        raise ModelFolderError(msg)
    return base


def _content_version(folder: Path) -> str:
    """The hub's commit of a fetched folder, else a digest of all files that make the model."""
    if folder.parent.name == "snapshots":
        return folder.name
    digest = hashlib.sha256()
    patterns = (*WEIGHT_FILES, *OTHER_FILES)
    files = {file for pattern in patterns for file in folder.glob(pattern)}
    for file in sorted(file for file in files if file.name not in TRAINING_FILES):
        digest.update(f"{file.name} {sha256_file(file)}\n".encode())
    return f"sha256:{digest.hexdigest()[:32]}"


def resolved_precision(precision: Precision) -> Precision:
    """The number format that "auto" stands for on this machine."""
    if precision is not Precision.AUTO:
        return precision
    cuda = require("torch", EXTRA, item="hf/ models").cuda
    has_bfloat16 = cuda.is_available() and cuda.is_bf16_supported()
    return Precision.BFLOAT16 if has_bfloat16 else Precision.FLOAT32


def load(settings: WeightSettings, weights: LocatedWeights) -> LoadedModel:
    """Read the weights into memory, the adapter on top of them.

    Raises:
        UsageError: An extra is not installed, or the folder holds no model for image and text.
    """
    item = f"hf/{settings.name}"
    transformers = require("transformers", EXTRA, item=item)
    options = _load_options(settings)
    logger.info("%s: loading %s", item, ", ".join(f"{k} {v}" for k, v in options.items()))
    try:
        model = transformers.AutoModelForImageTextToText.from_pretrained(
            str(weights.model), **options
        )
        processor = load_picture_processor(
            str(_processor_folder(weights)),
            base=str(weights.model),
            trust_remote_code=settings.trust_remote_code,
        )
    except LOADING_ERRORS as error:
        msg = f"{item}: cannot be loaded as a model for image and text: {error}"
        raise ModelFolderError(msg) from error
    if settings.in_4bit:
        keep_4bit_layout(model)
    if weights.adapter is not None:
        peft = require("peft", EXTRA, item=item)
        model = peft.PeftModel.from_pretrained(model, str(weights.adapter))
    return LoadedModel(model=model.eval(), processor=_ready(processor, item))


def keep_4bit_layout(model: Any) -> None:
    """Have bitsandbytes leave 4-bit weights as they are stored.

    On CPUs with AVX-512 BF16 it would repack them when first asked in evaluation: no gradient
    passes through them afterwards, and layers of some widths fail.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def _load_options(settings: WeightSettings) -> dict[str, Any]:
    torch = require("torch", EXTRA, item=f"hf/{settings.name}")
    precision = getattr(torch, resolved_precision(settings.precision))
    options = {"dtype": precision, "trust_remote_code": settings.trust_remote_code}
    device_map = settings.device_map or ("auto" if torch.cuda.is_available() else "")
    if device_map:
        require("accelerate", EXTRA, item=f"hf/{settings.name} with a device map")
        options["device_map"] = device_map
    if settings.in_4bit:
        options["quantization_config"] = _nf4(settings, precision)
    return options


def _nf4(settings: WeightSettings, precision: Any) -> Any:
    item = f"hf/{settings.name} in 4 bits"
    require("bitsandbytes", "qlora", item=item)
    transformers = require("transformers", EXTRA, item=item)
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=precision
    )


def _processor_folder(weights: LocatedWeights) -> Path:
    """The adapter's own processor where training has saved one, else the model's."""
    adapter = weights.adapter
    if adapter is not None and any((adapter / name).is_file() for name in PROCESSOR_CONFIGS):
        return adapter
    return weights.model


def _ready(processor: Any, item: str) -> Any:
    """A processor for batches whose replies all begin at the same place."""
    tokenizer = getattr(processor, "tokenizer", None)
    template = getattr(processor, "chat_template", None) or getattr(
        tokenizer, "chat_template", None
    )
    if tokenizer is None or not template:
        msg = (
            f"{item}: expected a processor with a chat template, found {type(processor).__name__}; "
            "serve the model with its own code and ask it as openai/NAME"
        )
        raise ModelFolderError(msg)
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return processor
