//! Tells what a line is from its first bytes, without parsing it. Not a JSON parser: where the head looks in any way
//! unusual it says nothing, and the caller parses.

/// The line's own type and that of its payload (empty for lines whose payload has none).
pub(crate) fn sniff(line: &[u8]) -> Option<(&str, &str)> {
    let mut head = Cursor(line);
    head.byte(b'{')?;
    let mut top = "";
    loop {
        let key = head.text()?;
        head.byte(b':')?;
        match key {
            "type" => top = head.text()?,
            "payload" => return payload(top, head),
            "timestamp" => {
                head.text()?;
            }
            "ordinal" => head.number()?,
            _ => return None,
        }
        head.byte(b',')?;
    }
}

fn payload<'a>(top: &'a str, mut head: Cursor<'a>) -> Option<(&'a str, &'a str)> {
    match top {
        "" => None,
        "response_item" | "event_msg" => {
            head.byte(b'{')?;
            (head.text()? == "type").then_some(())?;
            head.byte(b':')?;
            Some((top, head.text()?))
        }
        _ => Some((top, "")),
    }
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn byte(&mut self, wanted: u8) -> Option<()> {
        self.0 = self.0.trim_ascii_start().strip_prefix(&[wanted])?;
        Some(())
    }

    /// A short text without escapes.
    fn text(&mut self) -> Option<&'a str> {
        self.byte(b'"')?;
        let end = self.0.iter().take(64).position(|byte| *byte == b'"')?;
        let text = str::from_utf8(&self.0[..end]).ok()?;
        self.0 = &self.0[end + 1..];
        (!text.contains('\\')).then_some(text)
    }

    fn number(&mut self) -> Option<()> {
        let rest = self.0.trim_ascii_start();
        let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
        self.0 = &rest[end..];
        (end > 0).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_heads_are_told_and_unusual_ones_are_not() {
        let usual =
            br#"{"timestamp":"t","ordinal":7,"type":"event_msg","payload":{"type":"error","m":1}}"#;
        assert_eq!(sniff(usual), Some(("event_msg", "error")));
        let spaced = br#"{ "type" : "response_item", "payload": { "type": "reasoning" } }"#;
        assert_eq!(sniff(spaced), Some(("response_item", "reasoning")));
        assert_eq!(
            sniff(br#"{"type":"world_state","payload":{"full":1}}"#),
            Some(("world_state", ""))
        );
        for unusual in [
            &br#"{"payload":{"type":"error"},"type":"event_msg"}"#[..],
            br#"{"type":"event\u005fmsg","payload":{}}"#,
            br#"{"type":"event_msg","payload":{"turn_id":"a","type":"error"}}"#,
            br#"{"type":"x"}"#,
            b"{",
            b"",
        ] {
            assert_eq!(sniff(unusual), None, "{:?}", str::from_utf8(unusual));
        }
    }
}
