//! The default packs are whole and in order, and an operator's folder replaces them.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use yunling_assets::{Pack, PackError, Packs, Piece, Place, phrase, speak};
use yunling_domain::Lang;
use yunling_domain::speech::{Kind, Settings, lexicon, required_tokens, say};

fn default_folder(lang: Lang) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packs").join(lang.code())
}

fn default_manifest(lang: Lang) -> Value {
    serde_json::from_slice(&fs::read(default_folder(lang).join("manifest.json")).unwrap()).unwrap()
}

#[test]
fn default_packs_are_whole_and_without_a_warning() {
    let packs = Packs::load(None).unwrap();
    for lang in Lang::ALL {
        let pack = packs.get(lang);
        assert_eq!(pack.lang(), lang);
        for token in required_tokens(lang) {
            let unit = pack.unit(token).unwrap();
            assert_eq!(&*unit.name, format!("{lang}/{token}"));
            assert_eq!(unit.alaw.len(), unit.ulaw.len());
            let ms = unit.duration_ms();
            assert!((150..1400).contains(&ms), "{lang} {token} lasts {ms} ms");
        }
        for name in phrase::ALL {
            assert!(pack.phrase(name).unwrap().duration_ms() > 400, "{lang} {name}");
        }
        // Levels, clipping, silence and checksums are what loading checks and warns about.
        assert_eq!(pack.warnings(), [""; 0], "{lang}");
        assert!(pack.credits().iter().all(|credit| !credit.is_empty()), "{lang}");
    }
}

/// The recordings say what the grammar means, at least on paper.
#[test]
fn default_manifests_have_the_words_and_digests_of_every_unit() {
    for lang in Lang::ALL {
        let manifest = default_manifest(lang);
        let units = manifest["units"].as_object().unwrap();
        for word in lexicon(lang) {
            let unit = &units[word.token];
            assert_eq!(unit["text"], word.text, "{lang} {}", word.token);
            assert_eq!(unit["sha256"].as_str().unwrap().len(), 64, "{lang} {}", word.token);
        }
        assert_eq!(units.len(), lexicon(lang).len(), "{lang}: a unit too many");
        let listed = units.len() + manifest["phrases"].as_object().unwrap().len();
        let on_disk =
            |folder: &str| fs::read_dir(default_folder(lang).join(folder)).unwrap().count();
        assert_eq!(on_disk("units") + on_disk("phrases"), listed, "{lang}: stray files");
    }
}

/// 300 ms of a tone between two silences: a recording whose every sample is known.
fn beep(rate_hz: u32, amplitude: f64) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate_hz,
        bits_per_sample: 24,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    for n in 0..rate_hz {
        let seconds = f64::from(n) / f64::from(rate_hz);
        let on = (0.4..0.7).contains(&seconds);
        let sample = if on { (seconds * 3770.0).sin() * amplitude } else { 0.0 };
        writer.write_sample((sample * 8_388_607.0) as i32).unwrap();
    }
    writer.finalize().unwrap();
    file.into_inner()
}

fn smallest_manifest(lang: Lang) -> Value {
    json!({"format": 1, "id": "studio", "version": "2", "lang": lang, "grammar": 1})
}

/// A studio's folder with the least that is needed: a manifest of one line and a file for each token.
fn studio(dir: &Path, lang: Lang, manifest: &Value) -> PathBuf {
    let folder = dir.join(lang.code());
    fs::create_dir_all(folder.join("units")).unwrap();
    fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    let recording = beep(44_100, 0.14);
    for token in required_tokens(lang) {
        fs::write(folder.join(format!("units/{token}.wav")), &recording).unwrap();
    }
    folder
}

