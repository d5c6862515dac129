"""Builds a default prompt pack. See README.md."""
import argparse
import hashlib
import io
import json
import pathlib

import numpy as np
import soundfile
from scipy.signal import resample_poly

import sound
import synthesis

PACK_RATE_HZ = 16_000
VERSION = "1.0.0"

# Chosen by ear and by a recogniser (README.md): one voice, one style row and speed for all units.
VOICES = {
    "zh": {"voice": "zm_yunxi", "unit_row": 3, "unit_speed": 0.95, "phrase_speed": 0.95},
    "en": {"voice": "af_heart", "unit_row": None, "unit_speed": 0.95, "phrase_speed": 0.95},
}
LETTER_SPEED = 0.9
GAPS_MS = {
    "zh": {"join": 0, "part": 80, "digit": 250, "item": 400},
    "en": {"join": 0, "part": 80, "digit": 250, "item": 400},
}

LETTERS = dict(zip(
    "abcdefghijklmnopqrstuvwxyz",
    "ˈA bˈi sˈi dˈi ˈi ˈɛf ʤˈi ˈAʧ ˈI ʤˈA kˈA ˈɛl ˈɛm ˈɛn ˈO pˈi kjˈu ˈɑɹ ˈɛs tˈi jˈu vˈi "
    "dˈʌbəlju ˈɛks wˈI zˈi".split(),
))

# Said by phonemes: as plain text they would be read as a word.
PHONEMES = {"en": {"am": "ˈA ˈɛm", "pm": "pˈi ˈɛm", "letter-o": "ˈOʊ"}, "zh": {}}

# Vowels at the start of an utterance get a false onset (A is heard as "lay"): these are said three
# times, and the last one is kept.
REPEATED = {"en": {"letter-a", "letter-e", "letter-o", "am"}, "zh": set()}

PHRASES = {
    "zh": {
        "code-is": "您的验证码是",
        "one-minute-left": "本次通话时长还剩一分钟",
        "confirm": "确认请按一，重听请按二",
        "invalid-choice": "您的输入有误，请重新输入",
        "hold": "坐席正忙，请稍候",
        "queue-before": "您前面还有",
        "queue-after": "位用户在等待",
        "goodbye": "感谢您的来电，再见",
        "no-answer": "您拨打的电话暂时无人接听",
        "busy": "您拨打的用户正忙，请稍后再拨",
        "unreachable": "您拨打的电话已关机",
        "transfer": "正在为您转接，请稍候",
    },
    "en": {
        "code-is": "Your verification code is:",
        "one-minute-left": "This call has one minute left.",
        "confirm": "To confirm, press one. To listen again, press two.",
        "invalid-choice": "That is not a valid choice.",
        "hold": "All agents are busy. Please hold.",
        "queue-before": "You are number",
        "queue-after": "in the queue.",
        "goodbye": "Thank you for calling. Goodbye.",
        "no-answer": "The person you are calling does not answer.",
        "busy": "The person you are calling is on another call.",
        "unreachable": "The phone you are calling is switched off.",
        "transfer": "Please hold while we transfer your call.",
    },
}


def speak_unit(voice, lang, settings, token, text):
    speed, row = settings["unit_speed"], settings["unit_row"]
    phonemes = PHONEMES[lang].get(token)
    if token.startswith("letter-"):
        phonemes, speed = phonemes or LETTERS[token[-1]], LETTER_SPEED
    elif phonemes is None:
        phonemes = voice.phonemes(text)
    if token in REPEATED[lang]:
        return sound.last_word(
            voice.say_phonemes(". ".join([phonemes] * 3) + ".", speed, row), synthesis.RATE_HZ
        )
    return voice.say_phonemes(phonemes + ".", speed, row)


def write_wav(folder, file, samples_24k):
    samples = sound.levelled(
        sound.trimmed(samples_24k, synthesis.RATE_HZ), synthesis.RATE_HZ
    )
    samples = resample_poly(samples, PACK_RATE_HZ, synthesis.RATE_HZ)
    wav = io.BytesIO()
    soundfile.write(wav, np.clip(samples, -1, 1), PACK_RATE_HZ, "PCM_16", format="WAV")
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(wav.getvalue())
    return {
        "file": file,
        "ms": len(samples) * 1000 // PACK_RATE_HZ,
        "sha256": hashlib.sha256(wav.getvalue()).hexdigest(),
    }


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("lang", choices=sorted(VOICES))
    arguments.add_argument("script", type=pathlib.Path, help="token TAB text, a line a unit")
    arguments.add_argument("folder", type=pathlib.Path, help="the pack's folder")
    arguments.add_argument("--node-modules", default="node_modules")
    arguments.add_argument("--only", nargs="+", help="record these tokens anew, keep all else")
    options = arguments.parse_args()
    lang, settings = options.lang, VOICES[options.lang]
    voice = synthesis.Synthesiser(lang, settings["voice"], options.node_modules)

    units, phrases = {}, {}
    if options.only:
        kept = json.loads((options.folder / "manifest.json").read_text("utf-8"))
        units, phrases = kept["units"], kept["phrases"]
    for line in options.script.read_text("utf-8").splitlines():
        token, text = line.split("\t")
        if options.only and token not in options.only:
            continue
        samples = speak_unit(voice, lang, settings, token, text)
        units[token] = {"text": text} | write_wav(options.folder, f"units/{token}.wav", samples)
    for name, text in PHRASES[lang].items() if not options.only else ():
        samples = voice.say(text + ("。" if lang == "zh" else ""), settings["phrase_speed"])
        phrases[name] = {"text": text} | write_wav(options.folder, f"phrases/{name}.wav", samples)

    manifest = {
        "format": 1,
        "id": f"default-{lang}",
        "version": VERSION,
        "lang": lang,
        "grammar": 1,
        "voice": f"Kokoro-82M {settings['voice']}",
        "licence": "Apache-2.0",
        "attribution": "Kokoro-82M by hexgrad (Apache-2.0), int8 ONNX; voices from kokoro-js "
        "(Apache-2.0)",
        "origin": "synthetic speech, made by packs/build/build.py",
        "gaps_ms": GAPS_MS[lang],
        "units": units,
        "phrases": phrases,
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=1)
    (options.folder / "manifest.json").write_text(text + "\n", "utf-8")
    print(f"{lang}: {len(units)} units, {len(phrases)} phrases")


if __name__ == "__main__":
    main()
