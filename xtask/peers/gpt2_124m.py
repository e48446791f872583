"""Makes GPT-2 124M with random weights, once for all programs that are measured with it.

    python gpt2_124m.py hf FOLDER TOKENIZER     a Hugging Face folder with GPT-2's tokenizer, from the folder with vocab.bpe
    python gpt2_124m.py gguf FILE               an f32 GGUF file of the same weights, with a vocabulary of made-up words

What is made appears whole or not at all.
"""

import argparse
import os
import shutil

import torch
from transformers import GPT2Config, GPT2LMHeadModel

# GGUF's names of GPT-2's matrices and norms; transformers' `Conv1D` stores matrices the other way round.
NAMES = {
    "ln_1": "attn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "ln_2": "ffn_norm",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}


def model():
    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config()).eval()


def write_hf(folder, tokenizer):
    from transformers import GPT2Tokenizer

    partial = folder + ".partial"
    shutil.rmtree(partial, ignore_errors=True)
    made = model()
    made.generation_config.eos_token_id = None  # random weights could end the text with the first token
    made.save_pretrained(partial)
    names = {"encoder.json": "vocab.json", "vocab.bpe": "merges.txt"}
    for ours, theirs in names.items():
        shutil.copyfile(os.path.join(tokenizer, ours), os.path.join(partial, theirs))
    GPT2Tokenizer.from_pretrained(partial).save_pretrained(partial)
    os.rename(partial, folder)


def write_gguf(path):
    import gguf

    made = model()
    config, weights = made.config, made.transformer.state_dict()
    partial = path + ".partial"
    writer = gguf.GGUFWriter(partial, "gpt2")
    writer.add_context_length(config.n_positions)
    writer.add_embedding_length(config.n_embd)
    writer.add_block_count(config.n_layer)
    writer.add_feed_forward_length(4 * config.n_embd)
    writer.add_head_count(config.n_head)
    writer.add_layer_norm_eps(config.layer_norm_epsilon)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    add_vocabulary(writer, gguf, config.vocab_size)

    def add(name, tensor):
        writer.add_tensor(name, tensor.contiguous().numpy())

    add("token_embd.weight", weights["wte.weight"])
    add("position_embd.weight", weights["wpe.weight"])
    for block in range(config.n_layer):
        for theirs, ours in NAMES.items():
            weight = weights[f"h.{block}.{theirs}.weight"]
            add(f"blk.{block}.{ours}.weight", weight.T if weight.dim() == 2 else weight)
            add(f"blk.{block}.{ours}.bias", weights[f"h.{block}.{theirs}.bias"])
    for kind in ("weight", "bias"):
        add(f"output_norm.{kind}", weights[f"ln_f.{kind}"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.rename(partial, path)


def add_vocabulary(writer, gguf, n_tokens):
    """The characters that stand for bytes, then words that no text has: llama.cpp loads no model without a vocabulary."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    tokens = list(bytes_to_unicode().values())
    tokens += [f"<made-up-{i}>" for i in range(len(tokens), n_tokens)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * (n_tokens - 1) + [gguf.TokenType.CONTROL])
    writer.add_token_merges([f"{tokens[0]} {tokens[1]}"])
    writer.add_bos_token_id(n_tokens - 1)
    writer.add_eos_token_id(n_tokens - 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    hf = commands.add_parser("hf")
    hf.add_argument("folder")
    hf.add_argument("tokenizer")
    commands.add_parser("gguf").add_argument("file")
    args = parser.parse_args()
    if args.command == "hf":
        write_hf(args.folder, args.tokenizer)
    else:
        write_gguf(args.file)


if __name__ == "__main__":
    main()
