//! What `pawl rotate --plan` says is what happens, at its moment and not at another.

use std::time::Duration;

use pawl_tests::pawl::{Options, POSTGRES_ROTATOR, Pawl};
use pawl_tests::wait::eventually;
use serde_json::{Value, json};

use crate::database_secret;

const SOON: Duration = Duration::from_secs(60);
const DAY: f64 = 86_400.0;

/// Rotates at two o'clock, for three hours, and not now.
fn configure(pawl: &Pawl, name: &str, tags: &[(&str, &str)]) {
    // Nobody listens there: rotations begin, and wait.
    let _ = pawl.create(name, &database_secret(1, "app", "first-password"));
    tag(pawl, name, tags);
    let rules = json!({"ScheduleExpression": "cron(0 2 * * ? *)", "Duration": "3h"});
    let body = json!({"SecretId": name, "RotationLambdaARN": POSTGRES_ROTATOR, "RotateImmediately": false,
                      "ClientRequestToken": pawl_tests::aws::token(), "RotationRules": rules});
    pawl.call("RotateSecret", body);
}

fn tag(pawl: &Pawl, name: &str, tags: &[(&str, &str)]) {
    let tags: Vec<_> = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    if !tags.is_empty() {
        let _ = pawl.try_call("TagResource", &json!({"SecretId": name, "Tags": tags}));
    }
}

fn plan(pawl: &Pawl, days: &str) -> Value {
    serde_json::from_str(&pawl.cli(&["rotate", "--plan", "--days", days, "--output", "json"]).ok()).unwrap()
}

fn is_pending(pawl: &Pawl, name: &str) -> bool {
    let described = pawl.call("DescribeSecret", json!({"SecretId": name}));
    described["VersionIdsToStages"].to_string().contains("AWSPENDING")
}

fn dates(plan: &Value, name: &str) -> Vec<f64> {
    let rotations = plan["Rotations"].as_array().unwrap();
    rotations.iter().filter(|next| next["Name"] == name).map(|next| next["Date"].as_f64().unwrap()).collect()
}

#[test]
fn the_plan_is_in_order_and_what_it_says_happens() {
    let pawl = Pawl::start(Options { dev_clock: true, ..Options::default() });
    let group = ("pawl:rotation-group", "app");
    configure(&pawl, "reader", &[group]);
    configure(&pawl, "writer", &[group, ("pawl:rotation-order", "1"), ("pawl:rotation-offset", "20m")]);
    configure(&pawl, "alone", &[("pawl:rotation-order", "first")]);
    configure(&pawl, "off", &[]);
    pawl.call("CancelRotateSecret", json!({"SecretId": "off"}));
    let _ = pawl.create("by-hand", "no schedule");

    let week = plan(&pawl, "7");
    assert_eq!(week["Secrets"], 4);
    let all: Vec<f64> =
        week["Rotations"].as_array().unwrap().iter().map(|next| next["Date"].as_f64().unwrap()).collect();
    assert!(all.is_sorted() && all.len() >= 3 * 6, "{all:?}");
    let (reader, writer, alone) = (dates(&week, "reader"), dates(&week, "writer"), dates(&week, "alone"));
    assert!(reader.iter().zip(&writer).all(|(one, other)| (other - one - 1_200.0).abs() < 0.001), "{week}");
    assert!(alone.windows(2).all(|pair| (pair[1] - pair[0] - DAY).abs() < 0.001), "{alone:?}");
    for next in week["Rotations"].as_array().unwrap() {
        let moment = |name: &str| next[name].as_f64().unwrap();
        let (opens, closes) = (moment("WindowOpens"), moment("WindowCloses"));
        assert!(opens % DAY == 7_200.0 && closes - opens == 10_800.0, "{next}");
        assert!((opens..=closes - 900.0).contains(&moment("Date")), "{next}");
    }
    let warned: Vec<_> =
        week["Warnings"].as_array().unwrap().iter().map(|w| (&w["Name"], &w["Code"])).collect();
    assert!(warned.contains(&(&json!("off"), &json!("RotationDisabled"))), "{warned:?}");
    assert!(warned.contains(&(&json!("alone"), &json!("UnreadableTag"))), "{warned:?}");

    // AWS's date is the end of the window that holds the moment.
    let described = pawl.call("DescribeSecret", json!({"SecretId": "alone"}));
    let first = week["Rotations"].as_array().unwrap().iter().find(|next| next["Name"] == "alone").unwrap();
    let closes = first["WindowCloses"].as_f64().unwrap();
    assert_eq!(described["NextRotationDate"].as_f64().unwrap(), closes - 1.0);

    // A tag moves it, inside of the window.
    tag(&pawl, "alone", &[group, ("pawl:rotation-order", "2"), ("pawl:rotation-offset", "20m")]);
    let moved = plan(&pawl, "7");
    assert!((dates(&moved, "alone")[0] - reader[0] - 2_400.0).abs() < 0.001, "{moved}");

    // The trials of the configuration have ended: nobody answered.
    for name in ["reader", "writer", "alone"] {
        eventually("a trial ends", SOON, || (!is_pending(&pawl, name)).then_some(()));
    }
    // To the first member's moment, and not the second's.
    let now = pawl.cli(&["dev", "clock", "advance", "1s", "--output", "json"]).ok();
    let now = serde_json::from_str::<Value>(&now).unwrap()["Now"].as_f64().unwrap();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hours")]
    let ahead = (reader[0] - now).ceil().max(1.0) as u64;
    let _ = pawl.cli(&["dev", "clock", "advance", &format!("{ahead}s")]).ok();
    let begun = eventually("the first member's rotation begins", SOON, || {
        is_pending(&pawl, "reader").then(|| pawl.rotation("reader"))
    });
    let asked = begun["RequestedDate"].as_f64().unwrap();
    assert!((reader[0]..reader[0] + 60.0).contains(&asked), "{begun}");
    let after = plan(&pawl, "7");
    assert_eq!(dates(&after, "reader").first(), reader.get(1));
    assert_eq!(dates(&after, "writer").first(), writer.first(), "not yet");
}
