#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

/// What a case of the table varies.
struct Case {
    name: &'static str,
    to: &'static str,
    from: Option<&'static str>,
    down: &'static [&'static str],
    open: &'static [NumberClass],
    expected: Result<(&'static [&'static str], &'static str), (ErrorCode, Rule)>,
}

const VOICE: &[NumberClass] = &[NumberClass::Mobile, NumberClass::Landline];

/// The account's caller IDs: one that belongs to another application, one with two trunks, one with
/// none.
fn caller_ids() -> Vec<CallerIdFacts> {
    let id = |number, allowed_for_application, trunks: &[&str]| CallerIdFacts {
        number: Number::parse_dialable(number).unwrap(),
        allowed_for_application,
        trunks: trunks.iter().map(|name| (*name).to_owned()).collect(),
    };
    vec![
        id("01080001000", false, &["a"]),
        id("01080001001", true, &["a", "b"]),
        id("4008001234", true, &["b"]),
        id("01080001009", true, &[]),
    ]
}

#[test]
fn decisions() {
    let all: &[NumberClass] = &[
        NumberClass::Mobile,
        NumberClass::Landline,
        NumberClass::Emergency,
        NumberClass::Foreign,
        NumberClass::Short,
    ];
    let case = |name, to, from, down, open, expected| Case { name, to, from, down, open, expected };
    let cases = [
        case(
            "the first allowed caller ID is the default",
            "13800100001",
            None,
            &[],
            VOICE,
            Ok((&["a", "b"], "01080001001")),
        ),
        case(
            "a caller ID that is asked for",
            "01080002000",
            Some("4008001234"),
            &[],
            VOICE,
            Ok((&["b"], "4008001234")),
        ),
        case(
            "another spelling of it",
            "13800100001",
            Some("+86 10 8000 1001"),
            &[],
            VOICE,
            Ok((&["a", "b"], "01080001001")),
        ),
        case(
            "a trunk that is down is left out",
            "13800100001",
            None,
            &["a"],
            VOICE,
            Ok((&["b"], "01080001001")),
        ),
        case(
            "every trunk is down",
            "13800100001",
            None,
            &["b", "a"],
            VOICE,
            Err((ALL_TRUNKS_DOWN, Rule::TrunksDown)),
        ),
        case(
            "another trunk's health does not help",
            "13800100001",
            Some("4008001234"),
            &["b"],
            VOICE,
            Err((ALL_TRUNKS_DOWN, Rule::TrunksDown)),
        ),
        case(
            "somebody else's caller ID",
            "13800100001",
            Some("01080009999"),
            &[],
            VOICE,
            Err((CALLER_ID_NOT_OWNED, Rule::CallerIdOwned)),
        ),
        case(
            "another application's caller ID",
            "13800100001",
            Some("01080001000"),
            &[],
            VOICE,
            Err((CALLER_ID_NOT_FOR_APPLICATION, Rule::CallerIdForApplication)),
        ),
        case(
            "a caller ID without a trunk",
            "13800100001",
            Some("01080001009"),
            &[],
            VOICE,
            Err((NO_TRUNK, Rule::TrunkConfigured)),
        ),
        case(
            "international is closed",
            "+85221234567",
            None,
            &[],
            VOICE,
            Err((DESTINATION_NOT_ALLOWED, Rule::DestinationClass)),
        ),
        case(
            "international opened",
            "+85221234567",
            None,
            &[],
            all,
            Ok((&["a", "b"], "01080001001")),
        ),
        case(
            "service numbers are closed",
            "95588",
            None,
            &[],
            VOICE,
            Err((DESTINATION_NOT_ALLOWED, Rule::DestinationClass)),
        ),
        case("service numbers opened", "95588", None, &[], all, Ok((&["a", "b"], "01080001001"))),
        case(
            "emergency, though opened",
            "110",
            None,
            &[],
            all,
            Err((EMERGENCY_NUMBER, Rule::Emergency)),
        ),
        case(
            "emergency comes before everything",
            "120",
            Some("01080009999"),
            &["a", "b"],
            &[],
            Err((EMERGENCY_NUMBER, Rule::Emergency)),
        ),
        case(
            "nothing is open",
            "13800100001",
            None,
            &[],
            &[],
            Err((DESTINATION_NOT_ALLOWED, Rule::DestinationClass)),
        ),
    ];
    let ids = caller_ids();
    for case in cases {
        let to = Number::parse_dialable(case.to).unwrap();
        let from = case.from.map(|from| Number::parse_dialable(from).unwrap());
        let facts = Facts {
            to: &to,
            from: from.as_ref(),
            caller_ids: &ids,
            open_classes: &case.open.iter().copied().collect(),
            routes: &RouteTable::default(),
            trunks_down: &case.down.iter().map(|name| (*name).to_owned()).collect(),
            callee: CalleeFacts::default(),
        };
        let expected = match case.expected {
            Ok((trunks, from)) => Decision::Allow {
                trunks: trunks.iter().map(|name| (*name).to_owned()).collect(),
                passed_over: case.down.iter().map(|name| (*name).to_owned()).collect(),
                from: Number::parse_dialable(from).unwrap(),
                route: None,
                rule: Rule::Passed,
            },
            Err((code, rule)) => Decision::Refuse { code, rule },
        };
        assert_eq!(decide(&facts, Micros(0)), expected, "{}", case.name);
    }
}

