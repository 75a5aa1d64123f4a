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
from medvision.storage import sha256_file

logger = logging.getLogger(__name__)

EXTRA = "hf"

WEIGHT_FILES = ("*.safetensors", "*.bin")
OTHER_FILES = ("*.json", "*.jinja", "*.txt", "*.model", "*.py", "*.tiktoken")
TRAINING_FILES = frozenset({"trainer_state.json", "training_args.bin", "all_results.json"})
"""In checkpoint folders, and no part of the model."""

ADAPTER_CONFIG = "adapter_config.json"

LOADING_ERRORS = (ImportError, OSError, ValueError, TypeError, KeyError, AttributeError)
"""What `transformers` raises for files that are not there, or are of no model of pictures."""


class ModelFolderError(UsageError):
    """A model or an adapter is not where its name says, not complete, or not one of pictures."""


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
        in_4bit: Weights quantised to 4 bits, computing in `precision`. Slow without a GPU.
        device_map: As Accelerate understands it, such as "auto", "cuda:1" or "cpu"; "" leaves
            them where they are read to, for a trainer to move.
        attention: Attention kernel of `transformers`; "" is the library's choice.
        trust_remote_code: Whether code that comes with the weights may run.
    """

    name: str
    adapter: str = ""
    revision: str = ""
    precision: Precision = Precision.AUTO
    in_4bit: bool = False
    device_map: str = ""
    attention: str = ""
    trust_remote_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LocatedWeights:
    """Folders that hold everything.

    Attributes:
        name: Of the model, as it was given, or as the adapter names it.
        model: Its folder.
        adapter: The adapter's folder, or None.
    """

    name: str
    model: Path
    adapter: Path | None = None

    def version(self) -> str:
        """A name for their content: the hub's commit, else a digest of all files that count."""
        version = _content_version(self.model)
        return version + (f" adapter {_content_version(self.adapter)}" if self.adapter else "")


def located(settings: WeightSettings) -> LocatedWeights:
    """Find a model's folder and its adapter's, fetching from the hub what is not there.

    Raises:
        ModelFolderError: There is no such model, or it is not complete.
        MissingExtraError: The extra `hf` is not installed.
    """
    name, folder = settings.name, _folder(settings.name, settings.revision)
    adapter = _folder(settings.adapter) if settings.adapter else None
    if (folder / ADAPTER_CONFIG).is_file():
        if adapter is not None:
            msg = f"{name}: expected a model beside --adapter, found another adapter"
            raise ModelFolderError(msg)
        stated = json.loads((folder / ADAPTER_CONFIG).read_text("utf-8"))
        name = stated.get("base_model_name_or_path")
        if not isinstance(name, str) or not name:
            msg = (
                f"{folder}: expected {ADAPTER_CONFIG} to name its model, found {name!r}; give the "
                "model as hf/MODEL and this folder as --adapter"
            )
            raise ModelFolderError(msg)
        adapter, folder = folder, _folder(name, stated.get("revision") or "")
    for found, required in ((folder, "config.json"), (adapter, ADAPTER_CONFIG)):
        if found is not None and not (found / required).is_file():
            msg = f"{found}: expected {required} in it, found none; give a model's folder or hub id"
            raise ModelFolderError(msg)
    return LocatedWeights(name=name, model=folder, adapter=adapter)


def _folder(name: str, revision: str = "") -> Path:
    path = Path(name).expanduser()
    if path.is_dir():
        return path.resolve()
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        msg = f"{name}: expected a folder or a hub id OWNER/NAME, found neither"
        raise ModelFolderError(msg)
    hub = require("huggingface_hub", EXTRA, item=f"hf/{name}")
    errors = require("huggingface_hub.errors", EXTRA, item=f"hf/{name}")
    try:
        # many hub folders hold the same weights twice: *.bin only where there are no *.safetensors
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


