"""Which models are refused, and what LoRA adapts. Needs the extra `train`."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from peft import get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from medvision.models.in_process.weights import ModelFolderError
from medvision.pictures.view import PictureFamily
from medvision.train.base_model import check_stated_size, load_chat, load_model
from medvision.train.config import AdapterConfig, ModelConfig
from medvision.train.errors import BaseModelError
from medvision.train.examples import picture_family
from medvision.train.parts import has_tied_embeddings, lora_config
from tests.train.conftest import FAMILIES, SIDE_PX, model_config

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def text_only(tiny_base, tmp_path_factory):
    """A language model with a tokenizer and no pictures."""
    folder = tmp_path_factory.mktemp("text-only")
    load_chat(model_config("llava", tiny_base("llava"))).processor.tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def test_a_text_only_model_is_refused(text_only):
    config = ModelConfig(base=str(text_only), family="56x56")
    with pytest.raises(ModelFolderError, match="no image support"):
        load_chat(config)
    with pytest.raises(ModelFolderError, match="vision-language model"):
        load_model(config)


def test_a_folder_without_a_model_is_refused(tmp_path):
    config = ModelConfig(base=str(tmp_path), family="56x56")
    with pytest.raises(ModelFolderError, match=r"expected config\.json in it"):
        load_chat(config)
    (tmp_path / "config.json").write_text('{"model_type": "llava"}')
    with pytest.raises(ModelFolderError, match="processor of text and pictures"):
        load_chat(config)


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_size_that_prompts_state_is_the_processors(tiny_base, kind):
    config = model_config(kind, tiny_base(kind))
    processor = load_chat(config).processor
    check_stated_size(processor, picture_family(config), kind)
    with pytest.raises(BaseModelError, match=r"would state 448×448 px .* processor makes"):
        check_stated_size(processor, PictureFamily(name="448x448"), kind)


def test_limits_reach_the_processor(tiny_base):
    config = ModelConfig(
        base=str(tiny_base("qwen")),
        family="qwen2_5_vl",
        limits={"min_pixels": 112**2, "max_pixels": 140**2},
    )
    check_stated_size(load_chat(config).processor, picture_family(config), "qwen")
    for max_tiles in (1, 2, 12):
        tiles = {"max_tiles": max_tiles, "tile_px": SIDE_PX}
        config = ModelConfig(base=str(tiny_base("internvl")), family="internvl3", limits=tiles)
        check_stated_size(load_chat(config).processor, picture_family(config), "internvl")


def test_a_processor_that_makes_other_tiles_is_refused(tiny_base):
    config = model_config("internvl", tiny_base("internvl"))
    processor = load_chat(config).processor
    processor.image_processor.crop_to_patches = False
    with pytest.raises(BaseModelError, match="processor makes 56×56 px"):
        check_stated_size(processor, picture_family(config), "internvl")


def adapted_names(model, config):
    wrapped = get_peft_model(model, config)
    lora = {
        name.split(".lora_A")[0].removeprefix("base_model.model.")
        for name, _ in wrapped.named_modules()
        if ".lora_A" in name and not name.endswith("lora_A")
    }
    return wrapped, lora


def linear_names(model, inside):
    return {
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and inside(name)
    }


@pytest.mark.parametrize("kind", FAMILIES)
def test_lora_is_on_all_linear_layers_of_the_language_model_and_on_no_other(tiny_base, kind):
    model = load_model(model_config(kind, tiny_base(kind)))
    expected = linear_names(model, lambda name: ".layers." in name and "language_model" in name)
    assert {name.rpartition(".")[2] for name in expected} == {
        *("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    }
    config = lora_config(model, AdapterConfig())
    assert (config.r, config.lora_alpha, config.lora_dropout) == (16, 16, 0.05)
    _, found = adapted_names(model, config)
    assert found == expected


@pytest.mark.parametrize("kind", FAMILIES)
def test_vision_tower_and_projector_are_options(tiny_base, kind):
    model = load_model(model_config(kind, tiny_base(kind)))
    expected = linear_names(model, lambda name: name != "lm_head")
    config = lora_config(model, AdapterConfig(vision_tower=True, projector=True))
    wrapped, found = adapted_names(model, config)
    assert expected - found == set()
    whole = {name for name in config.modules_to_save if "embed" not in name and "head" not in name}
    assert whole == ({"model.multi_modal_projector"} if kind == "gemma3" else set())
    trained = {name for name, p in wrapped.named_parameters() if p.requires_grad}
    assert any("vision" in name or "visual" in name for name in trained)


@pytest.mark.parametrize(("kind", "tied"), [("qwen", True), ("llava", False), ("gemma3", True)])
def test_embeddings_and_head_are_trained_saved_and_stay_tied(tiny_base, kind, tied, tmp_path):
    base = tiny_base(kind)
    model = load_model(model_config(kind, base))
    assert has_tied_embeddings(model) is tied
    before = model.get_input_embeddings().weight.detach().clone()
    wrapped = get_peft_model(model, lora_config(model, AdapterConfig()))
    ids = torch.tensor([[5, 6, 7, 8]])
    optimiser = torch.optim.AdamW([p for p in wrapped.parameters() if p.requires_grad], lr=1e-2)
    wrapped(input_ids=ids, labels=ids).loss.backward()
    optimiser.step()
    wrapped.save_pretrained(tmp_path)
    with torch.no_grad():
        expected = wrapped.eval()(input_ids=ids).logits
    merged = wrapped.merge_and_unload()
    embedding = merged.get_input_embeddings().weight
    head = merged.get_output_embeddings().weight
    assert not torch.equal(embedding, before)
    assert torch.equal(embedding, head) is tied
    from peft import PeftModel

    again = PeftModel.from_pretrained(load_model(model_config(kind, base)), tmp_path).eval()
    with torch.no_grad():
        assert torch.equal(again(input_ids=ids).logits, expected)


def test_an_architecture_without_a_known_language_model_is_refused():
    with pytest.raises(BaseModelError, match="this architecture is not known"):
        lora_config(torch.nn.Sequential(torch.nn.Linear(2, 2)), AdapterConfig())
