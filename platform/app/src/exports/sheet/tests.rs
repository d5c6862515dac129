#![expect(clippy::unwrap_used, reason = "tests")]
use super::*;
use std::io::Read as _;
use std::path::Path;
use yunling_domain::Micros;
use yunling_domain::cdr::{CdrFacts, CdrLegFacts};

const FORMATS: [ExportFormat; 3] = [ExportFormat::Csv, ExportFormat::Lines, ExportFormat::Workbook];

fn record(n: u32) -> CdrObject {
    let (conversation, call) = (format!("CV{n}"), format!("CA{n}"));
    let at = Micros(1_795_500_000_000_000).plus_ms(i64::from(n) * 1_000);
    CdrObject::new(&CdrFacts {
        account: "acc",
        application: "app",
        conversation: &conversation,
        request: "RQ1",
        kind: "notice",
        recording_url: None,
        recording_duration_s: None,
        user_data: Some("=\"订单\", <b>"),
        ending: None,
        result: 0,
        reason: None,
        input_key: Some("1"),
        legs: vec![CdrLegFacts {
            seq: 0,
            call: &call,
            from: "01080001001",
            to: "13800138000",
            started_at: at,
            ring_at: None,
            answered_at: Some(at),
            ended_at: at.plus_ms(9_000),
            cause: "completed",
            hangup_reason: "",
            sip_code: Some(200),
        }],
        zone: chrono_tz::Asia::Shanghai,
    })
}

fn open(path: &Path, octets: u64) -> Out {
    Out::open(path, octets).unwrap().unwrap()
}

/// Writes ten records in pieces of two. After `crash_after` pieces more is written than is known of,
/// and the file is gone on with from the state before, as it was stored.
fn written(format: ExportFormat, crash_after: Option<usize>) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export");
    let records: Vec<CdrObject> = (0..10).map(record).collect();
    let mut out = open(&path, 0);
    let mut sheet = Sheet::begin(format, &mut out).unwrap().unwrap();
    for (n, piece) in records.chunks(2).enumerate() {
        if Some(n) == crash_after {
            let (stored, octets) = (serde_json::to_value(&sheet).unwrap(), out.octets());
            sheet.write(&mut out, &records).unwrap();
            sheet.end(&mut out).unwrap();
            drop(out);
            out = open(&path, octets);
            sheet = serde_json::from_value(stored).unwrap();
        }
        sheet.write(&mut out, piece).unwrap();
    }
    sheet.end(&mut out).unwrap();
    assert_eq!(out.octets(), std::fs::metadata(&path).unwrap().len());
    std::fs::read(&path).unwrap()
}

#[test]
fn what_a_crash_left_is_gone_on_with_to_the_very_same_file() {
    for format in FORMATS {
        let whole = written(format, None);
        for crash_after in 0..5 {
            assert_eq!(written(format, Some(crash_after)), whole, "{format:?} {crash_after}");
        }
    }
}

#[test]
fn a_file_that_has_lost_its_end_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export");
    std::fs::write(&path, "0123456789").unwrap();
    assert!(Out::open(&path, 11).unwrap().is_none());
    assert_eq!(Out::open(&path, 4).unwrap().unwrap().octets(), 4);
    assert_eq!(std::fs::read(&path).unwrap(), b"0123");
}

#[test]
fn tables_are_read_again_field_by_field() {
    let text = String::from_utf8(written(ExportFormat::Csv, None)).unwrap();
    let rows: Vec<csv::Record> = csv::Records::of(&text).map(Result::unwrap).collect();
    assert_eq!(rows.len(), 11);
    assert_eq!(rows[0].fields, columns::NAMES);
    assert_eq!(rows[1].fields[..3], ["CV0", "CA0", "0"]);
    // What a spreadsheet would take for a formula is marked as text.
    assert_eq!(rows[1].fields[22], "'=\"订单\", <b>");
}

#[test]
fn lines_are_the_published_object() {
    let text = String::from_utf8(written(ExportFormat::Lines, None)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 10);
    assert_eq!(lines[3], record(3).to_json());
}

/// The names and contents of an archive's entries, by its directory.
fn entries(archive: &[u8]) -> Vec<(String, String)> {
    let short = |at: usize| usize::from(u16::from_le_bytes([archive[at], archive[at + 1]]));
    let long = |at: usize| {
        u32::from_le_bytes([archive[at], archive[at + 1], archive[at + 2], archive[at + 3]])
            as usize
    };
    let end = archive.len() - 22;
    assert_eq!(&archive[end..end + 4], b"PK\x05\x06");
    let (count, mut at) = (short(end + 10), long(end + 16));
    let mut found = Vec::new();
    for _ in 0..count {
        assert_eq!(&archive[at..at + 4], b"PK\x01\x02");
        let (crc, packed, plain, name) =
            (long(at + 16), long(at + 20), long(at + 24), short(at + 28));
        let local = long(at + 42);
        // The local header says the same.
        assert_eq!(&archive[local..local + 4], b"PK\x03\x04");
        assert_eq!(archive[local + 14..local + 26], archive[at + 16..at + 28]);
        let data = local + 30 + short(local + 26) + short(local + 28);
        let mut text = String::new();
        let mut inflating = flate2::read::DeflateDecoder::new(&archive[data..data + packed]);
        inflating.read_to_string(&mut text).unwrap();
        assert_eq!((text.len(), crc32fast::hash(text.as_bytes()) as usize), (plain, crc));
        found.push((String::from_utf8(archive[at + 46..at + 46 + name].to_vec()).unwrap(), text));
        at += 46 + name + short(at + 30) + short(at + 32);
    }
    assert_eq!(at, end);
    found
}

#[test]
fn a_workbook_is_an_archive_of_its_parts() {
    let parts = entries(&written(ExportFormat::Workbook, Some(2)));
    let names: Vec<&str> = parts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "xl/worksheets/sheet1.xml",
            "xl/workbook.xml",
            "xl/_rels/workbook.xml.rels",
            "_rels/.rels",
            "[Content_Types].xml"
        ]
    );
    let sheet = &parts[0].1;
    assert_eq!(sheet.matches("<row>").count(), 11);
    assert!(sheet.ends_with("</row></sheetData></worksheet>"));
    assert!(sheet.contains(">=\"订单\", &lt;b&gt;</t>"), "a text, and no formula");
    assert_eq!(sheet.matches("<c><v>9</v></c>").count(), 10, "durations are numbers");
}
