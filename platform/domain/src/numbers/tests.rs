//! Every sentence of RESOLUTIONS, "Numbers", as cases.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

#[test]
fn spellings_of_mainland_numbers() {
    // (spelling, national form)
    let cases = [
        // mobile 1[3-9] + 9 digits
        ("13800100001", "13800100001"),
        ("19912345678", "19912345678"),
        // landline 010 or 02x + 8, 0[3-9]xx + 7 or 8
        ("01080001001", "01080001001"),
        ("02112345678", "02112345678"),
        ("02912345678", "02912345678"),
        ("03711234567", "03711234567"),
        ("037112345678", "037112345678"),
        ("09511234567", "09511234567"),
        // +86, 0086 or bare 86 in front
        ("+8613800100001", "13800100001"),
        ("008613800100001", "13800100001"),
        ("8613800100001", "13800100001"),
        ("+861080001001", "01080001001"),
        ("00861080001001", "01080001001"),
        ("861080001001", "01080001001"),
        ("+86037112345678", "037112345678"),
        ("+86 (0)10 8000 1001", "01080001001"),
        // 0 before a mobile
        ("013800100001", "13800100001"),
        ("+86013800100001", "13800100001"),
        // spaces, hyphens, parentheses
        ("138 0010 0001", "13800100001"),
        ("138-00100001", "13800100001"),
        ("138\u{a0}0010\u{3000}0001", "13800100001"),
        ("010-80001001", "01080001001"),
        ("(010)80001001", "01080001001"),
        ("(010) 8000-1001", "01080001001"),
        ("(0371)1234567", "03711234567"),
        ("+86-10-80001001", "01080001001"),
        ("0086-138-00100001", "13800100001"),
        ("86-010-80001001", "01080001001"),
        ("010\u{2013}80001001", "01080001001"),
        // full-width digits and punctuation
        ("１３８００１００００１", "13800100001"),
        ("（０１０）８０００－１００１", "01080001001"),
        ("＋８６ １３８００１００００１", "13800100001"),
        // trimmed
        ("  13800100001\t", "13800100001"),
        ("\u{3000}13800100001\u{3000}", "13800100001"),
    ];
    for (spelling, national) in cases {
        let number = Number::parse_voice(spelling).unwrap_or_else(|e| panic!("{spelling}: {e}"));
        assert_eq!(number.national(), national, "{spelling}");
        assert!(!number.is_foreign());
        assert_eq!(echo(spelling), national);
        assert_eq!(Number::parse_dialable(spelling), Ok(number));
    }
}

#[test]
fn refused_and_never_swallowed() {
    let extension = NumberError::Extension;
    let unknown = NumberError::Unknown;
    let parentheses = NumberError::Parentheses;
    let cases = [
        // 转, ext and a third hyphen group
        ("010-80001001转123", extension),
        ("01080001001轉123", extension),
        ("010-80001001 ext 12", extension),
        ("010-80001001EXT.12", extension),
        ("010-80001001x12", extension),
        ("01080001001 ｅｘｔ12", extension),
        ("010-80001001-123", extension),
        ("0371-1234567-8", extension),
        ("0371-123-45678", extension),
        ("+86-10-80001001-1", extension),
        ("0086 10-8000-1001-1", extension),
        ("+8610-8000-1001-1", extension),
        // an extension in parentheses would make another valid number
        ("0371-1234567(8)", parentheses),
        ("(010", parentheses),
        ("010)80001001", parentheses),
        ("((010))80001001", parentheses),
        ("(01080001001)", parentheses),
        // nothing
        ("", NumberError::Empty),
        ("   ", NumberError::Empty),
        ("+", NumberError::Empty),
        ("-", NumberError::Empty),
        // no number
        ("12345678901", unknown),
        ("1380010000", unknown),
        ("138001000012", unknown),
        ("80001001", unknown),
        ("0108000100", unknown),
        ("010800010011", unknown),
        ("0138001000", unknown),
        ("0371123456", unknown),
        ("0371123456789", unknown),
        ("02012345", unknown),
        ("01180001001", unknown),
        ("+8634567", unknown),
        ("+86", unknown),
        ("86", unknown),
        ("0013", unknown),
        ("+0123456789", unknown),
        ("000123456789", unknown),
        ("+1234567890123456", unknown),
        ("0".repeat(30).leak(), unknown),
        ("1".repeat(41).leak(), NumberError::TooLong { limit: 40 }),
        // other characters
        ("1380010000a", NumberError::Character { found: 'a' }),
        ("13800100001,13800100002", NumberError::Character { found: ',' }),
        ("138+00100001", NumberError::Character { found: '+' }),
        ("sip:13800100001@host", NumberError::Character { found: 's' }),
        ("13800100001#", NumberError::Character { found: '#' }),
        ("١٣٨٠٠١٠٠٠٠١", NumberError::Character { found: '١' }),
    ];
    for (spelling, expected) in cases {
        assert_eq!(Number::parse_voice(spelling), Err(expected), "{spelling}");
        assert_eq!(Number::parse_dialable(spelling), Err(expected), "{spelling}");
        assert_eq!(echo(spelling), spelling.trim());
    }
}

