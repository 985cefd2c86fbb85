"""Writes the trained model in the two forms it is shipped in: a transformers folder, and one GGUF file."""

import json
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

from . import tokenizer as bpe
from .chatml import TEMPLATE
from .model import Shape

State = dict[str, Tensor]


def to_hf(state: State, tokenizer: Tokenizer, folder: Path) -> None:
    """Write config, weights (float16) and tokenizer as LlamaForCausalLM reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = replace(Shape(), vocabulary=tokenizer.get_vocab_size())
    tensors = {f"model.{name}": weight.to(torch.float16).contiguous() for name, weight in state.items()}
    save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)  # safetensors makes it private
    tokenizer.save(str(folder / "tokenizer.json"))
    _json(folder / "config.json", _config(shape, tokenizer))
    end = [bpe.token_id(tokenizer, bpe.CLOSE), bpe.token_id(tokenizer, bpe.END)]
    pad = bpe.token_id(tokenizer, bpe.END)
    generation = {"do_sample": True, "temperature": 0.6, "top_p": 0.95, "eos_token_id": end, "pad_token_id": pad}
    _json(folder / "generation_config.json", generation)
    _json(folder / "tokenizer_config.json", _tokenizer_config(shape))


def _config(shape: Shape, tokenizer: Tokenizer) -> dict[str, object]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.width,
        "intermediate_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "max_position_embeddings": shape.context,
        "rope_theta": shape.theta,
        "rms_norm_eps": shape.eps,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": bpe.token_id(tokenizer, bpe.CLOSE),
        "pad_token_id": bpe.token_id(tokenizer, bpe.END),
        "torch_dtype": "float16",
    }


def _tokenizer_config(shape: Shape) -> dict[str, object]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": shape.context,
        "bos_token": None,
        "eos_token": bpe.CLOSE,
        "pad_token": bpe.END,
        "unk_token": None,
        "add_bos_token": False,
        "clean_up_tokenization_spaces": False,
        "chat_template": TEMPLATE,
    }


def _json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def to_gguf(state: State, tokenizer: Tokenizer, path: Path) -> None:
    """Write one GGUF file: matrices in Q8_0, norms in float32.

    Q8_0 is not for size: with float weights llama.cpp multiplies a batch of one row by another kernel than a larger
    one, so an answer would depend on how many others were in flight; with Q8_0 it does not.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = replace(Shape(), vocabulary=tokenizer.get_vocab_size())
    writer = gguf.GGUFWriter(str(path), "llama")
    _describe(writer, shape)
    _vocabulary(writer, tokenizer)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, shape.layers)
    for name, weight in state.items():
        stem = names.get_name(f"model.{name.removesuffix('.weight')}")
        if stem is None:
            raise ValueError(f"no GGUF name for {name}")
        array = _array(name, weight, shape)
        kind = gguf.GGMLQuantizationType.Q8_0 if array.ndim == 2 else None
        writer.add_tensor(f"{stem}.weight", gguf.quants.quantize(array, kind) if kind is not None else array, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _array(name: str, weight: Tensor, shape: Shape) -> np.ndarray:
    """The weight as GGUF wants it; queries and keys are reordered, as llama.cpp rotates neighbouring pairs."""
    for part, heads in (("q_proj", shape.heads), ("k_proj", shape.kv_heads)):
        if part in name:
            weight = weight.view(heads, 2, shape.head_dim // 2, -1).transpose(1, 2).reshape(weight.shape)
    array: np.ndarray = weight.to(torch.float32).contiguous().numpy()
    return array


def _describe(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_name("ember")
    writer.add_license("apache-2.0")
    writer.add_description("A toy model for short word problems, trained from scratch by datalchemy.")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.theta)
    writer.add_layer_norm_rms_eps(shape.eps)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)


def _vocabulary(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    model = json.loads(tokenizer.to_str())["model"]
    words = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    kinds = dict.fromkeys(bpe.CONTROL, gguf.TokenType.CONTROL) | dict.fromkeys(bpe.THOUGHT, gguf.TokenType.USER_DEFINED)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list([text for text, _ in words])
    writer.add_token_types([kinds.get(text, gguf.TokenType.NORMAL) for text, _ in words])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]])
    writer.add_eos_token_id(bpe.token_id(tokenizer, bpe.CLOSE))
    writer.add_pad_token_id(bpe.token_id(tokenizer, bpe.END))
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    writer.add_chat_template(TEMPLATE)
