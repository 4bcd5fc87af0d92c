//! The wildcards of the triggers file. Source: DESIGN §4, "Patterns".

/// A pattern is anchored and case-sensitive: `*` is any run without the separators, `**` any run,
/// `?` one character (a separator excepted).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    wildcards: Wildcards,
}

/// What `*` may not cross.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wildcards {
    /// `*` crosses neither `/` nor `:`. For names.
    Name,
    /// `*` crosses `:` but not `/`. For artifact uris.
    Uri,
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum PatternError {
    #[error("an empty pattern matches nothing; leave the clause out to match everything")]
    Empty,
    #[error("`!` alone excludes nothing")]
    EmptyNegation,
}

impl Pattern {
    /// A pattern (without `!`).
    pub fn parse(text: &str, wildcards: Wildcards) -> Result<Self, PatternError> {
        if text.is_empty() { Err(PatternError::Empty) } else { Ok(Self { text: text.to_owned(), wildcards }) }
    }

    /// Whether the whole of `value` matches. Time is linear in pattern × value, so a hostile value
    /// cannot make it hang.
    pub fn matches(&self, value: &str) -> bool {
        let _ = (value, self.wildcards);
        unimplemented!("pattern")
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// One pattern or a list, with `!` negations: matches when some positive pattern matches (or none is
/// given) and no negated one does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternList {
    positive: Vec<Pattern>,
    negative: Vec<Pattern>,
}

impl PatternList {
    /// From the texts as written, each maybe starting with `!`.
    pub fn parse<'a>(
        texts: impl IntoIterator<Item = &'a str>,
        wildcards: Wildcards,
    ) -> Result<Self, PatternError> {
        let (mut positive, mut negative) = (Vec::new(), Vec::new());
        for text in texts {
            match text.strip_prefix('!') {
                Some("") => return Err(PatternError::EmptyNegation),
                Some(rest) => negative.push(Pattern::parse(rest, wildcards)?),
                None => positive.push(Pattern::parse(text, wildcards)?),
            }
        }
        Ok(Self { positive, negative })
    }

    /// Whether `value` matches the list.
    pub fn matches(&self, value: &str) -> bool {
        (self.positive.is_empty() || self.positive.iter().any(|pattern| pattern.matches(value)))
            && !self.negative.iter().any(|pattern| pattern.matches(value))
    }

    /// The positive patterns.
    pub fn positive(&self) -> &[Pattern] {
        &self.positive
    }

    /// The negated patterns, without their `!`.
    pub fn negative(&self) -> &[Pattern] {
        &self.negative
    }
}

impl std::fmt::Display for PatternList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let texts = self.positive.iter().map(|p| p.text.clone());
        let texts: Vec<_> = texts.chain(self.negative.iter().map(|p| format!("!{}", p.text))).collect();
        f.write_str(&texts.join(", "))
    }
}