#[test]
fn service_numbers_are_dialable_but_no_destination_of_voice() {
    let cases = [
        ("4008001234", "4008001234", NumberClass::TollFree400),
        ("400-800-1234", "", NumberClass::TollFree400), // a third hyphen group
        ("400-8001234", "4008001234", NumberClass::TollFree400),
        ("+864008001234", "4008001234", NumberClass::TollFree400),
        ("864008001234", "4008001234", NumberClass::TollFree400),
        ("8008201234", "8008201234", NumberClass::TollFree800),
        ("95588", "95588", NumberClass::Short),
        ("951234", "951234", NumberClass::Short),
        ("9501345", "9501345", NumberClass::Short),
        ("95013456", "95013456", NumberClass::Short),
        ("950134567", "", NumberClass::Short),
        ("96123", "96123", NumberClass::Short),
        ("961234", "", NumberClass::Short),
        ("10101234", "10101234", NumberClass::Short),
        ("1010123", "", NumberClass::Short),
        ("10086", "10086", NumberClass::Short),
        ("12306", "12306", NumberClass::Short),
        ("+8695588", "95588", NumberClass::Short),
        // a local number without area code, not 86 and a bank
        ("8695588", "", NumberClass::Short),
        ("400800123", "", NumberClass::TollFree400),
    ];
    for (spelling, national, class) in cases {
        match Number::parse_dialable(spelling) {
            Ok(number) => {
                assert_eq!((number.national(), number.class()), (national, class), "{spelling}");
                assert_eq!(number.e164(), None);
                assert_eq!(number.stored(), national);
                assert_eq!(Number::parse_voice(spelling), Err(NumberError::ServiceNumber));
                assert_eq!(echo(spelling), spelling);
            }
            Err(_) => assert_eq!(national, "", "{spelling}"),
        }
    }
}

#[test]
fn emergency_numbers_are_recognised_in_every_spelling() {
    for number in ["110", "119", "120", "122", "+86110", "0086 120", "１１９", "1-1-0", " 110 "]
    {
        let voice = Number::parse_voice(number);
        assert!(voice.is_err(), "{number}");
        if let Ok(parsed) = Number::parse_dialable(number) {
            assert_eq!(parsed.class(), NumberClass::Emergency, "{number}");
            assert_eq!(voice, Err(NumberError::Emergency));
        }
    }
    // other spellings of them are no numbers at all
    for number in ["86110", "0110", "010110", "00110"] {
        assert_eq!(Number::parse_dialable(number), Err(NumberError::Unknown), "{number}");
    }
}

#[test]
fn foreign_numbers_are_well_formed() {
    let cases = [
        ("+85221234567", "0085221234567"),
        ("0085221234567", "0085221234567"),
        ("+1 (212) 555-0123", "0012125550123"),
        ("+1-212-555-0123", "0012125550123"),
        ("00886-2-1234-5678", "00886212345678"),
        ("+8612", ""),
    ];
    for (spelling, national) in cases {
        match Number::parse_voice(spelling) {
            Ok(number) => {
                assert_eq!((number.national(), number.is_foreign()), (national, true));
                assert_eq!(number.e164().unwrap(), format!("+{}", &national[2..]));
                assert_eq!(echo(spelling), national);
            }
            Err(error) => assert_eq!(national, "", "{spelling}: {error}"),
        }
    }
}

#[test]
fn stored_as_e164_where_one_exists() {
    for (spelling, stored) in [
        ("13800100001", "+8613800100001"),
        ("01080001001", "+861080001001"),
        ("03711234567", "+863711234567"),
        ("95588", "95588"),
        ("110", "110"),
        ("+85221234567", "+85221234567"),
    ] {
        let number = Number::parse_dialable(spelling).unwrap();
        assert_eq!(number.stored(), stored);
        assert_eq!(Number::parse_dialable(stored), Ok(number));
    }
}

