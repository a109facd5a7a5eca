//! An edit of the text is the edit of the parsed value, and what was there before is still there, byte for byte.

use orch_engine::splice::{Existing, push_elements, set_member};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::frame::{json, object, written};

/// The object at `path`, created as needed; `None` when something on the way is none.
fn at<'v>(value: &'v mut Value, path: &[&str]) -> Option<&'v mut Map<String, Value>> {
    let mut object = value.as_object_mut()?;
    for name in path {
        let next = object.entry(*name).or_insert(Value::Null);
        if next.is_null() {
            *next = json!({});
        }
        object = next.as_object_mut()?;
    }
    Some(object)
}

fn path() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(
        prop::sample::select(vec!["params", "config", "dynamicTools", "a"]),
        0..3,
    )
}

/// Whether `before` with one stretch of text put in is `after`.
fn only_inserted(before: &str, after: &str) -> bool {
    let same = |(a, b): &(u8, u8)| a == b;
    let start = before.bytes().zip(after.bytes()).take_while(same).count();
    let end = before
        .bytes()
        .rev()
        .zip(after.bytes().rev())
        .take_while(same)
        .count();
    start + end >= before.len() && after.len() >= before.len()
}

proptest! {
    #[test]
    fn a_member_is_set(
        frame in object(),
        taste in prop::collection::vec(any::<u8>(), 0..64),
        path in path(),
        key in prop_oneof![Just("config".to_owned()), "[a-z\"ü]{0,3}"],
        value in json(),
        replace in any::<bool>(),
    ) {
        let text = written(&Value::Object(frame.clone()), &mut taste.into_iter());
        let existing = if replace { Existing::Replace } else { Existing::Keep };
        let outcome = set_member(&text, &path, &key, &value.to_string(), existing);
        let mut wanted = Value::Object(frame.clone());
        let Some(object) = at(&mut wanted, &path) else {
            prop_assert_eq!(outcome, None);
            return Ok(());
        };
        let there = object.contains_key(&key);
        if replace || !there {
            object.insert(key, value);
        }
        let outcome = outcome.unwrap();
        prop_assert_eq!(serde_json::from_str::<Value>(&outcome).unwrap(), wanted);
        let mut steps = Vec::new();
        let null = path.iter().any(|name| {
            steps.push(*name);
            Value::Object(frame.clone()).pointer(&format!("/{}", steps.join("/"))) == Some(&Value::Null)
        });
        let replaced = there && replace;
        if !null && !replaced {
            prop_assert!(only_inserted(&text, &outcome), "{text} -> {outcome}");
        }
    }

    #[test]
    fn elements_are_appended(
        frame in object(),
        taste in prop::collection::vec(any::<u8>(), 0..64),
        path in path(),
        elements in prop::collection::vec(json(), 1..3),
    ) {
        let path: Vec<&str> = path.into_iter().chain(["dynamicTools"]).collect();
        let text = written(&Value::Object(frame.clone()), &mut taste.into_iter());
        let raws: Vec<String> = elements.iter().map(Value::to_string).collect();
        let raws: Vec<&str> = raws.iter().map(String::as_str).collect();
        let outcome = push_elements(&text, &path, &raws);
        let mut wanted = Value::Object(frame);
        let (name, way) = path.split_last().unwrap();
        let array = at(&mut wanted, way).and_then(|object| {
            let array = object.entry(*name).or_insert(Value::Null);
            if array.is_null() {
                *array = json!([]);
            }
            array.as_array_mut()
        });
        let Some(array) = array else {
            prop_assert_eq!(outcome, None);
            return Ok(());
        };
        array.extend(elements);
        prop_assert_eq!(serde_json::from_str::<Value>(&outcome.unwrap()).unwrap(), wanted);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[{}\\[\\]\":,a0\\\\ ]{0,24}|\\PC{0,24}", value in "\\PC{0,4}|1") {
        for edited in [
            set_member(&text, &["a"], "a", &value, Existing::Replace),
            push_elements(&text, &["a"], &[&value]),
        ].into_iter().flatten() {
            prop_assert!(serde_json::from_str::<&serde_json::value::RawValue>(&edited).is_ok(), "{edited}");
        }
    }
}

#[test]
fn every_other_byte_stays() {
    let set = |text, path: &[&str], existing| set_member(text, path, "k", "[1]", existing);
    let odd = r#"{ "id":1e400, "x":"\ud800", "params" : {"config":null , "dup":1,"dup":2 } }"#;
    assert_eq!(
        set(odd, &["params", "config"], Existing::Keep).unwrap(),
        r#"{ "id":1e400, "x":"\ud800", "params" : {"config":{"k":[1]} , "dup":1,"dup":2 } }"#
    );
    assert_eq!(
        set(odd, &["params", "more", "yet"], Existing::Keep).unwrap(),
        r#"{ "id":1e400, "x":"\ud800", "params" : {"config":null , "dup":1,"dup":2 ,"more":{"yet":{"k":[1]}}} }"#
    );
    assert_eq!(
        set(r#"{"k":1,"k" : 2}"#, &[], Existing::Replace).unwrap(),
        r#"{"k":1,"k" : [1]}"#
    );
    assert_eq!(
        set(r#"{"k":1}"#, &[], Existing::Keep).unwrap(),
        r#"{"k":1}"#
    );
    assert_eq!(set("{ }", &[], Existing::Keep).unwrap(), r#"{ "k":[1]}"#);
    assert_eq!(set(r#"{"params":[]}"#, &["params"], Existing::Keep), None);
    assert_eq!(set("null", &[], Existing::Keep), None);
    assert_eq!(set_member("{}", &[], "k", "1,2", Existing::Keep), None);

    let tools = r#"{"params":{"dynamicTools":[ {"n":1} ]}}"#;
    assert_eq!(
        push_elements(tools, &["params", "dynamicTools"], &["{}", "2"]).unwrap(),
        r#"{"params":{"dynamicTools":[ {"n":1} ,{},2]}}"#
    );
    assert_eq!(
        push_elements("{}", &["params", "dynamicTools"], &["{}"]).unwrap(),
        r#"{"params":{"dynamicTools":[{}]}}"#
    );
    assert_eq!(
        push_elements(
            r#"{"a":[\n]}"#.replace("\\n", "\n").as_str(),
            &["a"],
            &["1"]
        )
        .unwrap(),
        "{\"a\":[\n1]}"
    );
    assert_eq!(push_elements("{}", &["a"], &[]).unwrap(), "{}");
    assert_eq!(push_elements(r#"{"a":{}}"#, &["a"], &[]), None);
}
