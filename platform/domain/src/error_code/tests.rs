use std::collections::BTreeSet;

use super::*;

#[test]
fn numbers_and_names_are_unique_and_rise() {
    assert!(ALL.is_sorted_by(|a, b| a.number < b.number));
    let names: BTreeSet<_> = ALL.iter().map(|code| code.name).collect();
    assert_eq!(names.len(), ALL.len());
    for code in ALL {
        assert_eq!(ErrorCode::by_number(code.number), Some(code));
        assert_eq!(ErrorCode::by_name(code.name), Some(code));
    }
}

#[test]
fn every_row_is_whole() {
    for code in ALL {
        assert!((10_000..=99_999).contains(&code.number), "{}", code.name);
        assert!((-6..=-1).contains(&code.surface), "{}", code.name);
        assert!((400..600).contains(&code.http_status), "{}", code.name);
        let snake = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(code.name.chars().all(snake), "{}", code.name);
        for text in [code.zh, code.en, code.what_to_do_zh, code.what_to_do_en] {
            assert!(text.chars().count() > 3, "{}", code.name);
            assert!(!text.ends_with(['.', '。', ' ']), "{}", code.name);
        }
        let chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
        assert!(chinese(code.zh) && chinese(code.what_to_do_zh), "{}", code.name);
        assert!(code.en.is_ascii() && code.what_to_do_en.is_ascii(), "{}", code.name);
        assert_ne!(code.fault, Fault::Nobody);
    }
}

#[test]
fn areas_agree_with_the_surface() {
    for code in ALL {
        // RESOLUTIONS, codes: what each statusCode stands for
        let surfaces: &[i8] = match code.area() {
            Area::Authorization => &[-1],
            Area::RequestForm => &[-2, -4],
            Area::Parameter => &[-3, -4],
            Area::Media => &[-4],
            Area::Gate | Area::Limit | Area::Conversation | Area::Platform => &[-5],
            Area::Trunk => &[-6],
        };
        assert!(surfaces.contains(&code.surface), "{}", code.name);
        let known = [10, 11, 12, 13, 20, 21, 22, 30, 50].contains(&(code.number / 1_000));
        assert!(known, "{} is in no area", code.number);
    }
}

#[test]
fn a_missing_field_differs_between_the_surfaces() {
    assert_eq!(MISSING_PARAMETER.surface_on(VoiceSurface::Notice), -4);
    assert_eq!(MISSING_PARAMETER.surface_on(VoiceSurface::Captcha), -2);
    assert_eq!(BAD_PARAMETER.surface_on(VoiceSurface::Captcha), -4);
    assert_eq!(ALL_TRUNKS_DOWN.surface_on(VoiceSurface::Captcha), -6);
}

/// The table is append-only: customers' programs compare numbers and names. A row that changes or
/// goes is a breaking change; only new rows may appear in this snapshot.
#[test]
fn the_table_is_append_only() {
    let rows: Vec<String> = ALL
        .iter()
        .map(|c| {
            format!("{} {} {} {} {}", c.number, c.name, c.surface, c.http_status, c.fault.name())
        })
        .collect();
    insta::assert_snapshot!(rows.join("\n"));
}

#[test]
fn the_published_table_has_every_row() {
    let json = as_json();
    let rows = json.as_array().map(Vec::as_slice).unwrap_or_default();
    assert_eq!(rows.len(), ALL.len());
    assert_eq!(rows[0]["number"], "10001");
    assert_eq!(rows[0]["statusCode"], "-1");
    assert_eq!(rows[0]["area"], "authorization");
    assert_eq!(serde_json::to_value(UNAUTHORIZED).ok(), Some("10001".into()));
}
