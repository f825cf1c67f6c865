"""Checkpoints: what loads, and one clear line for what does not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from baselines.backbones import checkpoint, memory, registry
from baselines.backbones.loading import load_backbone
from baselines.backbones.qwen3vl import Qwen3VL
from benchmark.engines import resources
from tasks.errors import InputError
from tests.baselines.backbones import tiny

ROOT = Path(__file__).parents[3]


@pytest.fixture
def copy(folder, tmp_path):
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def edit(folder, name, change):
    path = folder / name
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))


def damage(folder, change):
    path = folder / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def test_a_loaded_backbone_is_frozen_quiet_and_named(folder, capfd):
    backbone = load_backbone(folder, features=None)
    assert not backbone.model.training and not any(p.requires_grad for p in backbone.model.parameters())
    assert (backbone.width, backbone.device.type, backbone.dtype) == (32, "cpu", torch.float32)
    assert backbone.name == str(folder)
    assert capfd.readouterr() == ("", "")


def test_number_format(folder):
    backbone = load_backbone(folder, dtype="bfloat16", features=None)
    assert backbone.dtype == torch.bfloat16
    plain = load_backbone(folder, features=None)
    assert plain.model.get_decoder().config._attn_implementation == "sdpa"
    one, two = (tiny.token_scores(b, [tiny.session()])[0] for b in (backbone, plain))
    assert abs(one - two).max() < 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(dtype="bfloat17"), "unknown dtype 'bfloat17'. Did you mean 'bfloat16'"),
        (dict(device="gpu"), "'gpu' is not a device"),
    ],
)
def test_bad_options(checkpoints, options, message):
    with pytest.raises(InputError, match=message):
        load_backbone(checkpoints["qwen3_vl"], **options)


def test_a_gpu_that_is_not_there(checkpoints, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="torch sees no GPU"):
        load_backbone(checkpoints["qwen3_vl"], device="cuda")


def test_names_and_nearest_name():
    assert registry.names() == ["pocket-qwen3vl", "pocket-internvl", "qwen3-vl", "internvl3.5"]
    assert registry.checkpoint_of("qwen3-vl") == "Qwen/Qwen3-VL-4B-Instruct"
    assert registry.checkpoint_of("internvl3.5") == "OpenGVLab/InternVL3_5-4B-HF"
    assert registry.checkpoint_of("someone/some-model") == "someone/some-model"
    with pytest.raises(InputError, match="unknown backbone 'qwen3vl'. Did you mean 'qwen3-vl'"):
        load_backbone("qwen3vl")
    with pytest.raises(InputError, match="no checkpoint folder ./nowhere/model"):
        load_backbone("./nowhere/model")


def test_shipped_checkpoints_are_found_below_the_package(checkpoints, monkeypatch):
    folder = checkpoints["qwen3_vl"]
    monkeypatch.setattr(registry, "SHIPPED", folder.parent)
    monkeypatch.setattr(registry, "BACKBONES", (registry.BackboneEntry("toy", f"shipped:{folder.name}", "a toy"),))
    assert isinstance(load_backbone("toy", features=None), Qwen3VL)
    assert checkpoint.describe("toy").name == "toy"


def test_describe_reads_no_weights(kind, folder, monkeypatch):
    monkeypatch.setattr(transformers.PreTrainedModel, "from_pretrained", None)
    info = checkpoint.describe(folder)
    assert (info.model_type, info.layers, info.width, info.vision_layers, info.patch) == (kind, 2, 32, 2, 4)
    assert info.parameters == sum(t.numel() for t in load_file(folder / "model.safetensors").values())
    assert info.dtypes == ("F32",) and len(info.fingerprint) == 64


def test_importing_the_package_loads_no_torch():
    code = "import sys; from baselines.backbones import registry; registry.names(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


# --- fingerprint -----------------------------------------------------------------------------------------------


def test_the_fingerprint_follows_the_content(copy, folder):
    before = checkpoint.fingerprint(copy)
    (copy / "training.json").write_text('{"seconds": 1}')  # how long it was trained says nothing about what it says
    assert before == checkpoint.fingerprint(copy) == checkpoint.fingerprint(folder)
    edit(copy, "config.json", lambda c: c["text_config"].update(rms_norm_eps=1e-5))
    changed = checkpoint.fingerprint(copy)
    checkpoint._fingerprint.cache_clear()
    damage(copy, lambda t: next(iter(t.values())).add_(1e-3))
    assert len({before, changed, checkpoint.fingerprint(copy)}) == 3


def test_large_weight_files_are_sampled(copy, monkeypatch):
    monkeypatch.setattr(checkpoint, "_WHOLE", 1000)
    monkeypatch.setattr(checkpoint, "_SAMPLE", 64)
    path = copy / "model.safetensors"
    content = path.read_bytes()
    found = {checkpoint.fingerprint(copy)}
    for place in (len(content) - 1, len(content) - 64):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        # Two writes may fall within one tick of the file system's clock, which would hide the second.
        checkpoint._fingerprint.cache_clear()
        found.add(checkpoint.fingerprint(copy))
    damage(copy, lambda t: [tensor.add_(1e-3) for tensor in t.values()])
    checkpoint._fingerprint.cache_clear()
    found.add(checkpoint.fingerprint(copy))
    assert len(found) == 4


def test_a_backbone_s_fingerprint_covers_the_question(checkpoints, tmp_path):
    one = load_backbone(checkpoints["internvl"], features=None)
    same = load_backbone(checkpoints["internvl"], features=None)
    other = load_backbone(tiny.save("internvl", tmp_path, letters="answer :"), features=None)
    assert one.fingerprint == same.fingerprint != other.fingerprint


# --- checkpoints that do not load ------------------------------------------------------------------------------


def refused(folder, message):
    start = time.monotonic()
    with pytest.raises(InputError, match=message) as error:
        load_backbone(folder, features=None)
    assert "\n" not in str(error.value)
    assert time.monotonic() - start < 10, "a local folder must not wait for the hub"


def test_missing_parts_of_a_folder(copy, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(empty, "holds no config.json")
    refused(copy / "config.json", "is a file; give the folder")
    (copy / "tokenizer.json").rename(tmp_path / "tokenizer.json")
    (copy / "tokenizer_config.json").unlink()
    refused(copy, "holds no tokenizer")
    (copy / "model.safetensors").unlink()
    refused(copy, "holds no weights")


def test_a_missing_shard(copy):
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model.safetensors"}}
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(copy, "lacks 1 of 2 weight files, the first model-00001-of-00002")


def test_damaged_files(copy):
    weights = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(weights[:-100])
    refused(copy, "cut short")
    (copy / "model.safetensors").write_bytes(b"not safetensors at all")
    refused(copy, "is not safetensors")
    (copy / "model.safetensors").write_bytes(weights)
    (copy / "tokenizer.json").write_text("{}")
    refused(copy, "the tokenizer in .* does not load")
    (copy / "config.json").write_text("{")
    refused(copy, "config.json: line 1 is not JSON")


def test_a_text_only_model(tmp_path):
    text = {key: value for key, value in tiny.TEXT.items() if key != "initializer_range"}
    transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**text)).save_pretrained(tmp_path)
    refused(tmp_path, r"a text-only model \(model_type qwen3\)")


def test_other_models(copy):
    edit(copy, "config.json", lambda c: c.update(model_type="llava"))
    refused(copy, r"an unsupported model \(model_type llava\)")
    edit(copy, "config.json", lambda c: c.update(model_type="internvl_chat"))
    refused(copy, "InternVL in its own format")


def test_weights_that_do_not_fit_the_configuration(copy):
    damage(copy, lambda t: t.pop(next(name for name in t if "mlp.down_proj" in name)))
    refused(copy, "do not fit its config.json: 1 missing keys, the first model.language_model.layers.0.mlp.down_proj")
    edit(copy, "config.json", lambda c: c["text_config"].update(intermediate_size=40))
    refused(copy, "does not load|do not fit")


def test_nan_in_the_weights(copy):
    def spoil(tensors):
        tensors[next(name for name in tensors if "layers.1.self_attn.q_proj.weight" in name)][0, 0] = torch.nan

    damage(copy, spoil)
    refused(copy, r"hold NaN or Inf, first in .*layers\.1\.self_attn\.q_proj\.weight")


def test_large_but_finite_weights_load(copy):
    damage(copy, lambda t: t["lm_head.weight"].fill_(3e38) if "lm_head.weight" in t else None)
    load_backbone(copy, features=None)


def test_too_little_memory_is_noticed_before_loading(folder, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 100_000)
    monkeypatch.setattr(transformers.PreTrainedModel, "from_pretrained", None)
    refused(folder, r"needs about 0\.0 GiB of main memory, but 0\.0 GiB is free; use dtype bfloat16")


def test_free_memory_respects_a_container(tmp_path, monkeypatch):
    (tmp_path / "meminfo").write_text("MemTotal: 100 kB\nMemAvailable: 64 kB\n")
    monkeypatch.setattr(resources, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(resources, "_GROUP", tmp_path)
    assert resources.free_memory() == 64 * 1024
    (tmp_path / "memory.max").write_text("50000\n")
    (tmp_path / "memory.current").write_text("30000\n")
    (tmp_path / "memory.stat").write_text("anon 20000\ninactive_file 5000\n")
    assert resources.free_memory() == 25000
    (tmp_path / "memory.max").write_text("max\n")
    assert resources.free_memory() == 64 * 1024


def test_a_gpu_must_hold_the_weights_too(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 10 * 2**30)
    monkeypatch.setattr(memory, "gpu_memory", lambda device: 8 * 2**30)
    memory.check_memory(7 * 2**30, torch.device("cuda:0"), "toy")
    with pytest.raises(InputError, match="toy needs about 8.8 GiB of memory of cuda:0, but 8.0 GiB is free"):
        memory.check_memory(8 * 2**30, torch.device("cuda:0"), "toy")


def test_memory_that_runs_out_on_the_way_to_the_device(folder, monkeypatch):
    def move(self, device):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(transformers.PreTrainedModel, "to", move)
    refused(folder, "does not fit into the memory of cpu")


def test_parts_that_do_not_belong_together(copy, kind):
    edit(copy, "config.json", lambda c: c.update(image_token_id=60))
    refused(copy, "lacks the image token")
    key, value = ("patch_size", 8) if kind == "qwen3_vl" else ("size", {"height": 64, "width": 64})
    edit(copy, "preprocessor_config.json", lambda c: c.update({key: value}))
    refused(
        copy, "has patch_size 8, the model 4" if kind == "qwen3_vl" else "makes 64 x 64 pixels, the model reads 32 x 32"
    )


def test_a_tokenizer_larger_than_the_model(copy):
    edit(copy, "tokenizer.json", lambda t: t["model"]["vocab"].update({f"w{i}": 100 + i for i in range(30)}))
    refused(copy, "the model only 64; they do not belong together")


def test_bad_settings(copy):
    path = copy / "gazebench.json"
    path.write_text('{"lettres": "x"}')
    refused(copy, "'lettres'. Did you mean 'letters'")
    path.write_text('{"order": "screen-first"}')
    refused(copy, "'order' must be one of image-first, profile-first, not 'screen-first'")
    path.write_text('{"letters": 3}')
    refused(copy, "'letters' must be text, not 3")
    path.write_text("[")
    refused(copy, "line 1 is not JSON")
    path.write_text("[]")
    refused(copy, "must be a mapping, not a list of 0")


def test_without_image_settings_those_of_the_released_models_apply(kind, copy):
    (copy / "preprocessor_config.json").unlink()
    images = load_backbone(copy, features=None).processor.image_processor
    assert list(images.image_mean) == ([0.5] * 3 if kind == "qwen3_vl" else [0.485, 0.456, 0.406])


def test_image_settings_saved_with_the_processor_are_read(kind, copy):
    path = copy / "preprocessor_config.json"
    settings = json.loads(path.read_text()) | {"image_mean": [0.1, 0.2, 0.3]}
    path.unlink()
    (copy / "processor_config.json").write_text(json.dumps({"image_processor": settings}))
    assert list(load_backbone(copy, features=None).processor.image_processor.image_mean) == [0.1, 0.2, 0.3]


def test_a_local_folder_is_never_looked_up_on_the_hub(copy, monkeypatch):
    import socket

    def connect(*arguments):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket, "getaddrinfo", connect)
    monkeypatch.setattr(socket.socket, "connect", connect)
    load_backbone(copy, features=None)
    (copy / "tokenizer.json").unlink()
    refused(copy, "the tokenizer in .* does not load")


def test_a_hub_name_that_cannot_be_fetched(monkeypatch):
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    def fetch(name, allow_patterns, local_files_only=False):
        if local_files_only:
            raise LocalEntryNotFoundError("not in the cache")
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    refused("someone/some-model", r"cannot fetch someone/some-model from the Hugging Face hub \(ConnectionError\)")


def test_a_hub_name_in_the_cache_is_not_fetched(monkeypatch, folder):
    import huggingface_hub

    def fetch(name, allow_patterns, local_files_only=False):
        assert name == "OpenGVLab/InternVL3_5-4B-HF" and local_files_only
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    assert load_backbone("internvl3.5", features=None).name == "internvl3.5"
