//! The clock of `toolbox`.

use expect_test::expect;
use serde_json::{Value, json};

use crate::caller::{Caller, pretty, wrapped};
use crate::toolbox::failures;

fn toolbox() -> Caller {
    Caller::builtin("toolbox")
}

#[tokio::test]
async fn now_is_told_in_any_zone_and_in_utc_unless_asked() {
    let utc = toolbox().works("now", json!({})).await;
    assert_eq!(utc["zone"], "UTC");
    assert!(utc["time"].as_str().unwrap().ends_with("+00:00"));
    let tokyo = toolbox().works("now", json!({ "zone": "asia/tokyo" })).await;
    assert_eq!(tokyo["zone"], "Asia/Tokyo");
    assert!(tokyo["time"].as_str().unwrap().ends_with("+09:00"));
    assert!(tokyo["unix"].as_i64().unwrap() >= utc["unix"].as_i64().unwrap());
}

#[tokio::test]
async fn times_are_told_elsewhere() {
    let toolbox = toolbox();
    let arguments =
        json!({ "time": "2026-07-28T18:00", "from": "Europe/Berlin", "to": "America/New_York" });
    expect![[r#"
        {
          "from": {
            "time": "2026-07-28T18:00:00+02:00",
            "unix": 1785254400,
            "weekday": "Tuesday",
            "zone": "Europe/Berlin"
          },
          "to": {
            "time": "2026-07-28T12:00:00-04:00",
            "unix": 1785254400,
            "weekday": "Tuesday",
            "zone": "America/New_York"
          }
        }
    "#]]
    .assert_eq(&pretty(&toolbox.works("convert_time", arguments).await));
    let mut said = String::new();
    for (time, to) in [
        ("2026-01-01T00:00:00Z", "Asia/Kolkata"),
        ("2026-01-01", "Pacific/Auckland"),
        ("2026-06-01T12:00:00+02:00", "UTC"),
        ("2026-06-01T12:00[Europe/London]", "Australia/Lord_Howe"),
        ("2026-06-01 12:00:00.5", "UTC"),
    ] {
        let told = toolbox.works("convert_time", json!({ "time": time, "to": to })).await;
        let (from, to) = (&told["from"], &told["to"]);
        said += &format!("{} {} = {} {}\n", from["time"], from["zone"], to["time"], to["weekday"]);
    }
    expect![[r#"
        "2026-01-01T00:00:00+00:00" "UTC" = "2026-01-01T05:30:00+05:30" "Thursday"
        "2026-01-01T00:00:00+00:00" "UTC" = "2026-01-01T13:00:00+13:00" "Thursday"
        "2026-06-01T12:00:00+02:00" "+02" = "2026-06-01T10:00:00+00:00" "Monday"
        "2026-06-01T12:00:00+01:00" "Europe/London" = "2026-06-01T21:30:00+10:30" \
        "Monday"
        "2026-06-01T12:00:00+00:00" "UTC" = "2026-06-01T12:00:00+00:00" "Monday"
    "#]]
    .assert_eq(&wrapped(&said));
}

#[tokio::test]
async fn a_time_that_was_skipped_or_came_twice_is_noted() {
    let mut said = String::new();
    for time in ["2026-03-29T02:30", "2026-10-25T02:30", "2026-10-25T03:30"] {
        let arguments = json!({ "time": time, "from": "Europe/Berlin", "to": "UTC" });
        let told = toolbox().works("convert_time", arguments).await;
        said += &format!("{} {}\n", told["to"]["time"], told["note"]);
    }
    expect![[r#"
        "2026-03-29T01:30:00+00:00" "clocks went forward: 2026-03-29T02:30:00 was \
        skipped there, a later time is meant"
        "2026-10-25T00:30:00+00:00" "clocks went back: 2026-10-25T02:30:00 came twice \
        there, the first is meant"
        "2026-10-25T02:30:00+00:00" null
    "#]]
    .assert_eq(&wrapped(&said));
}

#[tokio::test]
async fn the_time_between_is_told_in_seconds_days_and_words() {
    let toolbox = toolbox();
    let mut said = String::new();
    for (start, end) in [
        ("2024-02-28", "2024-03-01"),
        ("2026-07-28", "2025-07-27"),
        ("2026-07-28T18:00Z", "2026-07-28T18:00+02:00"),
        ("0001-01-01", "9999-12-30"),
        ("2026-01-01", "2026-01-01"),
    ] {
        let between = toolbox.works("date_diff", json!({ "start": start, "end": end })).await;
        said += &format!("{between}\n");
    }
    expect![[r#"
        {"days":2.0,"iso8601":"P2D","seconds":172800,"text":"2d"}
        {"days":-366.0,"iso8601":"-P1Y1D","seconds":-31622400,"text":"1y 1d ago"}
        {"days":-0.08333333333333333,"iso8601":"-PT2H","seconds":-7200,"text":"2h ago"}
        {"days":3652057.0,"iso8601":"P9998Y11M29D","seconds":315537724800,"text":"9998y \
        11mo 29d"}
        {"days":0.0,"iso8601":"PT0S","seconds":0,"text":"0s"}
    "#]]
    .assert_eq(&wrapped(&said));
}

#[tokio::test]
async fn zones_and_times_that_do_not_exist_are_explained() {
    let zones: Vec<Value> = ["Europe/Berln", "new york", "Mars", "", "../etc/passwd"]
        .into_iter()
        .map(|zone| json!({ "zone": zone }))
        .collect();
    expect![[r#"
        VALIDATION_ERROR: unknown time zone `Europe/Berln`: did you mean Europe/Berlin, \
        Europe/Dublin, Europe/Belgrade?
        VALIDATION_ERROR: unknown time zone `new york`: did you mean America/New_York?
        VALIDATION_ERROR: unknown time zone `Mars`: did you mean Pacific/Marquesas?
        VALIDATION_ERROR: unknown time zone ``: expected an IANA name such as \
        Europe/Berlin
        VALIDATION_ERROR: unknown time zone `../etc/passwd`: expected an IANA name such \
        as Europe/Berlin
    "#]]
    .assert_eq(&wrapped(&failures("now", zones).await));

    let long = "2".repeat(1_000_000);
    let times = ["tomorrow", "2026-02-30", "2026-13-01T00:00Z", "25:00", "", &long];
    let mut calls: Vec<Value> =
        times.into_iter().map(|time| json!({ "time": time, "to": "UTC" })).collect();
    calls.push(json!({ "time": "2026-01-01T00:00Z", "from": "UTC", "to": "UTC" }));
    calls.push(json!({ "time": "2026-01-01", "from": "Nowhere", "to": "UTC" }));
    calls.push(json!({ "time": 5, "to": "UTC" }));
    expect![[r#"
        VALIDATION_ERROR: expected a date or time such as 2026-07-28, 2026-07-28T18:00 \
        or 2026-07-28T18:00+02:00, came `tomorrow` (failed to parse four digit integer \
        as year: invalid digit, expected 0-9 but got t)
        VALIDATION_ERROR: expected a date or time such as 2026-07-28, 2026-07-28T18:00 \
        or 2026-07-28T18:00+02:00, came `2026-02-30` (parsed date is not valid: \
        parameter 'day' for `2026-02` is invalid, must be in range `1..=28`)
        VALIDATION_ERROR: expected a date or time such as 2026-07-28, 2026-07-28T18:00 \
        or 2026-07-28T18:00+02:00, came `2026-13-01T00:00Z` (failed to parse two digit \
        integer as month: parameter 'month' is not in the required range of 1..=12)
        VALIDATION_ERROR: expected a date or time such as 2026-07-28, 2026-07-28T18:00 \
        or 2026-07-28T18:00+02:00, came `25:00` (failed to parse four digit integer as \
        year: invalid digit, expected 0-9 but got :)
        VALIDATION_ERROR: expected a date or time such as 2026-07-28, 2026-07-28T18:00 \
        or 2026-07-28T18:00+02:00, came `` (expected four digit year (or leading sign \
        for six digit year), but found end of input)
        VALIDATION_ERROR: expected a date or time such as 2026-07-28, 2026-07-28T18:00 \
        or 2026-07-28T18:00+02:00, came 1000000 bytes
        VALIDATION_ERROR: `2026-01-01T00:00Z` says its own offset: leave out `from`
        VALIDATION_ERROR: unknown time zone `Nowhere`: expected an IANA name such as \
        Europe/Berlin
        VALIDATION_ERROR: time: expected a text, came 5
    "#]]
    .assert_eq(&wrapped(&failures("convert_time", calls).await));

    let calls = vec![
        json!({ "start": "x", "end": "2026-01-01" }),
        json!({ "start": "2026-01-01", "end": "99999-01-01" }),
    ];
    expect![[r#"
        VALIDATION_ERROR: start: expected a date or time such as 2026-07-28, \
        2026-07-28T18:00 or 2026-07-28T18:00+02:00, came `x` (expected four digit year \
        (or leading sign for six digit year), but found end of input)
        VALIDATION_ERROR: end: expected a date or time such as 2026-07-28, \
        2026-07-28T18:00 or 2026-07-28T18:00+02:00, came `99999-01-01` (failed to parse \
        two digit integer as month: invalid digit, expected 0-9 but got -)
    "#]]
    .assert_eq(&wrapped(&failures("date_diff", calls).await));
}
