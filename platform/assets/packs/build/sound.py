"""Cutting, levelling and measuring, by the same rules as the loader of packs."""
import numpy as np

FRAME_S = 0.010
SILENCE_BELOW_ACTIVE_DB = 26
BRIDGED_FRAMES = 9
BLIP_FRAMES = 6
LEVEL_DBFS = -20
PEAK_LIMIT = 0.89
KEEP_BEFORE_S = 0.015
KEEP_AFTER_S = 0.030
FADE_S = 0.005


def decibels(power):
    return 10 * np.log10(np.maximum(power, 1e-12))


def frames(samples, rate_hz):
    width = int(rate_hz * FRAME_S)
    count = len(samples) // width
    return (samples[: count * width].reshape(count, width) ** 2).mean(1), width


def active_dbfs(samples, rate_hz):
    """Level of the speech without its pauses: gate 20 dB below the mean, then 15.9 dB (P.56)."""
    power, _ = frames(samples, rate_hz)
    for margin_db in (20, 15.9):
        mean = decibels(power.mean())
        power = power[decibels(power) > mean - margin_db]
    return float(decibels(power.mean()))


def islands(loud):
    """Runs of loud frames as (start, end), pauses inside a word bridged and lone blips left out."""
    runs = []
    for frame in np.flatnonzero(loud):
        if runs and frame - runs[-1][1] < BRIDGED_FRAMES:
            runs[-1][1] = frame + 1
        else:
            runs.append([frame, frame + 1])
    return [run for run in runs if run[1] - run[0] >= BLIP_FRAMES]


def last_word(samples, rate_hz):
    """The last of several words with pauses between them, and the silence around it."""
    power, width = frames(samples, rate_hz)
    words = islands(decibels(power) > active_dbfs(samples, rate_hz) - SILENCE_BELOW_ACTIVE_DB)
    if len(words) < 2:
        raise ValueError("the words run together")
    return samples[(words[-2][1] + words[-1][0]) // 2 * width :]


def trimmed(samples, rate_hz):
    """Without the silence around, with a short fade at both ends against clicks."""
    power, width = frames(samples, rate_hz)
    threshold_dbfs = active_dbfs(samples, rate_hz) - SILENCE_BELOW_ACTIVE_DB
    spoken = islands(decibels(power) > threshold_dbfs)
    start = max(0, spoken[0][0] * width - int(KEEP_BEFORE_S * rate_hz))
    end = min(len(samples), spoken[-1][1] * width + int(KEEP_AFTER_S * rate_hz))
    out = samples[start:end].copy()
    fade = int(FADE_S * rate_hz)
    out[:fade] *= np.linspace(0, 1, fade)
    out[-fade:] *= np.linspace(1, 0, fade)
    return out


def levelled(samples, rate_hz):
    out = samples * 10 ** ((LEVEL_DBFS - active_dbfs(samples, rate_hz)) / 20)
    return out * min(1.0, PEAK_LIMIT / np.abs(out).max())