#[test]
fn a_studio_folder_replaces_the_pack_of_its_language() {
    let dir = tempfile::tempdir().unwrap();
    let mut manifest = smallest_manifest(Lang::Zh);
    manifest["gaps_ms"] = json!({"digit": 123});
    manifest["phrases"] = json!({"welcome": {"file": "extra/hello.wav", "text": "你好"}});
    let folder = studio(dir.path(), Lang::Zh, &manifest);
    fs::create_dir(folder.join("extra")).unwrap();
    fs::write(folder.join("extra/hello.wav"), beep(16_000, 0.14)).unwrap();

    let packs = Packs::load(Some(dir.path())).unwrap();
    let defaults = Packs::load(None).unwrap();
    let zh = packs.get(Lang::Zh);
    assert_eq!(zh.title(), "studio 2");
    // Trimmed to the beep and a breath on each side.
    let ms = zh.unit("n7").unwrap().duration_ms();
    assert!((335..=360).contains(&ms), "{ms}");
    assert_eq!(zh.gaps().digit_ms, 123);
    assert_eq!(zh.gaps().part_ms, 80);
    assert!(zh.phrase("welcome").is_some());
    // Phrases that the studio did not record are the default pack's, and this is said.
    let busy = |pack: &Pack| pack.phrase(phrase::BUSY).unwrap().alaw.clone();
    assert_eq!(busy(zh), busy(defaults.get(Lang::Zh)));
    assert!(zh.warnings().contains(&"phrase busy is the default pack's".to_owned()));
    // The other language is untouched.
    assert_eq!(packs.get(Lang::En).title(), defaults.get(Lang::En).title());
}

#[test]
fn everything_that_is_missing_or_faulty_is_listed_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut manifest = smallest_manifest(Lang::En);
    manifest["units"] = json!({
        "n3": {"file": "units/n3.wav", "sha256": "00"},
        "n4": {"file": "../../etc/passwd"},
        "n5": {"file": "/etc/passwd"},
    });
    let folder = studio(dir.path(), Lang::En, &manifest);
    fs::remove_file(folder.join("units/n1.wav")).unwrap();
    fs::remove_file(folder.join("units/letter-q.wav")).unwrap();
    fs::write(folder.join("units/n2.wav"), b"not audio").unwrap();
    fs::write(folder.join("units/and.wav"), beep(8000, 0.0)).unwrap();

    match Packs::load(Some(dir.path())).unwrap_err() {
        PackError::Unusable { missing, faults, .. } => {
            assert_eq!(missing, ["n1", "n4", "n5", "letter-q"]);
            assert_eq!(faults.len(), 3, "{faults:?}");
            assert!(faults[0].starts_with("units/n2.wav: not a WAV file"), "{}", faults[0]);
            assert!(faults[1].starts_with("units/n3.wav: sha256 is"), "{}", faults[1]);
            assert_eq!(faults[2], "units/and.wav: the recording is silent");
        }
        other => panic!("{other}"),
    }
    let message = Packs::load(Some(dir.path())).unwrap_err().to_string();
    assert!(message.contains("4 missing: n1, n4, n5, letter-q; 3 faulty: "), "{message}");
}

#[test]
fn levels_out_of_range_are_warned_about() {
    let dir = tempfile::tempdir().unwrap();
    let folder = studio(dir.path(), Lang::En, &smallest_manifest(Lang::En));
    fs::write(folder.join("units/n1.wav"), beep(48_000, 0.03)).unwrap();
    fs::write(folder.join("units/n2.wav"), beep(48_000, 0.14)).unwrap();
    let packs = Packs::load(Some(dir.path())).unwrap();
    let warnings = packs.get(Lang::En).warnings();
    let about = |token: &str| warnings.iter().any(|warning| warning.contains(token));
    assert!(about("units/n1.wav: its level is -3"), "{warnings:?}");
    assert!(!about("units/n2.wav"), "{warnings:?}");
}

