//! The envelope is read whatever a frame carries, and JSON that is written in odd ways.

use orch_engine::frame::peek;
use proptest::prelude::*;
use serde_json::{Map, Value};

/// Any JSON value, a few levels deep.
pub(crate) fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // A parser reads these back exactly.
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 8.0)),
        "\\PC{0,8}|[\"\\\\/\u{1}\n\u{1F600}]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Any object, its members often those of a frame.
pub(crate) fn object() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec((name(), json()), 0..6)
        .prop_map(|members| members.into_iter().collect::<Map<_, _>>())
}

/// A member's name: one that matters, or any.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["id", "method", "params", "result", "error", "config", "dynamicTools"])
            .prop_map(str::to_owned),
        1 => "[a-z\"\\\\ü]{0,3}",
    ]
}

/// `value` as text: white space and escapes vary with `taste`, and an object's first member may be there twice.
pub(crate) fn written(value: &Value, taste: &mut impl Iterator<Item = u8>) -> String {
    let gap =
        |taste: &mut dyn Iterator<Item = u8>| ["", "", "", " ", "\n", "\t\r"][choice(taste, 6)];
    let text = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(text, taste),
        Value::Array(elements) => {
            let elements: Vec<String> = elements.iter().map(|it| written(it, taste)).collect();
            format!("[{}{}]", gap(taste), elements.join(","))
        }
        Value::Object(members) => {
            let mut parts = Vec::new();
            for (name, value) in members {
                if parts.is_empty() && choice(taste, 8) == 0 {
                    parts.push(format!("{}:0", quoted(name, taste)));
                }
                let name = quoted(name, taste);
                parts.push(format!("{name}{}:{}", gap(taste), written(value, taste)));
            }
            format!("{{{}{}}}", gap(taste), parts.join(","))
        }
    };
    format!("{}{text}{}", gap(taste), gap(taste))
}

fn quoted(text: &str, taste: &mut impl Iterator<Item = u8>) -> String {
    if choice(taste, 3) > 0 {
        return Value::from(text).to_string();
    }
    let units: String = text
        .encode_utf16()
        .map(|unit| format!("\\u{unit:04X}"))
        .collect();
    format!("\"{units}\"")
}

fn choice(taste: &mut (impl Iterator<Item = u8> + ?Sized), of: usize) -> usize {
    usize::from(taste.next().unwrap_or(1)) % of
}

proptest! {
    #[test]
    fn what_is_read_is_what_a_parser_reads(frame in object(), taste in prop::collection::vec(any::<u8>(), 0..64)) {
        let text = written(&Value::Object(frame.clone()), &mut taste.into_iter());
        let peek = peek(&text).unwrap();
        let parsed: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&parsed, &Value::Object(frame));
        for (raw, name) in [(peek.id, "id"), (peek.params, "params"), (peek.result, "result"), (peek.error, "error")] {
            let read = raw.map(|raw| serde_json::from_str::<Value>(raw).unwrap());
            prop_assert_eq!(read.as_ref(), parsed.get(name));
        }
        prop_assert_eq!(peek.method.as_deref(), parsed.get("method").and_then(Value::as_str));
    }

    #[test]
    fn any_text_is_an_object_or_none(text in "[{}\\[\\]\":,a0\\\\ ]{0,24}|\\PC{0,24}") {
        let object = serde_json::from_str::<Value>(&text).is_ok_and(|value| value.is_object());
        // What a parser takes is taken; beyond that only what it can't hold, such as half a surrogate pair.
        prop_assert!(!object || peek(&text).is_some());
    }
}

#[test]
fn parts_are_given_as_they_are_written() {
    let text = r#" {"id":123456789012345678901234567890.50e+3,"m\u0065thod":"turn\/st\u0061rt","params":{"a": [1 , 2]} } "#;
    let read = peek(text).unwrap();
    assert_eq!(read.id, Some("123456789012345678901234567890.50e+3"));
    assert_eq!(read.method.as_deref(), Some("turn/start"));
    assert_eq!(read.params, Some(r#"{"a": [1 , 2]}"#));

    let read = peek(r#"{"id":"a\"b","id":null,"method":7,"\ud800":1,"params":"\udfff"}"#).unwrap();
    assert_eq!(
        (read.id, read.method, read.params),
        (Some("null"), None, Some("\"\\udfff\""))
    );
    assert_eq!(
        peek(r#"{"method":"x\ud800"}"#)
            .unwrap()
            .method
            .unwrap()
            .chars()
            .next(),
        Some('x')
    );
    for text in [
        "",
        "null",
        "[]",
        "{} {}",
        "{",
        "{\"a\":1,}",
        "{\"a\":\"\n\"}",
        "\u{feff}{}",
        "{'a':1}",
    ] {
        assert_eq!(peek(text), None, "{text}");
    }
}

#[test]
fn depth_is_no_limit() {
    let deep = format!(
        r#"{{"method":"m","params":{}{}}}"#,
        "[".repeat(300_000),
        "]".repeat(300_000)
    );
    assert_eq!(peek(&deep).unwrap().params.unwrap().len(), 600_000);
}
