//! The tool calls in the JavaScript that newer models write for the `exec` tool.
//!
//! Only what is written literally is found: `tools.exec_command({cmd: "ls"})`, also through a `const`. Nothing is run; a
//! call whose argument is computed is told as such, and what it really ran comes from the engine's own events if at all.

use std::collections::HashMap;
use std::str::CharIndices;

use serde_json::{Map, Value};

/// A call of one of the engine's tools, in the order written.
#[derive(Debug, PartialEq)]
pub(crate) struct ScriptCall {
    pub(crate) tool: String,
    /// Its first argument; none when it is computed.
    pub(crate) argument: Option<Value>,
}

const MAX_CALLS: usize = 500;
const MAX_DEPTH: usize = 16;

pub(crate) fn calls(source: &str) -> Vec<ScriptCall> {
    let mut found = Vec::new();
    let mut named: HashMap<&str, Value> = HashMap::new();
    let mut at = Scanner { rest: source };
    while found.len() < MAX_CALLS {
        at.skip_blank();
        let Some(c) = at.rest.chars().next() else {
            break;
        };
        if matches!(c, '"' | '\'' | '`') {
            at.skip_text(c);
        } else if let Some(word) = at.word() {
            match word {
                "const" | "let" | "var" => {
                    if let Some((name, value)) = at.binding(&named) {
                        named.insert(name, value);
                    }
                }
                "tools" => {
                    if let Some(tool) = at.member() {
                        let argument = at.clone().value(&named, 0);
                        found.push(ScriptCall {
                            tool: tool.to_owned(),
                            argument,
                        });
                    }
                }
                _ => {}
            }
        } else {
            at.rest = &at.rest[c.len_utf8()..];
        }
    }
    found
}

#[derive(Clone)]
struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn eat(&mut self, wanted: char) -> Option<()> {
        self.skip_blank();
        self.rest = self.rest.strip_prefix(wanted)?;
        Some(())
    }

    /// White space and comments.
    fn skip_blank(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            self.rest = if self.rest.starts_with("//") {
                self.rest.split_once('\n').map_or("", |(_, after)| after)
            } else if let Some(comment) = self.rest.strip_prefix("/*") {
                comment.split_once("*/").map_or("", |(_, after)| after)
            } else {
                return;
            };
        }
    }

    fn word(&mut self) -> Option<&'a str> {
        let end = self
            .rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    /// `.name(` or `["name"](` after `tools`.
    fn member(&mut self) -> Option<&'a str> {
        let mut ahead = self.clone();
        let name = if ahead.eat('.').is_some() {
            ahead.skip_blank();
            ahead.word()?
        } else {
            ahead.eat('[')?;
            ahead.skip_blank();
            let quote = ahead
                .rest
                .chars()
                .next()
                .filter(|c| matches!(c, '"' | '\''))?;
            let (name, rest) = ahead.rest[1..].split_once(quote)?;
            ahead.rest = rest;
            ahead.eat(']')?;
            name
        };
        ahead.eat('(')?;
        *self = ahead;
        Some(name)
    }

    /// `name = literal` after `const`.
    fn binding(&mut self, named: &HashMap<&str, Value>) -> Option<(&'a str, Value)> {
        let mut ahead = self.clone();
        ahead.skip_blank();
        let name = ahead.word()?;
        ahead.eat('=')?;
        let value = ahead.value(named, 0)?;
        *self = ahead;
        Some((name, value))
    }

    /// A literal, a name bound to one, or texts joined by `+`; none for anything computed.
    fn value(&mut self, named: &HashMap<&str, Value>, depth: usize) -> Option<Value> {
        let mut value = self.operand(named, depth)?;
        loop {
            self.skip_blank();
            match self.rest.chars().next() {
                None | Some(',' | ')' | ']' | '}' | ';' | '\n') => return Some(value),
                Some('+') => {
                    self.eat('+')?;
                    let (Value::String(left), Value::String(right)) =
                        (value, self.operand(named, depth)?)
                    else {
                        return None;
                    };
                    value = Value::String(left + &right);
                }
                // A new statement without a semicolon.
                Some(c) if c.is_alphabetic() => return Some(value),
                Some(_) => return None,
            }
        }
    }

    fn operand(&mut self, named: &HashMap<&str, Value>, depth: usize) -> Option<Value> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.skip_blank();
        match self.rest.chars().next()? {
            quote @ ('"' | '\'' | '`') => self.text(quote).map(Value::String),
            '{' => self.object(named, depth),
            '[' => self.list(named, depth),
            c if c.is_ascii_digit() || c == '-' => {
                let end = self
                    .rest
                    .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')))
                    .unwrap_or(self.rest.len());
                let (number, rest) = self.rest.split_at(end);
                self.rest = rest;
                serde_json::from_str(&number.replace('_', "")).ok()
            }
            _ => match self.word()? {
                "true" => Some(Value::Bool(true)),
                "false" => Some(Value::Bool(false)),
                "null" | "undefined" => Some(Value::Null),
                name => named.get(name).cloned(),
            },
        }
    }

    fn object(&mut self, named: &HashMap<&str, Value>, depth: usize) -> Option<Value> {
        let mut object = Map::new();
        self.eat('{')?;
        loop {
            if self.eat('}').is_some() {
                return Some(Value::Object(object));
            }
            self.skip_blank();
            let quote = self.rest.chars().next().filter(|c| matches!(c, '"' | '\''));
            let key = match quote {
                Some(quote) => self.text(quote)?,
                None => self.word()?.to_owned(),
            };
            let value = match self.eat(':') {
                Some(()) => {
                    let mut ahead = self.clone();
                    let value = ahead.value(named, depth + 1);
                    match value {
                        Some(_) => *self = ahead,
                        None => self.skip_expression(),
                    }
                    value
                }
                None => named.get(key.as_str()).cloned(),
            };
            object.extend(value.map(|value| (key, value)));
            if self.eat(',').is_none() {
                self.eat('}')?;
                return Some(Value::Object(object));
            }
        }
    }

    fn list(&mut self, named: &HashMap<&str, Value>, depth: usize) -> Option<Value> {
        let mut list = Vec::new();
        self.eat('[')?;
        loop {
            if self.eat(']').is_some() {
                return Some(Value::Array(list));
            }
            list.push(self.value(named, depth + 1)?);
            if self.eat(',').is_none() {
                self.eat(']')?;
                return Some(Value::Array(list));
            }
        }
    }

    /// To the comma or bracket that ends the expression.
    fn skip_expression(&mut self) {
        let mut depth = 0usize;
        loop {
            self.skip_blank();
            match self.rest.chars().next() {
                None => return,
                Some(quote @ ('"' | '\'' | '`')) => {
                    self.skip_text(quote);
                    continue;
                }
                Some('(' | '[' | '{') => depth += 1,
                Some(',' | ')' | ']' | '}') if depth == 0 => return,
                Some(')' | ']' | '}') => depth -= 1,
                Some(_) => {}
            }
            self.rest = self
                .rest
                .get(self.rest.ceil_char_boundary(1)..)
                .unwrap_or("");
        }
    }

    fn skip_text(&mut self, quote: char) {
        self.rest = &self.rest[1..];
        let mut escaped = false;
        let end = self
            .rest
            .find(|c| {
                let ends = c == quote && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            })
            .map_or(self.rest.len(), |at| at + 1);
        self.rest = &self.rest[end..];
    }

    /// A quoted text; none for a template with something computed in it.
    fn text(&mut self, quote: char) -> Option<String> {
        let mut text = String::new();
        let mut chars = self.rest[1..].char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => {
                    if let Some(c) = escape(&mut chars)? {
                        text.push(c);
                    }
                }
                '$' if quote == '`' && self.rest[at + 2..].starts_with('{') => return None,
                c if c == quote => {
                    self.rest = &self.rest[at + 2..];
                    return Some(text);
                }
                c => text.push(c),
            }
        }
        None
    }
}

