//! What a file is, by its content: names and media types of uploads are whatever their sender's
//! computer made of them.

use crate::audio_error::AudioError;

/// A format that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudioFormat {
    /// RIFF/WAVE.
    Wav,
    /// MPEG-1, -2 or -2.5, layer III.
    Mp3,
    /// Vorbis in Ogg.
    OggVorbis,
    /// FLAC, by itself or in Ogg.
    Flac,
}

impl AudioFormat {
    /// As people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wav => "WAV",
            Self::Mp3 => "MP3",
            Self::OggVorbis => "Ogg Vorbis",
            Self::Flac => "FLAC",
        }
    }
}

/// First bytes of what is often sent by mistake, and what to call it.
const KNOWN: [(&[u8], &str); 17] = [
    (b"RF64", "an RF64 file"),
    (b"RIFX", "a big-endian WAV file"),
    (b"FORM", "an AIFF file"),
    (b"#!AMR", "an AMR file"),
    (b"caff", "a CAF file"),
    (b"\x1A\x45\xDF\xA3", "Matroska or WebM video"),
    (b"\x30\x26\xB2\x75\x8E\x66\xCF\x11", "a Windows Media file"),
    (b"FLV\x01", "Flash video"),
    (b"ADIF", "AAC"),
    (b".snd", "a Sun audio file"),
    (b"\x7FELF", "a program"),
    (b"PK\x03\x04", "a ZIP archive or an Office document"),
    (b"\x1F\x8B", "a gzip archive"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "an image"),
    (b"\xFF\xD8\xFF", "an image"),
    (b"GIF8", "an image"),
];

/// Names the format of a file.
///
/// # Errors
/// [`AudioError::Nothing`], or [`AudioError::Unsupported`] with what it is as far as it can be told.
pub(crate) fn sniff(bytes: &[u8]) -> Result<AudioFormat, AudioError> {
    let unsupported = |found| Err(AudioError::Unsupported { found });
    if bytes.is_empty() {
        return Err(AudioError::Nothing);
    }
    if bytes.starts_with(b"RIFF") {
        return match bytes.get(8..12) {
            Some(b"WAVE") | None => Ok(AudioFormat::Wav),
            Some(b"AVI ") => unsupported("AVI video"),
            Some(_) => unsupported("a RIFF file that is no WAV"),
        };
    }
    if bytes.starts_with(b"OggS") {
        return ogg(bytes);
    }
    if bytes.starts_with(b"fLaC") {
        return Ok(AudioFormat::Flac);
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        return unsupported("MP4 (AAC audio, or video)");
    }
    if let Some((_, found)) = KNOWN.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return unsupported(found);
    }
    match mpeg(after_id3(bytes)) {
        Some(found) => found,
        // Cover art may make the tag longer than what was sent of the file.
        None if bytes.starts_with(b"ID3") => Ok(AudioFormat::Mp3),
        None if is_text(bytes) => unsupported("a text"),
        None => unsupported("of no known format"),
    }
}

/// What the first page of an Ogg file carries (RFC 3533, section 6).
fn ogg(bytes: &[u8]) -> Result<AudioFormat, AudioError> {
    let segments = bytes.get(26).copied().unwrap_or(0);
    let packet = bytes.get(27 + usize::from(segments)..).unwrap_or(&[]);
    let unsupported = |found| Err(AudioError::Unsupported { found });
    match packet {
        [1, b'v', b'o', b'r', b'b', b'i', b's', ..] => Ok(AudioFormat::OggVorbis),
        [0x7F, b'F', b'L', b'A', b'C', ..] => Ok(AudioFormat::Flac),
        packet if packet.starts_with(b"OpusHead") => unsupported("Opus in Ogg"),
        packet if packet.starts_with(b"Speex") => unsupported("Speex in Ogg"),
        packet if packet.starts_with(b"\x80theora") => unsupported("Theora video in Ogg"),
        _ => unsupported("an Ogg file without a stream that is known"),
    }
}

