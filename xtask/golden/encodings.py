"""Bytes of tensors as the `gguf` package stores them: blocks of 8 and 4 bits, and both kinds of 16-bit floats.

Writes `encodings.json` for `llm-models`.
"""

import numpy
from gguf import GGMLQuantizationType, quants

from common import output_folder, write_json


def main():
    folder = output_folder("models", __doc__)
    generator = numpy.random.default_rng(3)
    blocks = generator.normal(size=(10, 32)).astype(numpy.float32) * numpy.float32(10.0) ** numpy.arange(-5, 5)[:, None]
    blocks = blocks.astype(numpy.float16).astype(numpy.float32)  # short digits; the bf16 below still has to round
    blocks[3] = 0.0
    blocks[4, 5] = -blocks[4].max() * 2  # the largest is negative
    blocks[5] = 1.0  # all the same
    values = blocks.reshape(-1)
    result = {"values": values}
    for name in ("Q8_0", "Q4_0", "BF16", "F16"):
        stored = quants.quantize(values, GGMLQuantizationType[name])
        result[name.lower()] = stored.view(numpy.uint8)
    write_json(folder / "encodings.json", result, lines=1)


if __name__ == "__main__":
    main()