/// The character that an escape stands for; the inner none for a line that goes on.
fn escape(chars: &mut CharIndices<'_>) -> Option<Option<char>> {
    let (_, c) = chars.next()?;
    Some(match c {
        'n' => Some('\n'),
        't' => Some('\t'),
        'r' => Some('\r'),
        '\n' => None,
        'x' => Some(code_point(chars, 2)?),
        'u' => Some(code_point(chars, 4)?),
        c => Some(c),
    })
}

fn code_point(chars: &mut CharIndices<'_>, digits: usize) -> Option<char> {
    let hex: String = chars.by_ref().take(digits).map(|(_, c)| c).collect();
    let code = u32::from_str_radix(&hex, 16).ok()?;
    Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(source: &str) -> Vec<Option<String>> {
        let text = |call: ScriptCall| Some(call.argument?.get("cmd")?.as_str()?.to_owned());
        calls(source).into_iter().map(text).collect()
    }

    #[test]
    fn literal_commands_are_found_however_they_are_quoted() {
        let source = r#"
            // tools.exec_command({cmd: "in a comment"})
            const dir = '/w', note = "tools.exec_command({cmd: 'in a text'})";
            const r = await tools.exec_command({"cmd": "cargo test -- \"a\"", workdir: dir, yield_time_ms: 30_000});
            const cmd = `git commit -m 'x'`
            const [a, b] = await Promise.all([
                tools.exec_command({ cmd }), tools["exec_command"]({env: f(x, [1]), cmd: 'a' + "\u0062\n"}),
            ]);
            text(JSON.stringify(r));"#;
        assert_eq!(
            commands(source),
            [r#"cargo test -- "a""#, "git commit -m 'x'", "ab\n"].map(|cmd| Some(cmd.to_owned()))
        );
    }

    #[test]
    fn computed_commands_are_told_as_such() {
        let source = "for (const c of list) await tools.exec_command({cmd: c}); tools.exec_command({cmd: `ls ${dir}`});\
                      tools.exec_command(args)";
        assert_eq!(commands(source), [None, None, None]);
    }

    #[test]
    fn a_plan_is_found() {
        let found = calls(
            r#"await tools.update_plan({plan: [{step: "a", status: 'pending'},], explanation: null})"#,
        );
        assert_eq!(found[0].tool, "update_plan");
        assert_eq!(
            found[0].argument,
            Some(
                serde_json::json!({"plan": [{"step": "a", "status": "pending"}], "explanation": null})
            )
        );
    }
}