/// What follows an ID3v2 tag, whose length has 7 bits a byte.
fn after_id3(bytes: &[u8]) -> &[u8] {
    if !bytes.starts_with(b"ID3") {
        return bytes;
    }
    let Some(&[a, b, c, d]) = bytes.get(6..10) else {
        return &[];
    };
    let length = [a, b, c, d].iter().fold(0_usize, |sum, byte| sum << 7 | usize::from(byte & 0x7F));
    bytes.get(10 + length..).unwrap_or(&[])
}

/// The head of an MPEG audio frame: eleven bits of synchronisation, version, layer (ISO/IEC 11172-3,
/// 2.4.2.3); AAC's ADTS has the layer 0 there. Encoders leave zeros between the tag and it.
fn mpeg(bytes: &[u8]) -> Option<Result<AudioFormat, AudioError>> {
    let start = bytes.iter().take(4096).position(|&byte| byte != 0)?;
    let &[0xFF, head, ..] = &bytes[start..] else {
        return None;
    };
    if head & 0xE0 != 0xE0 {
        return None;
    }
    let unsupported = |found| Some(Err(AudioError::Unsupported { found }));
    match (head >> 1) & 3 {
        0b01 => Some(Ok(AudioFormat::Mp3)),
        0b00 if head & 0xF0 == 0xF0 => unsupported("AAC"),
        0b10 => unsupported("MPEG audio of layer II"),
        0b11 => unsupported("MPEG audio of layer I"),
        _ => None,
    }
}

fn is_text(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(256)];
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        // A character may be cut through by the limit.
        Err(error) if start.len() - error.valid_up_to() < 4 => {
            std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or("\0")
        }
        Err(_) => return false,
    };
    !text.is_empty() && !text.chars().any(|c| c.is_control() && !c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_what_is_in_them() {
        let ogg = |packet: &[u8]| [&b"OggS"[..], &[0; 22], &[1, 30], packet].concat();
        let tagged = |rest: &[u8]| [b"ID3\x03\0\0\0\0\0\x05tag..", rest].concat();
        let cases: Vec<(Vec<u8>, Result<AudioFormat, &str>)> = vec![
            (b"RIFF\0\0\0\0WAVEfmt ".to_vec(), Ok(AudioFormat::Wav)),
            (b"RIFF\0\0\0\0AVI LIST".to_vec(), Err("AVI video")),
            (ogg(b"\x01vorbis"), Ok(AudioFormat::OggVorbis)),
            (ogg(b"\x7FFLAC\x01"), Ok(AudioFormat::Flac)),
            (ogg(b"OpusHead"), Err("Opus in Ogg")),
            (b"OggS".to_vec(), Err("an Ogg file without a stream that is known")),
            (b"fLaC\0".to_vec(), Ok(AudioFormat::Flac)),
            (vec![0xFF, 0xFB, 0x90, 0], Ok(AudioFormat::Mp3)),
            (tagged(&[0, 0, 0xFF, 0xF3, 0x40]), Ok(AudioFormat::Mp3)),
            (tagged(&[0xFF, 0xF1, 0x50]), Err("AAC")),
            (vec![0xFF, 0xFD, 0x90, 0], Err("MPEG audio of layer II")),
            (b"\0\0\0\x20ftypM4A ".to_vec(), Err("MP4 (AAC audio, or video)")),
            (b"<!DOCTYPE html>".to_vec(), Err("a text")),
            ("喂".repeat(200).into_bytes(), Err("a text")),
            (vec![7; 300], Err("of no known format")),
        ];
        for (bytes, expected) in cases {
            let expected = expected.map_err(|found| AudioError::Unsupported { found });
            assert_eq!(sniff(&bytes), expected, "{:?}", &bytes[..bytes.len().min(12)]);
        }
        assert_eq!(sniff(&[]), Err(AudioError::Nothing));
    }
}
