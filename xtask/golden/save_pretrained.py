"""What `save_pretrained` of transformers writes: its JSON files, and the names and shapes of its tensors.

Writes `save_pretrained.json` for `llm-models`, one model of each family, with the sizes it has, so that the same can be written by
ours and compared.
"""

import json
import pathlib
import tempfile

from safetensors import safe_open

from common import output_folder, write_json
from tiny_models import gpt, gpt2, llama, mistral

MODELS = {
    "openai-gpt": gpt(),
    "gpt2": gpt2(),
    "llama": llama(),
    "mistral": mistral(sliding_window=5),
}
FILES = ["config.json", "generation_config.json"]


def main():
    folder = output_folder("models", __doc__)
    rows = []
    for name, build in MODELS.items():
        with tempfile.TemporaryDirectory() as temporary:
            saved = pathlib.Path(temporary)
            build().save_pretrained(saved)
            files = {file: json.loads((saved / file).read_text()) for file in FILES}
            assert sorted(path.name for path in saved.iterdir()) == [*FILES, "model.safetensors"], name
            with safe_open(saved / "model.safetensors", "pt") as tensors:
                shapes = {key: list(tensors.get_slice(key).get_shape()) for key in sorted(tensors.keys())}
                metadata = tensors.metadata()
        rows.append(
            {
                "model_type": name,
                **files,
                "metadata": metadata,
                "tensors": shapes,
            }
        )
    write_json(folder / "save_pretrained.json", rows, lines=2)


if __name__ == "__main__":
    main()
