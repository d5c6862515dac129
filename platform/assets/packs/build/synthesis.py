"""From words to sound: phonemes by misaki (Chinese) and espeak-ng (English), then Kokoro."""
import functools
import subprocess

import numpy as np
import onnxruntime

import models

RATE_HZ = 24_000

# espeak writes some sounds as two signs that Kokoro was taught as one.
ONE_SIGN = (("dʒ", "ʤ"), ("tʃ", "ʧ"), ("eɪ", "A"), ("aɪ", "I"), ("oʊ", "O"), ("aʊ", "W"), ("ɔɪ", "Y"))


class Synthesiser:
    """One voice. Runs on one thread, so that the same machine gives the same samples again."""

    def __init__(self, lang, voice, node_modules):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            models.kokoro(), options, providers=["CPUExecutionProvider"]
        )
        self.vocabulary = models.vocabulary()
        self.styles = models.voice(voice, node_modules)
        self.phonemes = chinese_phonemes if lang == "zh" else english_phonemes

    def say(self, text, speed, style_row=None):
        """Samples of a text, as floats at 24 kHz."""
        return self.say_phonemes(self.phonemes(text), speed, style_row)

    def say_phonemes(self, phonemes, speed, style_row=None):
        """A style row suits utterances of as many phonemes; a fixed one keeps units alike."""
        tokens = [self.vocabulary[sign] for sign in phonemes if sign in self.vocabulary]
        row = min(len(tokens), len(self.styles) - 1) if style_row is None else style_row
        inputs = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": self.styles[row].reshape(1, -1),
            "speed": np.array([speed], np.float32),
        }
        return self.session.run(None, inputs)[0].ravel().astype(np.float64)


@functools.cache
def misaki():
    from misaki import zh

    return zh.ZHG2P()


def chinese_phonemes(text):
    return misaki()(text)[0]


def english_phonemes(text):
    command = ["espeak-ng", "-q", "--ipa=3", "-v", "en-us", text]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    out = " ".join(out.split()).replace("_", "").replace("\u200d", "")
    for ours, kokoro in (("ʲ", "j"), ("r", "ɹ"), ("x", "k"), ("ɬ", "l"), *ONE_SIGN):
        out = out.replace(ours, kokoro)
    return out
