use super::*;

/// 2019-01-01 11:01:01.999 in Shanghai.
const START: Micros = Micros(1_546_311_661_999_000);

fn answered() -> ResultFacts<'static> {
    ResultFacts {
        kind: ResultKind::Notice,
        request_id: "RQ10000201901011101010000000000001",
        call_id: Some("CA10000201901011101010000000000001"),
        app_id: "11111111111111111111111111111111",
        to: "13800100001",
        started_at: START,
        ring_at: Some(START.plus_ms(2_000)),
        answered_at: Some(START.plus_ms(9_000)),
        ended_at: START.plus_ms(19_001),
        reason: None,
        userdata: Some("ud"),
        input_key: Some('1'),
        zone: Tz::Asia__Shanghai,
        answerime: false,
    }
}

#[test]
fn an_answered_notice() {
    // The stamps are 11:01:10 and 11:01:21: eleven seconds, though only ten have passed.
    insta::assert_snapshot!(ResultCallback::new(&answered()).to_json(), @r#"{"requestid":"RQ10000201901011101010000000000001","callid":"CA10000201901011101010000000000001","appid":"11111111111111111111111111111111","to":"13800100001","starttime":"20190101110101","ringtime":"20190101110103","answertime":"20190101110110","endtime":"20190101110121","duration":"11","result":"0","reason":"","userdata":"ud","inputkey":"1"}"#);
}

#[test]
fn the_samples_slip_is_sent_too_where_switched_on() {
    let facts = ResultFacts { answerime: true, userdata: None, input_key: None, ..answered() };
    insta::assert_snapshot!(ResultCallback::new(&facts).to_json(), @r#"{"requestid":"RQ10000201901011101010000000000001","callid":"CA10000201901011101010000000000001","appid":"11111111111111111111111111111111","to":"13800100001","starttime":"20190101110101","ringtime":"20190101110103","answertime":"20190101110110","answerime":"20190101110110","endtime":"20190101110121","duration":"11","result":"0","reason":"","userdata":"","inputkey":""}"#);
}

#[test]
fn a_captcha_has_no_inputkey() {
    let facts = ResultFacts { kind: ResultKind::Captcha, ..answered() };
    insta::assert_snapshot!(ResultCallback::new(&facts).to_json(), @r#"{"requestid":"RQ10000201901011101010000000000001","callid":"CA10000201901011101010000000000001","appid":"11111111111111111111111111111111","to":"13800100001","starttime":"20190101110101","ringtime":"20190101110103","answertime":"20190101110110","endtime":"20190101110121","duration":"11","result":"0","reason":"","userdata":"ud"}"#);
}

#[test]
fn rung_but_not_answered() {
    let facts = ResultFacts { answered_at: None, reason: Some(1), input_key: None, ..answered() };
    insta::assert_snapshot!(ResultCallback::new(&facts).to_json(), @r#"{"requestid":"RQ10000201901011101010000000000001","callid":"CA10000201901011101010000000000001","appid":"11111111111111111111111111111111","to":"13800100001","starttime":"20190101110101","ringtime":"20190101110103","answertime":"","endtime":"20190101110121","duration":"0","result":"1","reason":"1","userdata":"ud","inputkey":""}"#);
}

#[test]
fn never_dialled() {
    let facts = ResultFacts {
        call_id: None,
        ring_at: None,
        answered_at: None,
        ended_at: START,
        reason: Some(2),
        input_key: None,
        ..answered()
    };
    insta::assert_snapshot!(ResultCallback::new(&facts).to_json(), @r#"{"requestid":"RQ10000201901011101010000000000001","callid":"","appid":"11111111111111111111111111111111","to":"13800100001","starttime":"20190101110101","ringtime":"","answertime":"","endtime":"20190101110101","duration":"0","result":"1","reason":"2","userdata":"ud","inputkey":""}"#);
}

#[test]
fn every_value_is_a_string_and_the_value_says_the_same() {
    let facts = answered();
    let value = result_callback(&facts);
    let text: Result<Value, _> = serde_json::from_str(&ResultCallback::new(&facts).to_json());
    assert_eq!(text.ok().as_ref(), Some(&value));
    let fields = value.as_object().expect("the body is an object");
    assert_eq!(fields.len(), 13);
    assert!(fields.values().all(Value::is_string));
}

#[test]
fn a_reason_never_stands_beside_result_0() {
    let facts = ResultFacts { reason: Some(2), ..answered() };
    let value = result_callback(&facts);
    assert_eq!((&value["result"], &value["reason"]), (&"0".into(), &"".into()));
}

#[test]
fn durations_are_differences_of_stamps() {
    for (answered_ms, ended_ms, seconds) in
        [(0, 0, 0), (0, 999, 0), (999, 1_000, 1), (0, 10_999, 10), (1_500, 61_400, 60)]
    {
        let at = |ms| Micros(0).plus_ms(ms);
        assert_eq!(duration_s(Some(at(answered_ms)), at(ended_ms)), seconds);
    }
    assert_eq!(duration_s(None, START), 0);
    // a clock that was set back gives no negative talk time
    assert_eq!(duration_s(Some(START), Micros(0)), 0);
}
