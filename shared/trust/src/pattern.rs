//! The wildcards of the triggers file. Source: DESIGN §4, "Patterns".

/// A pattern is anchored and case-sensitive: `*` is any run without the separators, `**` any run,
/// `?` any one character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    /// The text before the first wildcard: compared before anything else.
    prefix: String,
    /// The rest.
    tokens: Vec<Token>,
    wildcards: Wildcards,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// This character.
    Literal(char),
    /// `?`
    One,
    /// `*`
    Run,
    /// `**`
    AnyRun,
}

/// What `*` may not cross.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wildcards {
    /// `*` crosses neither `/` nor `:`. For names.
    Name,
    /// `*` crosses `:` but not `/`. For artifact uris.
    Uri,
}

impl Wildcards {
    fn separates(self, c: char) -> bool {
        c == '/' || (c == ':' && self == Self::Name)
    }
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
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        let prefix = &text[..text.find(['*', '?']).unwrap_or(text.len())];
        let mut tokens = Vec::new();
        let mut rest = text[prefix.len()..].chars().peekable();
        while let Some(c) = rest.next() {
            tokens.push(match c {
                '*' if rest.next_if_eq(&'*').is_some() => Token::AnyRun,
                '*' => Token::Run,
                '?' => Token::One,
                c => Token::Literal(c),
            });
        }
        Ok(Self { text: text.to_owned(), prefix: prefix.to_owned(), tokens, wildcards })
    }

    /// Whether the whole of `value` matches. Time is linear in pattern × value, so a hostile value
    /// cannot make it hang.
    pub fn matches(&self, value: &str) -> bool {
        let Some(value) = value.strip_prefix(self.prefix.as_str()) else { return false };
        // What most patterns end with needs no search.
        match self.tokens.as_slice() {
            [] => return value.is_empty(),
            [Token::AnyRun] => return true,
            [Token::Run] => return !value.contains(|c| self.wildcards.separates(c)),
            _ => {}
        }
        // All places of the pattern at once, instead of going back for each star.
        let mut here = vec![false; self.tokens.len() + 1];
        here[0] = true;
        skip_empty_runs(&self.tokens, &mut here);
        let mut next = vec![false; here.len()];
        for c in value.chars() {
            next.fill(false);
            for (place, token) in self.tokens.iter().enumerate().filter(|(place, _)| here[*place]) {
                match token {
                    Token::Literal(literal) => next[place + 1] |= *literal == c,
                    Token::One => next[place + 1] = true,
                    Token::Run => next[place] |= !self.wildcards.separates(c),
                    Token::AnyRun => next[place] = true,
                }
            }
            skip_empty_runs(&self.tokens, &mut next);
            if !next.contains(&true) {
                return false;
            }
            std::mem::swap(&mut here, &mut next);
        }
        here[self.tokens.len()]
    }

    /// Whether whatever `other` matches is matched by this one too. Never says so wrongly; may miss that two
    /// patterns which are written differently match the same (`?*` and `*?`).
    ///
    /// The other's wildcards are taken as characters of their own: a run here takes in any run that crosses no
    /// more than it does itself, `?` takes in `?` and every letter.
    pub fn covers(&self, other: &Self) -> bool {
        if self.wildcards != other.wildcards {
            return false;
        }
        let mine = self.all_tokens();
        let mut here = vec![false; mine.len() + 1];
        here[0] = true;
        skip_empty_runs(&mine, &mut here);
        for theirs in other.all_tokens() {
            let mut next = vec![false; here.len()];
            for (place, token) in mine.iter().enumerate().filter(|(place, _)| here[*place]) {
                match (token, theirs) {
                    (Token::AnyRun, _) | (Token::Run, Token::Run) => next[place] = true,
                    (Token::Run, Token::Literal(c)) => next[place] |= !self.wildcards.separates(c),
                    (Token::One, Token::One | Token::Literal(_)) => next[place + 1] = true,
                    (Token::Literal(literal), Token::Literal(c)) => next[place + 1] |= *literal == c,
                    (Token::Run | Token::One | Token::Literal(_), _) => {}
                }
            }
            skip_empty_runs(&mine, &mut next);
            here = next;
        }
        here[mine.len()]
    }

    fn all_tokens(&self) -> Vec<Token> {
        self.prefix.chars().map(Token::Literal).chain(self.tokens.iter().copied()).collect()
    }

    /// Whether it holds no wildcard and so names one value.
    pub fn is_literal(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// A run may be empty: whoever stands before it stands behind it too.
fn skip_empty_runs(tokens: &[Token], places: &mut [bool]) {
    for (place, token) in tokens.iter().enumerate() {
        if places[place] && matches!(token, Token::Run | Token::AnyRun) {
            places[place + 1] = true;
        }
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

    /// From patterns that are parsed already.
    pub fn of(positive: Vec<Pattern>, negative: Vec<Pattern>) -> Self {
        Self { positive, negative }
    }

    /// Whether whatever `other` matches is matched by this list too. Never says so wrongly, may miss it.
    /// Patterns of different wildcards are taken to be about different values.
    pub fn covers(&self, other: &Self) -> bool {
        let lets_in = |theirs: &Pattern| self.positive.iter().any(|pattern| pattern.covers(theirs));
        let all_let_in =
            self.positive.is_empty() || !other.positive.is_empty() && other.positive.iter().all(lets_in);
        // What this list takes out must not be in the other one either.
        let harmless = |negated: &Pattern| {
            let names_others = |theirs: &Pattern| {
                theirs.is_literal() && theirs.wildcards == negated.wildcards && !negated.matches(&theirs.text)
            };
            other.negative.iter().any(|excluded| excluded.covers(negated))
                || !other.positive.is_empty() && other.positive.iter().all(names_others)
        };
        all_let_in && self.negative.iter().all(harmless)
    }

    /// Whether nothing can match, since a negation takes out whatever a positive pattern lets in. Never says so
    /// wrongly, may miss it.
    pub fn is_contradiction(&self) -> bool {
        let excluded = |pattern: &Pattern| self.negative.iter().any(|negated| negated.covers(pattern));
        let everything = self.negative.iter().any(|negated| negated.text == "**");
        everything || !self.positive.is_empty() && self.positive.iter().all(excluded)
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, wildcards: Wildcards, value: &str) -> bool {
        Pattern::parse(pattern, wildcards).unwrap().matches(value)
    }

    #[test]
    fn a_pattern_is_anchored_and_case_sensitive() {
        assert!(matches("main", Wildcards::Name, "main"));
        for value in ["main2", "amain", "Main", "", "mai"] {
            assert!(!matches("main", Wildcards::Name, value), "{value}");
            assert!(!matches("mai?", Wildcards::Name, value) || value == "main", "{value}");
        }
    }

    #[test]
    fn a_star_stops_at_the_separators_of_its_kind_and_two_stars_do_not() {
        assert!(matches("release/*", Wildcards::Name, "release/1.0"));
        assert!(!matches("release/*", Wildcards::Name, "release/1/2"));
        assert!(matches("release/**", Wildcards::Name, "release/1/2"));
        assert!(matches("release/**", Wildcards::Name, "release/"));
        assert!(!matches("a*", Wildcards::Name, "a:b"));
        assert!(matches("a**", Wildcards::Name, "a:b/c"));

        let image = "us-docker.pkg.dev/acme/ml/fraud@sha256:12";
        assert!(matches("us-docker.pkg.dev/acme/ml/fraud@*", Wildcards::Uri, image));
        assert!(!matches("us-docker.pkg.dev/acme/ml/fraud@*", Wildcards::Name, image));
        assert!(!matches("us-docker.pkg.dev/acme/*", Wildcards::Uri, image));
        assert!(matches("us-docker.pkg.dev/acme/**", Wildcards::Uri, image));
    }

    #[test]
    fn a_question_mark_is_any_one_character() {
        for value in ["vä", "v/", "v:", "v1"] {
            assert!(matches("v?", Wildcards::Name, value), "{value}");
        }
        assert!(!matches("v?", Wildcards::Name, "v"));
        assert!(!matches("v?", Wildcards::Name, "v12"));
    }

    #[test]
    fn a_hostile_value_does_not_make_it_hang() {
        let pattern = Pattern::parse(&"*a".repeat(60), Wildcards::Name).unwrap();
        assert!(!pattern.matches(&"a".repeat(5_000).replace("aa", "ab")) || pattern.matches(&"a".repeat(60)));
    }

    #[test]
    fn a_list_needs_one_positive_and_no_negated_match() {
        let list = |texts: &[&str]| PatternList::parse(texts.iter().copied(), Wildcards::Name).unwrap();
        assert!(list(&["a", "b"]).matches("b"));
        assert!(!list(&["a", "b"]).matches("c"));
        assert!(list(&["!x-*"]).matches("anything"));
        assert!(!list(&["!x-*"]).matches("x-1"));
        assert!(!list(&["*", "!x-*"]).matches("x-1"));
        assert_eq!(list(&["!x", "a"]).to_string(), "a, !x");
        assert_eq!(PatternList::parse(["!"], Wildcards::Name), Err(PatternError::EmptyNegation));
        assert_eq!(PatternList::parse([""], Wildcards::Name), Err(PatternError::Empty));
    }

    /// The definition, word by word; exponential, for short texts only.
    fn oracle(pattern: &[char], wildcards: Wildcards, value: &[char]) -> bool {
        let separates = |c: char| c == '/' || (c == ':' && wildcards == Wildcards::Name);
        match pattern {
            [] => value.is_empty(),
            ['*', '*', rest @ ..] => (0..=value.len()).any(|n| oracle(rest, wildcards, &value[n..])),
            ['*', rest @ ..] => (0..=value.len())
                .take_while(|n| value[..*n].iter().all(|c| !separates(*c)))
                .any(|n| oracle(rest, wildcards, &value[n..])),
            ['?', rest @ ..] => !value.is_empty() && oracle(rest, wildcards, &value[1..]),
            [c, rest @ ..] => value.first() == Some(c) && oracle(rest, wildcards, &value[1..]),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn it_matches_what_the_definition_says(pattern in "[ab*?/:]{1,7}", value in "[ab/:]{0,7}", uri in any::<bool>()) {
            let wildcards = if uri { Wildcards::Uri } else { Wildcards::Name };
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(
                matches(&pattern, wildcards, &value),
                oracle(&chars(&pattern), wildcards, &chars(&value))
            );
        }

        #[test]
        fn a_list_that_covers_another_matches_all_that_the_other_does(
            wide in proptest::collection::vec("!?[ab*?/]{1,3}", 1..4),
            narrow in proptest::collection::vec("!?[ab*?/]{1,3}", 1..4),
            values in proptest::collection::vec("[ab/:]{0,4}", 20),
        ) {
            let list = |texts: &[String]| PatternList::parse(texts.iter().map(String::as_str), Wildcards::Name);
            let (Ok(wide), Ok(narrow)) = (list(&wide), list(&narrow)) else { return Ok(()) };
            for value in values {
                if wide.covers(&narrow) && narrow.matches(&value) {
                    prop_assert!(wide.matches(&value), "{wide} covers {narrow}, and not {value:?}");
                }
                prop_assert!(!(narrow.is_contradiction() && narrow.matches(&value)), "{narrow} {value:?}");
            }
        }
    }

    #[test]
    fn what_is_written_differently_and_holds_more_is_seen_to() {
        let covers = |wide: &[&str], narrow: &[&str]| {
            let list = |texts: &[&str]| PatternList::parse(texts.iter().copied(), Wildcards::Name).unwrap();
            list(wide).covers(&list(narrow))
        };
        assert!(covers(&["main"], &["main"]) && covers(&["ma*"], &["main"]) && covers(&["**"], &["a*b/c?"]));
        assert!(covers(&["release/*"], &["release/v*", "release/1"]) && covers(&["a?*"], &["ab", "a1*"]));
        assert!(covers(&["!dev-*"], &["main"]) && covers(&["*", "!x"], &["a*", "!x*"]));
        assert!(!covers(&["main"], &["ma*"]) && !covers(&["*"], &["a/b"]) && !covers(&["*"], &["a**"]));
        assert!(!covers(&["a*"], &["!x"]) && !covers(&["*", "!x"], &["*"]) && !covers(&["*"], &["?"]));
    }

    #[test]
    fn a_list_that_takes_out_all_it_lets_in_is_a_contradiction() {
        let contradicts = |texts: &[&str]| {
            PatternList::parse(texts.iter().copied(), Wildcards::Name).unwrap().is_contradiction()
        };
        assert!(contradicts(&["main", "!main"]) && contradicts(&["release/1", "!release/*"]));
        assert!(contradicts(&["!**"]) && contradicts(&["a*", "b", "!a*", "!?"]));
        assert!(!contradicts(&["main"]) && !contradicts(&["ma*", "!main"]) && !contradicts(&["!*"]));
    }
}