#[test]
fn manifests_that_do_not_fit_are_refused() {
    let right = smallest_manifest(Lang::Zh);
    let with = |field: &str, value: Value| {
        let mut manifest = right.clone();
        manifest[field] = value;
        manifest.to_string()
    };
    for (manifest, reason) in [
        ("".to_owned(), "EOF"),
        (with("format", json!(2)), "format is 2, expected 1"),
        (with("grammar", json!(9)), "grammar is 9, expected 1"),
        (with("lang", json!("en")), "lang is en, expected zh"),
        (with("lang", json!("fr")), "unknown variant `fr`"),
        (with("pauses", json!({})), "unknown field `pauses`"),
        (with("gaps_ms", json!({"digits": 1})), "unknown field `digits`"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("zh")).unwrap();
        fs::write(dir.path().join("zh/manifest.json"), manifest).unwrap();
        let error = Packs::load(Some(dir.path())).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("zh")).unwrap();
    let error = Packs::load(Some(dir.path())).unwrap_err().to_string();
    assert!(error.contains("there is none"), "{error}");
}

/// A reading as text: unit names, and pauses as numbers.
fn pieces(kind: Kind, value: &str, pack: &Pack) -> Vec<String> {
    let tokens = say(kind, value, pack.lang(), &Settings::default()).unwrap();
    let pieces = speak(&tokens, pack).unwrap();
    let shown = pieces.iter().map(|piece| match piece {
        Piece::Play(recording) => recording.name.to_string(),
        Piece::Silence { ms } => ms.to_string(),
    });
    shown.collect()
}

#[test]
fn readings_become_recordings_and_pauses() {
    let dir = tempfile::tempdir().unwrap();
    let mut manifest = smallest_manifest(Lang::Zh);
    manifest["gaps_ms"] = json!({"join": 0, "part": 70, "digit": 200});
    studio(dir.path(), Lang::Zh, &manifest);
    let packs = Packs::load(Some(dir.path())).unwrap();
    let zh = packs.get(Lang::Zh);
    assert_eq!(
        pieces(Kind::Money, "2.14", zh),
        ["zh/liang", "zh/yuan", "70", "zh/jiao1", "zh/fen4"]
    );
    assert_eq!(
        pieces(Kind::Digits, "1A2", zh),
        ["zh/n1", "200", "zh/letter", "zh/letter-a", "200", "zh/n2"]
    );
    // A reading of another language is the caller's mistake and is said so.
    let english = say(Kind::Number, "100", Lang::En, &Settings::default()).unwrap();
    let error = speak(&english, zh).unwrap_err();
    assert_eq!(error.token, "hundred");
}

#[test]
fn variants_are_used_in_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let mut manifest = smallest_manifest(Lang::Zh);
    manifest["units"] = json!({"n1": {
        "file": "units/n1.wav",
        "text": "一",
        "ms": 300,
        "mid": {"file": "units/n1-mid.wav"},
        "end": {"file": "units/n1-end.wav"},
    }});
    let folder = studio(dir.path(), Lang::Zh, &manifest);
    fs::write(folder.join("units/n1-mid.wav"), beep(8000, 0.15)).unwrap();
    fs::write(folder.join("units/n1-end.wav"), beep(8000, 0.16)).unwrap();
    let packs = Packs::load(Some(dir.path())).unwrap();
    let zh = packs.get(Lang::Zh);
    let audio = |place| zh.unit_at("n1", place).unwrap().alaw.clone();
    let base = zh.unit("n1").unwrap().alaw.clone();
    assert_ne!(audio(Place::Mid), base);
    assert_ne!(audio(Place::End), base);
    assert_ne!(audio(Place::Mid), audio(Place::End));

    let tokens = say(Kind::Digits, "11", Lang::Zh, &Settings::default()).unwrap();
    let spoken = speak(&tokens, zh).unwrap();
    let recordings: Vec<_> = spoken
        .iter()
        .filter_map(|piece| match piece {
            Piece::Play(recording) => Some(recording.alaw.clone()),
            Piece::Silence { .. } => None,
        })
        .collect();
    assert_eq!(recordings, [audio(Place::Mid), audio(Place::End)]);
}