def _content_version(folder: Path) -> str:
    if folder.parent.name == "snapshots":  # the hub's cache names them by commit
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
    cuda = require("torch", EXTRA, item="models in this process").cuda
    has_bfloat16 = cuda.is_available() and cuda.is_bf16_supported()
    return Precision.BFLOAT16 if has_bfloat16 else Precision.FLOAT32


def quantization(settings: WeightSettings) -> Any:
    """How weights in 4 bits are packed, as `transformers` takes it.

    NF4, its scales quantised once more, as QLoRA trains (arXiv 2305.14314): an adapter is asked
    over the base it was trained over. The second quantisation saves 0.37 bits a weight and moves
    each weight a little, so a model without it is another model.

    Raises:
        MissingExtraError: The extra `qlora` is not installed.
    """
    item = f"{settings.name} in 4 bits"
    require("bitsandbytes", "qlora", item=item)
    torch = require("torch", EXTRA, item=item)
    return require("transformers", EXTRA, item=item).BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, resolved_precision(settings.precision)),
    )


def load_weights(settings: WeightSettings, weights: LocatedWeights) -> Any:
    """Read a model into memory, without its adapter.

    Raises:
        UsageError: An extra is not installed, or the folder holds no model of pictures and text.
    """
    torch = require("torch", EXTRA, item=settings.name)
    transformers = require("transformers", EXTRA, item=settings.name)
    options: dict[str, Any] = {
        "dtype": getattr(torch, resolved_precision(settings.precision)),
        "trust_remote_code": settings.trust_remote_code,
    }
    if settings.device_map:
        require("accelerate", EXTRA, item=f"{settings.name} with a device map")
        options["device_map"] = settings.device_map
    if settings.attention:
        options["attn_implementation"] = settings.attention
    if settings.in_4bit:
        options["quantization_config"] = quantization(settings)
    logger.info("%s: loading %s", settings.name, ", ".join(f"{k} {v}" for k, v in options.items()))
    try:
        model = transformers.AutoModelForImageTextToText.from_pretrained(
            str(weights.model), **options
        )
    except LOADING_ERRORS as error:
        msg = f"{settings.name}: cannot be loaded as a vision-language model: {error}"
        raise ModelFolderError(msg) from error
    # PEFT writes this name into adapters: the hub's id, not a folder of this machine's cache.
    model.name_or_path = model.config.name_or_path = weights.name
    if settings.in_4bit:
        # On CPUs with AVX-512 BF16 bitsandbytes would repack 4-bit weights when first asked in
        # evaluation: no gradient passes through them afterwards, and layers of some widths fail.
        for module in model.modules():
            if hasattr(module, "support_avx512bf16_for_cpu"):
                module.support_avx512bf16_for_cpu = False
    return model


def with_adapter(model: Any, weights: LocatedWeights) -> Any:
    """The model ready to be asked, its adapter on top where there is one, in the model's format."""
    if weights.adapter is not None:
        peft = require("peft", EXTRA, item=str(weights.adapter))
        model = peft.PeftModel.from_pretrained(model, str(weights.adapter))
    return model.eval()


def as_trained(model: Any, adapter: Path) -> Any:
    """A model in bf16 ready to be asked, its adapter on top in fp32, to be computed with autocast.

    So `train sft` trains and validates it. Rounded to the model's eight bits, an embedding layer
    trained whole loses some of what it learnt: of 40 replies of small models, up to 9 were others.
    """
    peft = require("peft", EXTRA, item=str(adapter))
    torch = require("torch", EXTRA, item=str(adapter))
    if getattr(model, "is_loaded_in_4bit", False):
        # as before QLoRA: what is not packed, norms and embeddings, is held in fp32 too
        model = peft.prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    # trainable, for by this the adapter's own weights are known
    model = peft.PeftModel.from_pretrained(model, str(adapter), is_trainable=True)
    own = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not any(parameter.is_meta for parameter in own):  # read anew at each call, for want of room
        for parameter in own:
            parameter.data = parameter.data.to(torch.float32)
        peft.set_peft_model_state_dict(model, peft.load_peft_weights(str(adapter), device="cpu"))
    return model.eval()
