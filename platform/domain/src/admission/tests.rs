use proptest::prelude::*;

use super::*;

const fn limits(max_calls: Option<u32>, max_cps: Option<u32>) -> Limits {
    Limits { max_calls, max_cps }
}

const fn at_ms(ms: i64) -> Micros {
    Micros(ms * 1_000)
}

#[test]
fn calls_at_once() {
    let mut gauge = Gauge::new(limits(Some(2), None));
    assert_eq!(gauge.try_take(at_ms(0)), Ok(()));
    assert_eq!(gauge.try_take(at_ms(0)), Ok(()));
    assert_eq!(gauge.try_take(at_ms(0)), Err(Wait::ForRelease));
    gauge.release();
    assert_eq!(gauge.try_take(at_ms(0)), Ok(()));
    assert_eq!(gauge.in_use(), 2);
    for _ in 0..5 {
        gauge.release();
    }
    assert_eq!(gauge.in_use(), 0);
}

#[test]
fn a_gauge_rebuilt_over_its_limit_waits_for_calls_to_end() {
    let mut gauge = Gauge::with_in_use(limits(Some(2), None), 3);
    assert_eq!(gauge.check(at_ms(0)), Err(Wait::ForRelease));
    gauge.release();
    assert_eq!(gauge.check(at_ms(0)), Err(Wait::ForRelease));
    gauge.release();
    assert_eq!(gauge.check(at_ms(0)), Ok(()));
}

#[test]
fn new_calls_a_second() {
    // (at ms, taken or until when to wait)
    let script = [
        (0, Ok(())),
        (0, Err(Wait::Until(at_ms(200)))),
        (199, Err(Wait::Until(at_ms(200)))),
        (200, Ok(())),
        (200, Err(Wait::Until(at_ms(400)))),
        // time that went by unused is not saved up
        (5_000, Ok(())),
        (5_000, Err(Wait::Until(at_ms(5_200)))),
        (5_200, Ok(())),
    ];
    let mut gauge = Gauge::new(limits(None, Some(5)));
    for (ms, expected) in script {
        assert_eq!(gauge.try_take(at_ms(ms)), expected, "at {ms} ms");
    }
}

#[test]
fn intervals_are_rounded_up() {
    let mut gauge = Gauge::new(limits(None, Some(3)));
    assert_eq!(gauge.try_take(at_ms(0)), Ok(()));
    assert_eq!(gauge.try_take(at_ms(0)), Err(Wait::Until(Micros(333_334))));
}

#[test]
fn a_tenth_of_a_second_may_come_at_once() {
    let mut gauge = Gauge::new(limits(None, Some(50)));
    let at_once = (0..50).take_while(|_| gauge.try_take(at_ms(0)).is_ok()).count();
    assert_eq!(at_once, 5);
    assert_eq!(gauge.try_take(at_ms(0)), Err(Wait::Until(at_ms(20))));
}

#[test]
fn limits_can_change_and_0_lets_nothing_through() {
    let mut gauge = Gauge::new(Limits::default());
    for _ in 0..1_000 {
        assert_eq!(gauge.try_take(at_ms(0)), Ok(()));
    }
    gauge.set_limits(limits(None, Some(0)));
    assert_eq!(gauge.try_take(at_ms(0)), Err(Wait::ForRelease));
    gauge.set_limits(limits(Some(1_000), None));
    assert_eq!(gauge.try_take(at_ms(0)), Err(Wait::ForRelease));
    assert_eq!(gauge.limits().max_calls, Some(1_000));
    gauge.set_limits(limits(Some(1_001), Some(1)));
    assert_eq!(gauge.try_take(at_ms(0)), Ok(()));
}

#[test]
fn all_or_nothing() {
    let mut account = Gauge::new(limits(Some(1), None));
    let mut trunk = Gauge::new(limits(None, Some(1)));
    assert_eq!(try_take_all(&mut [&mut account, &mut trunk], at_ms(0)), Ok(()));
    account.release();
    // the trunk refuses: the account's permit is not taken either
    let wait = Err(Wait::Until(at_ms(1_000)));
    assert_eq!(try_take_all(&mut [&mut account, &mut trunk], at_ms(1)), wait);
    assert_eq!((account.in_use(), trunk.in_use()), (0, 1));
    // both refuse: nobody knows when a call ends
    let mut full = Gauge::with_in_use(limits(Some(1), None), 1);
    assert_eq!(try_take_all(&mut [&mut trunk, &mut full], at_ms(1)), Err(Wait::ForRelease));
    // two refuse for haste: the later instant counts
    let mut slower = Gauge::new(limits(None, Some(1)));
    assert_eq!(slower.try_take(at_ms(500)), Ok(()));
    let wait = Err(Wait::Until(at_ms(1_500)));
    assert_eq!(try_take_all(&mut [&mut trunk, &mut slower], at_ms(600)), wait);
    assert_eq!(try_take_all(&mut [&mut trunk, &mut slower], at_ms(1_500)), Ok(()));
}

proptest! {
    #[test]
    fn no_second_sees_more_than_the_rate_and_its_burst(
        cps in 1_u32..200,
        steps in prop::collection::vec(0_i64..30_000, 1..400),
    ) {
        let mut gauge = Gauge::new(limits(None, Some(cps)));
        let mut now = 0;
        let mut taken = Vec::new();
        for step in steps {
            now += step;
            match gauge.try_take(Micros(now)) {
                Ok(()) => taken.push(now),
                Err(Wait::Until(until)) => prop_assert!(until.0 > now),
                Err(Wait::ForRelease) => prop_assert!(false, "no limit of calls is set"),
            }
        }
        let most = (cps + (cps / BURST_DIVISOR).max(1)) as usize;
        for (index, first) in taken.iter().enumerate() {
            let within = taken[index..].iter().take_while(|at| **at < first + MICROS_PER_S).count();
            prop_assert!(within <= most, "{within} of {most}");
        }
    }

    #[test]
    fn waiting_as_told_is_enough(cps in 1_u32..5_000, calls in 1_usize..200) {
        let mut gauge = Gauge::new(limits(None, Some(cps)));
        let mut now = Micros(0);
        for _ in 0..calls {
            if let Err(Wait::Until(until)) = gauge.try_take(now) {
                now = until;
                prop_assert_eq!(gauge.try_take(now), Ok(()));
            }
        }
        // and no longer than the rate demands, rounding aside
        let longest = (calls as i64) * (MICROS_PER_S / i64::from(cps) + 1);
        prop_assert!(now.0 <= longest);
    }
}

#[test]
fn a_share_is_kept_and_never_everything() {
    // (limit, percent kept, rest)
    for (limit, percent, rest) in [
        (0, 10, 0),
        (1, 10, 1),
        (2, 10, 1),
        (10, 10, 9),
        (11, 10, 9),
        (500, 10, 450),
        (500, 0, 500),
        (500, 100, 1),
        (u32::MAX, 50, u32::MAX / 2),
    ] {
        let limits = Limits { max_calls: Some(limit), max_cps: Some(limit) }.less(percent);
        assert_eq!(
            limits,
            Limits { max_calls: Some(rest), max_cps: Some(rest) },
            "{limit} {percent}"
        );
    }
    assert_eq!(Limits::default().less(10), Limits::default(), "no limit, nothing to keep");
}