#[test]
fn forms_towards_a_trunk() {
    let prefix = NumberFormat::prefix("9#").unwrap();
    // (number, format, home area, the mobile's area, user part)
    let cases = [
        ("13800100001", NumberFormat::National, None, None, "13800100001"),
        ("01080001001", NumberFormat::National, None, None, "01080001001"),
        ("95588", NumberFormat::National, None, None, "95588"),
        ("+85221234567", NumberFormat::National, None, None, "0085221234567"),
        ("13800100001", NumberFormat::E164, None, None, "+8613800100001"),
        ("01080001001", NumberFormat::E164, None, None, "+861080001001"),
        ("95588", NumberFormat::E164, None, None, "95588"),
        ("13800100001", prefix.clone(), None, None, "9#13800100001"),
        // 0 before out-of-area mobiles with home_area
        ("13800100001", NumberFormat::National, Some("010"), Some("010"), "13800100001"),
        ("13800100001", NumberFormat::National, Some("010"), Some("021"), "013800100001"),
        ("13800100001", NumberFormat::National, Some("010"), None, "013800100001"),
        ("13800100001", prefix, Some("010"), Some("021"), "9#013800100001"),
        ("13800100001", NumberFormat::E164, Some("010"), Some("021"), "+8613800100001"),
        ("01080001001", NumberFormat::National, Some("021"), None, "01080001001"),
    ];
    for (number, format, home, area, expected) in cases {
        let number = Number::parse_dialable(number).unwrap();
        let shown = for_trunk_with_area(&number, &format, home, area);
        assert_eq!(shown, expected, "{format:?}");
        // the reverse on the way in
        assert_eq!(from_trunk(&shown, &format), Ok(number));
    }
}

#[test]
fn from_a_trunk_that_is_not_strict() {
    let prefix = NumberFormat::prefix("86").unwrap();
    for (user_part, format, national) in [
        ("8613800100001", NumberFormat::E164, "13800100001"),
        ("85221234567", NumberFormat::E164, "0085221234567"),
        ("01080001001", NumberFormat::E164, "01080001001"),
        ("+8613800100001", NumberFormat::National, "13800100001"),
        ("13800100001", prefix.clone(), "13800100001"),
        ("8613800100001", prefix, "13800100001"),
    ] {
        assert_eq!(from_trunk(user_part, &format).unwrap().national(), national);
    }
    assert!(from_trunk("anonymous", &NumberFormat::E164).is_err());
}

#[test]
fn formats_in_documents() {
    for (document, format) in [
        (r#""national""#, NumberFormat::National),
        (r#""e164""#, NumberFormat::E164),
        (r#"{"prefix":"17951"}"#, NumberFormat::Prefix("17951".into())),
    ] {
        assert_eq!(serde_json::from_str::<NumberFormat>(document).unwrap(), format);
        assert_eq!(serde_json::to_string(&format).unwrap(), document);
    }
    for (document, because) in [
        (r#""E164""#, "expected national, e164"),
        (r#"{"prefix":""}"#, "1 to 16"),
        (r#"{"prefix":"a"}"#, "1 to 16"),
        (r#"{"suffix":"1"}"#, "prefix"),
        (r#"{"prefix":"1","x":"2"}"#, "unknown field"),
        ("{}", "missing field"),
        ("7", "national, e164"),
    ] {
        let error = serde_json::from_str::<NumberFormat>(document).unwrap_err();
        assert!(error.to_string().contains(because), "{document}: {error}");
    }
}

#[test]
fn errors_say_what_was_expected() {
    for text in ["", "1x", "1", "(1", "110", "95588", "1a", &"1".repeat(41)] {
        let message = Number::parse_voice(text).unwrap_err().to_string();
        assert!(message.contains("expected"), "{message}");
    }
}

proptest! {
    #[test]
    fn nothing_panics(text in "\\PC{0,50}") {
        let _ = Number::parse_dialable(&text);
        let _ = echo(&text);
    }

    #[test]
    fn whatever_is_read_reads_the_same_again(text in "[+]?(00|86|0086|0)?[-() 0-9０-９]{3,16}") {
        if let Ok(number) = Number::parse_dialable(&text) {
            prop_assert_eq!(&Number::parse_dialable(number.national()), &Ok(number.clone()));
            prop_assert_eq!(&Number::parse_dialable(&number.stored()), &Ok(number.clone()));
            for format in [NumberFormat::National, NumberFormat::E164, NumberFormat::Prefix("9".into())] {
                prop_assert_eq!(&from_trunk(&for_trunk(&number, &format, None), &format), &Ok(number.clone()));
            }
        }
    }
}