#[test]
fn the_longest_prefix_chooses_the_trunks() {
    let routes = [
        ("+86", &["c", "b", "a"][..]),
        ("+86139", &["b", "a"]),
        ("0086-1390000", &["b"]),
        ("010", &["c"]),
        ("+852", &["a"]),
    ];
    let routes = RouteTable::new(routes.map(|(prefix, trunks)| {
        (prefix.parse().unwrap(), trunks.iter().map(|name| (*name).to_owned()).collect())
    }));
    let open = BTreeSet::from([NumberClass::Mobile, NumberClass::Landline, NumberClass::Foreign]);
    // (to, from, down, the route and its trunks, or the rule that refuses)
    type Expected<'a> = Result<(Option<&'a str>, &'a [&'a str]), (ErrorCode, Rule)>;
    let cases: [(&str, &str, &[&str], Expected<'_>); 10] = [
        ("13900010001", "01080001001", &[], Ok((Some("+86139"), &["b", "a"]))),
        ("13900001001", "01080001001", &[], Ok((Some("+861390000"), &["b"]))),
        ("13800000001", "01080001001", &[], Ok((Some("+86"), &["b", "a"]))),
        ("13800000001", "4008001234", &[], Ok((Some("+86"), &["b"]))),
        ("075512345678", "01080001001", &["b"], Ok((Some("+86"), &["a"]))),
        ("+85221234567", "01080001001", &[], Ok((Some("+852"), &["a"]))),
        ("+14155550100", "01080001001", &[], Ok((None, &["a", "b"]))),
        // Neither is another route's trunk taken instead, nor the caller ID's own.
        ("01012345678", "01080001001", &[], Err((ROUTE_WITHOUT_TRUNK, Rule::RouteTrunks))),
        ("+85221234567", "4008001234", &[], Err((ROUTE_WITHOUT_TRUNK, Rule::RouteTrunks))),
        ("13900001001", "01080001001", &["b"], Err((ALL_TRUNKS_DOWN, Rule::TrunksDown))),
    ];
    let ids = caller_ids();
    for (to, from, down, expected) in cases {
        let (number, caller_id) =
            (Number::parse_dialable(to).unwrap(), Number::parse_dialable(from).unwrap());
        let facts = Facts {
            to: &number,
            from: Some(&caller_id),
            caller_ids: &ids,
            open_classes: &open,
            routes: &routes,
            trunks_down: &down.iter().map(|name| (*name).to_owned()).collect(),
            callee: CalleeFacts::default(),
        };
        let expected = match expected {
            Ok((route, trunks)) => Decision::Allow {
                trunks: trunks.iter().map(|name| (*name).to_owned()).collect(),
                passed_over: down.iter().map(|name| (*name).to_owned()).collect(),
                from: caller_id.clone(),
                route: route.map(|prefix| prefix.parse().unwrap()),
                rule: Rule::Passed,
            },
            Err((code, rule)) => Decision::Refuse { code, rule },
        };
        assert_eq!(decide(&facts, Micros(0)), expected, "{to} from {from}");
    }
}

#[test]
fn an_application_without_a_caller_id() {
    let to = Number::parse_voice("13800100001").unwrap();
    let others = &caller_ids()[..1];
    for caller_ids in [&[], others] {
        let facts = Facts {
            to: &to,
            from: None,
            caller_ids,
            open_classes: &voice_destinations(),
            routes: &RouteTable::default(),
            trunks_down: &BTreeSet::new(),
            callee: CalleeFacts::default(),
        };
        let refused = Decision::Refuse { code: NO_CALLER_ID, rule: Rule::CallerIdDefault };
        assert_eq!(decide(&facts, Micros(0)), refused);
    }
}

#[test]
fn who_does_not_want_to_be_called_is_not() {
    let ids = caller_ids();
    let none = BTreeSet::new();
    let callee = |is_listed, is_capped| CalleeFacts { is_listed, is_capped };
    // (callee, destination, rule)
    let cases = [
        (callee(false, false), "13800100001", None),
        (callee(true, false), "13800100001", Some((DO_NOT_CALL, Rule::DoNotCall))),
        (callee(false, true), "13800100001", Some((CALLEE_AT_LIMIT, Rule::CalleeCap))),
        (callee(true, true), "13800100001", Some((DO_NOT_CALL, Rule::DoNotCall))),
        (callee(true, true), "95588", Some((DESTINATION_NOT_ALLOWED, Rule::DestinationClass))),
    ];
    for (callee, to, expected) in cases {
        let facts = Facts {
            to: &Number::parse_dialable(to).unwrap(),
            from: None,
            caller_ids: &ids,
            open_classes: &voice_destinations(),
            routes: &RouteTable::default(),
            trunks_down: &none,
            callee,
        };
        let refused = match decide(&facts, Micros(0)) {
            Decision::Refuse { code, rule } => Some((code, rule)),
            Decision::Allow { .. } | Decision::Defer { .. } => None,
        };
        assert_eq!(refused, expected, "{callee:?} {to}");
    }
}

#[test]
fn rules_have_stable_names_and_texts() {
    let names: Vec<_> = Rule::ALL.iter().map(|rule| rule.name()).collect();
    insta::assert_snapshot!(names.join(" "), @"emergency caller_id_owned caller_id_for_application caller_id_default destination_class do_not_call callee_cap trunk_configured route_trunks trunks_down passed");
    for rule in Rule::ALL {
        assert_eq!(Rule::by_name(rule.name()), Some(rule));
        assert_eq!(serde_json::to_value(rule).unwrap(), rule.name());
        assert!(!rule.zh().is_empty() && !rule.en().is_empty());
    }
    assert!(Rule::ALL.is_sorted());
}

#[test]
fn voice_reaches_mobiles_and_landlines_only() {
    assert_eq!(Vec::from_iter(voice_destinations()), VOICE);
}
