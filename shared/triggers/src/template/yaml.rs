//! A template written as YAML: the first document, composed as `PyYAML`'s `safe_load` composes it.
//!
//! Refused, because another reader would read another value: a key given twice, keys that are no text,
//! unknown tags, line breaks that only YAML 1.1 knows, and documents beyond KFP's own `platforms:`.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use serde_json::{Map, Value};

use super::{TemplateError, foreign};
use crate::pyyaml::{self, Kind};

/// Nodes a document may have once its aliases are written out. KFP writes none; a file of a few lines that
/// names itself over and over must not fill the memory.
const MAX_NODES: usize = 500_000;

/// Levels of nesting; a protobuf Struct has about as many.
const MAX_DEPTH: usize = 100;

/// Reads the first document.
pub(super) fn read(text: &str) -> Result<Value, TemplateError> {
    if let Some(at) = text.find(['\u{85}', '\u{2028}', '\u{2029}']) {
        let line = text[..at].matches('\n').count() + 1;
        return Err(TemplateError::new(format!(
            "line {line} has a line break that only YAML 1.1 knows (U+0085, U+2028 or U+2029)"
        ))
        .fix("write it as an escape inside double quotes"));
    }
    let mut reader = Reader { events: Parser::new_from_str(text), anchors: HashMap::new(), nodes: 0 };
    let Some(first) = reader.document()? else {
        return Err(TemplateError::new("the template is empty"));
    };
    // What is no pipeline is told by its own name, whatever follows it.
    if foreign::foreign(&first).is_none()
        && let Some(second) = reader.document()?
    {
        let platforms_only = second.as_object().is_some_and(|it| it.keys().all(|key| key == "platforms"));
        if !(platforms_only || second.is_null()) || reader.document()?.is_some() {
            return Err(TemplateError::new("the file has a second document that is not KFP's `platforms:`")
                .fix("keep one pipeline in a file"));
        }
    }
    Ok(first)
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    /// The value of each anchor and how many nodes it stands for.
    anchors: HashMap<usize, (Value, usize)>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    /// The next document's value; `None` at the end.
    fn document(&mut self) -> Result<Option<Value>, TemplateError> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(None),
                (Event::DocumentStart(_), _) => {
                    self.anchors.clear();
                    let (event, span) = self.next()?;
                    return self.node(event, span, 0).map(Some);
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), TemplateError> {
        match self.events.next() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(scan_error(&error)),
            // The parser ends every stream with an event; asked again, it has nothing.
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Value, TemplateError> {
        if depth > MAX_DEPTH {
            return Err(fault(span, &format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let before = self.nodes;
        self.count(1, span)?;
        let (value, anchor) = match event {
            Event::Alias(id) => {
                let Some((value, nodes)) = self.anchors.get(&id) else {
                    return Err(fault(span, "an alias stands for something that contains the alias itself"));
                };
                let (value, nodes) = (value.clone(), *nodes);
                self.count(nodes, span)?;
                (value, 0)
            }
            Event::Scalar(text, style, anchor, tag) => (scalar(&text, style, tag.as_deref(), span)?, anchor),
            Event::SequenceStart(anchor, tag) => {
                collection_tag(tag.as_deref(), "seq", span)?;
                (self.sequence(depth)?, anchor)
            }
            Event::MappingStart(anchor, tag) => {
                collection_tag(tag.as_deref(), "map", span)?;
                (self.mapping(depth)?, anchor)
            }
            _ => return Err(fault(span, "expected a value")),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, (value.clone(), self.nodes - before));
        }
        Ok(value)
    }

    fn sequence(&mut self, depth: usize) -> Result<Value, TemplateError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::Array(items)),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, TemplateError> {
        let mut members = Map::new();
        let mut merged = Map::new();
        loop {
            let (event, span) = self.next()?;
            let key = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, ScalarStyle::Plain, _, None) if pyyaml::kind_of(&text) == Kind::Merge => {
                    let (event, span) = self.next()?;
                    let value = self.node(event, span, depth + 1)?;
                    merge(value, &mut merged, span)?;
                    continue;
                }
                // PyYAML gives the default-value mark its text when it is a key.
                Event::Scalar(text, ScalarStyle::Plain, 0, None) if text == "=" => text.into_owned(),
                event => match self.node(event, span, depth + 1)? {
                    Value::String(key) => key,
                    other => {
                        return Err(fault(span, &format!("the key {} is no text", short(&other)))
                            .fix("quote it: members of a JSON object are named by text"));
                    }
                },
            };
            let (event, value_span) = self.next()?;
            let value = self.node(event, value_span, depth + 1)?;
            if members.contains_key(&key) {
                return Err(fault(span, &format!("the key `{key}` stands twice")));
            }
            members.insert(key, value);
        }
        // What the mapping says itself stands above what it merges.
        for (key, value) in merged {
            members.entry(key).or_insert(value);
        }
        Ok(Value::Object(members))
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), TemplateError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            return Err(fault(span, &format!("more than {MAX_NODES} values, aliases written out")));
        }
        Ok(())
    }
}

/// `<<: {…}` and `<<: [{…}, …]`: of several, the earlier in the list wins; a later `<<` wins over an earlier.
fn merge(value: Value, merged: &mut Map<String, Value>, span: Span) -> Result<(), TemplateError> {
    let sources = match value {
        Value::Object(source) => vec![Value::Object(source)],
        Value::Array(sources) => sources,
        other => return Err(fault(span, &format!("`<<` merges mappings, found {}", short(&other)))),
    };
    for source in sources.into_iter().rev() {
        match source {
            Value::Object(source) => merged.extend(source),
            other => return Err(fault(span, &format!("`<<` merges mappings, found {}", short(&other)))),
        }
    }
    Ok(())
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Result<Value, TemplateError> {
    let value = match tag {
        None if style == ScalarStyle::Plain => pyyaml::plain(text),
        None => Ok(Value::String(text.to_owned())),
        Some(tag) => match (tag.handle.as_str(), tag.suffix.as_str()) {
            ("" | "!", "!" | "") | ("tag:yaml.org,2002:", "str") => Ok(Value::String(text.to_owned())),
            ("tag:yaml.org,2002:", "int") => pyyaml::typed(Kind::Integer, text),
            ("tag:yaml.org,2002:", "float") => pyyaml::typed(Kind::Float, text),
            ("tag:yaml.org,2002:", "bool") => pyyaml::typed(Kind::Boolean, text),
            ("tag:yaml.org,2002:", "null") => pyyaml::typed(Kind::Null, text),
            _ => return Err(unknown_tag(tag, span)),
        },
    };
    value.map_err(|error| fault(span, &error.to_string()))
}

fn collection_tag(tag: Option<&Tag>, expected: &str, span: Span) -> Result<(), TemplateError> {
    match tag {
        Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == expected) => Err(unknown_tag(tag, span)),
        _ => Ok(()),
    }
}

fn unknown_tag(tag: &Tag, span: Span) -> TemplateError {
    fault(span, &format!("the tag `{}{}` has no reading in JSON", tag.handle, tag.suffix)).fix("remove it")
}

fn fault(span: Span, message: &str) -> TemplateError {
    TemplateError::new(format!("line {}, column {}: {message}", span.start.line(), span.start.col() + 1))
}

fn scan_error(error: &ScanError) -> TemplateError {
    let at = error.marker();
    TemplateError::new(format!("line {}, column {}: {}", at.line(), at.col() + 1, error.info()))
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 60 { text } else { text.chars().take(60).chain(['…']).collect() }
}
